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

from osc_glance_replicate.execution import first_imports
from osc_glance_replicate.model import conversions
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan
from osc_glance_replicate.tests.doubles import samples

REFUSED = conversions.Conversion.REFUSED

ACCEPTED = conversions.Conversion.ACCEPTED


def copy(number, to='slave', conversion=REFUSED, **fields):
    action = samples.action(
        number, to=to, **{'disk_format': 'qcow2', **fields}
    )
    return dataclasses.replace(action, conversion=conversion)


FIRST, NEXT, OTHER = (copy(number) for number in range(3))


class TestFirstImports(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.first = first_imports.FirstImports()
        self.first.note_planned()

    def begin(self, action):
        """Begin what waits for nobody."""
        self.assertIsNone(self.first.ahead_of(action))
        self.first.begin(action)

    def end(self, action, result=outcomes.Result.FAILED, made=''):
        done = dataclasses.replace(action, converted=made)
        self.first.note(action, outcomes.Outcome(done, result))

    def assertFree(self, *actions):
        for action in actions:
            self.assertIsNone(self.first.ahead_of(action))
            self.assertIs(action, self.first.without(action))

    def test_the_others_wait_for_the_first(self):
        self.begin(FIRST)
        self.assertEqual(FIRST.key, self.first.ahead_of(NEXT))
        self.assertTrue(self.first.is_first(FIRST))
        # It is asked again after it was put off.
        self.assertIsNone(self.first.ahead_of(FIRST))
        self.end(FIRST, outcomes.Result.COPIED)
        self.assertFree(NEXT, OTHER)

    def test_one_that_tells_nothing(self):
        self.begin(FIRST)
        self.end(OTHER)
        self.assertEqual(FIRST.key, self.first.ahead_of(NEXT))
        self.end(FIRST)
        self.begin(NEXT)
        self.assertEqual(NEXT.key, self.first.ahead_of(OTHER))

    def test_one_without_data(self):
        empty = dataclasses.replace(
            FIRST, image=samples.image(0, size=0, disk_format='qcow2')
        )
        self.begin(empty)
        self.end(empty, outcomes.Result.COPIED)
        self.begin(NEXT)
        self.assertEqual(NEXT.key, self.first.ahead_of(OTHER))

    def test_who_waits_for_nobody(self):
        self.begin(FIRST)
        self.assertFree(
            copy(1, 'other'),
            copy(2, disk_format='raw'),
            copy(2, container_format='compressed'),
            copy(3, conversion=conversions.Conversion.NONE),
            copy(4, conversion=ACCEPTED),
            dataclasses.replace(NEXT, verb=plan.Verb.UPDATE),
        )

    def test_one_that_comes_back_converted(self):
        self.begin(FIRST)
        self.end(FIRST, made='raw')
        self.assertFalse(self.first.is_first(copy(6, 'other', ACCEPTED)))
        self.assertIsNone(self.first.ahead_of(NEXT))
        foreign = copy(5, conversion=conversions.Conversion.FOREIGN)
        for action in NEXT, foreign:
            without = self.first.without(action)
            self.assertIs(plan.Verb.FAIL, without.verb)
            self.assertIn(f'{FIRST.image.id}, of the same', without.reason)
            self.assertIn('converted to raw there', without.reason)
            self.assertIn(action.conversion.advice, without.reason)
        self.assertFree(
            copy(1, 'other'),
            copy(2, disk_format='raw'),
            copy(4, conversion=ACCEPTED),
        )

    def test_one_that_an_earlier_run_has_left(self):
        left = dataclasses.replace(
            FIRST,
            verb=plan.Verb.CONFLICT,
            conversion=conversions.Conversion.NONE,
            converted='raw',
        )
        self.first.note(left, outcomes.as_planned(left))
        self.assertIs(plan.Verb.FAIL, self.first.without(NEXT).verb)

    def test_nothing_begins_before_all_is_planned(self):
        first = first_imports.FirstImports()
        there = copy(7, 'there')
        for action in FIRST, NEXT, there:
            first.expect(action)
            key = first.ahead_of(action)
            self.assertTrue(first.is_plan(key))
            self.assertEqual(action.to, key[0])
        self.assertFalse(first.is_plan(FIRST.key))
        self.assertEqual(
            {('slave', ''), ('there', '')}, set(first.note_planned())
        )
        self.assertIsNone(first.ahead_of(there))

    def test_the_smallest_is_the_first(self):
        large, small, empty, needy = (
            dataclasses.replace(
                copy(number, size=size), after=('kernel',) * (number == 4)
            )
            for number, size in ((1, 9), (2, 5), (3, 0), (4, 1))
        )
        for action in large, small, empty, needy:
            self.first.expect(action)
        for action in large, empty, needy:
            self.assertEqual(small.key, self.first.ahead_of(action))
        self.begin(small)
        self.end(small)
        self.assertEqual(large.key, self.first.ahead_of(needy))
        self.begin(large)
        self.end(large)
        # There is no better one.
        self.assertIsNone(self.first.ahead_of(empty))

    def test_one_that_is_put_off_keeps_nobody_waiting(self):
        self.begin(FIRST)
        self.first.release(NEXT)
        self.assertEqual(FIRST.key, self.first.ahead_of(NEXT))
        self.first.release(FIRST)
        self.begin(NEXT)
        self.assertEqual(NEXT.key, self.first.ahead_of(FIRST))
