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

import pathlib

import fixtures
import testtools

from osc_glance_replicate.tests.doubles import tools

matrix = tools.load('matrix')


class TestTable(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        directory = self.useFixture(fixtures.TempDir()).path
        self.path = pathlib.Path(directory, 'table.csv')

    def test_what_is_written_is_read(self) -> None:
        self.assertEqual({}, matrix.read(self.path))
        pairs = [('a', 'a'), ('a', 'b'), ('b', 'a')]
        days = {('a', 'a'): '2026-01-01', ('b', 'a'): 'fails'}
        matrix.write(self.path, pairs, days)
        self.assertEqual(
            ',a,b\na,2026-01-01,\nb,fails,\n', self.path.read_text()
        )
        self.assertEqual(days, matrix.read(self.path))
