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

"""What becomes of the images of a directory that anyone may have made."""

import hashlib
import itertools
import json
import os
import resource
import uuid

from osc_glance_replicate.sandbox import client
from osc_glance_replicate.tests.functional import base
from osc_glance_replicate.tests.functional import dumps
from osc_glance_replicate.tests.functional import faults
from osc_glance_replicate.tests.functional import links
from osc_glance_replicate.tests.functional import proxy

#: Bytes of address space: more than any run needs.
_LIMIT = 1536 * dumps.MIB

#: A disk that cannot be read beyond its second MiB, as Python sees it.
_BROKEN_DISK = """
import errno
import os

def pread(fd, count, offset, pread=os.pread):
    if offset > 2 * 1024 * 1024:
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    return pread(fd, count, offset)

os.pread = pread
"""


class TestOldDump(dumps.DumpTest):
    """What glance-replicator wrote in 2012 is loaded, if it is whole."""

    def test_load(self):
        public = self.put_v1(
            b'public',
            name='Zürich',
            is_public=True,
            protected=True,
            min_ram=512,
            # A packaged Glance takes no kernel that is not one.
            properties={'os_distro': 'debian', 'kernel_id': None},
        )
        private = self.put_v1(
            b'private', properties={'kernel': 'nothing special'}
        )
        bad = {
            'short': self.put_v1(b'shor', size=9),
            'long': self.put_v1(b'long', size=2),
            'missing': self.put_v1(None, size=7),
            'damaged': self.put_v1(b'was', checksum='0' * 32),
            'v2 word': self.put_v1(properties={'visibility': 'public'}),
        }
        # It was being uploaded when the dump was made.
        queued = self.put_v1(None, status='queued', checksum=None)
        # It has a size and a checksum, and no file.
        deactivated = self.put_v1(None, status='deactivated', size=7)
        self.file('notes.txt').write_text('mine')
        result = self.load('--show-all', expect=1)
        self.assertEqual(
            {
                public.id: 'copied',
                private.id: 'copied',
                queued.id: 'skipped',
                deactivated.id: 'skipped',
                **{image.id: 'failed' for image in bad.values()},
            },
            result.results,
        )
        reasons = self.reasons(result)
        for name, words in {
            'short': ('4', '9'),
            'long': ('4', '2'),
            'missing': ('missing',),
            'damaged': ('damaged', 'md5'),
            'v2 word': ('visibility',),
        }.items():
            for word in words:
                self.assertIn(word, reasons[bad[name].id])
        self.assertIn('queued', reasons[queued.id])
        self.assertIn('deactivated', reasons[deactivated.id])
        verified = {row['ID']: row for row in self.verify(expect=1).rows}
        self.assertEqual('skipped', verified[deactivated.id]['Result'])
        self._assert_loaded(public, b'public', private, b'private')
        # Last: nothing was made for what is bad.
        self.assertEqual({public.id, private.id}, self.slave.ids())

    def _assert_loaded(self, public, public_data, private, private_data):
        for image, data in ((public, public_data), (private, private_data)):
            replica = self.slave.get(image.id)
            self.assertEqual('active', replica.status)
            self.assertEqual(data, self.slave.stored(image.id).read_bytes())
        expected = {
            'name': 'Zürich',
            'container_format': 'bare',
            'disk_format': 'raw',
            'min_disk': 0,
            'min_ram': 512,
            'tags': [],
            'visibility': 'public',
            'protected': True,
            'os_hidden': False,
            'os_distro': 'debian',
        }
        self.assertEqual(expected, self.slave.get(public.id).portable)
        record = self.slave.get(private.id).record
        self.assertEqual('private', record['visibility'])
        self.assertEqual('nothing special', record['kernel'])
        self.assertEqual(self.slave.project_id(), record['owner'])

    def test_interrupted_one_is_completed(self):
        data = client.as_raw(os.urandom(3 * dumps.MIB))
        images = {
            name: self.master.create(data, name=name, visibility='public')
            for name in (
                *('whole', 'short', 'missing', 'queued', 'wrong', 'new'),
                *('empty', 'torn', 'zeroed'),
            )
        }
        left = {
            'whole': data,
            'short': data[: dumps.MIB],
            'missing': None,
            'queued': None,
            'wrong': bytes(len(data)),
        }
        for name, content in left.items():
            self.put_v1(
                content,
                id=images[name].id,
                name=name,
                is_public=True,
                size=len(data),
                checksum=hashlib.md5(data).hexdigest(),
                status='queued' if name == 'queued' else 'active',
            )
        record = self.file(images['whole']).read_bytes()
        for name, content in (
            ('empty', b''),
            ('torn', record[: len(record) // 2]),
            ('zeroed', bytes(len(record))),
        ):
            self.file(images[name]).write_bytes(content)
        self.master.stored(images['whole'].id).unlink()
        results = self.dump('--exclude', 'wrong').results
        # Its record is renewed: the owner is another, and it was of v1.
        self.assertEqual('updated', results[images['whole'].id])
        for name, answers in (('short', ['206']), ('missing', ['200'])):
            self.assertEqual(answers, self.reads(images[name]))
        for name in set(images) - {'whole', 'wrong'}:
            self.assertDumped(images[name], data)
        self.assertSums('sha512', 8)
        # That data is wrong is for verify to find: a dump reads no data.
        found = self.verify(expect=1).results
        damaged = images.pop('wrong').id
        self.assertEqual(
            {damaged: 'damaged', **{i.id: 'ok' for i in images.values()}},
            found,
        )

    def test_owner_by_an_id_that_is_none_today(self):
        image = self.put_v1(b'data', owner='7')
        for words in (), ('--project', '7'):
            result = self.load('--show-all', '--map-owner', '7=demo', *words)
            self.assertEqual([image.id], list(result.results))
        self.assertEqual(
            self.slave.project_id('demo'), self.slave.get(image.id).owner
        )
        error = self.load('--map-owner', '8=demo', expect=1)
        self.assertIn("no project '8'", error.stderr)


class TestOneReading(dumps.DumpTest):
    """What is found out late leaves a record that the next run completes."""

    alone = False

    def setUp(self):
        super().setUp()
        # More than is on its way at a time.
        self.data = client.as_raw(os.urandom(24 * dumps.MIB))
        self.image = self.put(self.data)

    def _assert_refused(self, *words, environment=None):
        result = self.load(self.image.id, environment=environment, expect=1)
        reason = self.reasons(result)[self.image.id]
        for word in words:
            self.assertIn(word, reason)
        # Its Glance notices a little later that nothing more comes.
        self.wait_for(lambda: self._is_fit_for_use(self.image.id))
        self.assertFalse(self.slave.stored(self.image.id).exists())

    def _is_fit_for_use(self, image_id):
        replica = self.slave.get(image_id)
        return ('queued', 'private', {}) == (
            replica.status,
            replica.visibility,
            replica.digests,
        )

    def _assert_completed(self):
        result = self.load(self.image.id)
        self.assertEqual({self.image.id: 'copied'}, result.results)
        self.assertReplica(self.image, self.data)

    def test_damaged_in_its_last_block(self):
        self.data_file(self.image).write_bytes(base.spoiled(self.data))
        self._assert_refused(str(self.path), 'is damaged', 'sha512')
        self.data_file(self.image).write_bytes(self.data)
        self._assert_completed()

    def test_changed_while_it_is_read(self):
        link = self.useFixture(proxy.Proxy(self.slave.glance.url))

        def rewrite():
            # In the end it is as it was.
            self.data_file(self.image).write_bytes(base.spoiled(self.data))
            self.data_file(self.image).write_bytes(self.data)

        link.on(
            'PUT',
            f'{self.image.id}/file$',
            faults.Fault(upload=faults.after(dumps.MIB, rewrite)),
        )
        self._assert_refused(
            'changed while it was read',
            environment=self.clouds_yaml(slave=links.behind(link)),
        )
        self._assert_completed()

    def test_disk_that_fails_in_the_middle(self):
        site = self.scratch / 'sitecustomize.py'
        site.write_text(_BROKEN_DISK)
        self.preloads = False
        path = os.pathsep.join(
            [str(self.scratch), *filter(None, [os.environ.get('PYTHONPATH')])]
        )
        self._assert_refused(
            str(self.path),
            'Input/output error',
            environment={'PYTHONPATH': path},
        )
        self._assert_completed()


class TestHostile(dumps.DumpTest):
    """Whatever is in a directory is at the most a row."""

    def setUp(self):
        super().setUp()
        self.good = self.put(b'good', name='good')
        self.bad = {}

    def _bad(self, what, data=b'data', **fields):
        self.bad[what] = self.put(data, **{'name': what, **fields})
        return self.bad[what]

    def _text(self, what, text):
        """Lay a record that is this text, about data that is fine."""
        image = self._bad(what)
        text = text.replace('THIS', image.id)
        self.file(image).write_bytes(text.encode('utf-8', 'surrogatepass'))

    def _assert_refused(self, result):
        self._assert_results(result, 'copied', 'failed')
        reasons = self.reasons(result)
        for what, image in self.bad.items():
            self.assertNotIn(reasons[image.id], ('', None), what)
            self.assertNotIn('unexpected', reasons[image.id], what)
        (_,) = result.stderr.splitlines()
        self.assertEqual({self.good.id}, self.slave.ids())

    def _assert_results(self, result, good, bad):
        """Find one row for each image, and no other."""
        expected = {
            self.good.id: good,
            **{image.id: bad for image in self.bad.values()},
        }
        names = {image.id: what for what, image in self.bad.items()}
        wrong = expected.items() ^ result.results.items()
        self.assertEqual([], [(names.get(i), r) for i, r in wrong])
        self.assertEqual(len(expected), len(result.rows))

    def test_files(self):
        for what, file in (
            ('linked record', self.file),
            ('linked data', self.data_file),
            ('dangling', self.data_file),
            ('record is a pipe', self.file),
            ('data is a pipe', self.data_file),
            ('record is a directory', self.file),
            ('data is a directory', self.data_file),
        ):
            file = file(self._bad(what))
            content = file.read_bytes()
            file.unlink()
            if 'linked' in what:
                # All would be well, were it followed.
                outside = self.scratch / what
                outside.write_bytes(content)
                file.symlink_to(outside)
            elif what == 'dangling':
                file.symlink_to(self.scratch / 'nowhere')
            elif 'pipe' in what:
                os.mkfifo(file)
            else:
                file.mkdir()
        self._assert_refused(self.load(expect=1))

    def test_records(self):
        other = str(uuid.uuid4())
        for what, text in (
            ('no JSON', 'notes'),
            ('nothing', ''),
            ('torn', '{"id": "THIS", "status": "acti'),
            ('no object', '["THIS"]'),
            ('of another', f'{{"id": "{other}", "status": "active"}}'),
            ('path', '{"id": "../../../etc/passwd", "status": "active"}'),
            ('twice', '{"id": "THIS", "status": "active", "size": 4, '
                      '"size": 4}'),
            ('no number', '{"id": "THIS", "status": "active", "size": NaN}'),
            ('UTF-16', '{"id": "THIS", "name": "\ud800"}'),
            ('long number', '{"id": "THIS", "size": ' + '9' * 5000 + '}'),
            ('huge', json.dumps({'id': 'THIS', 'status': 'active', 'size': 4,
                                 'x': 'x' * (12 * dumps.MIB)})),
        ):  # fmt: skip
            self._text(what, text)
        for depth in (100, *range(800, 1000, 10), 100_000):
            nested = '[' * depth + ']' * depth
            for field in ('id', 'x', 'tags', 'properties', 'size'):
                self._text(
                    f'{field} {depth} deep',
                    '{"is_public": true, "status": "active", "id": "THIS", '
                    f'"{field}": {nested}}}'.replace(
                        '"id": "THIS", "id"', '"id"'
                    ),
                )
        for field, value in {
            'size': '4',
            'name': ['x'],
            'tags': 'x',
            'status': None,
            'visibility': 'everyone',
            'protected': 'no',
            'min_ram': 1.5,
            'os_hash_algo': ['sha512'],
            'os_hash_value': 5,
            'checksum': {},
            'x': 5,
            'os_hidden': 1,
        }.items():
            self._bad(f'type of {field}', **{field: value})
        self._bad('tag', tags=[['x']])
        self._bad('negative', size=-4)
        self._assert_refused(self.load(expect=1))
        self._assert_results(self.verify(expect=1), 'ok', 'damaged')

    def test_data(self):
        one, two = self._bad('one', b'one'), self._bad('two', b'two')
        self.data_file(one).write_bytes(b'two')
        self.data_file(two).write_bytes(b'one')
        self.data_file(self._bad('trailing')).write_bytes(b'data\0')
        self.data_file(self._bad('cut')).write_bytes(b'dat')
        self.data_file(self._bad('emptied')).write_bytes(b'')
        self.data_file(self._bad('gone')).unlink()
        self._bad('lies of md5', os_hash_algo=None, checksum='0' * 32)
        self._assert_refused(self.load(expect=1))

    def test_values_that_glance_refuses(self):
        evil = 'esc \x1b[2J \x07 rtl \u202e sep \u2028'
        bad = [
            self.put(name='half a pair \ud800'),
            self.put(name='astral \U0001f4bf'),
            self.put(disk_format=evil),
            self.put(name='x' * 256),
            self.put(**{'x' * 256: 'long'}),
            self.put(min_ram=2**64),
            self.put(tags=[str(n) for n in range(129)]),
        ]
        result = self.openstack(
            '--os-cloud', 'slave', 'image', 'replicate', 'load',
            str(self.path), '--retries', '0', expect=1,
        )  # fmt: skip
        self.assertEqual(len(bad), result.stdout.count(' failed '))
        self.assertEqual(1, result.stdout.count(' copied '))
        for char in '\x1b\x07\u202e\u2028':
            self.assertNotIn(char, result.stdout + result.stderr)
        self.assertNotIn('Traceback', result.stderr)
        self.assertNotIn('unexpected', result.stdout)
        active = {
            image_id
            for image_id in self.slave.ids()
            if self.slave.get(image_id).status == 'active'
        }
        self.assertEqual({self.good.id}, active)


class TestBombs(dumps.DumpTest):
    """What is small on a disk fills no memory."""

    alone = False

    def setUp(self):
        super().setUp()
        self.good = self.put(b'good', name='good')

    def run_limited(self, *words, expect=0, **options):
        """Run a command with so much memory as ``ulimit -v`` would leave."""
        before = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (_LIMIT, before[1]))
        try:
            process = self.start_script(*words, **options)
        finally:
            resource.setrlimit(resource.RLIMIT_AS, before)
        result = self.finish(process, expect)
        self.assertLess(result.peak, 300 * dumps.MIB)
        return result

    def test_records(self):
        """There is a row for each of them."""
        bad = []
        for part in itertools.islice(
            itertools.cycle(('{}', '[]', '{"a":[]}', '1.5')), 12
        ):
            image = self.put(name='bomb')
            text = ','.join([part] * (11 * dumps.MIB // (len(part) + 1)))
            self.file(image).write_text(
                f'{{"id":"{image.id}","status":"active","a":[{text}]}}'
            )
            bad.append(image.id)
        # These are as large as a record may be, and cannot be used, either.
        for _ in range(30):
            image = self.put(x='x' * 10 * dumps.MIB, tags=[5])
            bad.append(image.id)
        verified = self.run_limited(
            'image', 'replicate', 'verify', '-f', 'json', str(self.path),
            environment={'OS_CLIENT_CONFIG_FILE': '/dev/null'}, expect=1,
        )  # fmt: skip
        loaded = self.run_limited(
            *self.words('load', str(self.path), source='slave'), expect=1
        )
        for result, good, wrong in (
            (verified, 'ok', 'damaged'),
            (loaded, 'copied', 'failed'),
        ):
            self.assertEqual(
                {self.good.id: good, **dict.fromkeys(bad, wrong)},
                result.results,
            )
            told = self.reasons(result)
            for image_id in bad[:12]:
                self.assertIn('parts of JSON', told[image_id])

    def test_checksums(self):
        image = self.master.create(b'data', visibility='public')
        self.file('SHA512SUMS').write_bytes(b'a\n' * (24 * dumps.MIB))
        result = self.run_limited(
            *self.words('dump', str(self.path), image.id, source='master')
        )
        self.assertEqual({image.id: 'copied'}, result.results)
        self.assertSums('sha512', 1)


class TestInternalErrors(dumps.DumpTest):
    alone = False

    def test_value_that_a_database_will_not_have(self):
        """It hides no other change, and is named."""
        image = self.put(b'data')
        self.load(image.id)
        # PostgreSQL stores no NUL: the answer is 500, however often.
        self.put(
            b'data', image.id, name='new', os_hidden=True, evil='a\0b',
            good='x',
        )  # fmt: skip
        result = self.load(image.id, '--retries', '1', expect=1)
        (row,) = result.rows
        self.assertEqual('failed', row['Result'])
        self.assertIn('slave: evil: HTTP 500', row['Reason'])
        replica = self.slave.get(image.id)
        self.assertEqual(
            ('new', True, 'x'),
            (replica.name, replica.hidden, replica.properties['good']),
        )


class TestNotAllowed(dumps.DumpTest):
    def test_ordinary_user_may_not_publish(self):
        public = self.put(b'public', visibility='public')
        own = self.put(b'own')
        result = self.load(source='slave-demo', expect=1)
        self.assertEqual(
            {public.id: 'failed', own.id: 'copied'}, result.results
        )
        reason = self.reasons(result)[public.id]
        for word in ('visibility=public', 'slave-demo'):
            self.assertIn(word, reason)
        replica = self.slave.get(public.id)
        self.assertEqual(
            ('queued', 'private', None),
            (replica.status, replica.record['visibility'], replica.size),
        )
        self.assertFalse(self.slave.stored(public.id).exists())
        self.assertEqual(b'own', self.slave.stored(own.id).read_bytes())
        self.assertEqual(
            self.slave.project_id('demo'),
            self.slave.get(own.id).record['owner'],
        )


class TestVerify(dumps.DumpTest):
    """What is wrong with a dump is named, by reading it alone."""

    def setUp(self):
        super().setUp()
        self.good = self.put(b'good', name='good', tags=['t'])

    def test_every_finding(self):
        bare = self.put(b'bare', os_hash_algo=None, checksum=None)
        queued = self.put(None, status='queued', size=None)
        changed = self.put(b'changed', name='changed')
        self.data_file(changed).write_bytes(b'cHanged')
        missing, lonely = self.put(b'missing'), self.put(b'lonely')
        self.data_file(missing).unlink()
        self.file(lonely).unlink()
        short, longer = self.put(b'short'), self.put(b'longer')
        self.data_file(short).write_bytes(b'sh')
        self.data_file(longer).write_bytes(b'longer than that')
        record, link = self.put(b'record'), self.put(b'link')
        self.file(record).write_text('{')
        self.data_file(link).unlink()
        self.data_file(link).symlink_to(self.data_file(self.good))
        self._lay_others()
        result = self.verify(*self.loud(), expect=1)
        others = [
            row
            for row in result.rows
            if row['Result'] in ('foreign', 'leftover')
        ]
        self.assertEqual(
            {
                self.good.id: 'ok',
                bare.id: 'ok',
                queued.id: 'skipped',
                changed.id: 'damaged',
                missing.id: 'missing',
                lonely.id: 'missing',
                short.id: 'short',
                longer.id: 'damaged',
                record.id: 'damaged',
                link.id: 'damaged',
            },
            {
                row['ID']: row['Result']
                for row in result.rows
                if row not in others
            },
        )
        reasons = self.reasons(result)
        self.assertEqual('', reasons[self.good.id])
        self.assertEqual(
            'verified by size only: no hash recorded', reasons[bare.id]
        )
        self.assertIn('sha512', reasons[changed.id])
        self.assertIn('JSON', reasons[record.id])
        self._assert_others(others)
        self.assertEqual(
            ['ID', 'Name', 'Size', 'Result', 'Reason'], list(result.rows[0])
        )

    def _lay_others(self):
        self.leftover = str(uuid.uuid4())
        self.file(f'{self.leftover}.img.part').write_bytes(b'part')
        self.file('notes.txt').write_text('mine')
        self.file('sub').mkdir()
        self.file('.lock').touch()
        self.file('SHA512SUMS').touch()

    def _assert_others(self, rows):
        self.assertEqual(
            {
                (self.leftover, f'{self.leftover}.img.part:', 'leftover'),
                ('', 'notes.txt', 'foreign'),
                ('', 'sub', 'foreign'),
            },
            {
                (row['ID'], row['Reason'].split()[0], row['Result'])
                for row in rows
            },
        )

    def test_what_is_not_of_the_dump_is_no_damage(self):
        self._lay_others()
        self.file('evil\x1b[2J\n').write_text('evil')
        result = self.openstack(
            '-v', 'image', 'replicate', 'verify', str(self.path),
            environment={'OS_CLIENT_CONFIG_FILE': '/dev/null'},
        )  # fmt: skip
        self.assertNotIn('\x1b', result.stdout)
        self.assertIn(f'ok: {self.good.id} ', result.stderr)
        for count in ('1 ok', '3 foreign', '1 leftover'):
            self.assertIn(count, result.stderr)
