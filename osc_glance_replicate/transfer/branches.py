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

"""What one of several destinations gets of a reading that they share."""

import collections
from collections.abc import Callable, Mapping
import concurrent.futures
import threading

from osc_glance_replicate import errors
from osc_glance_replicate.transfer import pace


class Branch:
    """What one destination gets of the data.

    It holds what has been read and the destination has not taken yet. That
    is the end of what the other branches of the reading hold, or the other
    way round: the blocks are the same.

    :param to: name of the destination
    :param begun: done when the first bytes are there
    :param changed: notified when there is something to take
    :param stop: set when the run is to end
    :param its_pace: how fast the destination takes blocks
    :param moved: called whenever it has taken a block, or wants no more
    :ivar size: number of bytes that are held
    :ivar digests: the data's hashes, by algorithm; none before its end
    :ivar error: raised where data is waited for
    :ivar is_taken: whether the destination has come for it
    """

    def __init__(
        self,
        to: str,
        begun: concurrent.futures.Future[None],
        changed: threading.Condition,
        stop: threading.Event,
        its_pace: pace.Pace,
        moved: Callable[[], None],
    ) -> None:
        self.to = to
        self.size = 0
        self.digests: Mapping[str, str] = {}
        self.error: Exception | None = None
        self.is_taken = False
        self._left = False
        self._begun = begun
        self._changed = changed
        self._stop = stop
        self._moved = moved
        self._watch = pace.Stopwatch(its_pace)
        self._is_begun = False
        self._blocks: collections.deque[bytes] = collections.deque()

    def look_ahead(self) -> None:
        """Wait for the first bytes, as VerifiedReader does."""
        self._begun.result()

    def read(self, seconds: float) -> bytes | None:
        """Return the next block, as VerifiedReader does.

        :raises DroppedError: the others could not wait
        :raises StoppedError: the run is to end
        """
        with self._changed:
            self._watch.stop()
            self._changed.wait_for(
                lambda: self._blocks or self.error, timeout=seconds
            )
            if self.error:
                raise self.error
            if self._stop.is_set():
                raise errors.StoppedError(self.to, 'interrupted')
            if not self._blocks:
                return None
            block = self._blocks.popleft()
            self.size -= len(block)
            self._watch.start(len(block))
            self._moved()
            return block

    def put(self, block: bytes) -> None:
        """Pass a block on."""
        if not self._is_begun:
            # Who does not even come for the first one is slow as well.
            self._is_begun = True
            self._watch.start(0)
        self._blocks.append(block)
        self.size += len(block)

    def drop(self) -> None:
        """Pass nothing more on: the others cannot wait."""
        self.fail(
            errors.DroppedError(
                self.to, 'held up the other destinations; it is served alone'
            )
        )

    def fail(self, error: Exception) -> None:
        """Pass nothing more on.

        :param error: raised where data is waited for
        """
        self.error = error
        self._let_go()

    def leave(self) -> None:
        """Want nothing more."""
        self._left = True
        self._let_go()

    def _let_go(self) -> None:
        self._blocks.clear()
        self.size = 0
        self._watch.cancel()
        self._moved()

    @property
    def busy(self) -> float:
        """Return the seconds that it has not come for more."""
        return self._watch.seconds

    @property
    def is_served(self) -> bool:
        """Whether it gets data, still."""
        return not self._left and not self.error

    def __enter__(self) -> 'Branch':
        return self

    def __exit__(self, *exc_info: object) -> None:
        with self._changed:
            self.leave()
