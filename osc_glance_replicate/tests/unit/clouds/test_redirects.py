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

from keystoneauth1 import exceptions
from keystoneauth1.identity import v3
from keystoneauth1 import session as ksa_session
import requests
import testtools

from osc_glance_replicate.clouds import login
from osc_glance_replicate.clouds import login_adapter
from osc_glance_replicate.clouds import redirects
from osc_glance_replicate.tests.doubles import fake_glance

Answer = fake_glance.Answer


class TestWhere(testtools.TestCase):
    def may_lead(self, url, location, method='GET', federated=False, **kwargs):
        request = requests.Request(method, url, **kwargs).prepare()
        return redirects.may_lead(request, location, federated)

    def test_to_the_same_server(self):
        for url, location in (
            ('http://a/v3', '/v3/'),
            ('http://a:5000/v3', 'http://a:5000/v3/'),
            ('http://a/v3', 'https://a/v3'),
            ('http://a:5000/v3', 'https://a:13000/v3'),
        ):
            self.assertTrue(self.may_lead(url, location), location)

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
            self.assertFalse(self.may_lead(url, location), location)

    def test_what_is_sent_stays_at_its_server(self):
        for location, may in (('https://a/v3', False), ('/else', True)):
            found = self.may_lead('http://a/v3', location, 'POST', True)
            self.assertEqual(may, found, location)

    def test_federated_login_goes_elsewhere_without_credentials(self):
        for url, location, may in (
            ('https://a/v3', 'https://b/idp', True),
            ('http://a/v3', 'https://b/idp', True),
            ('https://a/v3', 'http://b/idp', False),
            ('https://a/v3', 'http://[', False),
        ):
            found = self.may_lead(url, location, federated=True)
            self.assertEqual(may, found, location)
        for name in 'X-Auth-Token', 'x-subject-token', 'authorization':
            self.assertFalse(
                self.may_lead(
                    'https://a/', 'https://b/', federated=True,
                    headers={name: 'secret'},
                ),
                name,
            )  # fmt: skip


def limited_session(**options):
    return login.limited_session(login_adapter.LoginAdapter(60), **options)


class RedirectTest(testtools.TestCase):
    def serve(self, answer):
        return self.useFixture(fake_glance.FakeGlance(answer))

    def away(self, server, status=307):
        """Return what answers with a redirect to a server."""
        return lambda request: Answer(
            status, headers={'Location': server.url + request.path}
        )


class TestLogin(RedirectTest):
    def test_it_stays_at_its_server(self):
        def refused(path, location, method='POST', **kwargs):
            fake = self.serve(
                lambda request: Answer(
                    307, headers={'Location': location.format(fake.url)}
                )
            )
            session = limited_session()
            try:
                session.request(
                    fake.url + path, method, redirect=False,
                    authenticated=False, **kwargs,
                )  # fmt: skip
            except exceptions.UnknownConnectionError as exc:
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
            for path in '/v3/auth/tokens', '/v2.0/tokens/':
                found = refused(path, location)
                self.assertEqual(bool(told), bool(found), location)
                self.assertIn(told, found)
                self.assertEqual(
                    bool(told), 'correct its auth_url' in found, location
                )
        self.assertEqual('', refused('/v3/auth/tokens', 'http://b/', 'GET'))
        self.assertEqual('', refused('/v3/else', 'http://b/'))
        for secret in (
            {'data': {'grant_type': 'password', 'password': 'secret'}},
            {'requests_auth': ('client', 'secret')},
        ):
            found = refused('/token', 'http://b/token', **secret)
            self.assertIn('correct the URL of 127.0.0.1', found)


class TestFederated(RedirectTest):
    """OpenID Connect; see fact-federated for what the others do."""

    def log_in(self, idp, keystone, discovery=None):
        auth = v3.OidcPassword(
            auth_url=keystone.url.replace('/v2', '/v3'),
            identity_provider='idp',
            protocol='openid',
            client_id='me',
            client_secret=None,
            username='user',
            password='secret',
            access_token_endpoint=None if discovery else f'{idp.url}/token',
            discovery_endpoint=discovery,
        )
        return limited_session(auth=auth).get_token()

    def keystone(self):
        return self.serve(
            lambda request: Answer(
                201,
                {'token': {'expires_at': '2999-01-01T00:00:00Z'}},
                {'X-Subject-Token': 'token'},
            )
        )

    def idp(self):
        return self.serve(lambda _: Answer(document={'access_token': 'it'}))

    def test_what_is_public_is_read_elsewhere(self):
        idp, keystone = self.idp(), self.keystone()
        published = {'token_endpoint': f'{idp.url}/token'}
        elsewhere = self.serve(lambda request: Answer(document=published))
        moved = self.serve(self.away(elsewhere, 302))
        url = f'{moved.url}/.well-known/openid-configuration'
        self.assertEqual('token', self.log_in(idp, keystone, url))
        (asked,) = elsewhere.requests
        self.assertEqual(('GET', b''), (asked.method, asked.body))
        secret = {'authorization', 'x-auth-token', 'x-subject-token'}
        self.assertEqual(set(), secret & {*map(str.lower, asked.headers)})
        (bearing,) = keystone.requests
        self.assertEqual('Bearer it', bearing.headers['Authorization'])

    def test_neither_password_nor_token_is_led_elsewhere(self):
        elsewhere = self.idp()
        away = self.serve(self.away(elsewhere))
        for idp, keystone, told in (
            (away, self.keystone(), 'correct the URL of 127.0.0.1'),
            (self.idp(), away, 'correct its auth_url'),
        ):
            error = self.assertRaises(
                exceptions.UnknownConnectionError, self.log_in, idp, keystone
            )
            self.assertIn(told, str(error))
        self.assertEqual([], elsewhere.requests)

    def test_who_is_not_federated_is_led_nowhere(self):
        elsewhere = self.idp()
        away = self.serve(self.away(elsewhere))
        limited_session().get(f'{away.url}/v3', authenticated=False)
        self.assertEqual([], elsewhere.requests)

    def test_plugin_that_goes_on_by_itself_sees_where(self):
        """As SAML's does, from its provider back to the Keystone."""
        keystone = self.keystone()
        provider = self.serve(self.away(keystone, 303))

        class Handler(requests.auth.AuthBase):
            def __call__(self, request):
                request.register_hook('response', self.go_on)
                return request

            def go_on(self, response, **options):
                response.raw.release_conn()
                back = response.request.copy()
                back.url = response.headers['location']
                return response.connection.send(back, **options)

        response = limited_session().post(
            f'{provider.url}/assertion',
            requests_auth=Handler(),
            authenticated=False,
            redirect=False,
        )
        self.assertEqual('token', response.headers['X-Subject-Token'])


class TestSession(testtools.TestCase):
    def test_it_is_limited_once(self):
        session = ksa_session.Session()
        for _ in range(2):
            redirects.limit(session)
        self.assertEqual(1, len(session.session.hooks['response']))
