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

import threading

import fixtures
import testtools

from osc_glance_replicate import background
from osc_glance_replicate.execution import waiting_room
from osc_glance_replicate.model import plan
from osc_glance_replicate.tests.doubles import clocks
from osc_glance_replicate.tests.doubles import samples

_ROOM = waiting_room.__name__


def copy(number, to='slave'):
    return plan.Action(samples.image(number), to, plan.Verb.COPY)


def update(number, to='slave'):
    return plan.Action(samples.image(number), to, plan.Verb.UPDATE)


class TestWaitingRoom(testtools.TestCase):
    def setUp(self):
        super().setUp()
        for name in '_MAX_PLANNED_AHEAD', '_MAX_MOVES_AHEAD':
            self.useFixture(fixtures.MonkeyPatch(f'{_ROOM}.{name}', 1))
        self.full = threading.Event()
        self.room = waiting_room.WaitingRoom(full=self.full.set)

    def enter(self, *group):
        self.room.wait(group)
        self.room.enter(group)

    def try_to_enter(self, *group):
        """Give what is done when there was room."""
        begun = threading.Event()

        def enter():
            begun.set()
            self.room.wait(group)

        waiting = background.start(enter)
        begun.wait(clocks.PATIENCE)
        self.addCleanup(self.room.close)
        return waiting

    def test_each_kind_has_room_of_its_own(self):
        self.enter(copy(1))
        self.enter(update(2))
        waiting = self.try_to_enter(copy(3))
        self.room.leave(update(2))
        self.assertFalse(waiting.done())
        self.room.leave(copy(1))
        waiting.result(clocks.PATIENCE)

    def test_image_takes_room_once_for_all_destinations(self):
        self.enter(copy(1, 'one'), copy(1, 'other'))
        self.room.leave(copy(1, 'one'))
        self.enter(copy(2))
        # It has left already.
        self.room.leave(copy(1, 'other'))
        self.assertFalse(self.try_to_enter(copy(3)).done())

    def test_several_destinations_have_more_room(self):
        self.room = waiting_room.WaitingRoom(2)
        self.enter(copy(1))
        self.enter(copy(2))
        self.assertFalse(self.try_to_enter(copy(3)).done())

    def test_all_of_an_image_leaves(self):
        group = update(1, 'one'), copy(1, 'other')
        self.enter(*group)
        self.room.leave_where_down(group, lambda to: True)
        self.enter(*group)

    def test_part_of_an_image_leaves(self):
        group = update(1, 'one'), copy(1, 'other'), copy(1, 'third')
        self.enter(*group)
        self.room.leave_where_down(group, lambda to: to != 'third')
        self.try_to_enter(update(2)).result(clocks.PATIENCE)
        self.assertFalse(self.try_to_enter(copy(3)).done())

    def test_who_waits_tells(self):
        self.enter(copy(1))
        self.assertFalse(self.full.is_set())
        waiting = self.try_to_enter(copy(2))
        self.assertTrue(self.full.wait(clocks.PATIENCE))
        self.room.leave(copy(1))
        waiting.result(clocks.PATIENCE)

    def test_what_is_not_done_takes_room_as_well(self):
        left = copy(1).with_verb(plan.Verb.SKIP, 'why')
        self.enter(left)
        waiting = self.try_to_enter(update(2))
        self.room.leave_where_down([left], lambda to: False)
        waiting.result(clocks.PATIENCE)

    def test_nobody_waits_for_ever(self):
        self.enter(copy(1))
        waiting = self.try_to_enter(copy(2))
        self.room.close()
        waiting.result(clocks.PATIENCE)
