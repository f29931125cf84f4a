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

import requests
import testtools

from osc_glance_replicate.clouds import throttling


def answer(status, **headers):
    found = requests.Response()
    found.status_code = status
    found.headers.update(headers)
    return found


class TestThrottling(testtools.TestCase):
    def test_forms_of_limits(self):
        when = {'Retry-After': '7'}
        for status, always, with_time in (
            (429, True, True),
            (498, True, True),
            # Quotas and policies have them, too.
            (403, False, True),
            (413, False, True),
            # These are no limits of requests.
            (200, False, False),
            (401, False, False),
            (503, False, False),
        ):
            self.assertIs(always, throttling.is_limited(answer(status)))
            found = throttling.is_limited(answer(status, **when))
            self.assertIs(with_time, found, status)

    def test_when_to_come_again(self):
        for value, seconds in ('7', 7.0), ('-7', 0.0), ('', 0.0), ('²', 0.0):
            found = throttling.retry_after(
                answer(429, **{'Retry-After': value})
            )
            self.assertEqual(seconds, found)
        self.assertEqual(0.0, throttling.retry_after(answer(429)))
