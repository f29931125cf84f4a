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

import fixtures
import testtools

from osc_glance_replicate.tests.doubles import clocks
from osc_glance_replicate.transfer import pace


class TestPace(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.clock = clocks.Clock()
        self.useFixture(
            fixtures.MonkeyPatch(f'{pace.__name__}.time', self.clock)
        )
        self.pace = pace.Pace()
        self.watch = pace.Stopwatch(self.pace)

    def test_only_what_a_block_takes_counts(self):
        for _ in range(3):
            self.watch.start(10)
            self.clock.now += 2
            self.watch.stop()
            # It waits for the next one.
            self.clock.now += 100
            self.watch.stop()
        self.assertEqual(0, self.watch.seconds)
        self.assertEqual(5, self.pace.speed(0))

    def test_so_does_what_takes_long_still(self):
        self.pace.spent(10, 1)
        self.watch.start(10)
        self.clock.now += 4
        self.assertEqual(2, self.pace.speed(self.watch.seconds))
        self.watch.cancel()
        self.assertEqual(10, self.pace.speed(self.watch.seconds))

    def test_what_is_long_ago_counts_less(self):
        for _ in range(100):
            self.pace.spent(100, 1)
        for _ in range(60):
            self.pace.spent(1, 1)
        self.assertLess(self.pace.speed(0), 15)
