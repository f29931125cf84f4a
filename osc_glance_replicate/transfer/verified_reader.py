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
from collections.abc import Callable
import contextlib
import dataclasses
import threading
import time
from typing import TYPE_CHECKING

from osc_glance_replicate import errors
from osc_glance_replicate.model import image_record
from osc_glance_replicate import places
from osc_glance_replicate.transfer import bandwidth
from osc_glance_replicate.transfer import digest
from osc_glance_replicate.transfer import read_ahead as readahead
from osc_glance_replicate.transfer import resuming_reader as resume

if TYPE_CHECKING:
    from osc_glance_replicate.transfer import format_inspection as formats

#: Bytes read at a time, at the most: larger blocks are no faster.
BLOCK = 1024 * 1024

#: At the least: 16 KiB cost three times the CPU (FACTS.md).
_SMALLEST = 128 * 1024

#: Bytes that are read at a time by all transfers. Each has three such blocks.
_SHARED = 3 * 1024 * 1024

#: Bytes that are looked at before a record is made.
_HEAD = 1024 * 1024

#: Seconds after which somebody who waits looks whether the run has ended.
_PATIENCE = 1.0

#: Seconds without data, whatever else a source gives, before it is opened
#: again.
_SILENCE = 90.0


@dataclasses.dataclass(frozen=True, slots=True)
class Checks:
    """What the data of an image is held against, and when.

    :param checksum: whether to hash it on its way
    :param formats: whether to hold it against the format that its record
        says, where the destination does
    :param first: read all of it before anything is made of it; the source
        must be able to give it again
    """

    checksum: bool = True
    formats: bool = True
    first: bool = False


class Checked:
    """Data whose end is only given when all of it is what is recorded.

    :param data: the data
    :param image: its record
    :param place: name of the source
    :param checksum: whether to hash it
    :param inspect: whether to look at its format
    :param stop: set when the run is to end
    :param first: whether to read all of it before any of it is given
    :param tell: told how many bytes more have been read for that
    """

    def __init__(
        self,
        data: readahead.ReadAhead,
        image: image_record.Image,
        place: str,
        checksum: bool,
        stop: threading.Event,
        inspect: bool = False,
        first: bool = False,
        tell: Callable[[int], None] = lambda count: None,
    ) -> None:
        self._data = data
        self._image = image
        self._place = place
        self._size = image.size or 0
        self._checksum = checksum
        self._inspect = inspect
        self._first = first
        self._tell = tell
        self._stop = stop
        self._ahead: collections.deque[bytes] = collections.deque()
        self._closing = contextlib.ExitStack()
        self._arrived = time.monotonic()
        self._begin(checksum or first)

    def _begin(self, checksum: bool) -> None:
        self._count = 0
        self._ended = False
        self._digest = self._closing.enter_context(
            digest.Digest(self._image if checksum else None)
        )
        self._inspection = _inspection(self._image) if self._inspect else None

    def read(self, seconds: float) -> bytes | None:
        """Give the next block.

        :param seconds: to wait for it
        :returns: b'' when all has come and is right; None where nothing has
            come yet
        :raises DataError: it is not what the record promises
        :raises PlaceError: the source broke
        """
        if self._ahead:
            return self._ahead.popleft()
        return self._read(seconds)

    def _read(self, seconds: float) -> bytes | None:
        if self._stop.is_set():
            raise errors.StoppedError(self._place, 'interrupted')
        if self._ended:
            return b''
        block = self._data.read(seconds)
        now = time.monotonic()
        if block:
            self._arrived = now
            self._check(block)
        elif block is None and now - self._arrived > _SILENCE:
            # It gives something else than data, or nobody would wait.
            self._arrived = now
            self._data.nudge()
        elif block is not None:
            self._check_end()
            self._ended = True
        return block

    def look_ahead(self) -> None:
        """Read as much as tells that there is data, and most formats.

        What is no longer than that is known to be right then. So is the
        rest, where all of it is to be read first.

        :raises PlaceError: nothing needs to be made ready for this
        """
        if self._first:
            self._rehearse()
        count = 0
        while count < _HEAD and not self._ended:
            if block := self._read(_PATIENCE):
                self._ahead.append(block)
                count += len(block)

    def _rehearse(self) -> None:
        """Read and hash all that there is, and be ready to read it again."""
        while not self._ended:
            if block := self._read(_PATIENCE):
                self._tell(len(block))
        self._data.rewind()
        # What is sent may be other data than what was read: it is held
        # against the record like any.
        self._begin(self._checksum)

    def _check(self, block: bytes) -> None:
        self._count += len(block)
        if self._count > self._size:
            raise errors.DataError(
                self._place,
                f'sent more than the {self._size} bytes of {self._image.id}',
            )
        self._digest.update(block)
        if self._inspection:
            self._check_format(self._inspection.feed(block))

    def _check_end(self) -> None:
        if self._count < self._size:
            # What is short has been tried again by now.
            raise errors.DataError(
                self._place,
                f'sent {self._count} of the {self._size} bytes of '
                f'{self._image.id}',
            )
        if self._inspection:
            self._check_format(self._inspection.finish())
        if problem := self._digest.problem():
            raise errors.DataError(
                self._place,
                f'the data of {self._image.id} is damaged: {problem}',
            )

    def _check_format(self, problem: str) -> None:
        if problem:
            raise errors.DataError(
                self._place,
                f'the data of {self._image.id} is not what its record says: '
                f'{problem}; Glance would refuse it. Mend the record, or give '
                '--no-format-check for a destination that takes anything',
            )

    def __enter__(self) -> 'Checked':
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._closing.close()
        self._data.close()


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """How the data of images is read in a run.

    :param source: where it is
    :param retries: how often to open it again where it breaks
    :param checks: what it is held against
    :param limit: of the bytes per second that are read
    :param block: number of bytes to read at a time
    :ivar stop: to be set when the run is to end
    """

    source: places.Source
    retries: int
    checks: Checks = Checks()
    limit: bandwidth.Bandwidth = dataclasses.field(
        default_factory=bandwidth.Bandwidth
    )
    block: int = BLOCK
    stop: threading.Event = dataclasses.field(default_factory=threading.Event)

    def open(
        self,
        image: image_record.Image,
        inspect: bool,
        kept: places.Data | None = None,
        start: int = 0,
        tell: Callable[[int], None] = lambda count: None,
    ) -> Checked:
        """Get ready to read an image's data.

        :param inspect: whether the destination takes nothing but what is of
            the format that the record says
        :param kept: what an interrupted run has left of the data
        :param start: number of bytes that are kept
        :param tell: told how far it is where all is read first
        """
        data = resume.Resuming(
            self.source,
            image,
            self.retries,
            self.limit,
            kept,
            start,
            rehearsal=self.checks.first,
        )
        return Checked(
            readahead.ReadAhead(data, self.block),
            image,
            self.source.name,
            # Nobody knows who has written what was kept.
            checksum=self.checks.checksum or start > 0,
            inspect=inspect and self.checks.formats,
            stop=self.stop,
            first=self.checks.first,
            tell=tell,
        )


def fair_block(transfers: int) -> int:
    """Give a size of blocks that keeps the memory of a run within bounds.

    :param transfers: number of images at a time
    :returns: bytes
    """
    return max(_SMALLEST, min(BLOCK, _SHARED // transfers))


def _inspection(image: image_record.Image) -> 'formats.Inspection':
    # oslo.utils takes its time to import, and only uploads need it.
    from osc_glance_replicate.transfer import format_inspection as formats

    return formats.Inspection(image)
