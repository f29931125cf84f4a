# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

import testtools

from osc_glance_replicate.model import audience
from osc_glance_replicate.tests.doubles import samples


def image(visibility, *members, owner='owner'):
    return samples.image(
        visibility=visibility,
        owner=owner,
        members=dict.fromkeys(members, 'pending') or None,
    )


class TestMaySee(testtools.TestCase):
    def test_who(self):
        for visibility, members, project, may in (
            ('public', (), 'p', True),
            ('community', (), 'p', True),
            ('shared', ('p',), 'p', True),
            ('shared', ('q',), 'p', False),
            ('shared', (), 'p', False),
            ('shared', (), 'owner', True),
            # They were added before it was made private: nobody is one now.
            ('private', ('p',), 'p', False),
            ('private', (), 'p', False),
            ('private', (), None, False),
            ('private', (), 'owner', True),
            ('odd', (), 'p', False),
        ):
            shown = image(visibility, *members)
            case = visibility, members, project
            self.assertEqual(may, audience.may_see(project, shown), case)
        nobodys = image('private', owner=None)
        self.assertTrue(audience.may_see(None, nobodys))
        self.assertFalse(audience.may_see('p', nobodys))


class TestMayAllSee(testtools.TestCase):
    def test_whoever_sees_the_one_sees_the_other(self):
        shared = image('shared', 'p', 'q')
        for one, needed, may in (
            (image('public'), image('public'), True),
            (image('public'), image('community'), True),
            (image('community'), image('shared', 'p'), False),
            (image('public'), image('private'), False),
            (shared, image('shared', 'p', 'q', 'r'), True),
            (shared, image('shared', 'p'), False),
            (shared, image('private'), False),
            (shared, image('public', owner='other'), True),
            (image('private', 'p'), image('private'), True),
            (image('private'), image('private', owner='other'), False),
            (image('private'), image('shared', owner='other'), False),
            (image('private'), image('shared', 'owner', owner='other'), True),
        ):
            self.assertEqual(
                may, audience.may_all_see(one, needed), (one, needed)
            )


class TestNarrower(testtools.TestCase):
    def test_order(self):
        widths = 'private', 'shared', 'community', 'public'
        for i, one in enumerate(widths):
            for j, other in enumerate(widths):
                self.assertEqual(
                    widths[min(i, j)], audience.narrower(one, other)
                )
