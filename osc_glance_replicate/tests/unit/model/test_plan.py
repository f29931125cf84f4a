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
from osc_glance_replicate.tests.doubles import samples

Verb = plan.Verb


class TestChange(testtools.TestCase):
    def test_tags_and_members_are_added_unless_it_is_to_be_exact(self):
        for field, source, there, both in (
            ('tags', ['b'], ['c', 'a'], ['a', 'b', 'c']),
            ('members', {'p': 'x'}, {'p': 'y', 'q': 'z'}, None),
            ('members', {'p': 'x'}, None, {'p': 'x'}),
            ('name', 'a', 'b', 'a'),
            # A property of that name.
            ('members', 'a', 'b', 'a'),
        ):
            both = both or {'p': 'x', 'q': 'z'}
            self.assertEqual(both, plan.Change(field, source, there).wanted)
            exact = plan.Change(field, source, there, exact=True)
            self.assertEqual(source, exact.wanted)


class TestAction(testtools.TestCase):
    def action(self, verb, replica=None, **fields):
        return plan.Action(samples.image(), 'slave', verb, replica, **fields)

    def test_what_will_be_missing_there(self):
        for verb, alone, beside in (
            (Verb.COPY, False, False),
            (Verb.UNCHANGED, False, False),
            (Verb.SKIP, True, True),
            (Verb.CONFLICT, True, True),
            (Verb.FAIL, True, True),
        ):
            self.assertEqual(alone, self.action(verb).fails)
            there = self.action(verb, samples.image())
            self.assertEqual(beside, there.fails)

        for verb in Verb.SKIP, Verb.CONFLICT, Verb.FAIL:
            left = self.action(verb, samples.image(), usable=True)
            self.assertFalse(left.fails)
        told = self.action(Verb.UPDATE, samples.image(), told_as=Verb.FAIL)
        self.assertTrue(told.fails)

    def test_record_without_data(self):
        for status, incomplete in (('queued', True), ('active', False)):
            action = self.action(Verb.COPY, samples.image(status=status))
            self.assertEqual(incomplete, action.incomplete)
        self.assertFalse(self.action(Verb.COPY).incomplete)

    def test_wanted_is_what_the_options_make_of_the_image(self):
        shaped = samples.image(name='other')
        action = self.action(Verb.COPY)
        self.assertEqual(action.image, action.wanted)
        self.assertIs(shaped, self.action(Verb.COPY, shaped=shaped).wanted)

    def test_other_verb(self):
        action = self.action(Verb.COPY, samples.image(), owner='p')
        failed = action.with_verb(Verb.FAIL, 'why', routine=True)
        self.assertEqual((Verb.FAIL, 'why'), (failed.verb, failed.reason))
        self.assertTrue(failed.routine)
        self.assertEqual(
            (action.key, action.replica, 'p'),
            (failed.key, failed.replica, failed.owner),
        )


class TestToRead(testtools.TestCase):
    def test_what_is_read_is_what_is_there(self):
        image = samples.image()
        stored = samples.image(data=b'converted')
        replica = dataclasses.replace(image, stored=stored)
        for verb, there, expected in (
            (plan.Verb.COPY, None, 4),
            (plan.Verb.READ, image, 4),
            (plan.Verb.READ, replica, 9),
            (plan.Verb.UPDATE, replica, 0),
        ):
            action = plan.Action(image, 'slave', verb, there)
            self.assertEqual(expected, action.to_read)
