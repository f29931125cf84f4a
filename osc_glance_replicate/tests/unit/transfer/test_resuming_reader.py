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
import select
import socket
import threading
import types

import fixtures
import testtools

from osc_glance_replicate import errors
from osc_glance_replicate import retry
from osc_glance_replicate.tests.doubles import clocks
from osc_glance_replicate.tests.doubles import places
from osc_glance_replicate.tests.doubles import samples
from osc_glance_replicate.transfer import bandwidth
from osc_glance_replicate.transfer import read_ahead
from osc_glance_replicate.transfer import resuming_reader
from osc_glance_replicate.transfer import source_data

DATA = b'0123456789'

_PATIENCE = clocks.PATIENCE

BROKEN = errors.TransientError('master', 'broke')


class Source(places.BreakingSource):
    def __init__(self, image, *ends, end=None, data=DATA):
        super().__init__(data, ends, end)
        self.images[image.id] = image


class TestResuming(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.useFixture(
            fixtures.MonkeyPatch(f'{retry.__name__}._FIRST_DELAY', 0)
        )
        self.image = samples.image(data=DATA)

    def read(self, source, retries=3, kept=None, start=0):
        data = resuming_reader.ResumingReader(
            source_data.SourceData(source, self.image),
            retries,
            bandwidth.Bandwidth(),
            (kept, start) if kept else None,
        )
        return b''.join(iter(lambda: data.read(100), b''))

    def test_it_goes_on_where_the_source_broke(self):
        for end in (None, BROKEN):
            source = Source(self.image, 4, BROKEN, 0, 2, 9, end=end)
            self.assertEqual(DATA, self.read(source, retries=4))
            self.assertEqual([0, 4, 4, 4, 6], source.starts)

    def test_it_gives_up(self):
        for retries, end, words in (
            (2, BROKEN, 'master: broke; given up after 3 tries'),
            (0, BROKEN, 'master: broke'),
            (0, None, '(has it lost the rest?) after 4 of the 10 bytes'),
        ):
            source = Source(self.image, 4, 0, 0, 0, end=end)
            error = self.assertRaises(
                errors.PlaceError, self.read, source, retries
            )
            self.assertNotIsInstance(error, errors.TransientError)
            self.assertIn(words, str(error))
            self.assertEqual(retries + 1, len(source.starts))

    def test_it_is_short_if_it_ends_at_the_same_byte(self):
        for retries, ends, end, short in (
            (2, (4, 0, 0), None, True),
            (0, (4,), None, False),
            # Something more came: who knows what comes next.
            (2, (4, 0, 1), None, False),
            (2, (4, 0, 0), BROKEN, False),
        ):
            source = Source(self.image, *ends, end=end)
            error = self.assertRaises(
                errors.PlaceError, self.read, source, retries
            )
            is_short = isinstance(error, errors.ShortError)
            self.assertIs(short, is_short, ends)

    def test_who_has_given_no_answer_is_told(self):
        for unanswered in False, True:
            trouble = errors.TransientError('master', 'broke')
            trouble.unanswered = unanswered
            source = Source(self.image, trouble, trouble)
            error = self.assertRaises(errors.PlaceError, self.read, source, 1)
            self.assertIs(unanswered, error.unanswered)

    def test_some_progress_earns_new_tries(self):
        self.useFixture(
            fixtures.MonkeyPatch(
                f'{resuming_reader.__name__}._MIN_PROGRESS', 2
            )
        )
        source = Source(self.image, 2, 2, 2, 2, 2)
        self.assertEqual(DATA, self.read(source, retries=1))
        source = Source(self.image, 1, 1, 1, 1)
        self.assertRaises(errors.PlaceError, self.read, source, 1)

    def test_what_is_whole_has_not_broken(self):
        source = Source(self.image, len(DATA), end=BROKEN)
        self.assertEqual(DATA, self.read(source, retries=0))

    def test_what_has_changed_is_not_gone_on_with(self):
        for now in (None, samples.image(data=b'9876543210')):
            source = Source(self.image, 4)
            source.images[self.image.id] = now
            error = self.assertRaises(errors.DataError, self.read, source)
            self.assertIn('changed or deleted', str(error))

    def test_what_is_kept_comes_first(self):
        for kept in (b'', DATA[:4], DATA):
            source = Source(self.image)
            given = self.read(source, kept=samples.Data(kept), start=len(kept))
            self.assertEqual(DATA, given)
            self.assertEqual(
                [len(kept)] * (len(kept) < len(DATA)), source.starts
            )

    def test_too_much_is_passed_on(self):
        self.image = samples.image(data=DATA[:5])
        self.assertEqual(DATA, self.read(Source(self.image)))

    def test_a_source_that_only_dribbles_has_broken(self):
        clock = iter(range(0, 100000, 10))
        self.useFixture(
            fixtures.MonkeyPatch('time.monotonic', lambda: next(clock))
        )
        self.image = samples.image(data=DATA * 10)
        source = Source(self.image, data=DATA * 10)
        error = self.assertRaises(errors.PlaceError, self.read, source, 0)
        self.assertIn('sent 18 bytes in 60 s', str(error))


class Wire(samples.Data):
    """Data that comes over a socket, as long as it was said to be.

    :ivar readers: the thread of each read
    """

    def __init__(self):
        self.left = len(DATA)
        self.theirs, self._ours = socket.socketpair()
        self.readers = []

    def read(self, most):
        if not self.left:
            return b''
        self.readers.append(threading.current_thread())
        try:
            data = self._ours.recv(most)
        except ConnectionError:
            raise BROKEN from None
        self.left -= len(data)
        return data

    def fileno(self):
        return self._ours.fileno()

    def interrupt(self):
        self._ours.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.theirs.close()
        self._ours.close()


class TestArrived(testtools.TestCase):
    """What has arrived is read by whoever wants it."""

    def setUp(self):
        super().setUp()
        self.useFixture(
            fixtures.MonkeyPatch(f'{retry.__name__}._FIRST_DELAY', 0)
        )
        self.wires = [Wire(), Wire()]
        for wire in self.wires:
            self.addCleanup(wire.close)
        self.image = samples.image(data=DATA)
        self.starts = []
        self.troubles = []
        self.closed = 0
        self.limit = bandwidth.Bandwidth()
        self.stop = threading.Event()

    name = 'master'

    def find(self, image_id):
        return self.image

    @contextlib.contextmanager
    def read(self, image, start=0):
        self.starts.append(start)
        if self.troubles:
            raise self.troubles.pop()
        wire = self.wires[len(self.starts) - 1]
        wire.left -= start
        yield wire
        self.closed += 1

    def opened(self, kept=None):
        data = resuming_reader.ResumingReader(
            source_data.SourceData(self, self.image),
            3,
            self.limit,
            kept,
            self.stop,
        )
        ahead = read_ahead.ReadAhead(data, 4)
        self.addCleanup(ahead.close)
        return ahead

    def readers(self):
        here = threading.current_thread()
        return [
            'here' if reader is here else 'thread'
            for wire in self.wires
            for reader in wire.readers
        ]

    def test_without_a_thread(self):
        data = self.opened()
        self.wires[0].theirs.sendall(DATA)
        given = [data.read(_PATIENCE) for _ in range(4)]
        self.assertEqual([b'0123', b'4567', b'89', b''], given)
        # The first one is opened by the thread.
        self.assertEqual(['thread', 'here', 'here'], self.readers())

    def test_whoever_waits_has_it_read(self):
        data = self.opened()
        self.wires[0].theirs.sendall(DATA[:4])
        self.assertEqual(DATA[:4], data.read(_PATIENCE))
        self.assertIsNone(data.read(0.001))
        self.wires[0].theirs.sendall(DATA[4:])
        self.assertEqual(DATA[4:8], data.read(_PATIENCE))
        self.assertEqual(DATA[8:], data.read(_PATIENCE))
        self.assertEqual(['thread', 'thread', 'here'], self.readers())

    def break_off(self, reset):
        data = self.opened()
        wire, other = self.wires
        wire.theirs.sendall(DATA[:4])
        self.assertEqual(DATA[:4], data.read(_PATIENCE))
        if reset:
            # What it has not read is lost on it.
            wire._ours.sendall(b'?')
        wire.theirs.close()
        other.theirs.sendall(DATA[4:])
        self.assertEqual(DATA[4:8], data.read(_PATIENCE))
        self.assertEqual(DATA[8:], data.read(_PATIENCE))
        self.assertEqual([0, 4], self.starts)
        self.assertEqual(['thread', 'here', 'thread', 'here'], self.readers())

    def test_a_break_is_mended_by_the_thread(self):
        self.break_off(reset=False)

    def test_so_is_a_reset(self):
        self.break_off(reset=True)

    def test_a_dribble_is_a_break(self):
        clock = clocks.Clock()
        dribble = iter(DATA)

        def send():
            self.wires[0].theirs.send(bytes([next(dribble)]))

        class Poll:
            """A byte comes after 20 seconds."""

            def register(self, fileno, events):
                pass

            def poll(self, timeout):
                clock.sleep(20)
                send()
                return True

        polls = types.SimpleNamespace(poll=Poll, POLLIN=select.POLLIN)
        for name, double in ('time', clock), ('select', polls):
            self.useFixture(
                fixtures.MonkeyPatch(f'{source_data.__name__}.{name}', double)
            )
        data = self.opened()
        send()
        given = [data.read(_PATIENCE) for _ in range(3)]
        self.assertEqual([b'0', b'1', b'2'], given)
        self.wires[1].theirs.sendall(DATA[3:])
        self.assertEqual(DATA[3:7], data.read(_PATIENCE))
        self.assertEqual([0, 3], self.starts)
        readers = ['thread', 'here', 'here', 'here', 'thread']
        self.assertEqual(readers, self.readers())

    def make_prompt(self):
        for wire in self.wires:
            wire.prompt = True

    def test_a_prompt_one_is_read_without_a_thread(self):
        self.make_prompt()
        data = self.opened()
        self.wires[0].theirs.sendall(DATA)
        given = [data.read(_PATIENCE) for _ in range(4)]
        self.assertEqual([b'0123', b'4567', b'89', b''], given)
        self.assertEqual(['here'] * 3, self.readers())
        self.assertEqual(0, self.closed)
        data.close()
        self.assertEqual(1, self.closed)

    def test_one_that_has_to_be_waited_for_is_not(self):
        self.make_prompt()
        data = self.opened()
        self.wires[0].theirs.sendall(DATA[:4])
        self.assertEqual(DATA[:4], data.read(_PATIENCE))
        self.assertIsNone(data.read(0.001))
        self.wires[0].theirs.sendall(DATA[4:])
        given = [data.read(_PATIENCE) for _ in range(3)]
        self.assertEqual([DATA[4:8], DATA[8:], b''], given)
        self.assertEqual(['here', 'thread', 'here'], self.readers())

    def test_what_does_not_open_is_mended_by_the_thread(self):
        self.make_prompt()
        self.troubles.append(BROKEN)
        data = self.opened()
        self.wires[1].theirs.sendall(DATA)
        self.assertEqual(DATA[:4], data.read(_PATIENCE))
        self.assertEqual([0, 0], self.starts)
        self.assertEqual('thread', self.readers()[0])

    def test_what_is_broken_for_good_is_told_at_once(self):
        self.troubles.append(errors.RefusedError('master', 'is gone'))
        data = self.opened()
        error = self.assertRaises(errors.RefusedError, data.read, _PATIENCE)
        self.assertEqual('master: is gone', str(error))

    def test_it_is_not_opened_here_again(self):
        self.make_prompt()
        data = self.opened()
        self.wires[0].theirs.sendall(DATA[:4])
        self.assertEqual(DATA[:4], data.read(_PATIENCE))
        self.wires[0].theirs.close()
        self.wires[1].theirs.sendall(DATA[4:])
        self.assertEqual(DATA[4:8], data.read(_PATIENCE))
        self.assertEqual(['here', 'here', 'thread'], self.readers())

    def test_nothing_is_opened_where_none_is_wanted_any_more(self):
        data = self.opened()
        data.close()
        self.assertRaises(errors.StoppedError, data._opened.read, 4)
        self.assertIsNone(data._opened.arrived(4))
        self.assertEqual([], self.starts)

    def test_first_bytes_are_waited_for_until_the_end_of_the_run(self):
        self.useFixture(fixtures.Timeout(_PATIENCE, gentle=True))
        self.make_prompt()
        data = self.opened()
        end = threading.Timer(0.1, self.stop.set)
        end.start()
        error = self.assertRaises(errors.StoppedError, data.read, _PATIENCE)
        self.assertEqual('master: interrupted', str(error))
        end.join()

    def test_it_is_closed_where_no_thread_can_be_had(self):
        self.useFixture(
            fixtures.MonkeyPatch(
                f'{read_ahead.__name__}.background.start', self.have_none
            )
        )
        data = self.opened()
        self.assertRaises(RuntimeError, data.read, _PATIENCE)
        data.close()
        self.assertEqual(1, self.closed)

    def have_none(self, work):
        raise RuntimeError("can't start new thread")

    def test_what_is_kept_is_read_by_the_thread(self):
        self.make_prompt()
        data = self.opened(kept=(samples.Data(DATA[:3]), 3))
        self.wires[0].theirs.sendall(DATA[3:])
        self.assertEqual(DATA[:3], data.read(_PATIENCE))
        self.assertEqual(DATA[3:7], data.read(_PATIENCE))
        self.assertEqual([3], self.starts)
        self.assertEqual('thread', self.readers()[0])

    def test_a_limit_is_waited_for_by_the_thread(self):
        self.make_prompt()
        self.limit.rate = 10**6
        data = self.opened()
        self.wires[0].theirs.sendall(DATA)
        self.assertEqual(
            DATA, b''.join(iter(lambda: data.read(_PATIENCE), b''))
        )
        self.assertEqual({'thread'}, set(self.readers()))
