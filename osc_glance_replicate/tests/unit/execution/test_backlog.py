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
            self.backlog.add([action])
        return actions

    def take(self, *pending, free=(False, True)):
        group = self.backlog.take(pending, free)
        return group and group[0]

    def test_what_moves_no_data_comes_first_and_then_the_largest(self):
        small, large = self.add(copy(1, 1), copy(2, 9))
        (update,) = self.add(change(3))
        self.assertEqual(
            [update, large, small], [self.take() for _ in range(3)]
        )
        self.assertIsNone(self.take())

    def test_what_moves_no_data_has_room_of_its_own(self):
        large, proven, update, needy = self.add(
            copy(1, 9), change(2, proof='sha512'), change(3), change(4, [1])
        )
        self.assertIs(update, self.take(free=[False]))
        self.assertIsNone(self.take(large, free=[False]))
        self.assertIs(proven, self.take(free=[True]))
        self.assertIs(large, self.take(free=[True]))
        self.assertIsNone(self.take(large, free=[False, True]))
        self.assertIs(needy, self.take(free=[False]))

    def test_what_is_needed_comes_before(self):
        needy, needed = self.add(copy(1, 9, after=[2]), copy(2, 1))
        self.assertIs(needed, self.take())
        self.assertIsNone(self.take(needed))
        self.assertIs(needy, self.take())

    def test_what_lands_elsewhere_is_not_waited_for(self):
        needy, _ = self.add(copy(1, 9, after=[2]), copy(2, 1, 'other'))
        self.assertIs(needy, self.take())

    def test_circle_ends(self):
        one, other = self.add(copy(1, 9, after=[2]), copy(2, 1, after=[1]))
        self.assertIs(one, self.take())
        self.assertIsNone(self.take(one))
        self.assertIs(other, self.take())
