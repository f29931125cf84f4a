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

import concurrent.futures
import contextlib

from osc_glance_replicate import places
from osc_glance_replicate import workers


class ReadAhead:
    """Data that is read in a thread of its own, a block ahead.

    :param opened: the data; it is entered, read and left by that thread
    :param most: number of bytes of a block, at the most
    """

    def __init__(self, opened: places.OpenData, most: int) -> None:
        self._opened = opened
        self._most = most
        self._closing = contextlib.ExitStack()
        self._worker = workers.Worker()
        self._worker.start(self._closing.enter_context, opened)
        self._coming: concurrent.futures.Future[bytes] | None = None

    def read(self, seconds: float) -> bytes | None:
        """Give the next block.

        :param seconds: to wait for it
        :returns: b'' at the end; None where nothing has come yet
        :raises PlaceError: the source broke
        """
        coming = self._coming or self._start()
        try:
            block = coming.result(seconds)
        except TimeoutError:
            if coming.done():
                raise
            return None
        self._coming = None
        if block:
            self._start()
        return block

    def _start(self) -> concurrent.futures.Future[bytes]:
        self._coming = self._worker.start(self._opened.read, self._most)
        return self._coming

    def rewind(self) -> None:
        """Start again, after the end.

        :raises io.UnsupportedOperation: it cannot be given twice
        """
        self._worker.start(self._opened.rewind).result()

    def close(self) -> None:
        """Read no more; does not wait for what is being read."""
        self._opened.interrupt()
        self._worker.start(self._closing.close)
        self._worker.close()

    def __enter__(self) -> 'ReadAhead':
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
