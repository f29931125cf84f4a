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
import requests
import testtools

from osc_glance_replicate.clouds import environment


class TestRemember(testtools.TestCase):
    def setUp(self):
        super().setUp()
        for name, value in (
            ('http_proxy', 'http://proxy.example:3128'),
            ('no_proxy', 'near.example'),
            ('REQUESTS_CA_BUNDLE', '/authority.pem'),
        ):
            self.useFixture(fixtures.EnvironmentVariable(name, value))
        self.session = requests.Session()
        environment.remember(self.session)

    def settings(self, url, proxies=None, verify=True, cert=None):
        return self.session.merge_environment_settings(
            url, proxies or {}, True, verify, cert
        )

    def test_servers_are_told_apart(self):
        for server, proxied in ('far', True), ('near', False):
            found = self.settings(f'http://{server}.example/v2/images')
            self.assertEqual(proxied, 'http' in found['proxies'])
            self.assertEqual('/authority.pem', found['verify'])

    def test_what_is_given_goes_before(self):
        proxies = {'http': 'http://other.example'}
        for url in 'http://far.example/1', 'http://far.example/2':
            for verify in True, False, '/own.pem':
                for cert in None, '/own.pem', ['a', 'b']:
                    found = self.settings(url, proxies, verify, cert)
                    self.assertEqual(proxies['http'], found['proxies']['http'])
                    self.assertEqual(cert, found['cert'])
                found = self.settings(url, verify=verify)
                self.assertIn('proxy.example', found['proxies']['http'])
                self.assertEqual(
                    '/authority.pem' if verify is True else verify,
                    found['verify'],
                )

    def test_it_is_looked_up_once(self):
        looks = []
        self.useFixture(
            fixtures.MonkeyPatch(
                'requests.sessions.get_environ_proxies',
                lambda url, no_proxy: looks.append(url) or {},
            )
        )
        for number in range(3):
            found = self.settings(f'http://new.example/v2/{number}?a=b')
            # Whoever asks may change what he gets.
            found['proxies']['http'] = 'changed'
        self.assertEqual(1, len(looks))
        self.assertEqual({}, self.settings('http://new.example')['proxies'])

    def test_twice_is_as_good_as_once(self):
        environment.remember(self.session)
        self.test_it_is_looked_up_once()
