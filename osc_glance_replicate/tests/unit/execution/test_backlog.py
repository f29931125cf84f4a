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


class TestBacklog(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.backlog = backlog.Backlog()

    def add(self, *actions):
        for action in actions:
            self.backlog.add([action])
        return actions

    def take(self, *pending):
        group = self.backlog.take(pending)
        return group and group[0]

    def test_what_moves_no_data_comes_first_and_then_the_largest(self):
        small, large = self.add(copy(1, 1), copy(2, 9))
        (update,) = self.add(
            plan.Action(samples.image(3, size=5), 'slave', plan.Verb.UPDATE)
        )
        self.assertEqual(
            [update, large, small], [self.take() for _ in range(3)]
        )
        self.assertIsNone(self.take())

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
