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

"""The bytes of one image on their way: hashed, and the last ones held back."""

import collections
from collections.abc import Generator, Iterator
import threading
import time
from typing import TYPE_CHECKING

from osc_glance_replicate import digest
from osc_glance_replicate import errors
from osc_glance_replicate import image as image_record
from osc_glance_replicate import readahead

if TYPE_CHECKING:
    from osc_glance_replicate import formats

#: Bytes read and sent at a time, at the most: larger blocks are no faster,
#: 16 KiB cost three times the CPU (FACTS.md).
BLOCK = 1024 * 1024

#: Bytes sent at a time, at the least. A block has to be taken within the
#: time that a destination may be silent, so that less of it is sent where
#: that takes long.
_LEAST = 16 * 1024

#: Seconds that a block may take before smaller ones are sent.
_SLOW = 5.0

#: Bytes that are held back, at the least: enough to feed a destination with
#: for hours while nothing comes.
_RESERVE = 64 * 1024

#: Seconds of silence before a destination is fed. Some servers drop a peer
#: after four (FACTS.md, "Upload").
_SILENCE = 1.0


class Body:
    """What is sent to a destination: one image's bytes, once.

    The length is known, so that a destination can refuse it at once, and
    the blocks are our own, both of which a generator would not give
    (FACTS.md, "keystoneauth, requests"). The last ones are only given out
    when all bytes before and in them have proved to be the recorded ones, so
    that a corrupt stream never becomes an active image. While nothing comes
    from the source they are given out byte by byte, all but the last, so
    that the destination goes on waiting.

    :param data: the data of the image
    :param image: the source's record
    :param place: name of the source
    :param checksum: whether to hash what passes
    :param stop: set when the run is to end; nothing more is sent then
    :param inspect: whether the destination takes nothing but what is of the
        format that its record says
    """

    def __init__(
        self,
        data: readahead.ReadAhead,
        image: image_record.Image,
        place: str,
        checksum: bool,
        stop: threading.Event,
        inspect: bool = False,
    ) -> None:
        self._data = data
        self._image = image
        self._place = place
        self._size = image.size or 0
        self._digest = digest.Digest(image if checksum else None)
        self._inspection = _inspection(image) if inspect else None
        self._stop = stop
        self._first: collections.deque[bytes] = collections.deque()
        self._sent = False

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        if self._sent:
            # Not a ReplicateError: sending half an image again is a defect
            # of ours that nothing should catch and try once more.
            raise RuntimeError(f'the data of {self._image.id} is sent twice')
        self._sent = True
        return _paced(self._blocks())

    def look_ahead(self) -> None:
        """Read as much as tells that there is data, and most formats.

        :raises DataError: this is not the format that it should be, and
            nothing needs to be sent or made ready
        """
        count = 0
        while count < (BLOCK if self._inspection else 1):
            block = self._wait()
            if not block:
                if self._inspection:
                    self._check_format(self._inspection.finish())
                return
            self._first.append(block)
            count += len(block)
            if self._inspection:
                self._check_format(self._inspection.feed(block))

    def check(self) -> None:
        """Read and hash all that there is, and be ready to read it again.

        :raises PlaceError: as the data would while it is sent
        """
        planned = self._digest
        self._digest = digest.Digest(self._image)
        for _ in self._blocks():
            pass
        self._data.rewind()
        # What is sent may be other data than what was read: it is held back
        # for its hash like any.
        self._digest = planned
        if self._inspection:
            self._inspection = _inspection(self._image)

    def _check_format(self, problem: str) -> None:
        if problem:
            raise errors.DataError(
                self._place,
                f'the data of {self._image.id} is not what its record says: '
                f'{problem}; Glance would refuse it. Mend the record, or give '
                '--no-format-check for a destination that takes anything',
            )

    def _wait(self) -> bytes:
        """Wait for a block, whatever it takes."""
        while (block := self._poll()) is None:
            pass
        return block

    def _poll(self) -> bytes | None:
        """Give the next block, or None where there is none yet."""
        if self._stop.is_set():
            raise errors.StoppedError(self._place, 'interrupted')
        return self._data.read(_SILENCE)

    def _next(self, held: '_Held') -> Generator[bytes, None, bytes]:
        """Give the next block; meanwhile feed the destination."""
        if self._first:
            return self._first.popleft()
        while (block := self._poll()) is None:
            if piece := held.piece():
                yield piece
        if block and self._inspection:
            self._check_format(self._inspection.feed(block))
        return block

    def _blocks(self) -> Iterator[bytes]:
        held = _Held()
        count = 0
        with self._digest as hashed:
            while block := (yield from self._next(held)):
                count += len(block)
                if count > self._size:
                    break
                hashed.update(block)
                yield from held.add(block)
            self._check_end(count, hashed)
        yield from held.rest()

    def _check_end(self, count: int, hashed: digest.Digest) -> None:
        """Hold what has come against what is recorded."""
        if count != self._size:
            # What is short has been tried again by now.
            what = 'more than' if count > self._size else f'{count} of'
            raise errors.DataError(
                self._place,
                f'sent {what} the {self._size} bytes of {self._image.id}',
            )
        if self._inspection:
            self._check_format(self._inspection.finish())
        if problem := hashed.problem():
            raise errors.DataError(
                self._place,
                f'the data of {self._image.id} is damaged: {problem}',
            )


class _Held:
    """The bytes that came last."""

    def __init__(self) -> None:
        self._blocks: collections.deque[bytes] = collections.deque()
        self._size = 0

    def add(self, block: bytes) -> Iterator[bytes]:
        """Keep a block; give those that need not be held back any more."""
        self._blocks.append(block)
        self._size += len(block)
        while self._size - len(self._blocks[0]) >= _RESERVE:
            self._size -= len(self._blocks[0])
            yield self._blocks.popleft()

    def piece(self) -> bytes:
        """Give a byte, unless it is the last one."""
        if self._size < 2:
            return b''
        block = self._blocks.popleft()
        if len(block) > 1:
            self._blocks.appendleft(block[1:])
        self._size -= 1
        return block[:1]

    def rest(self) -> Iterator[bytes]:
        """Give all."""
        return iter(self._blocks)


def _paced(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Cut blocks so that a slow destination takes each of them in time."""
    most = 4 * _LEAST
    for block in blocks:
        position = 0
        while position < len(block):
            piece = block[position : position + most]
            start = time.monotonic()
            yield piece
            if time.monotonic() - start > _SLOW:
                most = max(most // 2, _LEAST)
            else:
                most = min(most * 2, BLOCK)
            position += len(piece)


def _inspection(image: image_record.Image) -> 'formats.Inspection':
    # oslo.utils takes its time to import, and only uploads need it.
    from osc_glance_replicate import formats

    return formats.Inspection(image)
