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
import itertools
import threading
import time
import types

import fixtures
import testtools

from osc_glance_replicate import background
from osc_glance_replicate.clouds import limits
from osc_glance_replicate import errors
from osc_glance_replicate.places.glance import image_api
from osc_glance_replicate.tests.doubles import clocks
from osc_glance_replicate.tests.doubles import fake_glance
from osc_glance_replicate.tests.doubles import samples
from osc_glance_replicate.transfer import image_reading
from osc_glance_replicate.transfer import upload_body


class TestBody(testtools.TestCase):
    def body(self, data, image, piece=3, checksum=True, inspect=False):
        self.stop = threading.Event()
        return samples.body(
            samples.Data(data, piece),
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
            body = self.body(data, samples.image(data=data), piece=4096)
            self.assertEqual(len(data), len(body))
            self.assertEqual((data, None), self.received(body))

    def test_wrong_bytes_are_never_sent_whole(self):
        image = samples.image(data=b'some data')
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
        got, error = self.received(
            self.body(b'xbc', samples.image(data=b'abc'))
        )
        self.assertEqual(b'', got)
        self.assertIn('sha512', str(error))

    def test_md5_is_used_where_nothing_else_is_recorded(self):
        image = samples.image(
            data=b'abc', os_hash_algo=None, os_hash_value=None
        )
        _, error = self.received(self.body(b'xbc', image))
        self.assertIn('md5', str(error))
        self.assertEqual(
            (b'abc', None), self.received(self.body(b'abc', image))
        )

    def test_unknown_algorithm_falls_back_to_md5(self):
        for algorithm in ('sha9000', 'shake_128', 'md4'):
            image = samples.image(data=b'abc', os_hash_algo=algorithm)
            _, error = self.received(self.body(b'xbc', image))
            self.assertIn('md5', str(error))

    def test_no_checksum_sends_whatever_has_the_length(self):
        image = samples.image(data=b'abc')
        body = self.body(b'xbc', image, checksum=False)
        self.assertEqual((b'xbc', None), self.received(body))
        _, error = self.received(self.body(b'ab', image, checksum=False))
        self.assertIsInstance(error, errors.DataError)

    def test_it_refuses_to_be_sent_again(self):
        body = self.body(b'abc', samples.image(data=b'abc'))
        self.received(body)
        self.assertRaises(RuntimeError, iter, body)

    def test_it_stops_when_told(self):
        self.useFixture(
            fixtures.MonkeyPatch(f'{upload_body.__name__}._RESERVE', 1)
        )
        body = self.body(b'some data', samples.image(data=b'some data'))
        blocks = iter(body)
        next(blocks)
        self.stop.set()
        self.assertRaises(errors.StoppedError, next, blocks)

    def test_hash_is_of_all_the_bytes(self):
        data = bytes(range(256)) * 5000
        image = samples.image(
            data=data,
            os_hash_algo='sha256',
            os_hash_value=hashlib.sha256(data).hexdigest(),
        )
        self.assertEqual(
            (data, None), self.received(self.body(data, image, piece=70000))
        )


class TestPace(testtools.TestCase):
    def test_slow_destination_gets_smaller_blocks(self):
        now = [0.0]
        self.useFixture(fixtures.MonkeyPatch('time.monotonic', lambda: now[0]))
        data = bytes(9 * 1024 * 1024)
        image = samples.image(data=data)
        body = samples.body(samples.Data(data, image_reading.MAX_BLOCK), image)
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


DATA = b'0123456789'


class TestFeeding(testtools.TestCase):
    """A destination goes on waiting while nothing comes from the source."""

    def setUp(self):
        super().setUp()
        for name, value in (('_FEED_AFTER', 0.01), ('_RESERVE', 4)):
            self.useFixture(
                fixtures.MonkeyPatch(f'{upload_body.__name__}.{name}', value)
            )
        self.go = threading.Event()

    def body(self, data, silent_at=6):
        go = self.go

        class Stalling(samples.Data):
            def read(self, most):
                if self._file.tell() == silent_at:
                    go.wait()
                return super().read(most)

        image = samples.image(data=DATA)
        return samples.body(Stalling(data), image)

    def test_what_is_held_back_is_given_byte_by_byte(self):
        blocks = iter(self.body(DATA))
        given = [next(blocks) for _ in range(5)]
        self.assertEqual([b'0', b'1', b'2', b'3', b'4'], given)
        self.go.set()
        self.assertEqual(DATA[5:], b''.join(blocks))

    def test_all_but_the_last_byte(self):
        blocks = iter(self.body(DATA))
        given = [next(blocks) for _ in range(5)]
        self.assertEqual(b'01234', b''.join(given))
        seconds = itertools.count(time.monotonic())
        looks = threading.Semaphore(0)

        def monotonic():
            looks.release()
            return next(seconds)

        clock = types.SimpleNamespace(monotonic=monotonic)
        self.useFixture(
            fixtures.MonkeyPatch(f'{upload_body.__name__}.time', clock)
        )
        coming = background.start(next, blocks)
        # Whenever it looks at the clock by now, it is time for a byte.
        for _ in range(9):
            self.assertFalse(coming.done())
            self.assertTrue(looks.acquire(timeout=clocks.PATIENCE))
        self.assertFalse(coming.done())
        self.go.set()
        self.assertEqual(b'5', coming.result(clocks.PATIENCE))

    def test_wrong_bytes_are_not_sent_whole_for_all_that(self):
        blocks = iter(self.body(b'012345678X'))
        given = [next(blocks) for _ in range(5)]
        self.go.set()
        error = self.assertRaises(errors.DataError, given.extend, blocks)
        self.assertIn('damaged', str(error))
        self.assertLess(len(b''.join(given)), len(DATA))


class TestLimit(fake_glance.GlanceTest):
    """What is sent is not held against the time that answers may take."""

    def limit(self, name, value, monotonic):
        """Set a limit, and the clock of who waits for an answer."""
        # The versions are asked for before.
        self.fake.endpoint()
        clock = types.SimpleNamespace(monotonic=monotonic)
        for patched, by in (name, value), ('time', clock):
            self.useFixture(
                fixtures.MonkeyPatch(f'{limits.__name__}.{patched}', by)
            )

    def test_an_upload_may_take_longer_than_an_answer(self):
        image = samples.image()
        over = threading.Event()
        self.addCleanup(over.set)

        def answer(request):
            if request.method == 'PUT':
                return fake_glance.Answer(204)
            over.wait(clocks.PATIENCE)
            return fake_glance.Answer(200, dict(image.record))

        looks = threading.Semaphore(0)

        def monotonic():
            looks.release()
            return time.monotonic()

        class Blocks:
            blocks = iter([b'data', b''])

            def read(self, seconds):
                # At the start, and then in vain.
                for _ in range(2):
                    looks.acquire(timeout=clocks.PATIENCE)
                Blocks.read = lambda self, seconds: next(self.blocks)
                return None

        place = self.serve(answer)
        self.limit('_ANSWER_TIMEOUT', 0.0, monotonic)
        place.write(image, upload_body.UploadBody(Blocks(), 4))
        (put,) = self.fake.requests
        self.assertEqual(b'data', put.body)
        self.useFixture(
            fixtures.MonkeyPatch(f'{image_api.__name__}._RETRIES', 0)
        )
        error = self.assertRaises(errors.PlaceError, place.find, image.id)
        self.assertIn('timed out', str(error))

    def test_an_upload_without_an_answer_is_given_up(self):
        arrived, over = threading.Event(), threading.Event()
        self.addCleanup(over.set)

        def answer(request):
            arrived.set()
            over.wait(clocks.PATIENCE)
            return fake_glance.Answer(204)

        place = self.serve(answer)
        # No time goes by before all of it is there.
        start = time.monotonic()
        self.limit(
            '_UPLOAD_ANSWER_TIMEOUT',
            100.0,
            lambda: start + 200 * arrived.is_set(),
        )
        image = samples.image()
        error = self.assertRaises(
            errors.TransientError,
            place.write,
            image,
            samples.body(samples.Data(b'data'), image),
        )
        self.assertIn('timed out', str(error))
        (put,) = self.fake.requests
        self.assertEqual(b'data', put.body)
