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

import types

from keystoneauth1 import access
from keystoneauth1 import fixture
from keystoneauth1.identity import v3
import testtools

from osc_glance_replicate.clouds import runners


class _Auth(v3.Token):
    """A login that has come to its end."""

    def __init__(self, token):
        super().__init__('http://keystone', token='t')
        self.token = token

    def get_access(self, session):
        return access.AccessInfoV3(self.token, 't')


def of(auth, project=None):
    connection = types.SimpleNamespace(
        session=types.SimpleNamespace(auth=auth), current_project_id=project
    )
    return runners.of('slave', connection)


class TestRunners(testtools.TestCase):
    def test_project_and_user_by_the_token(self):
        token = fixture.V3Token(user_id='me')
        token.set_project_scope(id='mine')
        token.add_role(name='reader')
        found = of(_Auth(token))
        self.assertEqual({'me', 'mine'}, found.owners)
        self.assertFalse(found.is_admin)
        self.assertFalse(found.owns('theirs'))
        token.add_role(name='admin')
        self.assertTrue(of(_Auth(token)).is_admin)

    def test_without_keystone_nobody_is_told_apart(self):
        found = of(object())
        self.assertTrue(found.is_admin)
        self.assertTrue(found.owns('anybody'))

    def test_roles_tell_as_whom_a_source_is_read(self):
        for roles, project in (
            (['member', 'reader'], 'p'),
            (['admin', 'member', 'reader'], None),
            ([], 'p'),
        ):
            token = types.SimpleNamespace(
                role_names=roles, project_id='p', user_id='u'
            )
            auth = types.SimpleNamespace(
                get_access=lambda session, token=token: token
            )
            self.assertEqual(project, of(auth).reader)
        self.assertIsNone(of(types.SimpleNamespace()).reader)
        token = types.SimpleNamespace(
            role_names=['member'], project_id=None, user_id='u'
        )
        auth = types.SimpleNamespace(get_access=lambda session: token)
        self.assertEqual('', of(auth).reader)

    def test_token_that_is_given_has_a_project_perhaps(self):
        found = of(object(), 'mine')
        self.assertTrue(found.owns('mine'))
        self.assertFalse(found.owns('theirs'))
