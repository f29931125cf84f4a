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

import email.utils
import time

import fixtures
from keystoneauth1 import exceptions as ksa_exceptions
import requests
import testtools

from osc_glance_replicate.clouds import redirects
from osc_glance_replicate import errors
from osc_glance_replicate.places.glance import failures


def answer(status, reason='So', body=b'', **headers):
    response = requests.Response()
    response.status_code = status
    response.reason = reason
    response._content = body
    response.headers.update(
        {name.replace('_', '-'): value for name, value in headers.items()}
    )
    return response


class TestNotExpected(testtools.TestCase):
    def error(self, *args, **headers):
        return failures.not_expected('slave', answer(*args, **headers))

    def test_which_may_pass_and_which_are_none(self):
        for status, kind, unanswered in (
            (400, errors.RefusedError, False),
            (404, errors.RefusedError, False),
            (401, errors.TransientError, True),
            (408, errors.TransientError, False),
            (413, errors.RefusedError, False),
            (429, errors.TransientError, False),
            (500, errors.TransientError, False),
            (501, errors.PlaceError, False),
            (502, errors.TransientError, True),
            (503, errors.TransientError, True),
            (504, errors.TransientError, True),
        ):
            error = self.error(status)
            self.assertIs(kind, type(error), status)
            self.assertEqual(unanswered, error.unanswered, status)
            self.assertEqual(f'slave: HTTP {status}: So', str(error))

    def test_request_is_named(self):
        error = self.error(404, x_openstack_request_id='req-1')
        self.assertEqual('slave: HTTP 404: So (req-1)', str(error))

    def test_how_long_to_wait(self):
        later = email.utils.formatdate(time.time() + 100, usegmt=True)
        earlier = email.utils.formatdate(time.time() - 100, usegmt=True)
        for value, least, most in (
            ('7', 7, 7),
            (later, 95, 101),
            (earlier, 0, 0),
            ('soon', 0, 0),
            ('-1', 0, 0),
            ('\N{SUPERSCRIPT TWO}', 0, 0),
            ('9' * 400, float('inf'), float('inf')),
        ):
            error = self.error(503, retry_after=value)
            self.assertTrue(least <= error.retry_after <= most, value)

    def test_only_the_host_of_a_redirect_is_told(self):
        error = self.error(
            302,
            **{
                redirects.LOCATION: 'https://user:pass@elsewhere/v2?key=secret'
            },
        )
        self.assertIn('redirects to elsewhere, ', str(error))
        self.assertNotIn('secret', str(error))
        self.assertNotIn('pass', str(error))
        self.assertIn(
            'to nowhere',
            str(self.error(302, **{redirects.LOCATION: 'http://['})),
        )


class TestNoAnswer(testtools.TestCase):
    def test_place_is_told_once(self):
        url = 'http://10.0.0.1:9292/v2/images/1'
        for said, told in (
            (
                f'Request to {url} timed out',
                'slave: Request timed out',
            ),
            (
                f'Unable to establish connection to {url}: refused',
                'slave: Unable to establish connection: refused',
            ),
        ):
            error = failures.no_answer(
                'slave', ksa_exceptions.ConnectFailure(said)
            )
            self.assertEqual(told, str(error))

    def test_which_may_pass(self):
        for cause, passes, unanswered in (
            (ksa_exceptions.ConnectFailure('reset'), True, True),
            (ksa_exceptions.ServiceUnavailable('Keystone'), True, True),
            (ksa_exceptions.Unauthorized('password'), False, True),
            (ksa_exceptions.SSLError('CERTIFICATE_VERIFY_FAILED'),
             False, True),
            (ksa_exceptions.EndpointNotFound('none'), False, False),
        ):  # fmt: skip
            error = failures.no_answer('slave', cause)
            self.assertEqual(
                passes, isinstance(error, errors.TransientError), cause
            )
            self.assertEqual(unanswered, error.unanswered, cause)


class TestGateways(testtools.TestCase):
    """What comes of those who stand between."""

    def test_limits_of_requests_in_other_forms(self):
        for status in 403, 413:
            limited = answer(status, retry_after='7')
            error = failures.not_expected('slave', limited)
            self.assertIsInstance(error, errors.TransientError)
            self.assertEqual(7, error.retry_after)

    def test_proxy_that_is_down_is_named(self):
        self.useFixture(fixtures.EnvironmentVariable('no_proxy'))
        self.useFixture(
            fixtures.EnvironmentVariable('http_proxy', '192.0.2.1:3128')
        )
        request = requests.Request('GET', 'http://glance.example/').prepare()
        exc = ksa_exceptions.ConnectFailure('no connection')
        exc.__cause__ = requests.exceptions.ProxyError(request=request)
        error = failures.no_answer('slave', exc)
        self.assertIn('(by the proxy at 192.0.2.1:3128)', str(error))
