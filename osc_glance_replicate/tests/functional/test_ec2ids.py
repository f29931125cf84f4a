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

"""The IDs that ec2ids computes, and nova's own code that reads them."""

import contextlib
import hashlib
import pathlib
import random
import sqlite3
import subprocess
import sys
import urllib.parse
import uuid

import fixtures
import psycopg2

from osc_glance_replicate.tests.functional import base

_NOVA = f'{base.__package__}.nova_ids'


def digits(image_id):
    """Compute an ID by the rule in the documentation."""
    raw = bytes.fromhex(image_id.replace('-', ''))
    return hashlib.sha256(b'ec2-image-id:v1:' + raw).hexdigest()[:17]


def short(image_id):
    return f'{int(digits(image_id)[:8], 16) % 2**30:08x}'


def twins():
    """Find two UUIDs that share a short ID: some 40 000 tries do."""
    numbers = random.Random(2012)
    seen = {}
    while True:
        one = str(uuid.UUID(int=numbers.getrandbits(128), version=4))
        other = seen.setdefault(short(one), one)
        if other != one:
            return one, other


class Ec2IdsTest(base.FunctionalTest):
    def ec2ids(self, *words, source='master', expect=0):
        return self.openstack(
            '--os-cloud', source, 'image', 'replicate', 'ec2ids',
            *words, expect=expect,
        )  # fmt: skip

    def ids(self, *words, **options):
        """Give the IDs by the image's."""
        rows = self.ec2ids('-f', 'json', *words, **options).rows
        for row in rows:
            self.assertEqual(['EC2 ID', 'ID', 'Name'], list(row))
        return {row['ID']: row['EC2 ID'] for row in rows}


class TestIds(Ec2IdsTest):
    def test_all_active_images(self):
        kernel = self.master.create(container_format='aki', disk_format='aki')
        ramdisk = self.master.create(container_format='ari', disk_format='ari')
        machine = self.master.create(
            kernel_id=kernel.id, ramdisk_id=ramdisk.id, name="golden'\x1b"
        )
        relic = self.master.create(kernel_id=str(uuid.uuid4()))
        snapshot = self.master.create(b'', block_device_mapping='[]')
        encrypted = self.master.create(cinder_encryption_key_id='x')
        hidden = self.master.create(os_hidden=True)
        queued = self.master.create(None)
        kinds = {
            kernel.id: 'aki',
            ramdisk.id: 'ari',
            machine.id: 'ami',
            relic.id: 'ami',
            snapshot.id: 'ami',
            encrypted.id: 'ami',
        }
        for words, compute in ((), digits), (('--short',), short):
            self.assertEqual(
                {i: f'{kind}-{compute(i)}' for i, kind in kinds.items()},
                self.ids(*words),
            )
        self.assertIn(hidden.id, self.ids('--include-hidden'))
        # What an image needs comes along.
        found = self.ids('--name', 'golden*')
        self.assertEqual({kernel.id, ramdisk.id, machine.id}, set(found))
        result = self.ec2ids(hidden.id, queued.id)
        self.assertEqual('', result.stdout)
        lines = result.stderr.splitlines()
        for image, word in (hidden, 'hidden'), (queued, 'queued'):
            (line,) = (x for x in lines if image.id in x)
            self.assertIn(word, line)

    def test_replica_has_the_same(self):
        image = self.master.create()
        base.pass_a_second()
        self.livecopy()
        ids = self.ids('--to', 'slave', '-vv')
        self.assertEqual({image.id: f'ami-{digits(image.id)}'}, ids)
        self.assertEqual(ids, self.ids(source='slave'))


class TestCollisions(Ec2IdsTest):
    def assertCollision(self, one, other, *words):
        """Expect both images to be named, and where."""
        result = self.ec2ids(*words, expect=1)
        problem, summary = result.stderr.splitlines()
        self.assertIn(f'{one[0]} ({one[1]})', problem)
        self.assertIn(f'{other[0]} ({other[1]})', problem)
        self.assertIn(short(one[0]), problem)
        self.assertIn('problems: 1', summary)
        return result.stdout

    def test_across_clouds(self):
        one, other = twins()
        pair = (one, 'master'), (other, 'slave')
        self.master.create(id=one)
        self.slave.create(id=other)
        to = ('--to', 'slave')
        self.assertIn(one, self.assertCollision(*pair, '--short', *to))
        self.assertEqual('', self.assertCollision(*pair, '--nova-sql', *to))
        self.ids('--short')
        self.ids(*to)
        for fields in {'os_hidden': True}, {'data': None}:
            self.slave.wipe()
            self.slave.create(id=other, **fields)
            self.assertCollision(*pair, '--short', one, *to)

    def test_in_one_cloud(self):
        one, other = sorted(twins())
        pair = (one, 'master'), (other, 'master')
        for image_id in one, other:
            self.master.create(id=image_id)
        self.assertCollision(*pair, '--short')
        # One that was not asked for counts when all clouds are looked at.
        self.ids('--short', one)
        self.assertCollision(*pair, '--short', one, '--to', 'slave')


class Nova(fixtures.Fixture):
    """A nova that has images to number.

    :param url: of its database, for SQLAlchemy
    """

    def __init__(self, url):
        self._url = url

    def _setUp(self):
        directory = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self._stderr = directory / 'stderr'
        with self._stderr.open('wb') as stderr:
            self._process = subprocess.Popen(
                [sys.executable, '-m', _NOVA, self._url],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        self.addCleanup(self._process.communicate)
        self._answer()

    def ec2_id(self, image_id):
        """Ask once per image: nova remembers what it answered."""
        self._process.stdin.write(f'{image_id}\n')
        self._process.stdin.flush()
        return self._answer()

    def _answer(self):
        line = self._process.stdout.readline().strip()
        if not line:
            raise EOFError(self._stderr.read_text())
        return line


class NovaTest(Ec2IdsTest):
    def sqlite(self):
        """Give a function that opens an empty database, and its URL."""
        file = pathlib.Path(self.useFixture(fixtures.TempDir()).path) / 'nova'
        return (lambda: sqlite3.connect(file)), f'sqlite:///{file}'

    def postgresql(self):
        name = f'nova_{uuid.uuid4().hex}'
        self._outside(f'CREATE DATABASE {name}')
        self.addCleanup(self._outside, f'DROP DATABASE {name} WITH (FORCE)')
        url = urllib.parse.urlsplit(self.master.glance.database)
        uri = url._replace(path=f'/{name}').geturl()
        return (
            lambda: psycopg2.connect(uri),
            uri.replace('postgresql', 'postgresql+psycopg2', 1),
        )

    def _outside(self, statement):
        """Run what cannot be in a transaction."""
        with contextlib.closing(
            psycopg2.connect(self.master.glance.database)
        ) as connection:
            connection.autocommit = True
            connection.cursor().execute(statement)

    def apply(self, connect, script):
        """Run SQL as its author wrote it, up to the first error."""
        with contextlib.closing(connect()) as connection:
            if isinstance(connection, sqlite3.Connection):
                connection.executescript(script)
            else:
                connection.autocommit = True
                connection.cursor().execute(script)

    def rows(self, connect):
        with contextlib.closing(connect()) as connection:
            cursor = connection.cursor()
            cursor.execute('SELECT id, uuid FROM s3_images ORDER BY id')
            return cursor.fetchall()

    def export(self, connect):
        """Write down what nova has, as an operator would."""
        file = pathlib.Path(self.useFixture(fixtures.TempDir()).path) / 'x.csv'
        lines = (f'{number},{image}\n' for number, image in self.rows(connect))
        file.write_text('id,uuid\n' + ''.join(lines))
        return str(file)


class TestNovaSql(NovaTest):
    def test_on_sqlite(self):
        nova, ids = self._seed(*self.sqlite())
        # Nova counts on from the highest.
        highest = max(int(i[4:], 16) for i in ids.values())
        self.assertEqual(
            f'ami-{highest + 1:08x}', nova.ec2_id(str(uuid.uuid4()))
        )

    def test_on_postgresql(self):
        nova, _ = self._seed(*self.postgresql())
        # Its sequence knows nothing of what was inserted.
        self.assertEqual('ami-00000001', nova.ec2_id(str(uuid.uuid4())))

    def _seed(self, connect, url):
        """Seed, and see that it changes nothing that is there."""
        images = [
            self.master.create(),
            self.master.create(name="'); DROP TABLE s3_images; --\n"),
        ]
        script = self.ec2ids('--nova-sql').stdout
        self.assertNotIn('DROP', script)
        ids = self.ids('--short')
        nova = self.useFixture(Nova(url))
        for _ in range(2):
            self.apply(connect, script)
            rows = self.rows(connect)
            self.assertEqual(
                {(int(short(i.id), 16), i.id) for i in images}, set(rows)
            )
            self.assertEqual(2, len(rows))
        for image in images:
            self.assertEqual(ids[image.id], nova.ec2_id(image.id))
        self._assert_refused(connect, images)
        return nova, ids

    def _assert_refused(self, connect, images):
        """Expect nothing to change where a row differs."""
        new = self.master.create(id='ffffffff-ffff-4fff-8fff-ffffffffffff')
        script = self.ec2ids('--nova-sql').stdout
        before = self.rows(connect)
        for column, value in (
            ('id', 7),
            ('uuid', f"'{uuid.uuid4()}'"),
        ):
            differing = f"UPDATE s3_images SET {column} = {value} WHERE uuid ="
            self.apply(connect, f"{differing} '{images[1].id}'")
            changed = self.rows(connect)
            self.assertNotEqual(before, changed)
            self.assertRaises(
                (sqlite3.IntegrityError, psycopg2.IntegrityError),
                self.apply, connect, script,
            )  # fmt: skip
            self.assertEqual(changed, self.rows(connect))
            self.apply(connect, 'DELETE FROM s3_images')
            for number, image_id in before:
                self.apply(
                    connect,
                    'INSERT INTO s3_images (id, uuid, deleted) '
                    f"VALUES ({number}, '{image_id}', 0)",
                )
        self.master.request('DELETE', f'/images/{new.id}')


class TestNovaMap(NovaTest):
    def test_ids_in_use_are_kept(self):
        used, new = self.master.create(), self.master.create()
        connect, url = self.sqlite()
        source = self.useFixture(Nova(url))
        gone = str(uuid.uuid4())
        self.assertEqual('ami-00000001', source.ec2_id(gone))
        self.assertEqual('ami-00000002', source.ec2_id(used.id))
        table = self.export(connect)
        words = ('--nova-map', table)
        wanted = {used.id: 'ami-00000002', new.id: f'ami-{short(new.id)}'}
        self.assertEqual(wanted, self.ids(*words))
        script = self.ec2ids('--nova-sql', *words).stdout
        # In the source's own table it is the new one only that is new.
        before = self.rows(connect)
        self.apply(connect, script)
        self.assertEqual(
            [*before, (int(short(new.id), 16), new.id)], self.rows(connect)
        )
        # Without the map, what is in use would get another ID.
        self.ec2ids('--nova-sql', '--nova-map-to', table, expect=1)
        connect, url = self.sqlite()
        destination = self.useFixture(Nova(url))
        self.apply(connect, script)
        for image_id, ec2_id in wanted.items():
            self.assertEqual(ec2_id, destination.ec2_id(image_id))
        # It is in step now.
        words += ('--nova-map-to', self.export(connect))
        self.assertEqual(script, self.ec2ids('--nova-sql', *words).stdout)

    def test_clashes_at_the_destination(self):
        one, two = self.master.create(), self.master.create()
        stranger = str(uuid.uuid4())
        source = self._file('source', (5, one.id))
        for number, image_id, parts in (
            # The ID is another image's there.
            (5, stranger, (one.id, stranger, '00000005')),
            # The image has another ID there.
            (6, one.id, (one.id, '00000005', '00000006')),
            # A computed one.
            (int(short(two.id), 16), stranger, (two.id, stranger)),
            (6, two.id, (two.id, short(two.id), '00000006')),
        ):
            there = self._file('there', (number, image_id))
            empty = self._file('empty')
            result = self.ec2ids(
                '--nova-sql', '--nova-map', source,
                '--nova-map-to', empty, '--nova-map-to', there, expect=1,
            )  # fmt: skip
            self.assertEqual('', result.stdout)
            problem, summary = result.stderr.splitlines()
            for part in (*parts, there):
                self.assertIn(part, problem)
            self.assertIn('problems: 1', summary)
        # A computed ID must not be one that is in use at the source.
        source = self._file('source', (int(short(two.id), 16), stranger))
        result = self.ec2ids('--nova-sql', '--nova-map', source, expect=1)
        self.assertEqual('', result.stdout)
        self.assertIn(stranger, result.stderr)

    def test_file_that_cannot_be_used(self):
        bad = self._file('bad', (5, uuid.uuid4()), (6, '\x1b[2J'))
        for option, file, start in (
            ('--nova-map', bad, f'{bad}, line 3: '),
            ('--nova-map-to', '/ghost', '/ghost: '),
        ):
            result = self.ec2ids(option, file, '--nova-sql', expect=1)
            self.assertEqual('', result.stdout)
            (line,) = result.stderr.splitlines()
            self.assertTrue(line.startswith(start), line)
            self.assertTrue(line.isprintable())

    def _file(self, name, *rows):
        directory = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        path = directory / name
        lines = (f'{number}\t{image_id}\n' for number, image_id in rows)
        path.write_text('id\tuuid\n' + ''.join(lines))
        return str(path)
