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

from osc_glance_replicate.transfer import bandwidth


class TestBandwidth(testtools.TestCase):
    """Time goes by only while somebody sleeps."""

    def setUp(self):
        super().setUp()
        self.now = 0.0
        self.slept = []
        self.useFixture(
            fixtures.MonkeyPatch('time.monotonic', lambda: self.now)
        )
        self.useFixture(fixtures.MonkeyPatch('time.sleep', self.sleep))

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds

    def test_no_limit(self):
        self.assertEqual(10**9, bandwidth.Bandwidth().grant(10**9))
        self.assertEqual([], self.slept)

    def test_rate_is_kept(self):
        for rate in (1, 1000, 50_000_000):
            limit = bandwidth.Bandwidth(rate)
            start = self.now
            count = 0
            while self.now < start + 10:
                count += limit.grant(1024 * 1024)
            self.assertTrue(9 * rate <= count <= 11 * rate, (rate, count))
            # The slower, the less at a time, but no longer silences.
            if rate > 4:
                self.assertLessEqual(max(self.slept[-5:]), 0.25)

    def test_what_was_not_read_is_not_counted(self):
        limit = bandwidth.Bandwidth(1000)
        count = 0
        while self.now < 10:
            granted = limit.grant(250)
            limit.give_back(granted - 10)
            count += 10
        self.assertTrue(9000 <= count <= 11000, count)

    def test_idleness_earns_no_burst(self):
        limit = bandwidth.Bandwidth(1000)
        self.now += 3600
        start = self.now
        count = 0
        while self.now < start + 1:
            count += limit.grant(10**6)
        self.assertLessEqual(count, 1500)
