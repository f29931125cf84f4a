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

"""What is sent of one image: the last of it not before all is right."""

import collections
from collections.abc import Callable, Iterator, Mapping
import time
from typing import Protocol

#: Bytes sent at a time, at the most: they have to be taken within the time
#: that a destination may be silent.
_MAX_PIECE = 1024 * 1024

#: Bytes sent at a time, at the least, where that takes long.
_MIN_PIECE = 16 * 1024

#: Seconds that a block may take before smaller ones are sent.
_SLOW_PIECE = 5.0

#: Bytes that are held back, at the least: enough to feed a destination with
#: for hours while nothing comes.
_RESERVE = 64 * 1024

#: Seconds of silence before a destination is fed. Some servers drop a peer
#: after four (see fact-upload-silence).
_FEED_AFTER = 1.0


class Blocks(Protocol):
    """An image's bytes, checked.

    :ivar digests: their hashes, by algorithm; none before their end
    """

    @property
    def digests(self) -> Mapping[str, str]: ...

    def look_ahead(self) -> None:
        """Wait for the first ones, as VerifiedReader does."""

    def read(self, seconds: float) -> bytes | None:
        """Return the next block, as VerifiedReader does."""


class UploadBody:
    """What is sent to a destination: one image's bytes, once.

    The length is known, so that a destination can refuse it at once
    (see fact-upload-length), and the blocks are our own, both of which a
    generator would not give (see fact-body-object). The last ones are only
    given out when all bytes have proved to be the recorded ones, so that a
    corrupt stream never becomes an active image: without them, the record can
    be filled again (see fact-broken-upload). While nothing comes from the
    source they are given out byte by byte, all but the last, so that the
    destination goes on waiting.

    :param blocks: the data of the image
    :param size: number of its bytes
    :param sent: told how many bytes more have been given out
    :ivar taken_at: when the latest of them were, as of time.monotonic
    :ivar given_up: whether nobody waits for the rest any more
    """

    given_up = False

    def __init__(
        self,
        blocks: Blocks,
        size: int,
        sent: Callable[[int], None] = lambda count: None,
    ) -> None:
        self._blocks = blocks
        self._size = size
        self._tell = sent
        self._was_sent = False
        self._taken = 0
        self.taken_at = time.monotonic()

    def __len__(self) -> int:
        return self._size

    @property
    def digests(self) -> Mapping[str, str]:
        """What was given out, hashed, by algorithm; none before its end."""
        return self._blocks.digests

    @property
    def is_taken(self) -> bool:
        """Whether all of it has been taken."""
        return self._taken == self._size

    def __iter__(self) -> Iterator[bytes | memoryview]:
        if self._was_sent:
            # Not a ReplicateError: sending half an image again is a defect
            # of ours that nothing should catch and try once more.
            raise RuntimeError('the data of an image is sent twice')
        self._was_sent = True
        return _paced(self._noted(self._held_back()))

    def _held_back(self) -> Iterator[bytes]:
        held = _Held()
        while (block := self._blocks.read(_FEED_AFTER / 2)) != b'':
            if self.given_up:
                raise TimeoutError('nobody waits for the rest')
            if block:
                held.add(block)
            pieces = held.surplus()
            if not pieces and time.monotonic() - self.taken_at >= _FEED_AFTER:
                pieces = held.piece()
            yield from pieces
        yield from held.blocks

    def _noted(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Note when each piece has been taken."""
        for piece in pieces:
            yield piece
            self.taken_at = time.monotonic()
            self._taken += len(piece)
            self._tell(len(piece))


class _Held:
    """The bytes that came last."""

    def __init__(self) -> None:
        self.blocks: collections.deque[bytes] = collections.deque()
        self._size = 0

    def add(self, block: bytes) -> None:
        """Keep a block."""
        self.blocks.append(block)
        self._size += len(block)

    def surplus(self) -> list[bytes]:
        """Return what need not be held back."""
        given = []
        while self.blocks and self._size - len(self.blocks[0]) >= _RESERVE:
            self._size -= len(self.blocks[0])
            given.append(self.blocks.popleft())
        return given

    def piece(self) -> list[bytes]:
        """Return a byte, unless it is the last one."""
        if self._size < 2:
            return []
        block = self.blocks.popleft()
        if len(block) > 1:
            self.blocks.appendleft(block[1:])
        self._size -= 1
        return [block[:1]]


def _paced(blocks: Iterator[bytes]) -> Iterator[bytes | memoryview]:
    """Cut blocks so that a slow destination takes each of them in time."""
    most = 4 * _MIN_PIECE
    for block in blocks:
        view = memoryview(block)
        position = 0
        while position < len(view):
            piece = view[position : position + most]
            start = time.monotonic()
            yield piece
            if time.monotonic() - start > _SLOW_PIECE:
                most = max(most // 2, _MIN_PIECE)
            else:
                most = min(most * 2, _MAX_PIECE)
            position += len(piece)
