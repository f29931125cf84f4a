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

import contextlib
import types

import fixtures
from keystoneauth1 import exceptions
import testtools

from osc_glance_replicate.clouds import login
from osc_glance_replicate import errors
from osc_glance_replicate import retry


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


class TestLogIn(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.useFixture(
            fixtures.MonkeyPatch(f'{retry.__name__}._FIRST_DELAY', 0)
        )
        self.tries = 0

    def log_in(self, *troubles, url='http://x'):
        """Log in to a cloud that has troubles first."""
        coming = iter(troubles)

        def get_endpoint():
            if trouble := next(coming, None):
                raise trouble
            return url

        def connect():
            self.tries += 1
            return types.SimpleNamespace(
                image=types.SimpleNamespace(get_endpoint=get_endpoint),
                config=types.SimpleNamespace(
                    get_region_name=lambda service: 'North'
                ),
            )

        return login.log_in(connect)

    def test_what_may_pass_is_tried_again(self):
        self.log_in(
            exceptions.ConnectFailure('reset'),
            exceptions.ServiceUnavailable('503'),
        )
        self.assertEqual(3, self.tries)

    def test_what_keeps_the_versions_unknown_may_pass(self):
        for why, tries in (
            (exceptions.ConnectFailure('reset'), 2),
            (exceptions.NotFound('no Keystone'), 1),
        ):
            unknown = exceptions.DiscoveryFailure('no versions')
            unknown.__context__ = why
            self.tries = 0
            with contextlib.suppress(exceptions.DiscoveryFailure):
                self.log_in(unknown)
            self.assertEqual(tries, self.tries)

    def test_it_is_given_up(self):
        troubles = [exceptions.ConnectFailure('reset')] * 3
        self.assertRaises(exceptions.ConnectFailure, self.log_in, *troubles)
        self.assertEqual(3, self.tries)

    def test_what_stays_is_not_tried_again(self):
        wrong = exceptions.Unauthorized('no')
        self.assertRaises(exceptions.Unauthorized, self.log_in, wrong)
        self.assertEqual(1, self.tries)

    def test_cloud_without_images(self):
        error = self.assertRaises(LookupError, self.log_in, url=None)
        self.assertIn('no image service in region North', str(error))
