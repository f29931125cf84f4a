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

import contextlib
import dataclasses
import errno
import hashlib
import os
import stat
from unittest import mock

import fixtures
import hypothesis
from hypothesis import strategies

from osc_glance_replicate import errors
from osc_glance_replicate.execution import task
from osc_glance_replicate.model import image_selection
from osc_glance_replicate.model import plan
from osc_glance_replicate.places import dump
from osc_glance_replicate.places.dump import folder
from osc_glance_replicate.places.dump import records
from osc_glance_replicate.places.dump import writer
from osc_glance_replicate.planning import decisions
from osc_glance_replicate.planning import rules
from osc_glance_replicate import retry
from osc_glance_replicate.tests.doubles import dumps
from osc_glance_replicate.tests.doubles import places
from osc_glance_replicate.tests.doubles import samples
from osc_glance_replicate.tests.oracle import examples
from osc_glance_replicate.transfer import image_reading
from osc_glance_replicate.transfer import upload_body
from osc_glance_replicate.transfer import verified_reader

NO_SPACE = (errno.ENOSPC, 'No space left on device')

#: What changes a directory or a file in it, or puts it on the disk.
CHANGES = ('open', 'write', 'pwrite', 'ftruncate', 'fsync', 'rename', 'unlink')


class Source(places.BreakingSource):
    def __init__(self, data=b'some data', breaks=()):
        broken = errors.TransientError('master', 'broke')
        super().__init__(data, breaks, broken)


UNHASHED = 'the source recorded no hash'


class Body(list[bytes]):
    """Blocks that are to be written as they are."""

    @property
    def digests(self):
        return {}


class PowerCut(BaseException):
    """Nothing more is done."""


class Trouble:
    """Notes what is done to a dump, and has it fail.

    :param at: number of the change that fails
    :param error: that it fails with
    """

    def __init__(self, at=None, error=None):
        self.events = []
        self._at = at
        self._error = error

    def _call(self, name, function, *args, **kwargs):
        if name == 'open' and not args[1] & os.O_CREAT:
            return function(*args, **kwargs)
        if self._at == len(self.events):
            raise self._error
        if name in ('rename', 'unlink', 'open'):
            names = [arg for arg in args if isinstance(arg, str)]
        else:
            names = [os.readlink(f'/proc/self/fd/{args[0]}')]
        self.events.append((name, *map(os.path.basename, names)))
        return function(*args, **kwargs)

    @contextlib.contextmanager
    def __call__(self):
        with contextlib.ExitStack() as stack:
            for name in CHANGES:
                stack.enter_context(self._patch(name))
            yield self

    def _patch(self, name):
        function = getattr(os, name)
        return mock.patch.object(
            os,
            name,
            lambda *args, **kwargs: self._call(
                name, function, *args, **kwargs
            ),
        )


class DumpTest(dumps.FilesTest):
    def setUp(self):
        super().setUp()
        self.useFixture(
            fixtures.MonkeyPatch(f'{retry.__name__}._FIRST_DELAY', 0.001)
        )
        # The disk is not waited for a thousand times.
        self.useFixture(fixtures.MonkeyPatch('os.fsync', lambda fd: None))
        self.path = self.at('dump')
        self.dump = None
        self.image = samples.image(data=b'some data')
        self.planner = decisions.Planner(
            image_selection.Selection(),
            destinations={self.path: rules.Rules(exact=True)},
        )
        self.start_again()

    def start_again(self):
        """Make what the next run would make."""
        self.end()
        self.dump = dump.Destination(self.path)
        self.dump.open()

    def end(self):
        """Let go of what the end of the process would."""
        if self.dump:
            self.dump._lock.close()

    @property
    def data_path(self):
        return self.at(f'{self.image.id}.img')

    @property
    def part_path(self):
        return self.at(f'{self.image.id}.img.part')

    def names(self):
        return set(os.listdir(self.path)) - {'.lock'}

    def carry_out(self, source=None, retries=3):
        """Bring the dump up to date, as a run would.

        :returns: result and reason
        """
        self.source = source or Source()
        self.source.images[self.image.id] = self.image
        outcome = task.Task(
            self.planner.decide(
                self.image, self.dump.find(self.image.id), self.path
            ),
            self.dump,
            self.planner,
            image_reading.Reading(self.source, retries),
        ).carry_out()
        return outcome.result, outcome.reason

    def assert_whole(self):
        self.assertEqual(
            {self.image.id, f'{self.image.id}.img', 'SHA512SUMS'}, self.names()
        )
        self.assertEqual(b'some data', self.content(self.data_path))
        self.assertEqual(
            records.serialize(self.image),
            self.content(self.at(self.image.id)),
        )


class TestCopy(DumpTest):
    def test_copy_is_whole(self):
        self.addCleanup(os.umask, os.umask(0))
        self.assertEqual(('copied', ''), self.carry_out())
        self.assert_whole()
        self.assertEqual([0], self.source.starts)
        for name in os.listdir(self.path):
            mode = stat.S_IMODE(os.stat(self.at(name)).st_mode)
            self.assertEqual(0o600, mode, name)

    def test_second_run_does_nothing(self):
        self.carry_out()
        for _ in range(2):
            with Trouble()() as trouble:
                self.assertEqual('unchanged', self.carry_out()[0])
            self.assertEqual([], trouble.events)
            self.assertEqual([], self.source.starts)
            self.start_again()

    def test_data_is_on_the_disk_before_it_has_its_name_or_its_record(self):
        with Trouble()() as trouble:
            self.carry_out()
        data, part = f'{self.image.id}.img', f'{self.image.id}.img.part'
        new, directory = f'{self.image.id}.part', 'dump'
        before = ('open', part), ('pwrite', part)
        last = [
            max(i for i, e in enumerate(trouble.events) if e == event)
            for event in before
        ]
        ended = trouble.events.index(('fsync', part))
        self.assertLess(max(last), ended)
        self.assertEqual(
            [
                ('fsync', part),
                ('rename', part, data),
                ('fsync', directory),
                ('open', new),
                ('write', new),
                ('fsync', new),
                ('rename', new, self.image.id),
                ('fsync', directory),
            ],
            [
                event
                for event in trouble.events[ended:]
                if event[0] != 'unlink' and 'SHA512SUMS' not in event
            ],
        )

    def test_no_failure_spoils_it(self):
        """Whatever fails, or ends the process, the next run completes it."""
        for error in (OSError(*NO_SPACE), PowerCut()):
            for at in range(100):
                for name in self.names():
                    os.unlink(self.at(name))
                self.start_again()
                trouble = Trouble(at, error)
                with trouble(), contextlib.suppress(PowerCut):
                    result, reason = self.carry_out(retries=0)
                    if result == 'copied':
                        break
                    self.assertEqual('failed', result)
                    self.assertIn(f'{self.path}: ', reason)
                    self.assertIn('No space left on device', reason)
                names = self.names()
                if self.image.id in names:
                    self.assertEqual(
                        b'some data', self.content(self.data_path)
                    )
                self.start_again()
                for image in self.dump.images():
                    self.assertIsNone(image.defect)
                self.assertIn(self.carry_out()[0], ('copied', 'unchanged'))
                self.assert_whole()
            self.assertGreater(at, 8)

    def test_full_disk_is_named_with_the_file(self):
        with mock.patch.object(os, 'pwrite', side_effect=OSError(*NO_SPACE)):
            error = self.assertRaises(
                errors.RefusedError, self.write, [b'data']
            )
            self.assertEqual('failed', self.carry_out()[0])
        self.assertEqual(
            f'{self.path}: {self.image.id}.img.part: No space left on device',
            str(error),
        )
        self.assertEqual([0], self.source.starts)
        self.assertNotIn(self.image.id, self.names())
        self.assertEqual(('copied', ''), self.carry_out())
        self.assert_whole()

    def write(self, blocks):
        with self.dump.kept(self.image):
            self.dump.write(self.image, Body(blocks))

    def test_wrong_bytes_leave_nothing(self):
        for data in (b'SOME DATA', b'some datA', b'some data and more'):
            result, reason = self.carry_out(Source(data))
            self.assertEqual('failed', result)
            self.assertIn('master', reason)
            self.assertEqual(set(), self.names())
            self.assertEqual([0], self.source.starts)

    def test_empty_image_has_a_file(self):
        self.image = samples.image(data=b'')
        self.assertEqual(('copied', ''), self.carry_out(Source(b'')))
        self.assertEqual(b'', self.content(self.data_path))
        self.assertEqual('unchanged', self.carry_out()[0])

    def test_odd_files_are_not_written_to(self):
        outside = os.path.join(self.useFixture(fixtures.TempDir()).path, 'x')
        self.put(outside, b'untouched')
        for name in (f'{self.image.id}.img', f'{self.image.id}.img.part'):
            for make, remove in (
                (lambda path: os.symlink(outside, path), os.unlink),
                (lambda path: os.symlink(outside + '2', path), os.unlink),
                (os.mkfifo, os.unlink),
                (os.mkdir, os.rmdir),
            ):
                make(self.at(name))
                result, reason = self.carry_out()
                self.assertEqual('failed', result)
                self.assertIn(name, reason)
                self.assertEqual({name}, self.names())
                remove(self.at(name))
        self.assertEqual(b'untouched', self.content(outside))
        self.assertFalse(os.path.exists(outside + '2'))


class TestUnhashed(DumpTest):
    def setUp(self):
        super().setUp()
        self.planner = decisions.Planner(
            image_selection.Selection(),
            destinations={self.path: rules.Rules(exact=True, at_rest=True)},
        )
        self.hashed = self.image
        self.image = samples.image(
            data=b'some data',
            os_hash_algo='sha512',
            os_hash_value=None,
            checksum=None,
        )

    def test_data_without_a_hash_gets_one(self):
        self.assertEqual(('copied', UNHASHED), self.carry_out())
        self.assert_whole()
        line = f'{self.hashed.digests["sha512"]}  {self.image.id}.img\n'
        self.assertEqual(line.encode(), self.content(self.at('SHA512SUMS')))

    def test_no_later_run_is_surprised(self):
        self.carry_out()
        self.start_again()
        self.assertEqual(
            ('unchanged', 'verified by size only: no hash recorded'),
            self.carry_out(),
        )
        # Its Glance has computed it meanwhile.
        self.image = self.hashed
        for result in 'updated', 'unchanged':
            self.start_again()
            self.assertEqual(result, self.carry_out()[0])
            self.assertEqual([], self.source.starts)
            self.assertEqual({}, self.dump.find(self.image.id).noted)
        self.image = samples.image(data=b'evil data')
        self.assertEqual('conflict', self.carry_out()[0])

    def test_new_name_is_no_reason_to_read_it_again(self):
        self.carry_out()
        self.image = samples.image(**{**self.image.record, 'name': 'new'})
        for result in 'updated', 'unchanged':
            self.start_again()
            self.assertEqual(result, self.carry_out()[0])
            self.assertEqual([], self.source.starts)

    def test_hash_by_another_algorithm_proves_what_is_here(self):
        self.carry_out()
        record = self.content(self.at(self.image.id))
        # What its source gives is not what it has hashed; or it is.
        for data, result in (
            (b'evil data', 'failed'),
            (b'some data', 'updated'),
        ):
            sha256 = hashlib.sha256(data).hexdigest()
            self.image = samples.image(
                data=b'some data',
                os_hash_algo='sha256',
                os_hash_value=sha256,
                checksum=None,
            )
            self.start_again()
            found, reason = self.carry_out()
            self.assertEqual(result, found, reason)
            self.assertEqual([0], self.source.starts)
            after = self.content(self.at(self.image.id))
            self.assertEqual(result == 'failed', record == after)
        self.start_again()
        self.assertEqual(('unchanged', ''), self.carry_out())

    def test_hash_that_came_by_another_algorithm_may_prove_it_wrong(self):
        self.carry_out(Source(b'SOME DATA'))
        sha256 = hashlib.sha256(b'some data').hexdigest()
        self.image = samples.image(
            data=b'some data',
            os_hash_algo='sha256',
            os_hash_value=sha256,
            checksum=None,
        )
        for _ in range(2):
            self.start_again()
            result, reason = self.carry_out()
            self.assertEqual('conflict', result)
            self.assertIn('sha512 differs', reason)

    def test_nothing_is_noted_of_what_is_still_to_be_proven(self):
        self.carry_out()
        self.image = self.hashed
        self.start_again()
        sums = self.content(self.at('SHA512SUMS'))
        os.unlink(self.at('SHA512SUMS'))
        action = self.planner.decide(
            self.image, self.dump.find(self.image.id), self.path
        )
        self.dump.catch_up(
            [dataclasses.replace(action, verb=plan.Verb.UPDATE)]
        )
        self.assertFalse(os.path.exists(self.at('SHA512SUMS')))
        self.dump.catch_up(
            [dataclasses.replace(action, verb=plan.Verb.UNCHANGED)]
        )
        self.assertEqual(sums, self.content(self.at('SHA512SUMS')))

    def test_data_that_is_gone_has_no_hash(self):
        self.carry_out()
        os.unlink(self.data_path)
        self.start_again()
        found = self.dump.find(self.image.id)
        self.assertEqual(('queued', {}), (found.status, found.digests))
        self.image = self.hashed
        self.carry_out()
        os.unlink(self.data_path)
        self.start_again()
        found = self.dump.find(self.image.id)
        self.assertEqual(('queued', {}), (found.status, found.digests))

    def test_hash_is_on_the_disk_before_the_record_is_there(self):
        replace = self.dump._folder.replace
        name = f'{self.image.id}.img'

        def look(file, content):
            self.assertIn(name.encode(), self.content(self.at('SHA512SUMS')))
            replace(file, content)

        self.dump._folder.replace = look
        self.carry_out()
        self.assert_whole()

    def test_nothing_is_computed_where_there_is_one(self):
        self.assertEqual((), self.dump.to_hash(self.hashed))


class TestKept(DumpTest):
    def test_source_that_breaks_is_asked_for_the_rest(self):
        source = Source(breaks=(3, 2, 0, 1))
        self.assertEqual(('copied', ''), self.carry_out(source, retries=4))
        self.assert_whole()
        first, *others = source.starts
        self.assertEqual(0, first)
        self.assertEqual(sorted(others), others)
        self.assertEqual(5, len(source.starts))

    def test_next_run_goes_on(self):
        for name in (
            f'{upload_body.__name__}._RESERVE',
            f'{verified_reader.__name__}._HEAD',
        ):
            self.useFixture(fixtures.MonkeyPatch(name, 1))
        result, reason = self.carry_out(Source(breaks=(7,)), retries=0)
        self.assertEqual(('failed', 'master: broke'), (result, reason))
        self.assertEqual({f'{self.image.id}.img.part'}, self.names())
        kept = len(self.content(self.part_path))
        # The last block waits for what comes after it.
        self.assertEqual(b'some data'[:6], self.content(self.part_path))
        self.start_again()
        self.assertEqual(('copied', ''), self.carry_out())
        self.assertEqual([kept], self.source.starts)
        self.assert_whole()

    def test_part_of_what_has_no_hash_is_not_gone_on_with(self):
        self.image = samples.image(
            data=b'some data',
            os_hash_algo=None,
            os_hash_value=None,
            checksum=None,
        )
        for name in (self.part_path, self.data_path):
            self.put(name, bytes(9))
            self.assertEqual(('copied', UNHASHED), self.carry_out())
            self.assertEqual([0], self.source.starts)
            self.assertEqual(b'some data', self.content(self.data_path))
            os.unlink(self.at(self.image.id))
            os.unlink(self.data_path)

    def test_longer_data_without_a_record_is_not_ours(self):
        self.put(self.data_path, b'something else')
        result, reason = self.carry_out()
        self.assertEqual('failed', result)
        self.assertIn('move it away', reason)
        self.assertEqual(b'something else', self.content(self.data_path))

    def test_any_part_is_gone_on_with(self):
        for kept in range(10):
            for name in (self.part_path, self.data_path):
                self.put(name, b'some data'[:kept])
                self.assertEqual(('copied', ''), self.carry_out())
                self.assertEqual(
                    [kept] if kept < 9 else [], self.source.starts
                )
                self.assert_whole()
                os.unlink(self.at(self.image.id))
                os.unlink(self.data_path)

    def test_snapshot_made_of_links_stays_as_it_is(self):
        snapshot = self.useFixture(fixtures.TempDir()).path
        for path, content in (
            (self.part_path, b'some '),
            (self.data_path, b'some d'),
            (self.at('SHA512SUMS'), None),
        ):
            if content:
                self.put(path, content)
            else:
                content = self.content(path)
            link = os.path.join(snapshot, os.path.basename(path))
            os.link(path, link)
            self.start_again()
            self.assertEqual(('copied', ''), self.carry_out())
            self.assertEqual(b'some data', self.content(self.data_path))
            self.assertEqual(content, self.content(link))
            os.unlink(self.at(self.image.id))
            os.unlink(self.data_path)
            self.put('SHA512SUMS', b'')

    def test_part_that_is_swapped_meanwhile(self):
        """What was opened is written to, whatever has its name by then."""
        outside = os.path.join(self.useFixture(fixtures.TempDir()).path, 'x')
        self.put(outside, b'untouched')
        for swap in os.link, os.symlink:
            self.put(self.part_path, b'some ')
            with self.dump.kept(self.image) as (part, size):
                self.assertEqual((b'some ', 5), (part.read(9), size))
                os.unlink(self.part_path)
                swap(outside, self.part_path)
                self.assertRaises(
                    errors.RefusedError,
                    self.dump.write,
                    self.image,
                    [b'some data'],
                )
            self.assertEqual(b'untouched', self.content(outside))
            self.assertEqual({os.path.basename(self.data_path)}, self.names())
            os.unlink(self.data_path)

    def test_part_that_is_swapped_while_it_is_opened(self):
        outside = os.path.join(self.useFixture(fixtures.TempDir()).path, 'x')
        self.put(outside, b'untouched')
        self.put(self.part_path, b'some ')
        opening = os.open

        def swap_and_open(path, flags, *args, **kwargs):
            if path == os.path.basename(self.part_path):
                os.unlink(self.part_path)
                os.link(outside, self.part_path)
            return opening(path, flags, *args, **kwargs)

        with mock.patch.object(os, 'open', swap_and_open):
            result, reason = self.carry_out()
        self.assertEqual('failed', result)
        self.assertIn('.img.part: replaced while it was opened', reason)
        self.assertEqual(b'untouched', self.content(outside))
        self.assertEqual(('copied', ''), self.carry_out())
        self.assertEqual(b'untouched', self.content(outside))

    def test_part_of_another_user_is_not_filled(self):
        """He has it open, perhaps, and would read the image."""
        if os.geteuid():
            self.skipTest('only root gives files away')
        for name in self.part_path, self.data_path:
            self.put(name, b'some ')
            os.chown(name, 12345, -1)
            os.chmod(name, 0o666)
            with open(name, 'rb') as his:
                self.assertEqual(('copied', ''), self.carry_out())
                self.assertEqual(b'some ', his.read())
            self.assertEqual([0], self.source.starts)
            status = os.stat(self.data_path)
            self.assertEqual(os.geteuid(), status.st_uid)
            self.assertEqual(0o600, stat.S_IMODE(status.st_mode))
            os.unlink(self.data_path)
            os.unlink(self.at(self.image.id))

    def test_part_that_others_could_read_is_private_then(self):
        self.put(self.part_path, b'some ')
        os.chmod(self.part_path, 0o644)
        self.carry_out()
        mode = stat.S_IMODE(os.stat(self.data_path).st_mode)
        self.assertEqual(0o600, mode)

    def test_damaged_part_is_read_again_from_the_start(self):
        for part, starts in (
            (b'SOME', [4, 0]),
            (b'SOME DATA', [0]),
            (bytes(4), [4, 0]),
            (b'some data and more', [0]),
        ):
            self.put(self.part_path, part)
            self.assertEqual(('copied', ''), self.carry_out(retries=1))
            self.assertEqual(starts, self.source.starts)
            self.assert_whole()
            os.unlink(self.at(self.image.id))
            os.unlink(self.data_path)

    def test_part_that_is_too_long_takes_no_second_try(self):
        self.put(self.part_path, b'some data and more')
        self.assertEqual(('copied', ''), self.carry_out(retries=0))
        self.assertEqual([0], self.source.starts)
        self.assert_whole()

    def test_what_is_kept_is_not_written_again(self):
        self.put(self.part_path, b'some data')
        with Trouble()() as trouble:
            self.assertEqual(('copied', ''), self.carry_out())
        self.assertNotIn('pwrite', {event for event, *_ in trouble.events})

    def test_damaged_part_is_not_kept_for_the_next_run(self):
        self.put(self.part_path, b'SOME')
        self.assertEqual('failed', self.carry_out(retries=0)[0])
        self.assertEqual(set(), self.names())

    def test_damaged_source_is_found_after_a_damaged_part(self):
        self.put(self.part_path, b'SOME')
        result, reason = self.carry_out(Source(b'SOME DATA'))
        self.assertEqual('failed', result)
        self.assertIn('master: the data of', reason)
        self.assertEqual([4, 0], self.source.starts)
        self.assertEqual(set(), self.names())

    def test_what_the_2012_tool_left_short_is_completed(self):
        record = {
            **{
                field: self.image.record[field]
                for field in ('id', 'name', 'status', 'size', 'checksum')
            },
            'is_public': False,
            'properties': {},
        }
        content = records.serialize(type(self.image)(record))
        for data, starts in ((b'some', [4]), (b'SOME', [4, 0]), (None, [0])):
            self.put(self.image.id, content)
            if data is not None:
                self.put(self.data_path, data)
            replica = self.dump.find(self.image.id)
            self.assertEqual('queued', replica.status)
            self.assertEqual(('copied', ''), self.carry_out())
            self.assertEqual(starts, self.source.starts)
            self.assert_whole()
            os.unlink(self.data_path)

    def test_data_longer_than_recorded_is_left_alone(self):
        self.carry_out()
        self.put(self.data_path, b'some data and more')
        result, reason = self.carry_out()
        self.assertEqual('failed', result)
        self.assertIn('18 bytes', reason)
        self.assertEqual(b'some data and more', self.content(self.data_path))

    def test_image_that_has_data_by_now(self):
        queued = samples.image(data=b'', status='queued', size=None)
        self.put(self.image.id, records.serialize(queued))
        self.assertEqual(('copied', ''), self.carry_out())
        self.assert_whole()


class TestHoles(DumpTest):
    def write(self, blocks, kept=0):
        """Write an image of which something is kept.

        :returns: what is in its file then
        """
        data = b''.join(blocks)
        for path in self.part_path, self.data_path:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        with open(self.part_path, 'wb') as part:
            # With the holes that it would have.
            rest = data[:kept].rstrip(b'\0')
            part.seek(len(rest) - len(rest.lstrip(b'\0')))
            part.write(rest.lstrip(b'\0'))
            part.truncate(kept)
        image = samples.image(data=data)
        with self.dump.kept(image):
            self.dump.write(image, Body(blocks))
        self.assertFalse(os.path.exists(self.part_path))
        return self.content(self.data_path)

    @examples.settings(150)
    @hypothesis.given(
        strategies.lists(
            strategies.tuples(
                strategies.sampled_from([0, 0, 1, 255]),
                strategies.one_of(
                    strategies.integers(1, 50),
                    strategies.sampled_from([15, 16, 17, 31, 32, 33, 64]),
                ),
            ),
            max_size=12,
        ),
        strategies.one_of(
            strategies.just([16]),
            strategies.lists(strategies.integers(1, 100), min_size=1),
        ),
        strategies.floats(0, 1),
    )
    def test_bytes_are_the_same_whatever_the_blocks(self, runs, sizes, kept):
        data = b''.join(bytes([byte]) * count for byte, count in runs)
        blocks, position = [], 0
        while position < len(data):
            size = sizes[len(blocks) % len(sizes)]
            blocks.append(data[position : position + size])
            position += size
        with mock.patch.object(writer, '_HOLE', bytes(16)):
            self.assertEqual(data, self.write(blocks, round(kept * len(data))))

    def test_runs_of_zeros_take_no_room(self):
        some, hole, large = b'some data', bytes(64 * 1024), 2**20
        for data in (
            bytes(4 * large),
            bytes(2 * large) + some + bytes(2 * large),
            some + bytes(4 * large),
            bytes(4 * large) + some,
            b'x' * len(hole) + hole * 60 + b'y' * len(hole),
        ):
            blocks = [
                data[position : position + large]
                for position in range(0, len(data), large)
            ]
            for kept in (0, 100, 2 * large + 1):
                self.assertTrue(data == self.write(blocks, kept))
                taken = os.stat(self.data_path).st_blocks * 512
                self.assertLessEqual(taken, large // 2)

    def test_what_is_not_zero_is_not_touched(self):
        data = os.urandom(300000)
        for size in (1, 65536, 99999, 300000):
            blocks = [
                data[position : position + size]
                for position in range(0, len(data) if size > 1 else 999, size)
            ]
            self.assertTrue(b''.join(blocks) == self.write(blocks))


class TestDirectory(DumpTest):
    def test_looking_makes_nothing(self):
        path = self.at('new')
        looked = dump.Destination(path)
        self.assertEqual([], list(looked.images()))
        self.assertIsNone(looked.find(self.image.id))
        self.assertEqual({}, looked.files())
        self.assertFalse(os.path.exists(path))
        looked = dump.Destination(self.path)
        self.assertEqual([], list(looked.images()))
        self.assertEqual({'.lock'}, set(os.listdir(self.path)))

    def test_only_its_owner_can_look_into_it(self):
        self.assertEqual(0o700, stat.S_IMODE(os.stat(self.path).st_mode))

    def test_two_dumps_do_not_meet(self):
        other = dump.Destination(self.path)
        error = self.assertRaises(errors.RefusedError, other.open)
        self.assertIn(f'{self.path}: another dump', str(error))
        # Looking and reading harm nobody.
        self.assertEqual([], list(other.images()))
        self.end()
        other.open()

    def test_lock_that_is_no_file(self):
        outside = os.path.join(self.useFixture(fixtures.TempDir()).path, 'x')
        lock = self.at('.lock')
        os.unlink(lock)
        for make, remove in (
            (lambda: os.symlink(outside, lock), os.unlink),
            (lambda: os.mkfifo(lock), os.unlink),
            (lambda: os.mknod(lock, stat.S_IFSOCK | 0o600), os.unlink),
            (lambda: os.mkdir(lock), os.rmdir),
        ):
            make()
            error = self.assertRaises(errors.RefusedError, self.start_again)
            self.assertEqual(
                f'{self.path}: .lock: not a regular file', str(error)
            )
            remove(lock)
        self.assertFalse(os.path.exists(outside))

    def test_what_is_no_directory(self):
        self.put('file', b'')
        for path in (self.at('file'), self.at('file/dump')):
            error = self.assertRaises(
                errors.RefusedError, dump.Destination, path
            )
            self.assertIn(path, str(error))

    def require_room(self, free, actions):
        with mock.patch.object(folder.Folder, 'free', lambda _: free):
            self.dump.require_room(actions)

    def test_room_for_what_is_to_be_written(self):
        images = [samples.image(n, bytes(10 * n)) for n in range(1, 7)]
        self.put(f'{images[1].id}.img.part', bytes(5))
        self.put(f'{images[2].id}.img', bytes(7))
        self.put(f'{images[3].id}.img.part', bytes(9999))
        verbs = [plan.Verb.COPY] * 4 + [plan.Verb.UPDATE, plan.Verb.SKIP]
        actions = [
            plan.Action(image, self.path, verb)
            for image, verb in zip(images, verbs, strict=True)
        ]
        needed = 10 + (20 - 5) + (30 - 7)
        self.require_room(needed, actions)
        self.require_room(0, [])
        error = self.assertRaises(
            errors.RefusedError, self.require_room, needed - 1, actions
        )
        self.assertEqual(self.path, error.place)
        self.assertIn(f'{needed} bytes', str(error))
        self.assertIn(f'{needed - 1} are free', str(error))

    def test_room_is_that_of_the_disk(self):
        huge = samples.image(size=2**62)
        action = plan.Action(huge, self.path, plan.Verb.COPY)
        error = self.assertRaises(
            errors.RefusedError, self.dump.require_room, [action]
        )
        self.assertIn('no room', str(error))


class TestShared(DumpTest):
    """A directory like /tmp, where others have put something before."""

    def setUp(self):
        if os.geteuid():
            self.skipTest('only root becomes other users')
        super().setUp()
        os.chmod(os.path.dirname(self.path), 0o755)
        os.chmod(self.path, 0o1777)
        os.unlink(self.at('.lock'))
        self.image = dataclasses.replace(
            samples.image(data=b'some data', visibility='shared'),
            members={'p': 'pending'},
        )

    def dump_all(self):
        with self.as_user(12345):
            self.start_again()
            self.dump.note_projects({})
            return self.carry_out()

    def plant(self, name, content):
        with self.as_user(12346):
            self.put(name, content)
            os.chmod(self.at(name), 0o666)

    def test_files_of_others_are_named_and_stay(self):
        data = f'{self.image.id}.img'
        for name in (
            'SHA512SUMS',
            'projects.json.part',
            'projects.json',
            f'{self.image.id}.members.part',
            f'{self.image.id}.members',
            f'{self.image.id}.part',
            f'{data}.part',
            data,
        ):
            content = b'{}' if name == 'projects.json' else b'his'
            self.plant(name, content)
            try:
                result, reason = self.dump_all()
            except errors.RefusedError as exc:
                result, reason = 'failed', str(exc)
            self.assertEqual('failed', result, name)
            self.assertIn(f'{self.path}: ', reason)
            self.assertRegex(
                reason, rf' {name}(: | to \S+: )Operation not permitted$'
            )
            self.assertEqual(content, self.content(name))
            self.assertNotIn(self.image.id, self.names())
            for there in os.listdir(self.path):
                os.unlink(self.at(there))
        self.assertEqual(('copied', ''), self.dump_all())

    def test_lock_of_another_user(self):
        self.plant('.lock', b'his')
        os.chmod(self.at('.lock'), 0o644)
        error = self.assertRaises(errors.RefusedError, self.dump_all)
        self.assertEqual(f'{self.path}: .lock: Permission denied', str(error))
        self.assertEqual(b'his', self.content('.lock'))

    def test_record_of_another_user(self):
        self.plant(self.image.id, b'his')
        result, reason = self.dump_all()
        self.assertEqual('failed', result)
        self.assertIn('it is not JSON', reason)
        self.assertEqual(b'his', self.content(self.image.id))


class TestUpdate(DumpTest):
    def test_record_is_written_anew_and_data_is_not(self):
        self.carry_out()
        before = os.stat(self.data_path)
        self.image = samples.image(data=b'some data', name='new', tags=['a'])
        self.assertEqual('updated', self.carry_out()[0])
        self.assertEqual([], self.source.starts)
        self.assert_whole()
        after = os.stat(self.data_path)
        self.assertEqual(before.st_ino, after.st_ino)
        self.assertEqual(before.st_mtime_ns, after.st_mtime_ns)
        self.assertEqual('unchanged', self.carry_out()[0])

    def test_what_the_source_has_no_more_goes(self):
        self.carry_out()
        self.image = samples.image(data=b'some data', os_distro='debian')
        self.carry_out()
        self.image = samples.image(data=b'some data')
        self.assertEqual('updated', self.carry_out()[0])
        self.assert_whole()

    def test_other_data_is_a_conflict(self):
        self.carry_out()
        self.image = samples.image(data=b'SOME DATA')
        self.assertEqual('conflict', self.carry_out(Source(b'SOME DATA'))[0])
        self.assertEqual(b'some data', self.content(self.data_path))

    def test_quarantine_takes_the_record(self):
        self.carry_out()
        self.dump.quarantine(self.image)
        self.assertIsNone(self.dump.find(self.image.id))

    def test_checksums_of_what_is_whole_are_noted(self):
        self.carry_out()
        sums = self.content(self.at('SHA512SUMS'))
        os.unlink(self.at('SHA512SUMS'))
        self.start_again()
        there = self.dump.find(self.image.id)
        missing = samples.image(2)
        self.dump.catch_up(
            [
                self.planner.decide(self.image, there, self.path),
                self.planner.decide(missing, None, self.path),
            ]
        )
        self.assertEqual(sums, self.content(self.at('SHA512SUMS')))

    def test_members_that_were_not_asked_for_are_forgotten(self):
        self.image = samples.image(
            data=b'some data', visibility='shared', members={'p': 'pending'}
        )
        self.carry_out()
        self.assertEqual({'p': 'pending'}, self.dump.members(self.image))
        self.image = samples.image(
            data=b'some data', visibility='shared', name='new'
        )
        self.assertEqual('updated', self.carry_out()[0])
        self.assertIsNone(self.dump.members(self.image))

    def test_members_are_forgotten_where_the_record_stays(self):
        shared = samples.image(data=b'some data', visibility='shared')
        members = {'p': 'pending'}
        self.image = dataclasses.replace(shared, members=members)
        self.carry_out()
        there = self.dump.find(shared.id)
        known = dataclasses.replace(there, members=members)
        for image, replica, expected in (
            (self.image, known, members),
            (shared, there, None),
        ):
            action = self.planner.decide(image, replica, self.path)
            self.assertIs(plan.Verb.UNCHANGED, action.verb)
            self.dump.catch_up([action])
            self.assertEqual(expected, self.dump.members(shared))

    def test_status_of_what_is_there(self):
        self.carry_out()
        for content, status, word in (
            (b'some data', 'active', None),
            (b'some dat', 'queued', None),
            (None, 'queued', None),
            (b'some data!', 'active', '10 bytes'),
        ):
            if content is None:
                os.unlink(self.data_path)
            else:
                self.put(self.data_path, content)
            (image,) = self.dump.images()
            self.assertEqual(image, self.dump.find(self.image.id))
            self.assertEqual(status, image.status)
            if word:
                self.assertIn(word, image.defect)
            else:
                self.assertIsNone(image.defect)
