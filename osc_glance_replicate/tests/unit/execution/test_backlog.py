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

from osc_glance_replicate.execution import backlog
from osc_glance_replicate.model import plan
from osc_glance_replicate.tests.doubles import samples


def copy(number, size=4, to='slave', after=()):
    image = samples.image(number, size=size)
    ids = tuple(samples.image(other).id for other in after)
    return plan.Action(image, to, plan.Verb.COPY, after=ids)


def change(number, after=(), **fields):
    ids = tuple(samples.image(other).id for other in after)
    return plan.Action(
        samples.image(number, size=5),
        'slave',
        plan.Verb.UPDATE,
        after=ids,
        **fields,
    )


class TestBacklog(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.backlog = backlog.Backlog()

    def add(self, *actions):
        for action in actions:
            self.backlog.add(action)
        return actions

    def take(self, *pending, moves=True, to='slave', is_full=False):
        keys = {action.key for action in pending}
        return self.backlog.take(
            (to, moves),
            lambda action: next(
                (
                    key
                    for key in action.awaited
                    if key in self.backlog or key in keys
                ),
                None,
            ),
            is_full,
        )

    def test_largest_comes_first(self):
        small, large, proven = self.add(
            copy(1, 1), copy(2, 9), change(3, proof='sha512')
        )
        self.assertEqual(
            [proven, large, small], [self.take() for _ in range(3)]
        )
        self.assertIsNone(self.take())

    def test_largest_is_read_first(self):
        small, large = self.add(
            *(
                dataclasses.replace(copy(number, size), verb=plan.Verb.READ)
                for number, size in ((1, 1), (2, 9))
            )
        )
        self.assertEqual([large, small], [self.take(), self.take()])

    def test_what_moves_no_data_has_a_line_of_its_own(self):
        _, update = self.add(copy(1, 9), change(2))
        self.assertEqual(
            [('slave', False), ('slave', True)], self.backlog.lines()
        )
        self.assertIs(update, self.take(moves=False))
        self.assertIsNone(self.take(moves=False))

    def test_each_destination_has_lines_of_its_own(self):
        one, other = self.add(copy(1, 9, 'one'), copy(1, 9, 'other'))
        self.assertEqual({'one', 'other'}, self.backlog.copies(one.image.id))
        self.assertIs(other, self.take(to='other'))
        self.assertIsNone(self.take(to='other'))
        self.assertEqual({'one'}, self.backlog.copies(one.image.id))
        self.assertIs(one, self.take(to='one'))
        self.assertEqual((), self.backlog.copies(one.image.id))

    def test_what_is_needed_comes_before(self):
        needy, needed = self.add(copy(1, 9, after=[2]), copy(2, 1))
        self.assertIs(needed, self.take())
        self.assertIsNone(self.take(needed))
        self.assertIn(needy.key, self.backlog)
        self.backlog.free(needed.key)
        self.assertIs(needy, self.take())
        self.assertNotIn(needy.key, self.backlog)

    def test_all_that_is_needed_comes_before(self):
        needy, one, other = self.add(
            copy(1, 9, after=[2, 3]), copy(2, 2), copy(3, 1)
        )
        self.assertEqual([one, other], [self.take(), self.take(one)])
        self.backlog.free(one.key)
        self.assertIsNone(self.take(other))
        self.backlog.free(other.key)
        self.assertIs(needy, self.take())

    def test_who_waits_is_looked_at_once(self):
        needed, *_ = self.add(
            copy(0), *(copy(number, 9, after=[0]) for number in range(1, 50))
        )
        looked = []

        def look(action):
            looked.append(action)
            return next(iter(action.awaited), None)

        self.assertIs(needed, self.backlog.take(('slave', True), look))
        for _ in range(10):
            self.assertIsNone(self.backlog.take(('slave', True), look))
        self.assertEqual(50, len(looked))
        self.assertEqual([], self.backlog.lines())

    def test_one_of_those_who_wait_for_each_other(self):
        one, other = self.add(copy(1, after=[2]), copy(2, after=[1]))
        self.assertIsNone(self.take())
        self.assertIsNone(
            self.backlog.take_held(lambda key: key[0] == 'slave')
        )
        self.assertIs(one, self.backlog.take_held(lambda key: False))
        self.backlog.free(one.key)
        self.assertIs(other, self.take())
        self.assertIsNone(self.backlog.take_held(lambda key: False))

    def test_what_lands_elsewhere_is_not_waited_for(self):
        needy, _ = self.add(copy(1, 9, after=[2]), copy(2, 1, 'other'))
        self.assertIs(needy, self.take())

    def test_all_of_one_destination_is_taken(self):
        one, update, other, needy, needed = self.add(
            copy(1, 9), change(2), copy(1, 9, 'other'),
            change(4, after=[3]), copy(3, 1),
        )  # fmt: skip
        self.assertIs(update, self.take(moves=False))
        self.assertIsNone(self.take(moves=False))
        waiting = [one, needed, needy]
        self.assertEqual(waiting, list(self.backlog.waiting('slave')))
        self.assertEqual(waiting, self.backlog.take_all('slave'))
        self.assertEqual([], self.backlog.take_all('slave'))
        self.assertEqual([], list(self.backlog.waiting('slave')))
        self.assertNotIn(one.key, self.backlog)
        self.assertIn(other.key, self.backlog)

    def test_who_gives_a_name_up_follows_at_once(self):
        """Neither what came before it nor a lack of places delays it."""
        successor = plan.Successor(samples.image(1).id)
        bringing, earlier, leaving = self.add(
            copy(1), change(3), change(2, successor=successor)
        )
        self.assertIs(bringing, self.take())
        self.assertIsNone(self.take(bringing, moves=False, is_full=True))
        self.backlog.free(bringing.key)
        self.assertIs(leaving, self.take(moves=False, is_full=True))
        self.assertIsNone(self.take(moves=False, is_full=True))
        self.assertIs(earlier, self.take(moves=False))
