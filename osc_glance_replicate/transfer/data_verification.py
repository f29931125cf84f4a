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

"""An image's data held against its record while it passes."""

from collections.abc import Collection, Mapping
import concurrent.futures
import hashlib

from osc_glance_replicate import background
from osc_glance_replicate import errors
from osc_glance_replicate.model import image_record

#: Bytes that are hashed at once: they come in one block, so that nothing goes
#: on meanwhile.
_SHORT = 1024 * 1024


class Verification:
    """The data of one image, counted, hashed and inspected once.

    :param image: its record
    :param place: name of the source, for errors
    :param checksum: whether to hold it against the recorded hash
    :param inspect: whether to look at its format
    :param to_hash: algorithms that it is hashed with besides
    :param renamed: the other disk format that it is to be of, whatever else
        is looked at
    :ivar digests: its hashes, by algorithm, as soon as all of it has passed
    """

    def __init__(
        self,
        image: image_record.Image,
        place: str,
        checksum: bool,
        inspect: bool = False,
        to_hash: Collection[str] = (),
        renamed: str = '',
    ) -> None:
        self.place = place
        self.digests: Mapping[str, str] = {}
        self._image = image
        self._size = image.size or 0
        self._count = 0
        self._recorded = image.recorded_hash if checksum else None
        recorded = [self._recorded[0]] if self._recorded else []
        self._hashes = [
            Digest(algorithm, self._size)
            for algorithm in dict.fromkeys([*recorded, *to_hash])
        ]
        self._inspection = None
        self._renamed = renamed
        if inspect or renamed:
            # oslo.utils takes its time to import, and only uploads need it.
            from osc_glance_replicate.transfer import format_inspection

            self._inspection = format_inspection.Inspection(image, renamed)

    def add(self, block: bytes) -> None:
        """Hold the next bytes against the record.

        :raises DataError: they are not what it promises
        """
        self._count += len(block)
        if self._count > self._size:
            raise errors.DataError(
                self.place,
                f'sent more than the {self._size} bytes of {self._image.id}',
            )
        for each in self._hashes:
            each.update(block)
        if self._inspection:
            self._check_format(self._inspection.feed(block))

    def finish(self) -> None:
        """Hold all the bytes against the record.

        :raises DataError: they are not what it promises
        """
        if self._count < self._size:
            # What is short has been tried again by now.
            raise errors.DataError(
                self.place,
                f'sent {self._count} of the {self._size} bytes of '
                f'{self._image.id}',
            )
        if self._inspection:
            self._check_format(self._inspection.finish())
        self.digests = {each.algorithm: each.value() for each in self._hashes}
        self._check_hash()

    def _check_format(self, problem: str) -> None:
        if problem and self._renamed:
            raise errors.DataError(
                self.place,
                f'the data of {self._image.id} is not what --map-format says: '
                f'{problem}; copy it without, or leave it out with --exclude',
            )
        if problem:
            raise errors.DataError(
                self.place,
                f'the data of {self._image.id} is not what its record says: '
                f'{problem}; Glance would refuse it. Mend the record, or give '
                '--no-format-check for a destination that takes anything',
            )

    def _check_hash(self) -> None:
        if not self._recorded:
            return
        algorithm, expected = self._recorded
        found = self.digests[algorithm]
        if found == expected:
            return
        if algorithm in self._image.noted:
            or_else = 'the hash that its dump notes is wrong'
        else:
            or_else = 'its record was made with a wrong hash'
        raise errors.DataError(
            self.place,
            f'the data of {self._image.id} is damaged, or {or_else}: its '
            f'{algorithm} is {found:.16}…, {expected:.16}… is recorded',
        )

    def close(self) -> None:
        """End the threads that hash."""
        for each in self._hashes:
            each.close()


class Digest:
    """A hash of data, computed in its own thread.

    hashlib releases the GIL, so hashing and moving bytes go on at the same
    time.

    :param algorithm: of the hash
    :param size: number of bytes that are to come
    """

    def __init__(self, algorithm: str, size: int) -> None:
        self.algorithm = algorithm
        self._hash = hashlib.new(algorithm, usedforsecurity=False)
        self._is_short = size <= _SHORT
        self._pending: concurrent.futures.Future[None] | None = None

    def update(self, block: bytes) -> None:
        """Hash a block; wait until the one before it is done."""
        if self._is_short:
            self._hash.update(block)
            return
        if self._pending:
            self._pending.result()
        else:
            self._executor = background.Executor()
        self._pending = self._executor.submit(self._hash.update, block)

    def value(self) -> str:
        """Return the hash of all blocks, in hexadecimal."""
        if self._pending:
            self._pending.result()
        return self._hash.hexdigest()

    def close(self) -> None:
        """End the thread."""
        if self._pending:
            self._executor.close()
