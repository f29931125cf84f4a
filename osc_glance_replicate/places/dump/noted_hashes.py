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

"""The hashes that a dump notes of data that had none where it came from."""

import errno
import threading

from osc_glance_replicate.places.dump import checksums
from osc_glance_replicate.places.dump import folder

#: By which such data is hashed, and the file that holds its hashes.
ALGORITHM = 'sha512'
FILE = checksums.FILES[ALGORITHM]


class NotedHashes:
    """What SHA512SUMS says, read when it is asked for.

    :param files: the dump directory
    """

    def __init__(self, files: folder.Folder) -> None:
        self._folder = files
        self._lock = threading.Lock()
        #: What the file was when it was read, and what it said.
        self._seen: object = None
        self._found: dict[str, str] = {}
        self._trouble = ''

    def add(self, name: str, digest: str) -> None:
        """Note what this process has noted there by now."""
        with self._lock:
            self._found[name] = digest

    def of(self, name: str) -> str:
        """Return the hash of a file, in hexadecimal; '' where there is none.

        :raises OSError: what is noted cannot be read, or contradicts itself
        """
        with self._lock:
            if name not in self._found:
                self._read()
            if self._trouble:
                raise OSError(errno.EIO, self._trouble, FILE)
            found = self._found.get(name, '')
        if ' ' in found:
            raise OSError(errno.EINVAL, f'two hashes of {name}', FILE)
        return found if checksums.is_digest(ALGORITHM, found) else ''

    def _read(self) -> None:
        """Read the file, unless it is what it was."""
        try:
            status = self._folder.status(FILE)
        except OSError as exc:
            self._seen, self._trouble = object(), str(exc.strerror)
            return
        seen = status and (status.st_mtime_ns, status.st_size)
        if seen == self._seen:
            return
        self._seen, self._trouble = seen, ''
        try:
            if seen:
                self._found.update(checksums.read(self._folder, FILE)[0])
        except OSError as exc:
            self._trouble = str(exc.strerror)
