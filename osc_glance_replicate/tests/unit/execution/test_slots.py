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
from osc_glance_replicate.execution import slots
from osc_glance_replicate.model import plan
from osc_glance_replicate.tests.doubles import samples


def copy(number, to='slave'):
    return plan.Action(samples.image(number), to, plan.Verb.COPY)


class TestSlots(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.slots = slots.Slots(2)
        self.line = backlog.line_of(copy(1))

    def state(self):
        return self.slots.are_taken(self.line), self.slots.are_many(self.line)

    def test_each_is_held_until_data_has_arrived_or_all_is_over(self):
        for number in 1, 2:
            self.assertEqual((False, False), self.state())
            self.slots.take(copy(number))
        self.assertEqual((True, False), self.state())
        self.slots.leave(copy(1).key)
        self.assertEqual((False, False), self.state())
        # It had none any more.
        self.slots.end(copy(1))
        self.slots.take(copy(3))
        self.assertEqual((True, False), self.state())
        self.slots.end(copy(2))
        self.assertEqual((False, False), self.state())

    def test_twice_as_many_are_in_work_at_the_most(self):
        for number in range(4):
            self.assertEqual((False, False), self.state())
            self.slots.take(copy(number))
            self.slots.leave(copy(number).key)
        self.assertEqual((True, True), self.state())
        self.slots.end(copy(0))
        self.assertEqual((False, False), self.state())

    def test_each_line_has_its_own(self):
        for number in 1, 2:
            self.slots.take(copy(number, 'other'))
        self.assertEqual((False, False), self.state())

    def test_whoever_began_it_is_told(self):
        heard = []
        self.slots.arrived(copy(1))
        self.slots.tell = heard.append
        self.slots.arrived(copy(2))
        self.assertEqual([copy(2).key], heard)
