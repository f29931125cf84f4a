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

from osc_glance_replicate.clouds import environ_proxy


class TestEnvironProxy(testtools.TestCase):
    def failed(self, kind):
        """Return what comes of a request that has failed."""
        request = requests.Request('GET', 'http://glance.example/').prepare()
        try:
            try:
                raise kind(request=request)
            except requests.exceptions.RequestException as exc:
                raise LookupError('in other words') from exc
        except LookupError as exc:
            return exc

    def test_proxy_is_named_without_its_password(self):
        variable = fixtures.EnvironmentVariable
        self.useFixture(variable('no_proxy'))
        for given, named in (
            ('http://user:secret@proxy.example:3128', 'proxy.example:3128'),
            ('user:secret@proxy.example:3128', 'proxy.example:3128'),
            ('192.0.2.1:3128', '192.0.2.1:3128'),
            ('http://proxy.example', 'proxy.example'),
            ('http://user:sec#ret@proxy.example:3128', None),
            ('http://sec:42/ret@proxy.example:3128', None),
            ('http://sec:42?ret@proxy.example:3128', None),
        ):
            self.useFixture(variable('http_proxy', given))
            failed = self.failed(requests.exceptions.ProxyError)
            found = environ_proxy.blamed(failed)
            self.assertNotIn('sec', found)
            if named:
                self.assertEqual(f'the proxy at {named}', found)
            else:
                self.assertIn('the proxy of the environment', found)
            failed = self.failed(requests.exceptions.ConnectionError)
            self.assertEqual('', environ_proxy.blamed(failed))

    def test_one_that_is_not_known_any_more(self):
        for name in 'http_proxy', 'HTTP_PROXY', 'all_proxy', 'ALL_PROXY':
            self.useFixture(fixtures.EnvironmentVariable(name))
        failed = self.failed(requests.exceptions.ProxyError)
        self.assertIn('the proxy of the env', environ_proxy.blamed(failed))
