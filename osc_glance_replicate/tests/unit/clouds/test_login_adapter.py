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

import socket

import fixtures
import requests
import testtools

from osc_glance_replicate.clouds import limits
from osc_glance_replicate.clouds import login_adapter
from osc_glance_replicate import retry
from osc_glance_replicate.tests.doubles import fake_glance

Answer = fake_glance.Answer


class LoginAdapterTest(testtools.TestCase):
    def adapter(self, seconds=60):
        self.session = requests.Session()
        adapter = login_adapter.LoginAdapter(seconds)
        for scheme in 'http://', 'https://':
            self.session.mount(scheme, adapter)
        return adapter

    def serve(self, answer):
        return self.useFixture(fake_glance.FakeGlance(answer))

    def get(self, url):
        """Return the error of a request."""
        return self.assertRaises(
            login_adapter.ServiceError, self.session.get, url
        )


class TestSilence(LoginAdapterTest):
    """It ends, and is not met again."""

    def assertSilent(self, url):
        adapter = self.adapter(0.3)
        self.useFixture(fixtures.Timeout(60, gentle=True))
        error = self.get(f'{url}?secret')
        self.assertEqual(
            f'its Keystone at {url} does not answer (0.3 s)', str(error)
        )
        self.assertFalse(error.may_pass)
        self.assertLessEqual(adapter.left, 0)
        # No time is left for anybody.
        self.get(url)

    def test_it_never_says_a_word(self):
        silent = self.enterContext(socket.create_server(('127.0.0.1', 0)))
        self.assertSilent(
            'http://127.0.0.1:{1}/v3'.format(*silent.getsockname())
        )

    def test_what_is_spun_out(self):
        """Headers or a body that never end, though they are never silent."""
        for answer in (
            Answer(endless=b'X-More: 1\r\n'),
            Answer(
                endless=b'1\r\n \r\n',
                headers={'Transfer-Encoding': 'chunked'},
            ),
        ):
            self.addCleanup(answer.over.set)
            fake = self.serve(lambda request, answer=answer: answer)
            self.assertSilent(f'{fake.url}/more')
            answer.over.set()


class TestTrouble(LoginAdapterTest):
    def assertTold(self, url, told, may_pass):
        adapter = self.adapter()
        adapter.service = 'image service'
        error = self.get(url)
        self.assertIn(f'its image service at {url} {told}', str(error))
        self.assertIs(may_pass, error.may_pass)

    def test_refused(self):
        with socket.socket() as nobody:
            nobody.bind(('127.0.0.1', 0))
            url = 'http://127.0.0.1:{1}/v3'.format(*nobody.getsockname())
            self.assertTold(url, 'refuses connections', True)

    def test_broken(self):
        def hang_up(request):
            raise ConnectionError

        fake = self.serve(hang_up)
        self.assertTold(f'{fake.url}/x', 'breaks the connection: Remote', True)

    def test_unknown_host(self):
        self.assertTold('http://ghost.invalid/', 'cannot be reached:', True)

    def test_no_certificate(self):
        fake = self.serve(lambda request: Answer())
        url = fake.url.replace('http:', 'https:')
        self.assertTold(url, 'cannot be reached: [SSL', False)

    def test_unavailable(self):
        fake = self.serve(
            lambda request: Answer(
                503, headers={'X-Openstack-Request-Id': 'req-1'}
            )
        )
        self.assertTold(
            f'{fake.url}/x',
            'answers: Service Unavailable (HTTP 503) (Request-ID: req-1)',
            True,
        )

    def test_limit_of_requests(self):
        for status, headers in (
            (429, {}),
            (498, {}),
            (403, {'Retry-After': '1'}),
            (413, {'Retry-After': '1'}),
        ):
            fake = self.serve(
                lambda request, s=status, h=headers: Answer(s, headers=h)
            )
            self.assertTold(f'{fake.url}/x', 'answers: ', True)

    def test_answer_that_is_too_long(self):
        fake = self.serve(lambda request: Answer(raw=b'long'))
        self.useFixture(
            fixtures.MonkeyPatch(f'{limits.__name__}.MAX_DOCUMENT', 3)
        )
        self.assertTold(f'{fake.url}/x', 'answers with more than 3', False)

    def test_what_is_refused_is_an_answer(self):
        fake = self.serve(lambda request: Answer(401))
        self.adapter()
        response = self.session.get(f'{fake.url}/x')
        self.assertEqual(401, response.status_code)


class TestPersist(LoginAdapterTest):
    def setUp(self):
        super().setUp()
        self.useFixture(
            fixtures.MonkeyPatch(f'{retry.__name__}._FIRST_DELAY', 0)
        )
        self.tries = 0

    def persist(self, *troubles, adapter=None):
        coming = iter(troubles)

        def step():
            self.tries += 1
            if trouble := next(coming, None):
                raise trouble
            return 'done'

        return (adapter or self.adapter()).persist(step)

    def test_what_may_pass_is_tried_again(self):
        trouble = login_adapter.ServiceError('503', may_pass=True)
        self.assertEqual('done', self.persist(trouble, trouble))
        self.assertEqual(3, self.tries)

    def test_it_is_given_up(self):
        trouble = login_adapter.ServiceError('503', may_pass=True)
        self.assertRaises(
            login_adapter.ServiceError, self.persist, *[trouble] * 3
        )
        self.assertEqual(3, self.tries)

    def test_what_stays_is_not_tried_again(self):
        for trouble in (
            login_adapter.ServiceError('silent', may_pass=False),
            LookupError('no'),
        ):
            self.tries = 0
            self.assertRaises(type(trouble), self.persist, trouble)
            self.assertEqual(1, self.tries)

    def test_there_is_no_time_for_another_try(self):
        for name, value in (
            (f'{retry.__name__}._FIRST_DELAY', 10),
            ('random.uniform', lambda low, high: high),
            ('time.sleep', lambda seconds: None),
        ):
            self.useFixture(fixtures.MonkeyPatch(name, value))
        trouble = login_adapter.ServiceError('503', may_pass=True)
        # The first delay is 10 s, the second one 20.
        for seconds, tries in (5, 1), (25, 2), (35, 3):
            self.tries = 0
            self.assertRaises(
                login_adapter.ServiceError,
                self.persist,
                *[trouble] * 3,
                adapter=self.adapter(seconds),
            )
            self.assertEqual(tries, self.tries)
