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


class TestRedirects(testtools.TestCase):
    def leads_elsewhere(self, url, location):
        request = requests.Request('GET', url).prepare()
        response = requests.Response()
        response.headers['Location'] = location
        return limits._leads_elsewhere(request, response)

    def test_to_the_same_server(self):
        for url, location in (
            ('http://a/v3', '/v3/'),
            ('http://a:5000/v3', 'http://a:5000/v3/'),
            ('http://a/v3', 'https://a/v3'),
            ('http://a:5000/v3', 'https://a:13000/v3'),
        ):
            self.assertFalse(self.leads_elsewhere(url, location), location)

    def test_login_stays_at_its_server(self):
        def refused(url, location, method='POST'):
            def answer(request):
                return fake_glance.Answer(
                    307, headers={'Location': location.format(fake.url)}
                )

            fake = self.useFixture(fake_glance.FakeGlance(answer))
            session = requests.Session()
            session.mount('http://', limits.Adapter())
            try:
                session.request(method, fake.url + url, allow_redirects=False)
            except limits.RedirectedError as exc:
                return str(exc)
            return ''

        for location, told in (
            ('http://b/v3/auth/tokens', 'http://b'),
            ('https://127.0.0.1/v3/auth/tokens', 'https://127.0.0.1'),
            ('http://127.0.0.1:1/v3/auth/tokens', 'http://127.0.0.1'),
            ('http://[', 'nowhere'),
            ('/v3/auth/tokens/', ''),
            ('{}/v3/auth/tokens', ''),
        ):
            for url in '/v3/auth/tokens', '/v2.0/tokens/':
                found = refused(url, location)
                self.assertEqual(bool(told), bool(found), location)
                self.assertIn(told, found)
        self.assertEqual('', refused('/v3/auth/tokens', 'http://b/', 'GET'))
        self.assertEqual('', refused('/v3/else', 'http://b/'))

    def test_to_another(self):
        for url, location in (
            ('http://a/v3', 'http://b/v3'),
            ('http://a/v3', '//b/v3'),
            ('http://a:5000/v3', 'http://a:5001/v3'),
            ('https://a/v3', 'http://a/v3'),
            ('https://a/v3', 'https://a.b/v3'),
            ('https://a/v3', 'http://['),
            ('https://a/v3', 'https://a:x/'),
        ):
            self.assertTrue(self.leads_elsewhere(url, location), location)
