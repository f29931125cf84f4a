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

"""The bytes of one image, held against its record while they come."""

import collections
from collections.abc import Iterator, Mapping
import threading
import time

from osc_glance_replicate import errors
from osc_glance_replicate.transfer import data_verification
from osc_glance_replicate.transfer import read_ahead

#: Bytes that are looked at before a record is made.
_HEAD = 1024 * 1024

#: Seconds after which somebody who waits looks whether the run has ended.
_STOP_CHECK_INTERVAL = 1.0

#: Seconds without data, whatever else a source gives, before it is opened
#: again.
_SILENCE_TIMEOUT = 90.0


class VerifiedReader:
    """Data whose end is only given when all of it is what is recorded.

    :param data: the data
    :param verification: holds it against its record
    :param stop: set when the run is to end
    """

    def __init__(
        self,
        data: read_ahead.ReadAhead,
        verification: data_verification.Verification,
        stop: threading.Event,
    ) -> None:
        self._data = data
        self._verification = verification
        self._stop = stop
        self._ahead: collections.deque[bytes] = collections.deque()
        self._ended = False
        #: When some came last, or the first ones were waited for.
        self._arrived: float | None = None

    @property
    def digests(self) -> Mapping[str, str]:
        """The data's hashes, by algorithm; none before its end."""
        return self._verification.digests

    def read(self, seconds: float) -> bytes | None:
        """Return the next block.

        :param seconds: to wait for it; the first one may take as long as the
            source, or the run, lasts
        :returns: b'' when all has come and is right; None where nothing has
            come yet
        :raises DataError: it is not what the record promises
        :raises PlaceError: the source broke, or the run is to end
        """
        if self._ahead:
            return self._ahead.popleft()
        return self._read(seconds)

    def _read(self, seconds: float) -> bytes | None:
        if self._stop.is_set():
            raise errors.StoppedError(self._verification.place, 'interrupted')
        if self._ended:
            return b''
        block = self._data.read(seconds)
        now = time.monotonic()
        if block or self._arrived is None:
            self._arrived = now
        if block:
            self._verification.add(block)
        elif block is None and now - self._arrived > _SILENCE_TIMEOUT:
            # It gives something else than data, or nobody would wait.
            self._arrived = now
            self._data.nudge()
        elif block is not None:
            self._verification.finish()
            self._ended = True
        return block

    def blocks(self) -> Iterator[bytes]:
        """Yield all blocks, as ``read`` returns them."""
        while (block := self.read(_STOP_CHECK_INTERVAL)) != b'':
            if block:
                yield block

    def look_ahead(self) -> None:
        """Read as much as tells that there is data, and most formats.

        What is no longer than that is known to be right then.

        :raises PlaceError: nothing needs to be made ready for this
        """
        count = 0
        while count < _HEAD and not self._ended:
            if block := self._read(_STOP_CHECK_INTERVAL):
                self._ahead.append(block)
                count += len(block)

    def __enter__(self) -> 'VerifiedReader':
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._verification.close()
        self._data.close()
