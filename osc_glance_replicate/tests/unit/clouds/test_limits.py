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

from osc_glance_replicate.clouds import limits
from osc_glance_replicate.tests.doubles import fake_glance


class TestAnswers(testtools.TestCase):
    def test_nothing_is_packed(self):
        """Nobody would unpack it: neither ours nor Keystone's."""
        fake = self.useFixture(
            fake_glance.FakeGlance(
                lambda request: fake_glance.Answer(document={'a': 1})
            )
        )
        session = requests.Session()
        session.mount('http://', limits.Adapter())
        response = session.get(f'{fake.url}/anything')
        self.assertEqual({'a': 1}, response.json())
        (request,) = fake.requests
        self.assertEqual('identity', request.headers['Accept-Encoding'])

    def test_cookies_and_handlers_get_what_they_need(self):
        """Those that log in elsewhere: see fact-federated."""
        fake = self.useFixture(
            fake_glance.FakeGlance(
                lambda request: fake_glance.Answer(
                    headers={'Set-Cookie': 'session=1; Path=/'}
                )
            )
        )
        session = requests.Session()
        session.mount('http://', limits.Adapter())
        response = session.get(f'{fake.url}/anything')
        response.raw.release_conn()
        session.get(f'{fake.url}/more')
        self.assertEqual('session=1', fake.requests[-1].headers['Cookie'])
