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
import math
import threading

import fixtures
import testtools

from osc_glance_replicate import background
from osc_glance_replicate import errors
from osc_glance_replicate.tests.doubles import clocks
from osc_glance_replicate.transfer import fan_out
from osc_glance_replicate.transfer import pace
from osc_glance_replicate.transfer import shared_buffer

_PATIENCE = clocks.PATIENCE
_BLOCK = 4


class Blocks:
    """Verified data that comes block by block.

    :param blocks: what is read, or gives it; an error is raised
    :ivar closed: set when it is read no more
    """

    def __init__(self, *blocks):
        self._blocks = iter(blocks)
        self.opened = 0
        self.digests = {}
        self.closed = threading.Event()

    @contextlib.contextmanager
    def __call__(self):
        self.opened += 1
        try:
            yield self
        finally:
            self.closed.set()

    def look_ahead(self):
        pass

    def read(self, seconds):
        block = next(self._blocks, b'')
        if block == b'':
            self.digests = {'sha512': 'of all'}
        if isinstance(block, Exception):
            raise block
        return block() if callable(block) else block


class Buffer(shared_buffer.SharedBuffer):
    """A buffer of so many blocks that knows how full it was.

    :ivar held: blocks that it holds
    :ivar peak: the most of them that it has held
    :ivar full: set when there is no room for another one
    """

    def __init__(self, blocks):
        super().__init__(_BLOCK, blocks * _BLOCK)
        self.held = self.peak = 0
        self.full = threading.Event()

    def make_room(self, count, wanted):
        if self.held * _BLOCK + count > self._most:
            self.full.set()
        super().make_room(count, wanted)

    def resize(self, count):
        super().resize(count)
        self.held += count / _BLOCK
        self.peak = max(self.peak, self.held)

    @property
    def readings(self):
        return len(self._readings)


def numbered(count):
    """Give so many blocks, no two of them alike."""
    return [b'%04d' % number for number in range(count)]


def take(branch, blocks):
    """Read so many blocks."""
    return b''.join(branch.read(_PATIENCE) for _ in range(blocks))


class FanOutTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.buffer = Buffer(1000)
        self.stop = threading.Event()
        self.patch('_SILENCE', _PATIENCE)
        # Whoever is behind is slow, whatever this machine does meanwhile.
        self.patch('_SLOW', math.inf)
        self.be_patient(_PATIENCE)

    def be_patient(self, seconds):
        self.patch('_PATIENCE', seconds)

    def patch(self, name, value):
        self.useFixture(
            fixtures.MonkeyPatch(f'{shared_buffer.__name__}.{name}', value)
        )

    def fan(self, data, to='ab'):
        return fan_out.FanOut(data, to, self.buffer, self.stop)

    def received(self, branch):
        """Read all that one destination gets, in a thread of its own."""

        def read():
            with branch:
                branch.look_ahead()
                return b''.join(iter(lambda: branch.read(_PATIENCE), b''))

        return background.start(read)

    def assertReceived(self, blocks, *branches):
        """Read all there is, and say that it is this.

        :param branches: or what is received of one already
        """
        coming = [
            self.received(each) if hasattr(each, 'read') else each
            for each in branches
        ]
        for each in coming:
            self.assertEqual(b''.join(blocks), each.result(_PATIENCE))

    def assertDropped(self, branch):
        error = self.assertRaises(errors.DroppedError, branch.read, _PATIENCE)
        self.assertIn(
            f'{branch.to}: held up the other destinations', str(error)
        )


class TestBranches(FanOutTest):
    def test_all_get_the_hashes_of_it_when_they_have_all(self):
        fan = self.fan(Blocks(b'one', b'two'))
        branches = [fan.branch(name) for name in 'ab']
        for branch in branches:
            take(branch, 1)
            self.assertEqual({}, branch.digests)
        for branch in branches:
            take(branch, 2)
            self.assertEqual({'sha512': 'of all'}, branch.digests)

    def test_all_get_all_of_it_and_it_is_read_once(self):
        blocks = [b'one', b'two', b'three', b'four']
        data = Blocks(*blocks)
        fan = self.fan(data, 'abc')
        self.assertReceived(blocks, *map(fan.branch, 'abc'))
        self.assertEqual(1, data.opened)
        self.assertEqual((0, 0), (self.buffer.held, self.buffer.readings))

    def test_whoever_does_not_come_is_not_waited_for(self):
        fan = self.fan(Blocks(b'data'))
        fan.leave('b')
        self.assertReceived([b'data'], fan.branch('a'))
        self.assertIsNone(fan.branch('b'))
        self.assertIsNone(fan.branch('stranger'))
        self.assertEqual(0, self.buffer.held)

    def test_trouble_of_the_source_is_everybodys(self):
        broken = errors.TransientError('master', 'broke')
        fan = self.fan(Blocks(b'one', broken), 'abc')
        coming = [self.received(fan.branch(name)) for name in 'ab']
        self.assertEqual(
            [broken, broken], [each.exception(_PATIENCE) for each in coming]
        )
        # Of whoever comes later, too.
        late = fan.branch('c')
        error = self.assertRaises(errors.TransientError, late.read, _PATIENCE)
        self.assertIs(broken, error)
        self.assertEqual((0, 0), (self.buffer.held, self.buffer.readings))

    def test_what_fits_is_read_as_fast_as_the_fastest_takes_it(self):
        data = Blocks(*numbered(50))
        fan = self.fan(data, 'abc')
        slow = fan.branch('b')
        self.assertReceived(numbered(50), fan.branch('a'))
        # One of the others has not even come.
        self.assertTrue(data.closed.wait(_PATIENCE))
        self.assertEqual(50, self.buffer.held)
        self.assertReceived(numbered(50), slow, fan.branch('c'))
        self.assertEqual(1, data.opened)
        self.assertEqual((0, 0), (self.buffer.held, self.buffer.readings))

    def test_no_faster(self):
        fan = self.fan(Blocks(*numbered(50)))
        fast = fan.branch('a')
        for number in range(50):
            take(fast, 1)
            # Two that wait for the fastest, and all that it has taken.
            self.assertLessEqual(self.buffer.held, number + 3)

    def test_whoever_is_no_slower_than_the_others_is_not_dropped(self):
        self.buffer = Buffer(1)
        fans = [self.fan(Blocks(*numbered(50)), 'abc') for _ in range(5)]
        branches = [fan.branch(name) for fan in fans for name in 'abc']
        self.be_patient(0)
        for number in range(50):
            for branch in branches:
                self.assertEqual(b'%04d' % number, take(branch, 1))
        self.assertReceived([], *branches)
        self.assertLessEqual(self.buffer.peak, 5 * 4)


class TestFullBuffer(FanOutTest):
    def test_who_catches_up_in_time_is_waited_for(self):
        self.buffer = Buffer(5)
        fan = self.fan(Blocks(*numbered(50)))
        fast = self.received(fan.branch('a'))
        slow = fan.branch('b')
        for number in range(50):
            self.assertEqual(b'%04d' % number, take(slow, 1))
        self.assertReceived(numbered(50), fast)
        self.assertLessEqual(self.buffer.peak, 5)

    def test_who_takes_nothing_is_dropped(self):
        self.be_patient(0)
        self.buffer = Buffer(20)
        fan = self.fan(Blocks(*numbered(50)))
        silent = fan.branch('b')
        self.assertReceived(numbered(50), fan.branch('a'))
        self.assertDropped(silent)
        self.assertEqual((0, 0), (self.buffer.held, self.buffer.readings))
        self.assertEqual(20, self.buffer.peak)

    def test_who_has_not_come_is_served_alone(self):
        self.be_patient(0)
        self.buffer = Buffer(20)
        fan = self.fan(Blocks(*numbered(50)))
        self.assertReceived(numbered(50), fan.branch('a'))
        self.assertIsNone(fan.branch('b'))

    def test_all_readings_are_within_the_bound(self):
        self.be_patient(0)
        self.buffer = Buffer(70)
        fans = [self.fan(Blocks(*numbered(40)), 'abc') for _ in range(10)]
        slow = [fan.branch('c') for fan in fans]
        fast = [fan.branch(name) for fan in fans for name in 'ab']
        # In step, so that which of them is slow is nobody's luck.
        for number in range(40):
            for branch in fast:
                self.assertEqual(b'%04d' % number, take(branch, 1))
        self.assertReceived([], *fast)
        self.assertLessEqual(self.buffer.peak, 70)
        # As many as there is room for are spared.
        dropped = [branch for branch in slow if branch.error]
        self.assertEqual(9, len(dropped))
        (spared,) = set(slow) - set(dropped)
        self.assertReceived(numbered(40), spared)

    def test_whoever_is_farthest_behind_is_dropped(self):
        self.be_patient(0)
        self.buffer = Buffer(20)
        fan = self.fan(Blocks(*numbered(30)), 'abc')
        fast, behind, farthest = map(fan.branch, 'abc')
        take(fast, 12)
        take(behind, 11)
        take(farthest, 5)
        self.assertReceived(numbered(30)[12:], fast)
        self.assertDropped(farthest)
        self.assertReceived(numbered(30)[11:], behind)

    def test_not_for_what_another_image_waits_for(self):
        self.be_patient(0)
        self.buffer = Buffer(20)
        one = self.fan(Blocks(*numbered(19)))
        slow = one.branch('b')
        self.assertReceived(numbered(19), one.branch('a'))
        other = self.fan(Blocks(*numbered(10)))
        late = other.branch('a')
        self.assertReceived(numbered(10), other.branch('b'))
        self.assertDropped(slow)
        self.assertReceived(numbered(10), late)

    def test_who_has_little_of_each_goes_before_who_is_late_once(self):
        self.be_patient(0)
        self.buffer = Buffer(55)
        few = [self.fan(Blocks(*numbered(10))) for _ in range(4)]
        slow = [fan.branch('b') for fan in few]
        self.assertReceived(numbered(10), *(fan.branch('a') for fan in few))
        fan = self.fan(Blocks(*numbered(18)))
        late = fan.branch('a')
        self.assertReceived(numbered(18), fan.branch('b'))
        self.assertReceived(numbered(18), late)
        self.assertEqual(1, sum(bool(each.error) for each in slow))

    def test_one_that_was_dropped_is_not_waited_for_again(self):
        self.buffer = Buffer(10)
        clock = clocks.Clock()
        self.patch('time', clock)
        for patience in 0, _PATIENCE:
            self.be_patient(patience)
            fan = self.fan(Blocks(*numbered(30)))
            slow = fan.branch('b')
            self.assertReceived(numbered(30), fan.branch('a'))
            self.assertDropped(slow)
            # It would be waited for otherwise, as long as this clock stands.
            clock.now += 30

    def read_of_three(self, **speeds):
        """Read for three destinations, as fast as two of them take it.

        :param speeds: of each of them, before that
        """
        self.patch('_SLOW', 0.6)
        self.useFixture(
            fixtures.MonkeyPatch(f'{pace.__name__}.time', clocks.Clock())
        )
        self.be_patient(0)
        self.buffer = Buffer(10)
        for to, speed in speeds.items():
            self.buffer.pace(to).spent(speed, 1)
        fan = self.fan(Blocks(*numbered(30)), 'abc')
        fast = self.received(fan.branch('a'))
        others = [fan.branch(name) for name in 'bc']
        self.assertTrue(self.buffer.full.wait(_PATIENCE))
        for number in range(30):
            for branch in others:
                self.assertEqual(b'%04d' % number, take(branch, 1))
        self.assertReceived(numbered(30), fast)

    def test_one_that_is_faster_than_most_goes_on_with_them(self):
        self.read_of_three(a=10**6, b=10**5, c=10**5)

    def test_one_that_is_a_little_slower_is_waited_for(self):
        self.read_of_three(a=10**6, b=10**6, c=7 * 10**5)
        error = self.assertRaises(
            errors.DroppedError,
            self.read_of_three,
            a=10**6,
            b=10**6,
            c=5 * 10**5,
        )
        self.assertEqual('c', error.place)

    def test_most_of_them_take_nothing(self):
        self.be_patient(0)
        self.patch('_SILENCE', 0)
        self.buffer = Buffer(10)
        fan = self.fan(Blocks(*numbered(30)), 'abc')
        silent = [fan.branch(name) for name in 'bc']
        self.assertReceived(numbered(30), fan.branch('a'))
        for branch in silent:
            self.assertDropped(branch)

    def test_one_that_leaves_makes_room(self):
        self.buffer = Buffer(10)
        fan = self.fan(Blocks(*numbered(30)), 'abc')
        fast = self.received(fan.branch('a'))
        with fan.branch('b') as gone:
            take(gone, 1)
            fan.leave('c')
        self.assertReceived(numbered(30), fast)


class TestStop(FanOutTest):
    def setUp(self):
        super().setUp()
        self.patch('STOP_CHECK_INTERVAL', 0.01)

    def assertStopped(self, data, *branches):
        """Say that nothing is read any more, and nobody waits."""
        self.stop.set()
        self.assertTrue(data.closed.wait(_PATIENCE))
        for branch in branches:
            self.assertRaises(errors.StoppedError, branch.read, 0)

    def test_reader_that_waits_for_the_fastest_ends(self):
        data = Blocks(*numbered(50))
        fan = self.fan(data)
        branches = fan.branch('a'), fan.branch('b')
        take(branches[0], 1)
        self.assertStopped(data, *branches)

    def test_reader_that_waits_for_room_ends(self):
        self.buffer = Buffer(10)
        data = Blocks(*numbered(50))
        fan = self.fan(data)
        branches = fan.branch('a'), fan.branch('b')
        # All that there is room for: what waits is the next.
        take(branches[0], 10)
        self.assertStopped(data, *branches)

    def test_whoever_waits_for_the_first_bytes_ends(self):
        fan = self.fan(Blocks(errors.StoppedError('master', 'interrupted')))
        fan_out_data = fan.branch('a')
        self.assertRaises(
            errors.StoppedError,
            lambda: self.received(fan_out_data).result(_PATIENCE),
        )


class TestAbsent(FanOutTest):
    """Of several destinations one comes first, and some do not come."""

    def setUp(self):
        super().setUp()
        self.buffer = Buffer(20)
        # Nobody who is there is slow.
        self.patch('_SLOW', 0)
        self.be_patient(0)

    def test_what_comes_last_is_kept_for_nobody(self):
        early, late = numbered(10), numbered(40)
        first = self.fan(Blocks(*early), 'abcd')
        self.assertReceived(early, first.branch('a'))
        second = self.fan(Blocks(*late), 'abcd')
        # It is not the pace of those who are most, and do nothing.
        self.assertReceived(late, second.branch('a'))
        for to in 'bcd':
            self.assertFalse(second.expects(to))
            self.assertIsNone(second.branch(to))
            self.assertTrue(first.expects(to))
            self.assertReceived(early, first.branch(to))
        self.assertLessEqual(self.buffer.peak, 20)

    def test_who_is_waited_for_no_more_makes_room_first(self):
        """A moment before somebody comes is no reason to leave him out."""
        self.be_patient(_PATIENCE)
        early, late = numbered(15), numbered(18)
        first = self.fan(Blocks(*early), 'ac')
        self.assertReceived(early, first.branch('a'))
        with self.buffer.lock:
            self.buffer._patience['c'].lose()
        second = self.fan(Blocks(*late), 'ab')
        self.assertReceived(late, second.branch('a'))
        self.assertFalse(first.expects('c'))
        self.assertReceived(late, second.branch('b'))

    def test_who_comes_late_gets_it_from_its_start(self):
        blocks = numbered(15)
        data = Blocks(*blocks)
        fan = self.fan(data, 'ab')
        self.assertReceived(blocks, fan.branch('a'))
        self.assertTrue(data.closed.wait(_PATIENCE))
        self.assertReceived(blocks, fan.branch('b'))
        self.assertEqual((1, 0), (data.opened, self.buffer.held))

    def test_small_ones_are_kept_for_nobody_either(self):
        """However many they are."""
        fans = []
        for number in range(30):
            fan = self.fan(Blocks(b'%04d' % number), 'ab')
            self.assertReceived([b'%04d' % number], fan.branch('a'))
            fans.append(fan)
        self.assertLessEqual(self.buffer.peak, 20)
        kept = [number for number in range(30) if fans[number].expects('b')]
        # What comes first is taken first.
        self.assertEqual([*range(19), 29], kept)

    def test_source_waits_for_nobody_who_has_not_come(self):
        data = Blocks(*numbered(15))
        fan = self.fan(data, 'ab')
        with fan.branch('a') as branch:
            branch.read(_PATIENCE)
        # It wants no more: what it was copied to is full, perhaps.
        self.assertTrue(data.closed.wait(_PATIENCE))
        self.await_end(fan)
        self.assertIsNone(fan.branch('b'))
        self.assertEqual(0, self.buffer.held)

    def await_end(self, fan):
        with fan._changed:
            self.assertTrue(
                fan._changed.wait_for(
                    lambda: not fan._served(), timeout=_PATIENCE
                )
            )
