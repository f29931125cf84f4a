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

import concurrent.futures
import hashlib

from osc_glance_replicate import background
from osc_glance_replicate import errors
from osc_glance_replicate.model import image_record


class Verification:
    """The data of one image, counted, hashed and inspected once.

    :param image: its record
    :param place: name of the source, for errors
    :param checksum: whether to hash it
    :param inspect: whether to look at its format
    """

    def __init__(
        self,
        image: image_record.Image,
        place: str,
        checksum: bool,
        inspect: bool = False,
    ) -> None:
        self.place = place
        self._image = image
        self._size = image.size or 0
        self._count = 0
        self._digest = Digest(image if checksum else None)
        self._inspection = None
        if inspect:
            # oslo.utils takes its time to import, and only uploads need it.
            from osc_glance_replicate.transfer import format_inspection

            self._inspection = format_inspection.Inspection(image)

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
        self._digest.update(block)
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
        if problem := self._digest.problem():
            raise errors.DataError(
                self.place,
                f'the data of {self._image.id} is damaged: {problem}',
            )

    def _check_format(self, problem: str) -> None:
        if problem:
            raise errors.DataError(
                self.place,
                f'the data of {self._image.id} is not what its record says: '
                f'{problem}; Glance would refuse it. Mend the record, or give '
                '--no-format-check for a destination that takes anything',
            )

    def close(self) -> None:
        """End the thread that hashes."""
        self._digest.close()


class Digest:
    """The strongest recorded hash of an image, computed in its own thread.

    hashlib releases the GIL, so hashing and moving bytes go on at the same
    time.

    :param image: whose data is hashed; None to hash nothing
    """

    def __init__(self, image: image_record.Image | None) -> None:
        hashed = image.recorded_hash if image else None
        self._algorithm, self._expected = hashed or ('', '')
        if self._algorithm:
            self._hash = hashlib.new(self._algorithm, usedforsecurity=False)
        self._pending: concurrent.futures.Future[None] | None = None

    def update(self, block: bytes) -> None:
        """Hash a block; wait until the one before it is done."""
        if not self._algorithm:
            return
        if self._pending:
            self._pending.result()
        else:
            self._executor = background.Executor()
        self._pending = self._executor.submit(self._hash.update, block)

    def problem(self) -> str:
        """Return how the hash of all blocks differs from the recorded one."""
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

    def close(self) -> None:
        """End the thread."""
        if self._pending:
            self._executor.close()
