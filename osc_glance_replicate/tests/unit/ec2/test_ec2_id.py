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

import hashlib
import sqlite3
import uuid

from hypothesis import given
from hypothesis import strategies
import testtools

from osc_glance_replicate.ec2 import ec2_id
from osc_glance_replicate.ec2 import nova_table
from osc_glance_replicate import errors
from osc_glance_replicate.model import image_selection as selection
from osc_glance_replicate.model import plan
from osc_glance_replicate.planning import decisions as planning
from osc_glance_replicate.reporting import ec2_report
from osc_glance_replicate.tests.doubles import records as base

#: As in the documentation, for others to check theirs by.
VECTORS = {
    'c0ffee00-1234-4abc-8def-0123456789ab': ('c9bb158139fe1bf8c', '09bb1581'),
    '00000000-0000-0000-0000-000000000000': ('49fa855343dfeecff', '09fa8553'),
    '6f1f8e5c-5a5e-4b7e-9f0e-2b1f0a3c4d5e': ('32f4503731a81a38c', '32f45037'),
}

ONE, TWO, THREE = (str(uuid.UUID(int=number)) for number in (0xA, 0xB, 0xC))


def identity(image_id, digits, where='master', **fields):
    return ec2_id.Ec2Id(image_id, digits, where, **fields)


class TestVectors(testtools.TestCase):
    def test_vectors(self):
        for image_id, (digits, short) in VECTORS.items():
            self.assertEqual(digits, ec2_id.digits(image_id))
            self.assertEqual(short, ec2_id.short_digits(image_id))

    @given(strategies.uuids())
    def test_rule(self, image_id):
        """As SPEC has it, in other words."""
        text = hashlib.sha256(b'ec2-image-id:v1:' + image_id.bytes).hexdigest()
        self.assertEqual(text[:17], ec2_id.digits(str(image_id)))
        self.assertEqual(
            '%08x' % (int(text[:8], 16) % 2**30),
            ec2_id.short_digits(str(image_id).upper()),
        )


class TestScheme(testtools.TestCase):
    def test_kinds(self):
        for container_format, kind in (
            ('aki', 'aki'),
            ('kernel', 'aki'),
            ('ari', 'ari'),
            ('ramdisk', 'ari'),
            ('ami', 'ami'),
            ('bare', 'ami'),
            (None, 'ami'),
        ):
            image = base.image(container_format=container_format)
            found = ec2_id.Scheme().identify(image, 'master')
            self.assertEqual(f'{kind}-{ec2_id.digits(image.id)}', found.ec2_id)

    def test_kept_ids(self):
        image = base.image(0xA)
        capital = base.image(id=image.id.upper())
        scheme = ec2_id.Scheme(short=True, kept={image.id: '00000005'})
        for given_image in image, capital:
            found = scheme.identify(given_image, 'master')
            self.assertEqual('ami-00000005', found.ec2_id)
            self.assertEqual(given_image.id, found.image_id)
        other = scheme.identify(base.image(2), 'master')
        self.assertEqual(ec2_id.short_digits(base.image(2).id), other.digits)


class TestMeant(testtools.TestCase):
    def test_what_is_not_copied_and_yet_used(self):
        planner = planning.Planner(selection.Selection())
        for meant, fields in (
            (True, {}),
            (True, {'block_device_mapping': '[]', 'data': b''}),
            (True, {'cinder_encryption_key_id': 'x'}),
            (False, {'os_hidden': True}),
            (False, {'os_hidden': True, 'cinder_encryption_key_id': 'x'}),
            (False, {'status': 'queued'}),
        ):
            action = planner.decide(base.image(**fields), None, 'master')
            self.assertEqual(meant, ec2_id.is_selected(action), fields)

    def test_image_whose_kernel_is_gone(self):
        action = plan.Action(
            base.image(), 'master', plan.Verb.FAIL, reason='not there'
        )
        self.assertTrue(ec2_id.is_selected(action))


class TestProblems(testtools.TestCase):
    def test_none(self):
        chosen = [identity(ONE, '1'), identity(TWO, '2')]
        others = [
            # The same image elsewhere; others that are not in question.
            identity(ONE, '1', 'slave'),
            identity(THREE, '3', 'slave'),
            identity(str(uuid.UUID(int=4)), '3', 'slave'),
            identity(ONE.upper(), '1', 'table'),
        ]
        self.assertEqual([], ec2_id.problems(chosen, others))

    def test_images_that_share_an_id(self):
        chosen = [identity(ONE, '1'), identity(TWO, '1')]
        text = f'{ONE} (master) and {TWO} (master) share the ID 1'
        self.assertEqual([text], ec2_id.problems(chosen, []))
        # They are seen again when all of the cloud is listed.
        self.assertEqual([text], ec2_id.problems(chosen, chosen))

    def test_image_elsewhere(self):
        chosen = [identity(THREE, '3'), identity(ONE, '1')]
        others = [identity(TWO, '1', 'slave'), identity(TWO, '1', 'secure')]
        self.assertEqual(
            [
                f'{ONE} (master) and {TWO} ({where}) share the ID 1'
                for where in ('slave', 'secure')
            ],
            ec2_id.problems(chosen, others),
        )

    def test_other_id_in_use(self):
        self.assertEqual(
            [f'{ONE} (slave.csv) has the ID 2, and would get 1'],
            ec2_id.problems(
                [identity(ONE, '1')], [identity(ONE, '2', 'slave.csv')]
            ),
        )

    def test_no_id_is_zero(self):
        """To MySQL it would be the next number."""
        (text,) = ec2_id.problems([identity(ONE, '00000000')], [])
        self.assertIn(ONE, text)


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
