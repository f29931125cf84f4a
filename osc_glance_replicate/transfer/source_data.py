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

"""One image's data at its source: opened, watched, and measured."""

import contextlib
import select
import time

from osc_glance_replicate import errors
from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import proof
from osc_glance_replicate import places
from osc_glance_replicate.transfer import bandwidth

#: Bytes per second that a source has to send.
_MIN_RATE = 100

#: Seconds over which that is measured.
_RATE_WINDOW = 60.0

#: Milliseconds to wait for data before a thread is had to do that.
_POLL_TIMEOUT = 100


class SourceData:
    """The data of an image at its source, which may be opened several times.

    :param source: where it is
    :param image: the source's record
    """

    def __init__(
        self, source: places.Readable, image: image_record.Image
    ) -> None:
        self.place = source.name
        self.size = image.size or 0
        self._source = source
        self._image = image
        self._was_opened = False

    def open(self, start: int) -> 'Stream':
        """Open the data.

        :param start: number of bytes to leave out
        :raises DataError: it is not what it was when it was opened before
        """
        with contextlib.ExitStack() as stack:
            data = stack.enter_context(self._source.read(self._image, start))
            if self._was_opened:
                self._check_unchanged()
            self._was_opened = True
            return Stream(self, data, stack.pop_all())

    def _check_unchanged(self) -> None:
        """Find out whether the rest still belongs to what was read before."""
        found = self._source.find(self._image.id)
        if found is None or not proof.same_data(self._image, found)[0]:
            raise errors.DataError(
                self.place,
                f'the data of {self._image.id} was changed or deleted while '
                'it was read',
            )

    def broken(
        self,
        what: str,
        kind: type[errors.TransientError] = errors.TransientError,
    ) -> errors.TransientError:
        """Return the error that says how the source broke."""
        return kind(
            self.place, f'{what} of the {self.size} bytes of {self._image.id}'
        )


class Stream:
    """The data of an image since it was last opened.

    :param origin: what was opened
    :param data: the data
    :param closing: closes it
    :ivar poll: is ready when a read would not wait; None where nothing tells
    """

    def __init__(
        self,
        origin: SourceData,
        data: places.Data,
        closing: contextlib.ExitStack,
    ) -> None:
        self.data = data
        self._origin = origin
        self._closing = closing
        self._throughput = Throughput()
        self.poll: select.poll | None = None
        if (fileno := data.fileno()) is not None:
            self.poll = select.poll()
            self.poll.register(fileno, select.POLLIN)

    def read(self, most: int, limit: bandwidth.Bandwidth) -> bytes | None:
        """Read some.

        :param most: number of bytes at the most
        :param limit: of the bytes per second
        :returns: b'' at the end; None where nothing of it was wanted
        :raises TransientError: it broke, or is too slow
        """
        most = limit.grant(most)
        before = time.monotonic()
        data = self.data.read(most)
        limit.give_back(most - len(data))
        seconds = time.monotonic() - before
        if problem := self._throughput.add(len(data), seconds):
            raise self._origin.broken(problem)
        if not self.data.unwanted or not data:
            return data
        dropped = min(self.data.unwanted, len(data))
        self.data.unwanted -= dropped
        return data[dropped:] or None

    def has_arrived(self) -> bool:
        """Wait for a moment; return whether a read would not wait."""
        if not self.poll:
            return False
        before = time.monotonic()
        ready = self.poll.poll(_POLL_TIMEOUT)
        # A source that dribbles makes nobody wait longer than the window.
        self._throughput.seconds += time.monotonic() - before
        return bool(ready)

    def close(self) -> None:
        """Close the data."""
        self._closing.close()


class Throughput:
    """What a source sends in a window of time, which must not be too little.

    :ivar seconds: that the source has been waited for in this window
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._count = 0

    def add(self, count: int, seconds: float) -> str:
        """Count what was sent.

        :param count: number of bytes
        :param seconds: that they took
        :returns: what is wrong, or ''
        """
        self._count += count
        self.seconds += seconds
        if self.seconds < _RATE_WINDOW:
            return ''
        if self._count < _MIN_RATE * _RATE_WINDOW:
            return f'sent {self._count} bytes in {self.seconds:.0f} s,'
        self.seconds, self._count = 0.0, 0
        return ''
