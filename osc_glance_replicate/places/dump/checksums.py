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

"""The files by which ``sha512sum -c`` and its kin verify a dump."""

from collections.abc import Iterator, Mapping
import errno
import hashlib
import os
import re
import threading

from osc_glance_replicate.places.dump import folder

#: Bytes that such a file may have, enough for a million images.
_MAX_SIZE = 256 * 1024 * 1024

#: Bytes that are looked at together.
_BLOCK = 1024 * 1024

#: Bytes that a line of ours never has.
_MAX_LINE = 256

#: A line as coreutils take it, or as an editor has left it; any other, or a
#: torn one, is left out.
_LINE = re.compile(
    rb'^([0-9a-fA-F]{32,128}) [ *]([0-9a-fA-F-]{36}\.img)\r?\n', re.MULTILINE
)

#: The file of each algorithm that coreutils can check.
FILES = {
    algorithm: f'{algorithm.upper()}SUMS'
    for algorithm in ('sha512', 'sha384', 'sha256', 'sha224', 'sha1', 'md5')
}


class Checksums:
    """The recorded hash of each file, by algorithm.

    The next dump mends a last line that a power cut has torn. No image whose
    record has no hash has a record then: its line is on the disk before.

    :param files: the dump directory
    """

    def __init__(self, files: folder.Folder) -> None:
        self._folder = files
        self._sums: dict[str, dict[str, str]] = {}
        self._lock = threading.Lock()

    def add(
        self, digests: Mapping[str, str], name: str, durably: bool = False
    ) -> None:
        """Add the strongest of some hashes, if there is one.

        :param digests: of the data, by algorithm, the strongest first
        :param name: of the file that holds it
        :param durably: wait for the disk, as the hash is nowhere else
        :raises OSError: the hash cannot be written
        """
        for algorithm, digest in digests.items():
            if algorithm in FILES and is_digest(algorithm, digest):
                with self._lock:
                    self._note(FILES[algorithm], name, digest, durably)
                return

    def _note(self, file: str, name: str, digest: str, durably: bool) -> None:
        # If this fails, the file is read and mended before the next line.
        sums = self._sums.pop(file, None) or self._load(file)
        if sums.get(name) != digest:
            is_new = name not in sums
            sums[name] = digest
            if not (is_new and self._append(file, name, digest, durably)):
                self._write(file, sums)
        self._sums[file] = sums

    def _append(
        self, file: str, name: str, digest: str, durably: bool
    ) -> bool:
        """Add a line, unless that would change what is not this user's own."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        with self._folder.open(file, flags) as fd:
            if not self._folder.is_own(os.fstat(fd)):
                return False
            folder.write(fd, _lines(name, digest))
            if durably:
                folder.sync(fd)
        return True

    def _load(self, file: str) -> dict[str, str]:
        """Read a file, without lines that are torn or of no file any more."""
        if not (status := self._folder.status(file)):
            return {}
        sums, length = read(self._folder, file)
        kept = sum(len(_lines(*entry)) for entry in sums.items())
        if kept < length or not self._folder.is_own(status):
            self._write(file, sums)
        return sums

    def _write(self, file: str, sums: Mapping[str, str]) -> None:
        lines = (_lines(*entry) for entry in sums.items())
        self._folder.replace(file, b''.join(lines))


def read(files: folder.Folder, file: str) -> tuple[dict[str, str], int]:
    """Read a file of hashes, without lines that mean nothing.

    Lines of what is not there any more are among these.

    :returns: the hash of each file, or two with a space between where it
        contradicts itself; and the number of bytes that were read
    :raises OSError: it cannot be read, or is too long
    """
    there = set(files.names())
    found: dict[str, str] = {}
    length = 0
    for block in _blocks(files, file):
        length += len(block)
        for match in _LINE.finditer(block):
            name, digest = match[2].decode(), match[1].decode().lower()
            if name not in there:
                continue
            if digest not in found.setdefault(name, digest):
                found[name] = f'{found[name].split()[0]} {digest}'
    return found, length


def _blocks(files: folder.Folder, name: str) -> Iterator[bytes]:
    """Yield the content of a file of hashes, cut where lines end.

    Anyone may have made it, of lines that are nothing but memory.

    :raises OSError: it cannot be read, or is too long
    """
    length = 0
    with (
        files.open(name) as fd,
        open(fd, 'rb', closefd=False) as stream,
    ):
        while block := stream.read(_BLOCK) + stream.readline(_MAX_LINE):
            length += len(block)
            if length > _MAX_SIZE:
                raise OSError(
                    errno.EFBIG, f'more than {_MAX_SIZE} bytes', name
                )
            yield block


def is_digest(algorithm: str, digest: str) -> bool:
    """Return whether a text can be a hash by an algorithm, in hexadecimal."""
    size = hashlib.new(algorithm, usedforsecurity=False).digest_size
    return bool(re.fullmatch(f'[0-9a-f]{{{2 * size}}}', digest))


def _lines(name: str, digests: str) -> bytes:
    return ''.join(f'{each}  {name}\n' for each in digests.split()).encode()
