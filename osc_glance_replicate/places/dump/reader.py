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

"""The data of one image, read from a dump."""

import os

from osc_glance_replicate import errors


class Reader:
    """A part of a file, as data.

    :param place: name of the place
    :param fd: descriptor of the open file
    :param start: position of the first byte
    :param end: position after the last byte
    """

    unwanted = 0
    # It is hashed while more of it is read.
    prompt = False

    def __init__(self, place: str, fd: int, start: int, end: int) -> None:
        self._place = place
        self._fd = fd
        self._position = start
        self._end = end
        self._before = _fingerprint(fd)

    def read(self, most: int) -> bytes:
        """Return bytes, as ``places.Data`` does.

        :raises DataError: at the end: the file was changed meanwhile
        :raises RefusedError: the disk is broken
        """
        most = min(most, self._end - self._position)
        try:
            data = os.pread(self._fd, most, self._position)
        except OSError as exc:
            raise errors.RefusedError(self._place, exc.strerror) from exc
        self._position += len(data)
        if not data and _fingerprint(self._fd) != self._before:
            raise errors.DataError(self._place, 'changed while it was read')
        return data

    def fileno(self) -> None:
        """Return nothing: to poll, a file on a disk is always ready."""

    def interrupt(self) -> None:
        """Do nothing: no read of a file waits for a peer."""


def _fingerprint(fd: int) -> tuple[int, int]:
    status = os.fstat(fd)
    return status.st_size, status.st_mtime_ns
