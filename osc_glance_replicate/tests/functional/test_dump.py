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

"""What a dump writes, whatever happens while it does."""

import contextlib
import os
import random
import resource
import stat
import time

from testtools import content

from osc_glance_replicate.sandbox import client
from osc_glance_replicate.tests.functional import base
from osc_glance_replicate.tests.functional import dumps
from osc_glance_replicate.tests.functional import faults
from osc_glance_replicate.tests.functional import links
from osc_glance_replicate.tests.functional import proxy

_MIB = dumps.MIB

#: How often a run is killed, at the least.
_KILLS = base.often(5, 50)

#: Seconds within which it is, after it has come to some point: as long as it
#: needs for an image.
_MOMENT = 0.05


class TestRoundTrip(dumps.DumpTest):
    """Through a directory, an image arrives as by a livecopy."""

    def test_every_kind_of_image(self):
        zeros = self._create_zeros()
        images = {**self._create_all(), **zeros}
        queued = self.master.create(None, name='queued')
        withdrawn = self.master.create(name='withdrawn')
        path = f'/images/{withdrawn.id}/actions/deactivate'
        self.master.request('POST', path)
        self.preloads = False
        with _umask(0):
            dumped = self.dump('--include-hidden', '--show-all', *self.loud())
        skipped = {queued.id: 'skipped', withdrawn.id: 'skipped'}
        self.assertEqual(
            {**dict.fromkeys(images, 'copied'), **skipped}, dumped.results
        )
        self.assertAllDumped(images)
        self._assert_private()
        self._assert_holes(zeros)
        loaded = self.load('--include-hidden', *self.loud())
        self.assertEqual(dict.fromkeys(images, 'copied'), loaded.results)
        for image_id, data in images.items():
            self.assertReplica(self.master.get(image_id), data)
        self.assertEqual(set(images), self.slave.ids())
        self.replicate('compare', '--to', 'slave', '--include-hidden')
        again = self.load('--show-all')
        self.assertEqual(dict.fromkeys(images, 'unchanged'), again.results)

    def _create_all(self):
        return {
            self.master.create(data, **fields).id: data
            for data, fields in (
                (b'', {'name': 'zero bytes'}),
                (b'u', {'name': 'Zürich 東京 עברית', 'tags': ['ü x', 'a']}),
                (b'n', {'name': None}),
                (b'l', {'name': '東' * 255}),
                (b'c', {'name': 'esc \x1b[2J bell \x07 line\nfeed'}),
                (
                    b'props',
                    {
                        'num': '064',
                        'bool': 'yes',
                        'empty': '',
                        'a/b~c': 'slash and tilde',
                        'metadata': 'not the SDK',
                        'ключ': ' значение ',
                        'spaces in it': ' kept ',
                        'is_public': 'a word of v1',
                        'properties': 'another',
                        'long': 'x' * 5000,
                    },
                ),
                (b'm', {'min_disk': 7, 'min_ram': 512, 'protected': True}),
                (b'aki', {'disk_format': 'aki', 'container_format': 'aki'}),
                (b'ari', {'disk_format': 'ari', 'container_format': 'ari'}),
                (b'ami', {'disk_format': 'ami', 'container_format': 'ami'}),
                (b'pub', {'visibility': 'public', 'protected': True}),
                (b'com', {'visibility': 'community', 'user': 'demo'}),
                (b'sha', {'visibility': 'shared', 'user': 'alt'}),
                (b'hid', {'os_hidden': True, 'visibility': 'public'}),
                # What begins and ends within blocks, and is longer than one.
                (client.as_raw(os.urandom(2 * _MIB + 7)), {}),
            )
        }

    def _create_zeros(self):
        zeros = bytes(3 * _MIB)
        return {
            self.master.create(data, name=name).id: data
            for name, data in (
                ('all', zeros),
                ('start', zeros + b'end'),
                ('end', b'start' + zeros),
                ('both', zeros + b'middle' + zeros),
                ('odd', bytes(100_000) + b'x' + bytes(100_000)),
            )
        }

    def _assert_private(self):
        modes = {
            stat.S_IMODE(file.stat().st_mode)
            for file in self.path.iterdir()
            if file.name != '.lock'
        }
        self.assertEqual({0o600}, modes)
        self.assertEqual(0o700, stat.S_IMODE(self.path.stat().st_mode))

    def _assert_holes(self, zeros):
        for image_id in zeros:
            held = self.file(f'{image_id}.img').stat().st_blocks * 512
            self.assertLess(held, 256 * 1024, self.record(image_id)['name'])

    def test_another_algorithm(self):
        secure = self.cloud('secure')
        image = secure.create(b'data')
        plain = secure.create(b'plain')
        secure.sql(
            'UPDATE images SET os_hash_algo = NULL, os_hash_value = NULL '
            'WHERE id = %s',
            plain.id,
        )
        self.dump(source='secure')
        for algorithm in ('sha256', 'md5'):
            self.assertSums(algorithm, 1)
        loaded = self.load()
        self.assertEqual(
            {image.id: 'copied', plain.id: 'copied'}, loaded.results
        )
        self.assertReplica(secure.get(image.id), b'data')


class TestUpToDate(dumps.DumpTest):
    """What is whole is not read again; what has changed is written."""

    def test_dump_follows_the_cloud(self):
        self.path = self.scratch / 'a' / 'b'
        whole, renamed, hidden, withdrawn = (
            self.master.create(b'%d' % n, name=f'{n}', old='x', tags=['old'])
            for n in range(4)
        )
        self._assert_foretold([whole, renamed, hidden, withdrawn], 4)
        first = self.dump()
        self.assertEqual(4, len(first.rows))
        # Whoever wanted to read data now would fail.
        for image in (whole, renamed, hidden, withdrawn):
            self.master.stored(image.id).unlink()
        again = self.dump()
        self.assertEqual([], again.rows)
        self.assertIn('4 unchanged', again.stderr)
        self._change(renamed, hidden, withdrawn)
        self._assert_foretold([renamed, hidden, withdrawn], 0)
        changed = self.dump('--show-all')
        self.assertEqual(
            {
                whole.id: 'unchanged',
                renamed.id: 'updated',
                hidden.id: 'updated',
                withdrawn.id: 'updated',
            },
            changed.results,
        )
        reason = self.reasons(changed)[renamed.id]
        for word in ('name', 'tags', 'old', 'new', 'visibility'):
            self.assertIn(word, reason)
        self.assertAllDumped(
            {
                image.id: b'%d' % n
                for n, image in enumerate((whole, renamed, hidden, withdrawn))
            }
        )
        self.replicate('compare', '--dump', str(self.path))

    def _change(self, renamed, hidden, withdrawn):
        self.master.patch(
            renamed.id, name='new', tags=['new'], visibility='public', new='y'
        )
        self.master.request(
            'PATCH',
            f'/images/{renamed.id}',
            headers={
                'Content-Type': 'application/openstack-images-v2.1-json-patch'
            },
            data='[{"op": "remove", "path": "/old"}]',
        )
        self.master.patch(hidden.id, os_hidden=True)
        path = f'/images/{withdrawn.id}/actions/deactivate'
        self.master.request('POST', path)

    def _assert_foretold(self, images, copies):
        """Let compare, size and a dry run say what a dump would do."""
        to = ('--dump', str(self.path))
        before = self._state()
        compared = self.replicate('compare', *to, expect=3)
        self.assertEqual(
            {
                image.id: 'missing' if copies else 'metadata'
                for image in images
            },
            {row['ID']: row['Difference'] for row in compared.rows},
        )
        (size,) = self.replicate('size', *to).rows
        self.assertEqual(
            (str(self.path), copies, copies),
            (size['To'], size['Images'], size['Bytes']),
        )
        dry = self.dump('--dry-run')
        self.assertEqual(
            {image.id: 'copy' if copies else 'update' for image in images},
            dry.results,
        )
        self.assertEqual(before, self._state())

    def _state(self):
        if not self.path.exists():
            return None
        return {f.name: f.stat().st_mtime_ns for f in self.path.iterdir()}


class TestKilled(dumps.DumpTest):
    """No instant at which a run dies can spoil anything."""

    def setUp(self):
        super().setUp()
        seed = random.randrange(2**32)
        self.addDetail('seed', content.text_content(str(seed)))
        self.random = random.Random(seed)
        self.images = {
            self.master.create(
                data, name=f'{size}', visibility='public'
            ).id: data
            for size in (0, 1, _MIB, *range(3 * _MIB, 11 * _MIB, _MIB + 1))
            for data in (self._bytes(size),)
        }

    def _bytes(self, size):
        """Give bytes among which there are zeros."""
        data = bytearray(client.as_raw(self.random.randbytes(size)))
        for _ in range(size // _MIB):
            start = self.random.randrange(size)
            data[start : start + 200_000] = bytes(
                len(data[start : start + 200_000])
            )
        return bytes(data)

    def test_dump(self):
        words = self.words('dump', str(self.path), source='master')
        everything = 2 * len(self.images)
        kills = interrupted = 0
        while kills < _KILLS or not interrupted:
            self.assertLess(kills, 10 * _KILLS)
            kills += 1
            point = self.random.randint(self._count(), everything - 1)
            self._kill(words, lambda: self._count() >= point)
            self._assert_nothing_is_wrong()
            if self._count() < everything:
                interrupted += 1
            else:
                self._damage_some()
        self.dump()
        self.assertAllDumped(self.images)
        undisturbed = self.scratch / 'undisturbed'
        self.dump(path=undisturbed)
        self.assertEqual(_contents(undisturbed), _contents(self.path))

    def _count(self):
        """Give the number of data files and records that are in place."""
        with contextlib.suppress(FileNotFoundError):
            return sum(not n.endswith('.part') for n in self.names())
        return 0

    def _damage_some(self):
        """Leave what there is to do, once more."""
        for image_id in self.random.sample(sorted(self.images), 6):
            self.file(image_id).unlink()
            if self.random.random() < 0.7:
                self.file(f'{image_id}.img').unlink()

    def _kill(self, words, is_there):
        """Start a run, and kill it soon after it has come to some point."""
        process = self.start(*words)
        while process.poll() is None and not is_there():
            time.sleep(0.002)
        time.sleep(self.random.uniform(0, _MOMENT))
        process.kill()
        process.wait()

    def _assert_nothing_is_wrong(self):
        """Find nothing under a final name that is not whole and right."""
        # It may have died before there was a directory.
        for name in self.names() if self.path.exists() else ():
            if name.endswith('.img'):
                image_id = name.removesuffix('.img')
                self.assertEqual(
                    self.images[image_id], self.file(name).read_bytes()
                )
            elif not name.endswith('.part'):
                self.assertDumped(self.master.get(name), self.images[name])

    def test_load(self):
        self.dump()
        words = self.words('load', str(self.path), source='slave')
        for _ in range(_KILLS):
            point = self._stored() + self.random.randint(1, 3)
            self._kill(words, lambda: self._stored() >= point)
            for image_id in self._active():
                self.assertEqual(
                    self.images[image_id],
                    self.slave.stored(image_id).read_bytes(),
                )
        self.load()
        for image_id, data in self.images.items():
            self.assertReplica(self.master.get(image_id), data)
        self.replicate('compare', '--to', 'slave')

    def _stored(self):
        return len(list(self.slave.glance.store.iterdir()))

    def _active(self):
        return {
            image_id
            for image_id in self.slave.ids()
            if self.slave.get(image_id).status == 'active'
        }


class TestResumed(dumps.DumpTest):
    """What an interrupted dump left is used, as far as it is right."""

    def test_what_is_there(self):
        data = client.as_raw(os.urandom(3 * _MIB + 5))
        other = client.as_raw(os.urandom(len(data)))
        situations = {
            'begun': (data[: 2 * _MIB + 1], ['206']),
            'empty': (b'', ['200']),
            'complete': (data, []),
            'adopted': (data, []),
            'too long': (data + b'x', ['200']),
            'wrong': (other[:_MIB], ['206', '200']),
            'all wrong': (other, ['200']),
            'wrongly adopted': (other, ['200']),
            'short': (data[:_MIB], ['206']),
        }
        images = {}
        self.path.mkdir()
        for name, (part, _) in situations.items():
            image = self.master.create(data, name=name)
            images[name] = image
            whole = name in ('adopted', 'wrongly adopted', 'short')
            file = self.data_file if whole else self.part_file
            file(image).write_bytes(part)
        for name in ('complete', 'adopted'):
            self.master.stored(images[name].id).unlink()
        # What is there would be wrong, were it read again.
        with self.master.stored(images['begun'].id).open('r+b') as stored:
            stored.write(bytes(_MIB))
        result = self.dump()
        self.assertEqual({'copied'}, set(result.results.values()))
        for name, (_, answers) in situations.items():
            self.assertEqual(answers, self.reads(images[name]), name)
        self.assertAllDumped({i.id: data for i in images.values()})

    def test_links_and_pipes_are_not_followed(self):
        outside = self.scratch / 'outside'
        outside.write_bytes(b'mine')
        good = self.master.create(b'good')
        images = [self.master.create(b'linked') for _ in range(5)]
        record, data, part, pipe, folder = images
        self.path.mkdir()
        self.file(record).symlink_to(outside)
        self.data_file(data).symlink_to(outside)
        self.part_file(part).symlink_to(outside)
        os.mkfifo(self.part_file(pipe))
        self.part_file(folder).mkdir()
        result = self.dump(expect=1)
        self.assertEqual(
            {good.id: 'copied', **{i.id: 'failed' for i in images}},
            result.results,
        )
        self.assertEqual(b'mine', outside.read_bytes())
        self.assertDumped(good, b'good')
        self.assertNotIn('Traceback', result.stderr)


class TestPlanted(dumps.DumpTest):
    """Others can write to the directory, and know what comes."""

    def setUp(self):
        super().setUp()
        self.path.mkdir()
        self.outside = self.scratch / 'outside'
        self.outside.write_bytes(b'mine')

    def test_part_that_becomes_another_file(self):
        """After it was opened, and before anything is written."""
        self._swap(0)

    def test_part_that_becomes_another_file_half_way(self):
        self._swap(2 * _MIB)

    def _swap(self, sent):
        """Swap a part file for a link when so many bytes were sent."""
        data = client.as_raw(os.urandom(3 * _MIB))
        image = self.master.create(data)
        source = self.useFixture(proxy.Proxy(self.master.glance.url))
        hold = faults.Fault(download=self.hold(sent))
        source.on('GET', '/file$', hold)
        process = self.start(
            *self.words('dump', str(self.path), source='master'),
            environment=self.clouds_yaml(master=links.behind(source)),
        )
        part = self.part_file(image)
        self.wait_for(lambda: part.exists() and (
            part.stat().st_size or not sent
        ))  # fmt: skip
        part.unlink()
        part.hardlink_to(self.outside)
        self.held.set()
        result = self.finish(process, expect=1)
        self.assertEqual({image.id: 'failed'}, result.results)
        self.assertIn('replaced while', self.reasons(result)[image.id])
        self.assertEqual(b'mine', self.outside.read_bytes())
        self.assertFalse(self.file(image).exists())
        self.dump()
        self.assertAllDumped({image.id: data})
        self.assertEqual(b'mine', self.outside.read_bytes())

    def test_parts_and_sums_of_others(self):
        linked, foreign = (self.master.create(b'image') for _ in range(2))
        for file in self.part_file(linked), self.file('SHA512SUMS'):
            file.hardlink_to(self.outside)
        part = self.part_file(foreign)
        part.write_bytes(b'im')
        part.chmod(0o666)
        os.chown(part, 12345, 12345)
        with part.open('rb') as his:
            self.dump()
            self.assertEqual(b'im', his.read())
        self.assertAllDumped(dict.fromkeys((linked.id, foreign.id), b'image'))
        self.assertEqual(b'mine', self.outside.read_bytes())
        self.assertEqual(os.geteuid(), self.data_file(foreign).stat().st_uid)

    def test_what_is_no_file(self):
        image = self.master.create(b'image')
        runs = []
        for name in '.lock', 'SHA512SUMS', 'projects.json':
            for plant in (
                lambda file: file.symlink_to(self.outside),
                lambda file: file.symlink_to('/dev/null'),
                os.mkfifo,
            ):
                path = self.scratch / f'dump {len(runs)}'
                path.mkdir()
                plant(path / name)
                words = ('dump', str(path), '--members', image.id)
                process = self.start(*self.words(*words, source='master'))
                runs.append((path / name, process))
        for file, process in runs:
            result = self.finish(process, expect=1)
            where = f'{file.parent}: {file.name}: not a regular file'
            self.assertIn(where, result.stderr + ''.join(
                row['Reason'] for row in result.rows
            ))  # fmt: skip
            self.assertNotIn('Traceback', result.stderr)
            self.assertFalse(file.is_file() and not file.is_symlink())
        self.assertEqual(b'mine', self.outside.read_bytes())

    def test_link_to_the_directory_is_followed(self):
        image = self.master.create(b'image')
        link = self.scratch / 'link'
        link.symlink_to(self.path)
        self.dump(path=link)
        self.assertAllDumped({image.id: b'image'})


class TestDamagedSource(dumps.DumpTest):
    """A dump has the bytes that the record promises, or none."""

    def test_nothing_is_left_and_the_others_come(self):
        data = client.as_raw(os.urandom(2 * _MIB))
        good, changed, short, lost = (
            self.master.create(data, name=name)
            for name in ('good', 'changed', 'short', 'lost')
        )
        bad = (changed, short, lost)
        self.master.stored(changed.id).write_bytes(base.spoiled(data))
        self.master.stored(short.id).write_bytes(data[:-1])
        self.master.stored(lost.id).unlink()
        result = self.dump('--retries', '0', expect=1)
        self.assertEqual(
            {good.id: 'copied', **{image.id: 'failed' for image in bad}},
            result.results,
        )
        reasons = self.reasons(result)
        self.assertIn('damaged', reasons[changed.id])
        self.assertIn('lost', reasons[lost.id])
        for image in bad:
            self.assertIn('master', reasons[image.id])
            self.assertFalse(self.file(image).exists())
            self.assertFalse(self.data_file(image).exists())
        self.assertDumped(good, data)
        self.assertSums('sha512', 1)
        for image in bad:
            self.master.stored(image.id).write_bytes(data)
        self.dump()
        self.assertAllDumped({image.id: data for image in (good, *bad)})


class TestRoom(dumps.DumpTest):
    """A disk that is too small, found out before or on the way."""

    def test_no_room(self):
        small = self.master.create(name='small')
        huge = self.master.create(name='huge')
        self.master.sql(
            'UPDATE images SET size = %s WHERE id = %s', 2**60, huge.id
        )
        self.assertOneLine(self.dump(expect=1), str(self.path), 'no room')
        self.assertEqual(set(), self.names())
        self.assertEqual([], self.reads(small))
        # What is not to be written needs none.
        self.assertEqual({small.id: 'copied'}, self.dump(small.id).results)

    def test_disk_that_is_full_half_way(self):
        small = self.master.create(b'small')
        data = client.as_raw(os.urandom(3 * _MIB))
        big = self.master.create(data)
        self.preloads = False
        with _longest_file(2 * _MIB):
            result = self.dump(expect=1)
        self.assertEqual(
            {small.id: 'copied', big.id: 'failed'}, result.results
        )
        self.assertIn(str(self.path), self.reasons(result)[big.id])
        self.assertDumped(small, b'small')
        self.assertFalse(self.file(big).exists())
        self.assertFalse(self.data_file(big).exists())
        self.assertEqual({big.id: 'copied'}, self.dump().results)
        self.assertEqual('206', self.reads(big)[-1])
        self.assertAllDumped({small.id: b'small', big.id: data})


class TestAlone(dumps.DumpTest):
    """Two dumps into one directory would spoil each other's parts."""

    def test_second_dump_is_refused(self):
        data = client.as_raw(os.urandom(3 * _MIB))
        image = self.master.create(data)
        source = self.useFixture(proxy.Proxy(self.master.glance.url))
        hold = faults.Fault(download=self.hold(2 * _MIB))
        source.on('GET', '/file$', hold)
        first = self.start(
            *self.words('dump', str(self.path), source='master'),
            environment=self.clouds_yaml(master=links.behind(source)),
        )
        self.wait_for(self.part_file(image).exists)
        before = self.names()
        second = self.dump(expect=1)
        self.assertOneLine(second, str(self.path), 'another dump')
        self.assertEqual(before, self.names())
        # Who only looks is let in.
        self.replicate('compare', '--dump', str(self.path), expect=3)
        self.held.set()
        self.finish(first)
        self.assertAllDumped({image.id: data})


class TestPath(dumps.DumpTest):
    def test_no_directory(self):
        self.master.create()
        self.path.write_text('a file')
        dumped = self.dump(expect=1)
        self.assertOneLine(dumped, str(self.path), 'Not a directory')
        self.assertEqual('a file', self.path.read_text())
        self.path.unlink()
        for result in (self.load(expect=1), self.verify(expect=1)):
            self.assertOneLine(result, str(self.path), 'No such file')
        self.assertEqual([], list(self.scratch.iterdir()))
        # Perhaps something was to be mounted there.
        self.path.mkdir()
        for result in (self.load(expect=1), self.verify(expect=1)):
            self.assertOneLine(result, str(self.path), 'there is no dump')


class TestWhichImages(dumps.DumpTest):
    def setUp(self):
        super().setUp()
        self.ids = {
            name: self.master.create(name.encode(), **fields).id
            for name, fields in (
                ('one', {'name': 'one', 'tags': ['t']}),
                ('two words', {'name': 'two words', 'tags': ['t']}),
                ('three', {'name': 'three', 'tags': ['t', 'u']}),
                ('untagged', {'name': 'untagged'}),
            )
        }

    def _chosen(self, *names):
        return {self.ids[name] for name in names}

    def test_options_choose(self):
        options = ('--name', '*t*', '--tag', 't', '--exclude', 'thr*')
        dumped = self.dump(*options)
        self.assertEqual(self._chosen('two words'), set(dumped.results))
        self.dump('one', self.ids['three'], '--retries', '0')
        self.assertAllDumped(
            {
                self.ids[name]: name.encode()
                for name in ('one', 'two words', 'three')
            }
        )
        verified = self.verify(*options)
        self.assertEqual(self._chosen('two words'), set(verified.results))
        loaded = self.load(*options)
        self.assertEqual(self._chosen('two words'), set(loaded.results))
        loaded = self.load('two words', '--show-all', self.ids['one'])
        self.assertEqual(
            {self.ids['one']: 'copied', self.ids['two words']: 'unchanged'},
            loaded.results,
        )
        self.assertEqual(self._chosen('one', 'two words'), self.slave.ids())

    def test_unknown_and_ambiguous_names_stop_before_any_work(self):
        twins = [self.put(name='twin').id for _ in 'ab']
        self.put(name='one')
        before = self.names()
        self.assertOneLine(self.dump('one', 'ghost', expect=1), 'ghost')
        self.assertEqual(before, self.names())
        for result in (
            self.load('one', 'ghost', expect=1),
            self.verify('one', 'ghost', expect=1),
        ):
            self.assertOneLine(result, 'ghost', str(self.path))
        self.assertOneLine(self.load('one', 'twin', expect=1), *twins)
        self.assertEqual(set(), self.slave.ids())


@contextlib.contextmanager
def _umask(mask):
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@contextlib.contextmanager
def _longest_file(size):
    """Let no file of what is started become longer: as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _contents(path):
    """Give all that is in a directory; the order of lines does not matter."""
    return {
        file.name: sorted(file.read_bytes().splitlines())
        if file.name.endswith('SUMS')
        else file.read_bytes()
        for file in path.iterdir()
    }
