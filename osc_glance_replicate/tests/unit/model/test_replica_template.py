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

from osc_glance_replicate import errors
from osc_glance_replicate.model import image_selection as selection
from osc_glance_replicate.model import ownership
from osc_glance_replicate.model import plan
from osc_glance_replicate.model import replica_template as replica
from osc_glance_replicate.planning import decisions as planning
from osc_glance_replicate.planning import rules
from osc_glance_replicate.tests.doubles import records as base


class Projects:
    def __init__(self, name, **known):
        self.name = name
        self._known = {k: ownership.Project(*v) for k, v in known.items()}

    def known(self):
        return self._known


MASTER = Projects('master', m1=('web', 'a'), m2=('web', 'b'), m3=('db', 'a'))
SLAVE = Projects('slave', s1=('web', 'a'), s2=('web', 'b'))
BY_NAME = ownership.ByName(MASTER, SLAVE)


class TestOwners(testtools.TestCase):
    def test_by_name_and_domain(self):
        self.assertEqual('s1', BY_NAME.at('m1'))
        self.assertEqual('s2', BY_NAME.at('m2'))

    def test_no_counterpart_is_named(self):
        error = self.assertRaises(LookupError, BY_NAME.at, 'm3')
        self.assertIn("'db' of domain 'a'", str(error))
        self.assertIn('--map-owner m3=', str(error))

    def test_unknown_name_is_said(self):
        error = self.assertRaises(LookupError, BY_NAME.at, 'm4')
        self.assertIn('m4 cannot be read in master', str(error))

    def test_by_hand_first(self):
        mapped = ownership.Mapped({'m3': 's1'}, BY_NAME)
        self.assertEqual('s1', mapped.at('m3'))
        self.assertEqual('s2', mapped.at('m2'))

    def test_find(self):
        self.assertEqual('m3', ownership.find(MASTER, 'db'))
        self.assertEqual('m1', ownership.find(MASTER, 'm1'))
        unknown = 'f' * 32
        self.assertEqual(unknown, ownership.find(MASTER, unknown))
        for text, word in (('web', 'm1, m2'), ('wbe', "'wbe' in master")):
            error = self.assertRaises(
                errors.SelectionError, ownership.find, MASTER, text
            )
            self.assertIn(word, str(error))


class TestTemplate(testtools.TestCase):
    def test_properties(self):
        template = replica.Template(
            left_out=['hw_*', 'name'], properties={'site': 'b', 'os': 'x'}
        )
        image = base.image(hw_disk='1', hw_vif='2', os='linux', keep='3')
        shaped, owner = template.apply(image)
        self.assertEqual(
            {'os': 'x', 'keep': '3', 'site': 'b'}, shaped.properties
        )
        self.assertEqual(image.name, shaped.name)
        self.assertIsNone(owner)

    def test_visibility(self):
        shaped, _ = replica.Template(visibility='community').apply(
            base.image()
        )
        self.assertEqual('community', shaped.visibility)

    def test_members_of_shared_images_only(self):
        members = {'m1': 'accepted', 'm2': 'pending'}
        template = replica.Template(owners=BY_NAME, members=True)
        for visibility, expected in (
            ('shared', {'s1': 'accepted', 's2': 'pending'}),
            ('private', None),
        ):
            image = base.image(
                owner='m1', members=members, visibility=visibility
            )
            shaped, owner = template.apply(image)
            self.assertEqual(expected, shaped.members)
            self.assertEqual('s1', owner)

    def test_members_that_nothing_maps(self):
        image = base.image(members={'m1': 'pending'}, visibility='shared')
        template = replica.Template(members=True)
        error = self.assertRaises(LookupError, template.apply, image)
        self.assertIn('m1', str(error))
        shaped, _ = replica.Template().apply(image)
        self.assertIsNone(shaped.members)


class TestPlanner(testtools.TestCase):
    def decide(self, image, there=None, exact=False, **template):
        planner = planning.Planner(
            selection.Selection(),
            destinations={
                'slave': rules.Rules(replica.Template(**template), exact)
            },
        )
        return planner.decide(image, there, 'slave')

    def changes(self, *args, **kwargs):
        return {
            change.field: change.wanted
            for change in self.decide(*args, **kwargs).changes
        }

    def test_unmapped_project_fails_in_the_plan(self):
        action = self.decide(base.image(owner='m4'), owners=BY_NAME)
        self.assertEqual(plan.Verb.FAIL, action.verb)
        self.assertIn('m4', action.reason)

    def test_owner_counts_when_asked_for(self):
        image, there = base.image(owner='m1'), base.image(owner='other')
        self.assertEqual({}, self.changes(image, there))
        self.assertEqual(
            {'owner': 's1'}, self.changes(image, there, owners=BY_NAME)
        )

    def test_members(self):
        image, there = (
            base.image(visibility='shared', members=members)
            for members in (
                {'p': 'accepted'},
                {'p': 'pending', 'q': 'pending'},
            )
        )
        asked = {'owners': ownership.Same(), 'members': True}
        self.assertEqual({}, self.changes(image, there))
        self.assertEqual(
            {'members': {'p': 'accepted', 'q': 'pending'}},
            self.changes(image, there, **asked),
        )
        self.assertEqual(
            {'members': {'p': 'accepted'}},
            self.changes(image, there, exact=True, **asked),
        )

    def test_property_that_is_called_members(self):
        image, there = (
            dataclasses.replace(
                image, record={**image.record, 'members': text}
            )
            for image, text in ((base.image(), 'a'), (base.image(), 'b'))
        )
        self.assertEqual({'members': 'a'}, self.changes(image, there))
        self.assertEqual({}, self.changes(image, image))

    def test_exact(self):
        image = base.image(tags=['a'], owner='m')
        there = base.image(tags=['a', 'b'], own='x')
        self.assertEqual({}, self.changes(image, there))
        self.assertEqual(
            {'tags': ['a'], 'own': None},
            self.changes(image, there, exact=True),
        )
