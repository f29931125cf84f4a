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
import threading

import fixtures
import testtools

from osc_glance_replicate import errors
from osc_glance_replicate.tests.doubles import records as base
from osc_glance_replicate.transfer import read_ahead as readahead
from osc_glance_replicate.transfer import upload_body as transfer
from osc_glance_replicate.transfer import verified_reader as checked


class TestBody(testtools.TestCase):
    def body(self, data, image, piece=3, checksum=True, inspect=False):
        self.stop = threading.Event()
        return base.body(
            base.Data(data, piece),
            image,
            checksum=checksum,
            inspect=inspect,
            stop=self.stop,
        )

    def received(self, body):
        """What a destination has when the body ends or breaks."""
        got = []
        try:
            for block in body:
                got.append(block)
        except errors.PlaceError as exc:
            return b''.join(got), exc
        return b''.join(got), None

    def test_right_bytes_pass(self):
        for data in (b'', b'x', b'some data', bytes(100000)):
            body = self.body(data, base.image(data=data), piece=4096)
            self.assertEqual(len(data), len(body))
            self.assertEqual((data, None), self.received(body))

    def test_wrong_bytes_are_never_sent_whole(self):
        image = base.image(data=b'some data')
        for data, kind in (
            (b'some dat', errors.DataError),
            (b'', errors.DataError),
            (b'some data!', errors.DataError),
            (b'some dada', errors.DataError),
        ):
            got, error = self.received(self.body(data, image))
            self.assertIsInstance(error, kind)
            self.assertLess(len(got), image.size)
            self.assertIn('master', str(error))
            self.assertIn(image.id, str(error))

    def test_last_block_waits_for_the_hash(self):
        got, error = self.received(self.body(b'xbc', base.image(data=b'abc')))
        self.assertEqual(b'', got)
        self.assertIn('sha512', str(error))

    def test_md5_is_used_where_nothing_else_is_recorded(self):
        image = base.image(data=b'abc', os_hash_algo=None, os_hash_value=None)
        _, error = self.received(self.body(b'xbc', image))
        self.assertIn('md5', str(error))
        self.assertEqual(
            (b'abc', None), self.received(self.body(b'abc', image))
        )

    def test_unknown_algorithm_falls_back_to_md5(self):
        for algorithm in ('sha9000', 'shake_128', 'md4'):
            image = base.image(data=b'abc', os_hash_algo=algorithm)
            _, error = self.received(self.body(b'xbc', image))
            self.assertIn('md5', str(error))

    def test_no_checksum_sends_whatever_has_the_length(self):
        image = base.image(data=b'abc')
        body = self.body(b'xbc', image, checksum=False)
        self.assertEqual((b'xbc', None), self.received(body))
        _, error = self.received(self.body(b'ab', image, checksum=False))
        self.assertIsInstance(error, errors.DataError)

    def first(self, data, **options):
        """Read all of it first."""
        ahead = readahead.ReadAhead(data, checked.BLOCK)
        image = base.image(data=b'some data')
        with checked.Checked(
            ahead, image, 'dump', stop=base.GO, first=True, **options
        ) as blocks:
            blocks.look_ahead()
            return b''.join(transfer.Body(blocks, 9))

    def test_what_was_checked_is_checked_again(self):
        class Changing(base.Data):
            def rewind(self):
                super().rewind()
                self._file.write(b'evil')
                super().rewind()

        data = base.Data(b'some data')
        self.assertEqual(b'some data', self.first(data, checksum=True))
        error = self.assertRaises(
            errors.DataError, self.first, Changing(b'some data'), checksum=True
        )
        self.assertIn('damaged', str(error))

    def test_no_checksum_checks_what_can_be_read_twice(self):
        data = base.Data(b'evil data')
        self.assertRaises(errors.DataError, self.first, data, checksum=False)

    def test_it_refuses_to_be_sent_again(self):
        body = self.body(b'abc', base.image(data=b'abc'))
        self.received(body)
        self.assertRaises(RuntimeError, iter, body)

    def test_it_stops_when_told(self):
        self.useFixture(
            fixtures.MonkeyPatch(f'{transfer.__name__}._RESERVE', 1)
        )
        body = self.body(b'some data', base.image(data=b'some data'))
        blocks = iter(body)
        next(blocks)
        self.stop.set()
        self.assertRaises(errors.StoppedError, next, blocks)

    def test_hash_is_of_all_the_bytes(self):
        data = bytes(range(256)) * 5000
        image = base.image(
            data=data,
            os_hash_algo='sha256',
            os_hash_value=hashlib.sha256(data).hexdigest(),
        )
        self.assertEqual(
            (data, None), self.received(self.body(data, image, piece=70000))
        )


class TestBlocks(testtools.TestCase):
    def test_all_transfers_share_some_memory(self):
        for transfers, kib in (1, 1024), (3, 1024), (8, 384), (64, 128):
            self.assertEqual(kib * 1024, checked.fair_block(transfers))


class TestPace(testtools.TestCase):
    def test_slow_destination_gets_smaller_blocks(self):
        now = [0.0]
        self.useFixture(fixtures.MonkeyPatch('time.monotonic', lambda: now[0]))
        data = bytes(9 * 1024 * 1024)
        image = base.image(data=data)
        body = base.body(base.Data(data, checked.BLOCK), image)
        sizes = []
        for number, block in enumerate(body):
            sizes.append(len(block))
            # It becomes slow, and then quick again.
            now[0] += 6.0 if 6 < number < 20 else 0.1
        self.assertEqual(len(data), sum(sizes))
        # Nobody knows how quick it is at first.
        self.assertEqual(64 * 1024, sizes[0])
        self.assertEqual(1024 * 1024, max(sizes[:7]))
        # What is left of a block may be smaller still.
        self.assertIn(16 * 1024, sizes[7:])
        self.assertGreater(max(sizes[-4:]), 16 * 1024)
