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

"""What load and verify make of a dump that anybody may have changed."""

import contextlib
import functools
import hashlib
import json
import os
import shutil
import sys

import hypothesis
from hypothesis import strategies

from osc_glance_replicate.engine import verify
from osc_glance_replicate import errors
from osc_glance_replicate.model import image_selection
from osc_glance_replicate.model import plan
from osc_glance_replicate.places import dump
from osc_glance_replicate.places.dump import records
from osc_glance_replicate.planning import decisions
from osc_glance_replicate.reporting import report
from osc_glance_replicate.tests.doubles import dumps
from osc_glance_replicate.tests.doubles import samples
from osc_glance_replicate.tests.oracle import examples
from osc_glance_replicate.transfer import image_reading
from osc_glance_replicate.transfer import upload_body

_MODERN = samples.image(0xA, b'some data of some length')
_WEAK = samples.image(
    0xB, b'other data', name='', os_hash_algo=None, os_hash_value=None
)
_OLD_DATA = b'data of long ago'
_OLD = {
    'id': samples.image(0xC).id,
    'name': 'old',
    'status': 'active',
    'size': len(_OLD_DATA),
    'virtual_size': None,
    'disk_format': 'raw',
    'container_format': 'bare',
    'checksum': hashlib.md5(_OLD_DATA).hexdigest(),
    'owner': 'a project',
    'is_public': True,
    'protected': False,
    'min_disk': 0,
    'min_ram': 0,
    'deleted': False,
    'created_at': '2012-03-01T12:00:00.000000',
    'updated_at': '2012-03-01T12:00:00.000000',
    'deleted_at': None,
    'properties': {'kernel_id': None, 'os_distro': 'debian'},
}

#: A good dump: three images, one by the tool of 2012.
FILES = {
    _MODERN.id: records.serialize(_MODERN),
    f'{_MODERN.id}.img': b'some data of some length',
    _WEAK.id: records.serialize(_WEAK),
    f'{_WEAK.id}.img': b'other data',
    _OLD['id']: json.dumps(_OLD).encode(),
    f'{_OLD["id"]}.img': _OLD_DATA,
}
_RECORDS = {name: FILES[name] for name in FILES if '.' not in name}

#: What another hand makes of a file, besides other bytes.
KINDS = (
    'link to a file outside',
    'link to a record outside',
    'link to a pipe outside',
    'link to a directory outside',
    'link to nothing',
    'link to a device',
    'link to a file inside',
    'pipe',
    'directory',
    'nothing',
)

#: Fields that decide what is read.
_DECISIVE = ('size', 'status', 'checksum', 'os_hash_algo', 'os_hash_value')

#: Fields that not all records have.
_OTHERS = (
    'locations',
    'block_device_mapping',
    'cinder_encryption_key_id',
    'os_glance_x',
    'os_distro',
    '',
)

_READING = frozenset(('open', 'os.listdir', 'os.scandir'))
_CHANGING = frozenset(
    f'os.{what}'
    for what in (
        'chmod chown link mkdir remove rename rmdir symlink truncate utime'
    ).split()
)


class Watch:
    """Notes every file that this process opens or changes while it is on."""

    events = None

    def __init__(self):
        sys.addaudithook(self._note)

    def _note(self, event, args):
        if self.events is not None and (
            event in _READING or event in _CHANGING
        ):
            self.events.append((event, *args))

    @contextlib.contextmanager
    def on(self):
        self.events = events = []
        try:
            yield events
        finally:
            self.events = None


#: There is no way to be rid of an audit hook.
watch = functools.cache(Watch)


def _names():
    """File names: those of the dump, such as look like it, and any other."""
    ids = strategies.sampled_from(
        [*_RECORDS, *map(str.upper, _RECORDS), samples.image(0xD).id]
    )
    ends = strategies.sampled_from(
        ['', '.img', '.img.part', '.part', '.members', '.', '\n', ' ', '.IMG']
    )
    return strategies.one_of(
        strategies.sampled_from(sorted(FILES)),
        strategies.builds(lambda *words: ''.join(words), ids, ends),
        strategies.sampled_from(
            ['.lock', 'SHA512SUMS', 'MD5SUMS.part', '..a', '-f', '*', '\\']
        ),
        strategies.binary(min_size=1, max_size=50)
        .filter(lambda name: not {*b'/\0'} & {*name})
        .filter(lambda name: name not in (b'.', b'..'))
        .map(os.fsdecode),
    )


def _values():
    """Values for a field of a record, odd ones above all."""
    scalars = strategies.one_of(
        strategies.none(),
        strategies.booleans(),
        strategies.integers(-5, 30),
        strategies.sampled_from([2**31, 2**63, 10**30, -(10**4000)]),
        strategies.floats(),
        strategies.sampled_from(
            [
                'active',
                'queued',
                'deactivated',
                'sha512',
                'sha9000',
                'shake_128',
                'private',
                '../../outside',
                'half a character: \ud800',
                *_RECORDS,
                hashlib.md5(_OLD_DATA).hexdigest().upper(),
            ]
        ),
        # Lone surrogates, too.
        strategies.text(
            strategies.characters(codec=None, categories=None), max_size=20
        ),
    )
    return strategies.one_of(
        scalars,
        strategies.recursive(
            scalars,
            lambda values: strategies.one_of(
                strategies.lists(values, max_size=4),
                strategies.dictionaries(
                    strategies.text(max_size=8), values, max_size=4
                ),
            ),
            max_leaves=8,
        ),
    )


def _fields():
    """Names of fields of a record."""
    return strategies.one_of(
        strategies.sampled_from(_DECISIVE),
        strategies.sampled_from(sorted({*_MODERN.record, *_OLD, *_OTHERS})),
    )


def _records():
    """Documents to take the place of a record."""
    fields = _fields()
    some = strategies.dictionaries(fields, _values(), max_size=4)

    def with_properties(fields):
        return json.dumps({**_OLD, 'properties': fields})

    def repeated(record, fields):
        """A good record with keys twice."""
        text = record.decode().rstrip()[:-1]
        more = (f', {json.dumps(k)}: {json.dumps(v)}' for k, v in fields)
        return f'{text}{"".join(more)}}}'

    def nested(record, field, depth, closed):
        text = json.dumps({**json.loads(record), field: 'HERE'})
        end = ']' * depth if closed else ''
        return text.replace('"HERE"', '[' * depth + end)

    good = strategies.sampled_from(sorted(_RECORDS.values()))
    return strategies.one_of(
        strategies.builds(with_properties, some),
        strategies.builds(
            repeated,
            good,
            strategies.lists(strategies.tuples(fields, _values()), max_size=3),
        ),
        strategies.builds(
            nested,
            good,
            fields,
            strategies.one_of(
                strategies.integers(1, 1100), strategies.just(10**5)
            ),
            strategies.booleans(),
        ),
        _values().map(json.dumps),
    ).map(lambda text: text.encode())


def _at(content, where):
    return round(where * max(0, len(content) - 1))


def flip(content, where, mask):
    position = _at(content, where)
    byte = content[position : position + 1]
    return (
        content[:position]
        + bytes(b ^ mask for b in byte)
        + content[position + 1 :]
    )


def insert(content, where, more):
    position = _at(content, where)
    return content[:position] + more + content[position:]


def delete(content, where, count):
    position = _at(content, where)
    return content[:position] + content[position + count :]


def truncate(content, where):
    return content[: _at(content, where)]


def extend(content, more):
    return content + more


def set_field(content, field, value):
    try:
        record = json.loads(content)
        return json.dumps({**record, field: value}).encode()
    except (TypeError, ValueError, RecursionError):
        return content


def _mutations():
    files = strategies.sampled_from(sorted(FILES))
    where = strategies.floats(0, 1)
    some = strategies.binary(min_size=1, max_size=20)

    def edit(change, *more):
        return strategies.tuples(
            strategies.just('edit'),
            files,
            strategies.tuples(strategies.just(change), *more),
        )

    return strategies.one_of(
        edit(flip, where, strategies.integers(1, 255)),
        edit(insert, where, some),
        edit(delete, where, strategies.integers(1, 20)),
        edit(truncate, where),
        edit(extend, some),
        strategies.tuples(strategies.just('rename'), files, _names()),
        strategies.tuples(strategies.just('swap'), files, files),
        strategies.tuples(
            strategies.just('replace'), files, strategies.sampled_from(KINDS)
        ),
        strategies.tuples(strategies.just('put'), _names(), some),
        # Like ones count as one: these come more often than the others.
        *(
            strategies.tuples(
                strategies.just('put'),
                strategies.sampled_from(sorted(_RECORDS)),
                _records(),
            )
            for _ in range(3)
        ),
        *(
            strategies.tuples(
                strategies.just('edit'),
                strategies.sampled_from(sorted(_RECORDS)),
                strategies.tuples(
                    strategies.just(set_field), _fields(), _values()
                ),
            )
            for _ in range(8)
        ),
    )


class TestChangedDump(dumps.FilesTest):
    patience = 300

    def setUp(self):
        super().setUp()
        self.outside = self.at('outside')
        self.path = self.at('dump')
        os.mkdir(self.outside)
        self.put(f'{self.outside}/file', b'other data')
        self.put(f'{self.outside}/record', FILES[_MODERN.id])
        os.mkfifo(f'{self.outside}/pipe')
        self.make_dump()
        # What is imported or looked up once is so before anything counts.
        with contextlib.suppress(errors.ReplicateError):
            self.look()

    def make_dump(self):
        shutil.rmtree(self.path, ignore_errors=True)
        os.mkdir(self.path)
        for name, content in FILES.items():
            self.put(self.at(name), content)

    def apply(self, what, name, how):
        """Apply a mutation, if what is there by now can have it."""
        path = self.at(name)
        with contextlib.suppress(OSError):
            if what == 'rename':
                os.rename(path, self.at(how))
            elif what == 'swap':
                os.rename(path, self.at('swapped'))
                os.rename(self.at(how), path)
                os.rename(self.at('swapped'), self.at(how))
            elif what == 'replace':
                os.unlink(path)
                self.make(how, path)
            elif what == 'put':
                # It goes nowhere else.
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
                self.put(path, how)
            elif os.path.isfile(path) and not os.path.islink(path):
                with open(path, 'rb') as file:
                    content = file.read()
                change, *more = how
                self.put(path, change(content, *more))

    def make(self, kind, path):
        link, _, target = kind.partition(' to a ')
        if kind == 'link to a file inside':
            os.symlink(next(iter(FILES)), path)
        elif kind == 'link to a device':
            os.symlink('/dev/zero', path)
        elif kind == 'link to nothing':
            os.symlink('nothing', path)
        elif kind == 'link to a directory outside':
            os.symlink(self.outside, path)
        elif link == 'link':
            os.symlink(os.path.join('..', 'outside', target.split()[0]), path)
        elif kind == 'pipe':
            os.mkfifo(path)
        elif kind == 'directory':
            os.mkdir(path)

    def snapshot(self):
        """Give all that is there, without following a link."""
        found = {}
        for top, directories, files in os.walk(os.path.dirname(self.path)):
            for name in directories + files:
                path = os.path.join(top, name)
                status = os.lstat(path)
                found[path] = (
                    status.st_ino,
                    status.st_mode,
                    status.st_size,
                    status.st_mtime_ns,
                    status.st_ctime_ns,
                )
        return found

    @contextlib.contextmanager
    def left_alone(self):
        """Nothing changes, and nothing but this directory is looked into."""
        before = self.snapshot()
        with watch().on() as events:
            yield
        self.assertEqual(before, self.snapshot())
        for event, *args in events:
            self.assertIn(event, _READING)
            if event == 'open' and args[0] != self.path:
                name, _, flags = args
                if isinstance(name, int):
                    # It has been open before.
                    continue
                if os.path.splitext(name)[1] in ('.py', '.pyc', '.so'):
                    # A codec, for one, is imported when it is needed.
                    continue
                self.assertNotIn('/', name)
                self.assertTrue(flags & os.O_NOFOLLOW, name)
                self.assertTrue(flags & os.O_NONBLOCK, name)
                self.assertEqual(os.O_RDONLY, flags & os.O_ACCMODE)
            elif event == 'os.listdir':
                self.assertIsInstance(args[0], int)
        self.assertIn('os.listdir', {event for event, *_ in events})

    @contextlib.contextmanager
    def source(self):
        source = dump.Source(self.path)
        try:
            yield source
        finally:
            os.close(source._folder._fd)

    def look(self):
        """Do what load does before it writes, and all that verify does.

        :returns: by ID, the records and the data that would be loaded; and
            what verify tells
        """
        loaded = {}
        planner = decisions.Planner(image_selection.Selection())
        with self.source() as source:
            for image in source.images():
                self.check_image(source, image)
                action = planner.decide(image, None, 'slave')
                action.reason.encode('utf-8', 'surrogatepass')
                if action.verb is plan.Verb.COPY:
                    with contextlib.suppress(errors.ReplicateError):
                        loaded[image.id] = image, self.read(source, image)
            tell = report.VerifyReport(for_people=True)
            rows = list(
                tell.rows(
                    lambda: verify.verify(source, image_selection.Selection())
                )
            )
        if tell.trouble:
            raise tell.trouble
        return loaded, rows

    def check_image(self, source, image):
        self.assertEqual(image, source.find(image.id))
        self.assertIn(image, source.named(image.name))

    def read(self, source, image):
        with image_reading.Reading(source, 0, block=9).open(
            image, False
        ) as data:
            return b''.join(upload_body.UploadBody(data, image.size or 0))

    @examples.settings(250)
    @hypothesis.example([('edit', _OLD['id'], (set_field, 'size', '16'))])
    @hypothesis.example([('edit', _MODERN.id, (set_field, 'name', '\ud800'))])
    @hypothesis.given(strategies.lists(_mutations(), min_size=1, max_size=5))
    def test_nothing_but_what_is_recorded_arrives(self, mutations):
        self.make_dump()
        for mutation in mutations:
            self.apply(*mutation)
        with self.left_alone():
            loaded, rows = self.look()
        for image, data in loaded.values():
            self.check_data(image, data)
        self.check_rows(loaded, rows)

    def check_data(self, image, data):
        self.assertIsNone(image.defect)
        self.assertEqual(image.record['size'], len(data))
        if hashed := image.recorded_hash:
            algorithm, value = hashed
            self.assertEqual(hashlib.new(algorithm, data).hexdigest(), value)
        # It can be sent as JSON, and shown.
        json.dumps(image.portable, ensure_ascii=False).encode()

    def check_rows(self, loaded, rows):
        """What verify calls good is what load would take, and no other."""
        for row in rows:
            for text in row:
                if isinstance(text, str):
                    self.assertTrue(text.isprintable(), text)
                    text.encode()
        good = {row[0] for row in rows if row[3] == 'ok'}
        self.assertLessEqual(set(loaded), good)
        names = os.listdir(self.path)
        self.assertLessEqual(good, set(names))
        for name in _RECORDS:
            if name in names:
                self.assertIn(name, {row[0] for row in rows})

    def test_dump_that_nobody_changed_is_whole(self):
        with self.left_alone():
            loaded, rows = self.look()
        self.assertEqual(
            {name: FILES[f'{name}.img'] for name in _RECORDS},
            {name: data for name, (_, data) in loaded.items()},
        )
        self.assertEqual(['ok'] * 3, [row[3] for row in rows])

    def test_each_kind_of_file_is_one_failed_image(self):
        for name in FILES:
            for kind in KINDS:
                self.make_dump()
                self.apply('replace', name, kind)
                with self.left_alone():
                    loaded, rows = self.look()
                image_id = name.partition('.')[0]
                self.assertEqual(
                    set(_RECORDS) - {image_id}, set(loaded), (name, kind)
                )
                (result,) = (row[3] for row in rows if row[0] == image_id)
                self.assertIn(result, ('damaged', 'missing'))
