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

"""Memory for what slow destinations have not taken yet."""

import collections
from collections.abc import Callable, Iterator
import contextlib
import threading
import time

from osc_glance_replicate.transfer import branches
from osc_glance_replicate.transfer import pace

#: Bytes that have been read for several destinations and that some of them
#: have not taken yet, in all readings together.
MAX_BYTES = 64 * 1024 * 1024

#: Blocks that a destination that keeps up has not taken yet, at the most: two
#: wait for the fastest.
_EVEN = 4

#: How fast a slow destination is, as a part of what is usual, at the most.
#: Those that are alike may differ as much where they share a machine.
_SLOW = 0.5

#: Seconds that a destination may hold up others, once there is no more room.
_PATIENCE = 2.0

#: How much of that comes back in a second. One that costs the others no more
#: of their time than this is not worth a reading of its own.
_REGAINED = 0.1

#: Seconds that have to be regained first once it was dropped: a minute or so
#: in which nobody waits for it.
_PENALTY = 6.0

#: Seconds without any progress, of anybody, that are waited.
_SILENCE = 2.0

#: Seconds of patience that are none: nobody is woken up for less.
_NO_PATIENCE = 0.01

#: Seconds after which somebody who waits looks whether the run has ended.
STOP_CHECK_INTERVAL = 1.0


class _Patience:
    """For how long all readings together wait for one destination."""

    def __init__(self) -> None:
        self._seconds = _PATIENCE
        self._at = time.monotonic()

    def left(self) -> float:
        """Return the seconds that are left."""
        now = time.monotonic()
        more = (now - self._at) * _REGAINED
        self._seconds = min(_PATIENCE, self._seconds + more)
        self._at = now
        return self._seconds if self._seconds >= _NO_PATIENCE else 0.0

    def spend(self, seconds: float) -> None:
        """Have waited."""
        self._seconds -= seconds

    def lose(self) -> None:
        """Have dropped it: its next images are not waited for."""
        self._seconds = -_PENALTY


class SharedBuffer:
    """Memory that the readings of a run share, for their slow destinations.

    All but the lock itself is to be called by whoever holds it.

    :param block: number of bytes that are read at a time, at the most
    :param most: number of bytes that are held, at the most. Where so many
        readings go on that those of them that wait for nobody need more, it
        is _EVEN blocks for each of these.
    :ivar lock: of the buffer, and of all readings
    """

    def __init__(self, block: int, most: int | None = None) -> None:
        self.lock = threading.Lock()
        self.block = block
        self._most = MAX_BYTES if most is None else most
        self._active = 0
        self._used = 0
        self._room = threading.Condition(self.lock)
        #: In the order in which they have begun.
        self._readings: dict[tuple[branches.Branch, ...], None] = {}
        self._paces: dict[str, pace.Pace] = collections.defaultdict(pace.Pace)
        self._patience: dict[str, _Patience] = collections.defaultdict(
            _Patience
        )

    def pace(self, to: str) -> pace.Pace:
        """Return how fast a destination is."""
        return self._paces[to]

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Count a reading, which does not hold the lock."""
        with self.lock:
            self._active += 1
        try:
            yield
        finally:
            with self.lock:
                self._active -= 1

    def add(self, reading: tuple[branches.Branch, ...]) -> None:
        """Have the branches of a reading use it."""
        self._readings[reading] = None

    def remove(self, reading: tuple[branches.Branch, ...]) -> None:
        """Forget a reading whose branches hold nothing."""
        self._readings.pop(reading, None)

    def resize(self, count: int) -> None:
        """Note that a reading holds so many bytes more, or less."""
        self._used += count
        if count < 0:
            self._room.notify_all()

    def make_room(self, count: int, wanted: Callable[[], bool]) -> None:
        """See that so many bytes more can be held.

        Who is slower than most of the others is waited for for a moment, and
        then dropped. Where most are slow, they are waited for as long as any
        of them takes anything: to read for each of them would cost more.

        :param wanted: whether it is worth while, still
        """
        while wanted() and self._used + count > self._most:
            if absent := self._absent():
                self._wait_for(absent)
                continue
            farthest = max(self._branches(), key=lambda each: each.size)
            if farthest.size <= _EVEN * self.block:
                break
            if slow := self._slowest():
                self._wait_for(slow)
            elif not self._room.wait(_SILENCE):
                self._drop(farthest)

    def _absent(self) -> branches.Branch | None:
        """Return what nobody has come for.

        That of a destination that is waited for no more goes first, then what
        will be come for last.
        """
        absent = [
            each
            for each in self._branches()
            if each.size and not each.is_taken
        ]
        return min(
            reversed(absent),
            key=lambda each: self._patience[each.to].left() > 0,
            default=None,
        )

    def _branches(self) -> Iterator[branches.Branch]:
        return (
            each
            for reading in self._readings
            for each in reading
            if each.is_served
        )

    def _slowest(self) -> branches.Branch | None:
        """Return what is farthest behind, of a destination that is slow.

        Which of them holds most counts first, then which of its images.
        """
        much = _EVEN * self.block
        slow = self._slow()
        behind: collections.Counter[str] = collections.Counter()
        for each in self._branches():
            if each.to in slow:
                behind[each.to] += max(0, each.size - much)
        for to, count in behind.most_common(1):
            if count:
                mine = [each for each in self._branches() if each.to == to]
                return max(mine, key=lambda each: each.size)
        return None

    def _slow(self) -> set[str]:
        """Return the destinations that are slower than half of the others."""
        busy: dict[str, float] = collections.defaultdict(float)
        for each in self._branches():
            busy[each.to] += each.busy
        speeds = {to: self._paces[to].speed(busy[to]) for to in busy}
        ranked = sorted(speeds.values(), reverse=True)
        usual = ranked[(len(ranked) - 1) // 2]
        return {to for to, speed in speeds.items() if speed < _SLOW * usual}

    def _wait_for(self, slow: branches.Branch) -> None:
        """Wait for a destination for a moment, or drop it."""
        patience = self._patience[slow.to]
        if not (left := patience.left()):
            self._drop(slow)
            return
        begun = time.monotonic()
        self._room.wait(min(left, STOP_CHECK_INTERVAL))
        # Where one reading of many stands still, the run does not.
        patience.spend((time.monotonic() - begun) / max(self._active, 1))

    def _drop(self, slow: branches.Branch) -> None:
        """Have a destination served alone."""
        self._patience[slow.to].lose()
        slow.drop()
