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

import gc
import weakref

import requests
import testtools

from osc_glance_replicate.clouds import limits
from osc_glance_replicate.clouds import watchdog
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


class TestPools(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.adapter = limits.Adapter(pool_maxsize=3)

    def pool(self, url='https://far.example/v2', **options):
        request = requests.Request('GET', url).prepare()
        return self.adapter.get_connection_with_tls_context(
            request, **{'verify': True, **options}
        )

    def test_a_server_has_one(self):
        pool = self.pool()
        self.assertIs(pool, self.pool('https://far.example/v2/images?a=b'))
        self.assertTrue(issubclass(pool.ConnectionCls, watchdog._Noticed))
        self.assertEqual(3, pool.pool.maxsize)

    def test_what_differs_has_another(self):
        pools = [
            self.pool(),
            self.pool('http://far.example/v2'),
            self.pool('https://far.example:9292/v2'),
            self.pool(verify=False),
            self.pool(verify='/authority.pem'),
            self.pool(cert='/own.pem'),
            self.pool(cert=('/own.pem', '/own.key')),
            self.pool(proxies={'https': 'http://proxy.example:3128'}),
        ]
        self.assertEqual(len(pools), len(set(map(id, pools))))

    def test_no_more_than_some_are_kept(self):
        found = weakref.WeakSet(
            self.pool(f'https://{number}.example') for number in range(30)
        )
        gc.collect()
        self.assertLess(len(found), 20)

    def test_none_is_kept_that_is_closed(self):
        pool = weakref.ref(self.pool())
        self.adapter.close()
        gc.collect()
        self.assertIsNone(pool())
