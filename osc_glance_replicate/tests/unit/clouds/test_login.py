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

import concurrent.futures
import os
import threading

import fixtures
from keystoneauth1 import fixture
from openstack import exceptions as sdk_exceptions
import testtools
import yaml

from osc_glance_replicate.clouds import http_session
from osc_glance_replicate.clouds import limits
from osc_glance_replicate.clouds import login
from osc_glance_replicate.clouds import login_adapter
from osc_glance_replicate import errors
from osc_glance_replicate.tests.doubles import fake_glance

Answer = fake_glance.Answer


class TestErrors(testtools.TestCase):
    def named(self, problem):
        def fail():
            with login.named_in_errors('slave'):
                raise problem

        return self.assertRaises(errors.CloudError, fail)

    def test_cloud_is_named_with_what_to_do(self):
        told = str(self.named(LookupError('Cloud slave was not found.')))
        self.assertIn("'slave'", told)
        self.assertIn('; its name has to be one in clouds.yaml', told)
        told = str(self.named(LookupError('no hint at all')))
        self.assertTrue(told.endswith('no hint at all'), told)

    def test_what_has_a_name_keeps_it(self):
        problem = errors.CloudError('master', 'down')
        self.assertIs(problem, self.named(problem))


class LoginTest(testtools.TestCase):
    """Has a Keystone, which is the image service, too."""

    def setUp(self):
        super().setUp()
        self.keystone = self.useFixture(
            fake_glance.FakeGlance(lambda request: self.answer(request))
        )
        self.url = self.keystone.url.replace('/v2', '/v3')
        self.path = os.path.join(
            self.useFixture(fixtures.TempDir()).path, 'clouds.yaml'
        )
        self.useFixture(
            fixtures.EnvironmentVariable('OS_CLIENT_CONFIG_FILE', self.path)
        )
        self.status = 201
        self.regions = ['North', 'South']
        self.images = self.keystone.url

    def answer(self, request):
        if request.path == '/v3':
            version = fixture.V3Discovery(self.url)
            return Answer(document={'version': version})
        if request.path != '/v3/auth/tokens':
            return Answer(404)
        token = fixture.V3Token(user_id='me')
        images = token.add_service('image')
        for region in self.regions:
            images.add_standard_endpoints(self.images, region=region)
        count = len(self.logins())
        headers = {'X-Subject-Token': f'token {count}'}
        return Answer(self.status, token, headers)

    def logins(self):
        return [
            request.path
            for request in self.keystone.requests
            if request.method == 'POST'
        ]

    def write(self, **entries):
        """Write a clouds.yaml.

        :param entries: what their authentication has in particular, and what
            is beside it
        """
        auth = {
            'auth_url': self.url,
            'username': 'me',
            'password': 'secret',
            'project_name': 'demo',
            'user_domain_id': 'default',
            'project_domain_id': 'default',
        }
        clouds = {
            name: {**beside, 'auth': {**auth, **particular}}
            for name, (particular, beside) in entries.items()
        }
        with open(self.path, 'w') as file:
            yaml.safe_dump({'clouds': clouds}, file)

    def connect(self, *names):
        """Connect to clouds side by side; return connections or errors."""
        logins = login.Logins()
        with concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
            begun = [pool.submit(logins.connect, name) for name in names]
        return [each.exception() or each.result() for each in begun]


class TestShared(LoginTest):
    def test_regions_share_a_login(self):
        self.regions = [f'R{number}' for number in range(8)]
        self.write(all=({}, {'regions': self.regions}))
        found = self.connect(*[f'all:{region}' for region in self.regions])
        self.assertEqual(
            self.regions, [each.config.get_region_name() for each in found]
        )
        self.assertEqual(['/v3/auth/tokens'], self.logins())
        asked = [request.path for request in self.keystone.requests]
        self.assertEqual(1, asked.count('/v3'))
        self.assertEqual(
            {'token 1'}, {each.session.get_token() for each in found}
        )

    def test_they_share_the_next_one(self):
        self.write(all=({}, {'regions': self.regions}))
        north, south = self.connect('all:North', 'all:South')
        north.session.invalidate()
        for each in north, south:
            self.assertEqual('token 2', each.session.get_token())
        self.assertEqual(2, len(self.logins()))

    def test_entries_that_say_the_same(self):
        self.write(
            north=({}, {'region_name': 'North'}),
            south=({}, {'region_name': 'South'}),
        )
        self.connect('north', 'south')
        self.assertEqual(1, len(self.logins()))

    def test_entries_that_do_not(self):
        self.write(
            north=({}, {}),
            other=({'password': 'other'}, {}),
            typed=({}, {'auth_type': 'v3password'}),
            trusting=({}, {'verify': False}),
            trusted=({}, {'cacert': '/authority'}),
            known=({}, {'cert': self.path, 'key': self.path}),
            patient=({}, {'api_timeout': 100}),
        )
        for found in self.connect('north', 'other', 'typed', 'trusting',
                                  'trusted', 'known', 'patient'):  # fmt: skip
            self.assertNotIsInstance(found, Exception)
        self.assertEqual(7, len(self.logins()))

    def test_one_that_fails_is_asked_once(self):
        self.status = 401
        self.write(all=({}, {'regions': self.regions}))
        names = ['all:North', 'all:South']
        for name, error in zip(names, self.connect(*names), strict=True):
            self.assertIn(f"Cannot use cloud '{name}': ", str(error))
            self.assertIn('(HTTP 401)', str(error))
        self.assertEqual(1, len(self.logins()))


class TestImageService(LoginTest):
    def test_there_is_none(self):
        self.write(one=({}, {'region_name': 'West'}))
        (error,) = self.connect('one')
        self.assertIn('no image service in region West', str(error))
        self.write(one=({}, {'interface': 'nosuch', 'region_name': 'West'}))
        (error,) = self.connect('one')
        self.assertIn('with interface nosuch in region West', str(error))
        self.write(one=({}, {'image_endpoint_override': 'glance/v2'}))
        (error,) = self.connect('one')
        self.assertIn('image_endpoint_override is no URL', str(error))
        self.write(one=({}, {'region_name': 'West'}))
        self.regions = []
        (error,) = self.connect('one')
        self.assertIn('its catalogue has no image service', str(error))

    def test_there_shall_be_none(self):
        self.write(one=({}, {'has_image': False}))
        (error,) = self.connect('one')
        self.assertIn("'image' is disabled", str(error))
        self.assertIsInstance(
            error.__cause__, sdk_exceptions.ServiceDisabledException
        )

    def test_of_which_the_version_is_known_is_looked_at_all_the_same(self):
        self.images = dead = 'http://127.0.0.1:1/v2'
        self.useFixture(
            fixtures.MonkeyPatch('time.sleep', lambda seconds: None)
        )
        self.write(one=({}, {}))
        (error,) = self.connect('one')
        self.assertIn(
            f"Cannot use cloud 'one': its image service at {dead} refuses "
            'connections; see whether it is up',
            str(error),
        )

    def test_what_comes_afterwards_has_other_limits(self):
        self.write(one=({}, {}))
        (connection,) = self.connect('one')
        for scheme in 'http://', 'https://':
            adapter = connection.session.session.get_adapter(scheme)
            self.assertIs(limits.Adapter, type(adapter))
        looks = []
        self.useFixture(
            fixtures.MonkeyPatch(
                'requests.sessions.get_environ_proxies',
                lambda url, no_proxy: looks.append(url) or {},
            )
        )
        for _ in range(2):
            connection.image.get('/images')
        self.assertEqual([], looks[1:])


class TestSessions(fake_glance.GlanceTest):
    """Whoever has made it, a session takes little time for a request."""

    def test_before_and_after_a_login(self):
        # Its connection is made by openstacksdk, as the command's own is.
        self.serve(fake_glance.Answer)
        adapter = login_adapter.LoginAdapter(60)
        for session in (
            self.fake.connection.session,
            login.limited_session(adapter),
        ):
            self.assertIsInstance(session.session, http_session.HttpSession)


class TestGreeting(LoginTest):
    """It is part of the login, and has what time that has left."""

    def setUp(self):
        super().setUp()
        self.useFixture(
            fixtures.MonkeyPatch('time.sleep', lambda seconds: None)
        )
        self.over = threading.Event()
        self.addCleanup(self.over.set)
        self.greeted = 0

    def greet(self, answer, **entry):
        """Greet a cloud that answers nothing else like this."""
        usual = self.answer

        def answers(request):
            if not request.path.startswith('/v2/images/'):
                return usual(request)
            self.greeted += 1
            return answer()

        self.answer = answers
        self.write(one=({}, entry))
        (connection,) = self.connect('one')
        try:
            login.greet('one', connection)
        finally:
            for scheme in 'http://', 'https://':
                adapter = connection.session.session.get_adapter(scheme)
                self.assertIs(limits.Adapter, type(adapter))

    def refused(self, answer, **entry):
        error = self.assertRaises(
            errors.CloudError, self.greet, answer, **entry
        )
        return str(error)

    def test_who_is_there(self):
        self.greet(lambda: Answer(404))
        self.assertEqual(1, self.greeted)

    def test_who_has_trouble_of_one_kind(self):
        self.greet(lambda: Answer(500))

    def test_who_is_silent(self):
        self.useFixture(fixtures.Timeout(60, gentle=True))
        told = self.refused(
            lambda: self.over.wait(90) and Answer(404), api_timeout=1
        )
        self.assertIn("'one': its image service at ", told)
        self.assertIn('does not answer (1 s)', told)
        self.assertEqual(1, self.greeted)

    def test_who_is_to_be_asked_much_later(self):
        told = self.refused(
            lambda: Answer(503, headers={'Retry-After': '300'})
        )
        self.assertIn('(HTTP 503)', told)
        self.assertEqual(3, self.greeted)

    def test_who_answers_the_second_time(self):
        answers = iter([Answer(502), Answer(404)])
        self.greet(lambda: next(answers))
        self.assertEqual(2, self.greeted)

    def test_who_knows_nobody(self):
        self.assertIn('(HTTP 401)', self.refused(lambda: Answer(401)))
