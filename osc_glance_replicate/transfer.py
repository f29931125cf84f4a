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

from collections.abc import Iterator
import concurrent.futures
import hashlib
import io
import threading
from typing import TYPE_CHECKING

from osc_glance_replicate import errors
from osc_glance_replicate import image as image_record
from osc_glance_replicate import places

if TYPE_CHECKING:
    from osc_glance_replicate import formats

#: Bytes read and sent at a time, at the most: larger blocks are no faster,
#: 16 KiB cost three times the CPU (FACTS.md).
BLOCK = 1024 * 1024

#: What hashlib can compute; the digest of a SHAKE has no length of its own.
_ALGORITHMS = frozenset(
    name
    for name in hashlib.algorithms_guaranteed
    if not name.startswith('shake')
)


def recorded_hash(image: image_record.Image) -> tuple[str, str] | None:
    """Give the strongest hash that is recorded and can be computed here.

    :returns: algorithm and hexadecimal value; None where there is none
    """
    for algorithm, value in image.digests.items():
        if algorithm in _ALGORITHMS:
            return algorithm, value
    return None


class Joined:
    """Data that comes from several places, one after the other."""

    def __init__(self, *parts: places.Data) -> None:
        self._parts = parts

    def read(self, most: int) -> bytes:
        """Give what has arrived, as ``places.Data`` does."""
        while self._parts:
            if data := self._parts[0].read(most):
                return data
            self._parts = self._parts[1:]
        return b''

    def rewind(self) -> None:
        """Refuse to start again: parts that are read are let go."""
        raise io.UnsupportedOperation


class Body:
    """What is sent to a destination: one image's bytes, once.

    The length is known, so that a destination can refuse it at once, and
    the blocks are our own, both of which a generator would not give
    (FACTS.md, "keystoneauth, requests"). The last block is only given out
    when all bytes before and in it have proved to be the recorded ones, so
    that a corrupt stream never becomes an active image.

    :param data: the opened data of the image
    :param image: the source's record
    :param place: name of the source
    :param checksum: whether to hash what passes
    :param stop: set when the run is to end; the next block is not sent then
    :param inspect: whether the destination takes nothing but what is of the
        format that its record says
    """

    def __init__(
        self,
        data: places.Data,
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
        self._digest = _Digest(image if checksum else None)
        self._inspection = _inspection(image) if inspect else None
        self._stop = stop
        self._first = b''
        self._sent = False

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        if self._sent:
            # Not a ReplicateError: sending half an image again is a defect
            # of ours that nothing should catch and try once more.
            raise RuntimeError(f'the data of {self._image.id} is sent twice')
        self._sent = True
        return self._blocks()

    def look_ahead(self) -> None:
        """Read as much as tells most formats.

        :raises DataError: this is not the format that it should be, and
            nothing needs to be sent or made ready
        """
        if not self._inspection:
            return
        while len(self._first) < BLOCK:
            block = self._data.read(BLOCK - len(self._first))
            if not block:
                self._check_format(self._inspection.finish())
                return
            self._first += block
            self._check_format(self._inspection.feed(block))

    def check(self) -> None:
        """Read and hash all that there is, and be ready to read it again.

        :raises PlaceError: as the data would while it is sent
        """
        digest = self._digest
        self._digest = _Digest(self._image)
        for _ in self._blocks():
            pass
        self._data.rewind()
        # What is sent may be other data than what was read: it is held back
        # for its hash like any.
        self._digest = digest
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

    def _read(self) -> bytes:
        if first := self._first:
            self._first = b''
            return first
        block = self._data.read(BLOCK)
        if block and self._inspection:
            self._check_format(self._inspection.feed(block))
        return block

    def _blocks(self) -> Iterator[bytes]:
        held = b''
        count = 0
        with self._digest as digest:
            while block := self._read():
                if self._stop.is_set():
                    raise errors.StoppedError(self._place, 'interrupted')
                count += len(block)
                if count > self._size:
                    break
                digest.update(block)
                if held:
                    yield held
                held = block
            if count < self._size:
                raise errors.TransientError(
                    self._place,
                    f'sent {count} of the {self._size} bytes of '
                    f'{self._image.id}',
                )
            if count > self._size:
                raise errors.DataError(
                    self._place,
                    f'sent more than the {self._size} bytes of '
                    f'{self._image.id}',
                )
            if self._inspection:
                self._check_format(self._inspection.finish())
            if problem := digest.problem():
                raise errors.DataError(
                    self._place,
                    f'the data of {self._image.id} is damaged: {problem}',
                )
        if held:
            yield held


def _inspection(image: image_record.Image) -> 'formats.Inspection':
    # oslo.utils takes its time to import, and only uploads need it.
    from osc_glance_replicate import formats

    return formats.Inspection(image)


class _Digest:
    """The strongest recorded hash of an image, computed in its own thread.

    hashlib releases the GIL, so hashing and moving bytes go on at the same
    time.

    :param image: whose data is hashed; None to hash nothing
    """

    def __init__(self, image: image_record.Image | None) -> None:
        hashed = recorded_hash(image) if image else None
        self._algorithm, self._expected = hashed or ('', '')

    def __enter__(self) -> '_Digest':
        if self._algorithm:
            self._hash = hashlib.new(self._algorithm, usedforsecurity=False)
            self._thread = concurrent.futures.ThreadPoolExecutor(1)
            self._pending: concurrent.futures.Future[None] | None = None
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._algorithm:
            self._thread.shutdown()

    def update(self, block: bytes) -> None:
        """Hash a block; waits until the one before it is done."""
        if not self._algorithm:
            return
        if self._pending:
            self._pending.result()
        self._pending = self._thread.submit(self._hash.update, block)

    def problem(self) -> str:
        """Say how the hash of all blocks differs from the recorded one."""
        if not self._algorithm:
            return ''
        if self._pending:
            self._pending.result()
        actual = self._hash.hexdigest()
        if actual == self._expected:
            return ''
        return (
            f'its {self._algorithm} is {actual:.16}…, '
            f'{self._expected:.16}… is recorded'
        )
