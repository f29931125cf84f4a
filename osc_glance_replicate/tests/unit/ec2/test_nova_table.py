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

import sqlite3

import testtools

from osc_glance_replicate.ec2 import nova_table
from osc_glance_replicate import errors
from osc_glance_replicate.tests.doubles import ec2_ids

ONE, TWO, THREE = ec2_ids.ONE, ec2_ids.TWO, ec2_ids.THREE

identity = ec2_ids.identity


class TestTable(testtools.TestCase):
    def read(self, text):
        rows = nova_table.read(text.splitlines(), 'file')
        return [(row.image_id, row.digits, row.where) for row in rows]

    def test_formats(self):
        wanted = [(ONE, '00000001', 'file'), (TWO, '7fffffff', 'file')]
        for text in (
            f'1,{ONE}\n2147483647,{TWO}',
            f'\n id , uuid \n\n1 , {ONE}\n\n2147483647,{TWO}\n',
            f'ID\tUUID\r\n1\t{ONE}\r\n2147483647\t{TWO}\r\n',
            f'"id","uuid"\n"1","{ONE}"\n2147483647,"{TWO}"',
            f'1,{ONE}\n1,{ONE}\n2147483647,{TWO}',
        ):
            self.assertEqual(wanted, list(dict.fromkeys(self.read(text))))
        self.assertEqual([], self.read(''))

    def test_what_is_no_row(self):
        for number, text in (
            (1, f'{ONE},1'),
            (1, '1'),
            (1, f'0,{ONE}'),
            (1, f'2147483648,{ONE}'),
            (1, f'-1,{ONE}'),
            (1, f'1;{ONE}'),
            (1, f'\u0661,{ONE}'),
            (2, f'1,{ONE}\nid,uuid'),
            (2, 'id,uuid\nid,uuid'),
            (3, f"id,uuid\n\n1,{ONE}'); DROP TABLE s3_images; --"),
            (2, f'1,{ONE}\n2,{ONE}'),
            (2, f'1,{ONE}\n1,{TWO}'),
            (2, f'1,{ONE}\n2\x1b[2J,{TWO}'),
        ):
            error = self.assertRaises(errors.SelectionError, self.read, text)
            self.assertTrue(str(error).startswith(f'file, line {number}: '))
            self.assertTrue(str(error).isprintable())


class TestStatements(testtools.TestCase):
    """The functional tests have nova's own schema, and another database."""

    def setUp(self):
        super().setUp()
        self.nova = sqlite3.connect(':memory:')
        self.addCleanup(self.nova.close)
        self.nova.execute(
            'CREATE TABLE s3_images (id INTEGER PRIMARY KEY, '
            'uuid VARCHAR(36) NOT NULL, created_at DATETIME, deleted INTEGER)'
        )

    def seed(self, *identities):
        try:
            self.nova.executescript(
                '\n'.join(nova_table.statements(identities))
            )
        finally:
            self.nova.rollback()

    def rows(self):
        return set(self.nova.execute('SELECT id, uuid FROM s3_images'))

    def test_twice(self):
        for _ in range(2):
            self.seed(identity(ONE, '0a'), identity(TWO, '3fffffff'))
            self.assertEqual({(10, ONE), (2**30 - 1, TWO)}, self.rows())
        created = self.nova.execute('SELECT created_at FROM s3_images')
        self.assertNotIn((None,), set(created))

    def test_rows_that_differ_stay(self):
        for other in (
            [(10, TWO)],
            [(11, ONE)],
            [(9, ONE)],
            # As a race in nova can leave it.
            [(10, ONE), (11, ONE)],
            [(9, ONE), (10, ONE)],
        ):
            self.nova.execute('DELETE FROM s3_images')
            self.nova.executemany(
                'INSERT INTO s3_images (id, uuid) VALUES (?, ?)', other
            )
            self.nova.commit()
            self.assertRaises(
                sqlite3.IntegrityError,
                self.seed,
                identity(THREE, '03'),
                identity(ONE, '0a'),
            )
            self.assertEqual(set(other), self.rows())

    def test_nothing_but_uuids(self):
        evil = identity("1'); DROP TABLE s3_images; --", '01')
        self.assertRaises(ValueError, list, nova_table.statements([evil]))
