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

"""Data that is read while what came before it is still being sent."""

from collections.abc import Callable
import queue

from osc_glance_replicate import places
from osc_glance_replicate import workers

#: Blocks that are read before they are asked for; a second one gained nothing.
_AHEAD = 1


class ReadAhead:
    """Data that is read in a thread of its own, some blocks ahead.

    Two queues cost a third of what a future for each block does.

    :param opened: the data; it is entered, read and left by that thread
    :param most: number of bytes of a block, at the most
    """

    def __init__(self, opened: places.OpenData, most: int) -> None:
        self._opened = opened
        self._most = most
        self._orders: queue.SimpleQueue[Callable[[], bytes] | None] = (
            queue.SimpleQueue()
        )
        self._blocks: queue.SimpleQueue[bytes | BaseException] = (
            queue.SimpleQueue()
        )
        self._ordered = 0

    def read(self, seconds: float) -> bytes | None:
        """Give the next block.

        :param seconds: to wait for it
        :returns: b'' at the end; None where nothing has come yet
        :raises PlaceError: the source broke
        """
        if not self._ordered:
            self._begin()
        try:
            block = self._blocks.get(timeout=seconds)
        except queue.Empty:
            return None
        if isinstance(block, BaseException):
            raise block
        self._orders.put(self._read)
        return block

    def _begin(self) -> None:
        workers.start(self._work)
        for _ in range(_AHEAD):
            self._orders.put(self._read)
        self._ordered = _AHEAD

    def _work(self) -> None:
        """Do what is ordered, up to the first error."""
        try:
            with self._opened:
                while order := self._orders.get():
                    self._blocks.put(order())
        except BaseException as exc:
            self._blocks.put(exc)

    def _read(self) -> bytes:
        return self._opened.read(self._most)

    def _rewind(self) -> bytes:
        self._opened.rewind()
        return b''

    def rewind(self) -> None:
        """Start again, after the end.

        :raises io.UnsupportedOperation: it cannot be given twice
        """
        # What was read beyond the end is nothing, again.
        self._orders.put(self._rewind)
        for _ in range(self._ordered + 1):
            block = self._blocks.get()
            if isinstance(block, BaseException):
                raise block
        for _ in range(_AHEAD):
            self._orders.put(self._read)

    def nudge(self) -> None:
        """Break off what is being read, so that it is tried again."""
        self._opened.nudge()

    def close(self) -> None:
        """Read no more; does not wait for what is being read."""
        self._opened.interrupt()
        self._orders.put(None)

    def __enter__(self) -> 'ReadAhead':
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
