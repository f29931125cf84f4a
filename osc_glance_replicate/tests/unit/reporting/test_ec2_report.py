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

import testtools

from osc_glance_replicate.ec2 import nova_table
from osc_glance_replicate import errors
from osc_glance_replicate.reporting import ec2_report
from osc_glance_replicate.tests.doubles import ec2_ids

ONE, TWO = ec2_ids.ONE, ec2_ids.TWO

identity = ec2_ids.identity


class TestReport(testtools.TestCase):
    found = (
        identity(ONE, '0a', kind='aki', name='a\x1b'),
        identity(TWO, '0b', kind='ami', name="'; --\n"),
    )

    def test_rows(self):
        told = ec2_report.Ec2IdReport()
        rows = list(told.rows(lambda: self.found))
        self.assertEqual(('EC2 ID', 'ID', 'Name'), told.columns)
        self.assertEqual(('aki-0a', ONE, r'a\x1b'), rows[0])
        self.assertEqual(2, len(rows))
        self.assertEqual(0, told.exit_code)
        self.assertEqual('2 identified', told.summary)

    def test_problems(self):
        for what, rows in (
            (ec2_report.Ec2IdReport, 2),
            (ec2_report.NovaSqlReport, 0),
        ):
            told = what()
            told.problems = ['a', 'b']
            self.assertEqual(rows, len(list(told.rows(lambda: self.found))))
            self.assertEqual(1, told.exit_code)
            self.assertIn('problems: 2', told.summary)

    def test_statements(self):
        """All or nothing, and no name among them."""
        told = ec2_report.NovaSqlReport()
        rows = told.rows(lambda: self.found)
        self.assertEqual(
            list(nova_table.statements(self.found)), [line for (line,) in rows]
        )
        self.assertNotIn('--\n', ''.join(nova_table.statements(self.found)))
        self.assertEqual(0, told.exit_code)

        def broken():
            yield self.found[0]
            raise errors.PlaceError('master', 'gone')

        told = ec2_report.NovaSqlReport()
        self.assertEqual([], list(told.rows(broken)))
        self.assertIsInstance(told.trouble, errors.PlaceError)
        self.assertEqual(1, told.exit_code)
        self.assertEqual([], list(ec2_report.NovaSqlReport().rows(lambda: [])))
