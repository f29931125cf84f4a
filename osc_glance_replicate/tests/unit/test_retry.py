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

from osc_glance_replicate import errors
from osc_glance_replicate import retry


class TestRetry(testtools.TestCase):
    def test_delays_grow_up_to_a_limit(self):
        delays = [retry.backoff(number) for number in range(12)]
        for number, delay in enumerate(delays):
            longest = min(2**number, 60)
            self.assertTrue(longest / 2 <= delay <= longest, delay)

    def test_last_trouble_is_raised(self):
        trouble = errors.TransientError('slave', 'x')
        retries = retry.Retries(1).after(trouble)
        self.assertTrue(retries.exhausted)
        raised = self.assertRaises(
            errors.TransientError, retries.after, trouble
        )
        self.assertIs(trouble, raised)

    def test_long_waits_are_told_once(self):
        log = self.useFixture(fixtures.FakeLogger('osc_glance_replicate'))
        for seconds in 5.0, 3600.0, 3600.0:
            trouble = errors.TransientError('patience', 'busy', seconds)
            retry.with_retry_after(1.0, trouble)
        self.assertEqual('patience asks to wait for 300 s\n', log.output)

    def test_retry_after_is_honoured_and_capped(self):
        for asked, waited in ((0, 2), (1, 2), (120, 120), (10**6, 300)):
            trouble = errors.TransientError('slave', 'x', retry_after=asked)
            self.assertEqual(waited, retry.with_retry_after(2, trouble))


class TestHurriedly(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.now = 0.0
        self.asked = []
        for name, double in (
            ('monotonic', lambda: self.now),
            ('sleep', self.sleep),
        ):
            self.useFixture(fixtures.MonkeyPatch(f'time.{name}', double))

    def sleep(self, seconds):
        self.now += seconds

    def ask(self, takes, retry_after=0):
        """Let each try take its time, and fail; return the tries."""
        trouble = errors.TransientError('slave', 'x', retry_after)

        def fail(is_late):
            self.asked.append(is_late)
            self.now += takes
            raise trouble

        raised = self.assertRaises(
            errors.TransientError, retry.hurriedly, fail
        )
        self.assertIs(trouble, raised)
        return self.asked

    def test_what_fails_at_once_has_all_its_tries(self):
        self.assertEqual([False] * 4, self.ask(takes=0))
        self.assertLess(self.now, 10)

    def test_after_silence_it_is_asked_once_more(self):
        self.assertEqual([False, True], self.ask(takes=60))

    def test_it_waits_for_nobody_for_long(self):
        self.assertEqual(
            [False, False, False, True], self.ask(takes=0, retry_after=300)
        )
        self.assertLess(self.now, 31)

    def test_answer(self):
        self.assertEqual(5, retry.hurriedly(lambda is_late: 5))
