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

"""The hash of an image's data, computed while it passes."""

import concurrent.futures
import hashlib

from osc_glance_replicate import background
from osc_glance_replicate.model import image_record


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
