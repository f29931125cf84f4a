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

from unittest import mock

import requests
import testtools

from osc_glance_replicate.places.glance import clock

#: Fri, 02 Jan 1970 00:00:00 GMT
_DAY = 86400


class TestClock(testtools.TestCase):
    def note(self, date, seconds, now=_DAY):
        response = requests.Response()
        if date:
            response.headers['Date'] = date
        with mock.patch.object(clock.time, 'time', return_value=now):
            self.clock.note(response, seconds)
        return self.clock.ahead

    def setUp(self):
        super().setUp()
        self.clock = clock.Clock()

    def test_header_is_of_the_middle_of_a_second(self):
        told = self.note('Fri, 02 Jan 1970 00:01:00 GMT', 0.0)
        self.assertEqual(60.5, told)

    def test_request_has_been_on_its_way(self):
        told = self.note('Fri, 02 Jan 1970 00:00:00 GMT', 2.0, _DAY + 1)
        self.assertEqual(0.5, told)

    def test_quickest_answer_counts(self):
        self.note('Fri, 02 Jan 1970 00:00:10 GMT', 0.1)
        told = self.note('Fri, 02 Jan 1970 00:00:00 GMT', 7200)
        self.assertAlmostEqual(10.55, told)

    def test_what_says_no_zone_is_utc(self):
        for date in (
            'Fri, 02 Jan 1970 00:00:00 -0000',
            'Fri, 02 Jan 1970 01:00:00 +0100',
        ):
            self.clock = clock.Clock()
            self.assertEqual(0.5, self.note(date, 0.0))

    def test_what_tells_nothing(self):
        for date in None, 'x', 'Fri, 32 Jan 1970 00:00:00 GMT':
            self.assertEqual(0.0, self.note(date, 0.0))
        self.assertEqual(3.0, self.note('Fri, 02 Jan 1970 00:00:00 GMT', 5))
