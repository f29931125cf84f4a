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

import io
import os
import pathlib

import fixtures
from keystoneauth1 import session as ksa_session
import requests
import testtools

from osc_glance_replicate.clouds import http_session


class TestEnvironment(testtools.TestCase):
    def setUp(self):
        super().setUp()
        for name, value in (
            ('http_proxy', 'http://proxy.example:3128'),
            ('no_proxy', 'near.example'),
            ('REQUESTS_CA_BUNDLE', '/authority.pem'),
        ):
            self.useFixture(fixtures.EnvironmentVariable(name, value))
        self.session = http_session.HttpSession()

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
                for cert in None, ['a', 'b']:
                    found = self.settings(url, verify=verify, cert=cert)
                    self.assertEqual(cert, found['cert'])
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


class TestPrepared(testtools.TestCase):
    """Each request is what requests itself would make of it."""

    def setUp(self):
        super().setUp()
        home = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        (home / 'netrc').write_text(
            'machine known.example login me password p'
        )
        self.useFixture(
            fixtures.EnvironmentVariable('NETRC', str(home / 'netrc'))
        )
        self.session = http_session.HttpSession()
        self.peer = requests.Session()

    def assertAlike(self, url='http://far.example/v2/images', **options):
        method = options.pop('method', 'get')
        found, wanted = (
            session.prepare_request(requests.Request(method, url, **options))
            for session in (self.session, self.peer)
        )
        for each in found, wanted:
            each.register_hook('response', print)
        for name in 'method', 'url', 'headers', 'body', 'hooks':
            self.assertEqual(getattr(wanted, name), getattr(found, name), name)
        # As it is when a redirect is followed.
        self.assertEqual(wanted.copy().headers, found.copy().headers)
        return found

    def test_kinds_of_requests(self):
        for options in (
            {},
            {'headers': {'X-Auth-Token': 'token', 'accept': 'text/plain'}},
            {'headers': {'Accept': None}},
            {'params': {'limit': 1000, 'name': 'in:"a b"'}},
            {'url': 'http://far.example/v2/images?a=b', 'params': {'c': 'd'}},
            {'url': 'http://user:secret@far.example/v2'},
            {'url': b'http://far.example/v2'},
            {'method': 'post', 'json': {'name': 'image'}},
            {'method': 'post', 'data': {'name': 'image'}},
            {'method': 'patch', 'data': b'[]'},
            {'method': 'put', 'data': b''},
            {'method': 'put', 'data': io.BytesIO(b'data')},
            {'method': 'put', 'files': {'file': b'data'}},
            {'auth': ('user', 'secret')},
            {'cookies': {'own': '1'}},
        ):
            if 'files' in options:
                # Its boundary is drawn by lot.
                boundary = fixtures.MonkeyPatch(
                    'urllib3.filepost.choose_boundary', lambda: 'boundary'
                )
                self.useFixture(boundary)
            self.assertAlike(**options)

    def test_settings_of_the_session(self):
        for name, value in (
            ('headers', {'User-Agent': 'me'}),
            ('headers', {'User-Agent': 'me', 'Accept': None}),
            ('params', {'a': 'b'}),
            ('auth', ('user', 'secret')),
        ):
            for session in self.session, self.peer:
                setattr(session, name, value)
            self.assertAlike(headers={'user-agent': 'you'})

    def test_cookies_of_a_server_are_sent_back(self):
        for session in self.session, self.peer:
            session.cookies.set('id', '1', domain='far.example')
        self.assertEqual('id=1', self.assertAlike().headers['Cookie'])
        self.assertNotIn(
            'Cookie', self.assertAlike('http://near.example').headers
        )

    def test_netrc(self):
        known = self.assertAlike('http://known.example/v2')
        self.assertIn('Authorization', known.headers)
        for session in self.session, self.peer:
            session.trust_env = False
        known = self.assertAlike('http://known.example/v2')
        self.assertNotIn('Authorization', known.headers)

    def test_netrc_is_read_once(self):
        self.assertAlike('http://known.example/1')
        pathlib.Path(os.environ['NETRC']).unlink()
        request = requests.Request('get', 'http://known.example/2')
        self.assertIn(
            'Authorization', self.session.prepare_request(request).headers
        )

    def test_hooks(self):
        for session in self.session, self.peer:
            session.hooks['response'] = [repr]
        self.assertIn(repr, self.assertAlike().hooks['response'])
        self.assertAlike(hooks={'response': [str]})
        # One request changes none of the session's.
        self.assertEqual([repr], self.session.hooks['response'])


class TestInstall(testtools.TestCase):
    def test_twice_is_as_good_as_once(self):
        session = ksa_session.Session()
        http_session.install(session)
        first = session.session
        http_session.install(session)
        self.assertIs(first, session.session)
