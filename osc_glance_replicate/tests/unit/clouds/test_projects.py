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

import testtools

from osc_glance_replicate.clouds import projects


class TestOfOrdinaryUser(testtools.TestCase):
    def project(self, **auth):
        connection = types.SimpleNamespace(
            session=types.SimpleNamespace(auth=types.SimpleNamespace(**auth)),
            config=types.SimpleNamespace(name='master'),
        )
        return projects.of_ordinary_user(connection)

    def test_roles_tell(self):
        for roles, project in (
            (['member', 'reader'], 'p'),
            (['admin', 'member', 'reader'], None),
            ([], 'p'),
        ):
            access = types.SimpleNamespace(role_names=roles, project_id='p')
            self.assertEqual(
                project,
                self.project(get_access=lambda session, access=access: access),
            )

    def test_who_has_no_roles_to_tell_is_taken_for_an_administrator(self):
        self.assertIsNone(self.project())
