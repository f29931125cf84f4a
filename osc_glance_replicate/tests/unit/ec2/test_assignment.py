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

import os

import fixtures
import testtools

from osc_glance_replicate.ec2 import assignment
from osc_glance_replicate import errors
from osc_glance_replicate.model import options


class TestTables(testtools.TestCase):
    """A bad file is told before anyone waits for a cloud."""

    def identify(self, nova_map=None, nova_map_to=()):
        return assignment.identify(
            lambda: self.fail('a cloud is waited for'),
            options.Request(),
            True,
            nova_map,
            nova_map_to,
        )

    def test_file_that_is_not_there(self):
        for arguments in ('/nowhere/map',), (None, ['/nowhere/map']):
            error = self.assertRaises(
                errors.SelectionError, self.identify, *arguments
            )
            self.assertEqual(
                '/nowhere/map: No such file or directory', str(error)
            )

    def test_row_that_is_none(self):
        path = os.path.join(self.useFixture(fixtures.TempDir()).path, 'map')
        with open(path, 'w') as file:
            file.write('id,uuid\n1,x\n')
        error = self.assertRaises(errors.SelectionError, self.identify, path)
        self.assertTrue(str(error).startswith(f'{path}, line 2: '), error)
