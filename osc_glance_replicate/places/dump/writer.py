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

"""The data of one image, written to a dump."""

from collections.abc import Iterator
import os

from osc_glance_replicate import places
from osc_glance_replicate.places.dump import folder

#: So many zeros, a block of most file systems, become a hole in the file.
_HOLE = bytes(4096)
_TWO_HOLES = 2 * _HOLE


def fill(fd: int, body: places.Body) -> None:
    """Write data that is not written yet, and wait for the disk.

    :param fd: descriptor of a file that holds the beginning of the data
    :param body: all data
    """
    kept = os.fstat(fd).st_size
    position = 0
    for block in map(bytes, body):
        if position + len(block) > kept:
            for place, piece in _pieces(block, position):
                # However data arrives, zeros at both sides of the end of a
                # block are a part of a hole. There is none in a piece, so
                # that it is shorter than two where it has nothing else.
                if piece != _TWO_HOLES[: len(piece)]:
                    folder.write(fd, piece, place)
        position += len(block)
    _end(fd, position)
    folder.sync(fd)


def _end(fd: int, size: int) -> None:
    """Make a file as long as the data is, of which the end may be a hole."""
    written = os.fstat(fd).st_size
    if written < size:
        # Not all file systems make a file longer by ftruncate(2).
        folder.write(fd, b'\0', size - 1)
    elif written > size:
        os.ftruncate(fd, size)


def _pieces(block: bytes, position: int) -> Iterator[tuple[int, bytes]]:
    """Yield the parts of a block that are not zero, each with its position.

    :param position: of the block in the file; holes begin and end at
        multiples of their size, as the file system keeps them
    """
    start = 0
    first = -position % len(_HOLE)
    for offset in range(first, len(block), len(_HOLE)):
        if block.startswith(_HOLE, offset):
            if start < offset:
                yield position + start, block[start:offset]
            start = offset + len(_HOLE)
    if start < len(block):
        yield position + start, block[start:]
