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

"""Data that is read while somebody waits for something else."""

from collections.abc import Callable
import contextlib
import queue

from osc_glance_replicate import background
from osc_glance_replicate.transfer import resuming_reader


class ReadAhead:
    """Data that a thread of its own reads, where it has to be waited for.

    What has arrived already is read without it, as are the first bytes of
    what is sure to come, which are waited for: handing a block over costs a
    fifth of a transfer, and the thread a tenth of that of a small image. Where
    nobody knows what has arrived, the thread is one block ahead. A second
    block ahead gained nothing.

    :param opened: the data; it is closed by that thread, if there is one
    :param most: number of bytes of a block, at the most
    """

    def __init__(
        self, opened: resuming_reader.ResumingReader, most: int
    ) -> None:
        self._opened = opened
        self._most = most
        # Two queues cost a third of what a future for each block does.
        self._orders: queue.SimpleQueue[Callable[[], bytes] | None] = (
            queue.SimpleQueue()
        )
        self._blocks: queue.SimpleQueue[bytes | BaseException] = (
            queue.SimpleQueue()
        )
        self._ordered = False
        self._has_thread = False

    def read(self, seconds: float) -> bytes | None:
        """Return the next block.

        :param seconds: to wait for it; the first one may take as long as the
            source, or the run, lasts
        :returns: b'' at the end; None where nothing has come yet
        :raises PlaceError: the source broke, or the run is to end
        """
        if not self._ordered:
            block = self._opened.arrived(self._most)
            if block is not None:
                return block
            self._order(self._read)
        try:
            block = self._take(seconds)
        except queue.Empty:
            return None
        if not self._opened.watched:
            self._order(self._read)
        return block

    def _order(self, what: Callable[[], bytes]) -> None:
        self._orders.put(what)
        self._ordered = True
        if not self._has_thread:
            background.start(self._work)
            self._has_thread = True

    def _take(self, seconds: float | None = None) -> bytes:
        """Take what was ordered."""
        block = self._blocks.get(timeout=seconds)
        self._ordered = False
        if isinstance(block, BaseException):
            raise block
        return block

    def _work(self) -> None:
        """Do what is ordered, up to the first error."""
        try:
            with contextlib.closing(self._opened):
                while order := self._orders.get():
                    self._blocks.put(order())
        except BaseException as exc:
            self._blocks.put(exc)

    def _read(self) -> bytes:
        return self._opened.read(self._most)

    def nudge(self) -> None:
        """Break off what is being read, so that it is tried again."""
        self._opened.nudge()

    def close(self) -> None:
        """Read no more, without waiting for what is being read."""
        self._opened.interrupt()
        self._orders.put(None)
        if not self._has_thread:
            self._opened.close()
