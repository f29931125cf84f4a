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

import dataclasses

import testtools

from osc_glance_replicate.model import plan
from osc_glance_replicate.planning import differences
from osc_glance_replicate.tests.doubles import samples


def change(field, source, destination, exact=False):
    return plan.Change(field, source, destination, exact)


class TestDifferences(testtools.TestCase):
    def test_what_gives_and_what_takes_away(self):
        shared, public = 'shared', 'public'
        for each, gives, takes in (
            (change('visibility', public, 'community'), True, False),
            (change('visibility', 'private', shared), False, True),
            (change('visibility', shared, 'private'), True, False),
            (change('os_hidden', True, False), False, True),
            (change('os_hidden', False, True), True, False),
            (change('status', 'active', 'deactivated'), True, False),
            (change('status', 'deactivated', 'active'), False, True),
            (change('owner', 'a', 'b'), True, False),
            (change('name', 'a', 'b'), False, False),
            (change('protected', False, True), False, False),
            (change('kernel_id', None, 'b'), False, False),
            (change('members', {'a': 'accepted'}, {}), True, False),
            (
                change('members', {'a': 'accepted'}, {'a': 'pending'}),
                True,
                False,
            ),
            (change('members', {}, {'a': 'accepted'}, True), False, True),
        ):
            self.assertEqual(gives, each.gives, each)
            found = list(differences.taking_away([each]))
            self.assertEqual([each] if takes else [], found)

    def test_what_deletes_a_key_is_no_difference(self):
        policy = {'os_encrypt_key_deletion_policy': 'on_image_deletion'}
        image, replica = samples.image(), samples.image(**policy)
        action = plan.Action(image, 'slave', plan.Verb.COPY)
        for more, found in (
            ({}, []),
            ({'exact': True}, []),
            ({'exact': True, 'cleared': True}, list(policy)),
            ({'shaped': samples.image(os_encrypt_key_deletion_policy='x')},
             list(policy)),
        ):  # fmt: skip
            each = dataclasses.replace(action, **more)
            changes = differences.of(each, replica)
            self.assertEqual(found, [each.field for each in changes])

    def test_members_that_were_not_looked_at(self):
        unknown = change('members', {}, None, exact=True)
        self.assertEqual([], list(differences.taking_away([unknown])))

    def test_members_are_taken_away_and_not_added(self):
        both = change(
            'members',
            {'new': 'accepted', 'kept': 'accepted'},
            {'kept': 'pending', 'old': 'accepted'},
            exact=True,
        )
        (less,) = differences.taking_away([both])
        self.assertEqual({'kept': 'pending'}, less.wanted)
