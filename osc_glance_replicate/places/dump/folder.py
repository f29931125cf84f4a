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

"""The files of one directory, with no access to anything outside it."""

from collections.abc import Collection, Iterator
import contextlib
import errno
import functools
import logging
import os
import secrets
import stat

#: Files of a dump are for their owner alone (doc/source/user/dump.rst).
_FILE_MODE = 0o600
_DIRECTORY_MODE = 0o700

#: Bytes that are read at a time.
_READ_SIZE = 1024 * 1024

#: Others may have put links and pipes there: no link is followed, and no pipe
#: waited for.
_CAREFULLY = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


#: Errors of a file system that does not know what it is asked for.
UNKNOWN = frozenset(
    (
        errno.EINVAL,
        errno.ENOLCK,
        errno.ENOTTY,
        errno.ENOSYS,
        errno.ENOTSUP,
        errno.EOPNOTSUPP,
    )
)

#: Likewise, of one that lets nobody do it, or do it so: to wait for names,
#: some want a descriptor that can be written to.
_NOT_DONE = UNKNOWN | {
    errno.EACCES,
    errno.EBADF,
    errno.EISDIR,
    errno.EOVERFLOW,
    errno.EPERM,
}

#: What a file system lacks that does not wait until all is on the disk.
_LOST = 'may lose what was just written if the power fails'

LOG = logging.getLogger(__name__)


class Folder:
    """The regular files right inside a directory.

    All methods raise OSError, also for what is no regular file.

    :param path: of the directory, which may itself be a link
    :param create: make the directory if there is none
    :raises FileNotFoundError: there is none
    """

    def __init__(self, path: str, create: bool = False) -> None:
        if create and not os.path.isdir(path):
            os.makedirs(path, _DIRECTORY_MODE, exist_ok=True)
            _sync_directory(os.path.dirname(os.path.abspath(path)))
        self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def names(self) -> list[str]:
        """Return the names of all that is there, files or not."""
        return os.listdir(self._fd)

    @contextlib.contextmanager
    def open(self, name: str, flags: int = os.O_RDONLY) -> Iterator[int]:
        """Open a file.

        :param flags: of open(2)
        :returns: a file descriptor, closed at the end
        """
        # Some devices do something as soon as they are opened.
        self.status(name)
        fd = os.open(name, flags | _CAREFULLY, _FILE_MODE, dir_fd=self._fd)
        try:
            _check(os.fstat(fd), name)
            yield fd
        finally:
            os.close(fd)

    @contextlib.contextmanager
    def open_own(self, name: str) -> Iterator[int]:
        """Open a file to go on writing it, by this descriptor alone.

        It is for its owner alone. One that is not this user's own, see
        :meth:`is_own`, is replaced by a new one.

        :returns: a file descriptor, closed at the end
        """
        status = self.status(name)
        if status and not self.is_own(status):
            self.remove(name)
            status = None
        flags = os.O_RDWR if status else os.O_RDWR | os.O_CREAT | os.O_EXCL
        with self.open(name, flags) as fd:
            # The name may have become that of another file.
            if status and not self.is_own(os.fstat(fd)):
                raise OSError(
                    errno.EBUSY, 'replaced while it was opened', name
                )
            # Not all file systems have modes.
            with contextlib.suppress(OSError):
                os.fchmod(fd, _FILE_MODE)
            yield fd

    def is_own(self, status: os.stat_result) -> bool:
        """Return whether writing to a file concerns no other file or user.

        A snapshot made of hard links would change with it, and so would
        whatever a link that others have put there leads to. Whoever owns a
        file can read what is added to it; but who owns the directory, and he
        alone can write to it, can have all of it.
        """
        if status.st_nlink > 1:
            return False
        here = os.fstat(self._fd)
        shared = here.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        return (
            status.st_uid == os.geteuid()
            or (status.st_uid == here.st_uid and not shared)
            or status.st_uid == self._owner_of_new
        )

    @functools.cached_property
    def _owner_of_new(self) -> int:
        """Whose a new file is: not all file systems have this user's ID."""
        name = f'{secrets.token_hex(8)}.part'
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        try:
            with self.open(name, flags) as fd:
                return os.fstat(fd).st_uid
        finally:
            self.remove(name)

    def status(self, name: str) -> os.stat_result | None:
        """Return the status of a file; None where there is none."""
        try:
            status = os.stat(name, dir_fd=self._fd, follow_symlinks=False)
        except FileNotFoundError:
            return None
        _check(status, name)
        return status

    def read(self, name: str, most: int) -> bytes:
        """Return the content of a file.

        :param most: bytes that it may have
        """
        content = b''
        with self.open(name) as fd:
            while block := os.read(
                fd, min(most + 1 - len(content), _READ_SIZE)
            ):
                content += block
        if len(content) > most:
            raise OSError(errno.EFBIG, f'more than {most} bytes')
        return content

    def replace(self, name: str, content: bytes) -> None:
        """Write a file atomically: it is complete, or as it was before."""
        part = f'{name}.part'
        self.remove(part)
        with self.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as fd:
            write(fd, content)
            sync(fd)
            self.rename(part, name, fd)

    def rename(self, old: str, new: str, fd: int | None = None) -> None:
        """Rename a file, durably.

        :param fd: descriptor of the file that it has to be
        """
        os.rename(old, new, src_dir_fd=self._fd, dst_dir_fd=self._fd)
        sync(self._fd)
        if fd is not None:
            there = self.status(new)
            if not there or not os.path.samestat(there, os.fstat(fd)):
                raise OSError(
                    errno.EBUSY, 'replaced while it was written', new
                )

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._fd)

    def free(self) -> int | None:
        """Return the number of bytes that this user may still write.

        :returns: None where the file system does not tell
        """
        try:
            system = os.fstatvfs(self._fd)
        except OSError as exc:
            if exc.errno not in _NOT_DONE:
                raise
            return None
        if not system.f_blocks:
            return None
        return system.f_bavail * system.f_frsize


class Absent(Folder):
    """A directory that does not exist, and so has no files."""

    def __init__(self) -> None:
        pass

    def names(self) -> list[str]:
        """Return none."""
        return []

    def status(self, name: str) -> None:
        """Return None, as for any missing file."""


def write(fd: int, content: bytes, position: int | None = None) -> None:
    """Write all bytes, at a position or at the current one."""
    rest = memoryview(content)
    while rest:
        if position is None:
            count = os.write(fd, rest)
        else:
            count = os.pwrite(fd, rest, position)
            position += count
        rest = rest[count:]


def sync(fd: int) -> None:
    """Wait until what was written is on the disk: data, or names.

    Not all file systems do that, of directories above all.
    """
    with tolerating(_LOST):
        os.fsync(fd)


@contextlib.contextmanager
def tolerating(
    lack: str, tolerated: Collection[int] = _NOT_DONE
) -> Iterator[None]:
    """Go on where a file system does not do what it is asked for, and tell.

    :param lack: what is not certain then
    :param tolerated: error numbers by which it says so
    :raises OSError: it tries, and fails
    """
    try:
        yield
    except OSError as exc:
        if exc.errno not in tolerated:
            raise
        LOG.debug('%s: %s', lack, exc)
        _warn(f'The file system of the dump {lack}')


@functools.cache
def _warn(problem: str) -> None:
    """Tell of a problem, once."""
    LOG.warning(problem)


def _sync_directory(path: str) -> None:
    # Its names may be written, and not listed.
    with tolerating(_LOST):
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _check(status: os.stat_result, name: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, 'not a regular file', name)
