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

"""A file that is there at the end of a run, whole, and where it should be."""

import collections
from collections.abc import Iterator
import contextlib
import errno
import os
import secrets
import stat
import weakref

from osc_glance_replicate import errors

#: A directory that others may have made: to be gone through, not read.
_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

#: Whatever a name is: to be looked at, not opened.
_ANYTHING = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC

#: A new file, whatever others may have put there.
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC

#: Links in a path, as many as the system follows.
_MOST_LINKS = 40

#: For its owner alone, like a dump.
_MODE = 0o600

#: Those who may write to a directory besides its owner.
_OTHERS = stat.S_IWGRP | stat.S_IWOTH


@contextlib.contextmanager
def named_in_errors(what: str, path: str) -> Iterator[None]:
    """Turn OSErrors into errors that say what could not be written.

    :param what: is in the file
    :raises ReplicateError: for every OSError
    """
    try:
        yield
    except OSError as exc:
        raise errors.ReplicateError(
            f'Cannot write the {what} to {path}: {exc.strerror}'
        ) from exc


class OutputFile:
    """A file that replaces another one when it is written.

    What the path leads to is found out at once, and stays. Links that somebody
    else may have put there are not followed, see :func:`_is_trusted`.

    :param path: of the file
    :param mode: its permissions, whatever the umask is
    :raises OSError: it cannot be written
    """

    def __init__(self, path: str, mode: int = _MODE) -> None:
        self._directory, self._name = _followed(path)
        with contextlib.ExitStack() as stack:
            stack.callback(os.close, self._directory)
            _require_replaceable(self._directory, self._name)
            self._part = f'{self._name}.{secrets.token_hex(4)}.part'
            self._fd = os.open(self._part, _NEW, _MODE, dir_fd=self._directory)
            stack.callback(os.close, self._fd)
            stack.callback(_remove, self._part, self._directory)
            os.fchmod(self._fd, mode)
            # Each run that came to no end would leave one more.
            self._end = weakref.finalize(self, stack.pop_all().close)

    def there(self, most: int) -> bytes:
        """Return what is in the file that it is to replace; b'' for none.

        :param most: bytes that it may have
        :raises OSError: it cannot be read, or has more
        """
        try:
            fd = os.open(
                self._name,
                os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK,
                dir_fd=self._directory,
            )
        except FileNotFoundError:
            return b''
        with os.fdopen(fd, 'rb') as file:
            content = file.read(most + 1)
        if len(content) > most:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        return content

    def discard(self) -> None:
        """Leave nothing behind: it is not going to be written."""
        self._end()

    def write(self, content: bytes) -> None:
        """Write the file, once.

        :raises OSError: it cannot be written; there is nothing of it
        """
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(self._fd, rest) :]
            os.rename(
                self._part,
                self._name,
                src_dir_fd=self._directory,
                dst_dir_fd=self._directory,
            )
        finally:
            self._end()


def _remove(name: str, directory: int) -> None:
    with contextlib.suppress(OSError):
        os.unlink(name, dir_fd=directory)


def _require_replaceable(directory: int, name: str) -> None:
    """Check that a name may become that of a new file.

    To fail now is better than after the work is done.

    :raises OSError: it may not
    """
    try:
        there = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return
    if not stat.S_ISREG(there.st_mode):
        raise FileExistsError(errno.EEXIST, 'it is there, and no file')
    shared = os.fstat(directory)
    if shared.st_mode & stat.S_ISVTX and os.geteuid() not in (
        0,
        there.st_uid,
        shared.st_uid,
    ):
        raise PermissionError(errno.EPERM, 'it belongs to another user')


def _followed(path: str) -> tuple[int, str]:
    """Follow a path, step by step, to where a file is to be.

    :returns: descriptor of a directory, which the caller closes, and a name
        in it that is no link
    :raises OSError: there is no such directory, or a link is not trusted
    """
    steps = collections.deque(_steps(path))
    links = 0
    directory = os.open('.', _DIRECTORY)
    try:
        while True:
            step = steps.popleft()
            if target := _target(directory, step):
                links += 1
                if links > _MOST_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                steps.extendleft(reversed(_steps(target)))
            elif steps:
                entered = os.open(step, _DIRECTORY, dir_fd=directory)
                os.close(directory)
                directory = entered
            else:
                return directory, step
    except OSError:
        os.close(directory)
        raise


def _steps(path: str) -> list[str]:
    """Return the names in a path, the root first if it begins there."""
    root = ['/'] if path.startswith('/') else ['.']
    return [*root, *filter(None, path.split('/'))]


def _target(directory: int, name: str) -> str:
    """Return where a link leads to; nothing where a name is no link.

    :raises OSError: the link is not trusted
    """
    try:
        fd = os.open(name, _ANYTHING, dir_fd=directory)
    except FileNotFoundError:
        return ''
    try:
        link = os.fstat(fd)
        if not stat.S_ISLNK(link.st_mode):
            return ''
        if not _is_trusted(link, os.fstat(directory)):
            raise OSError(errno.ELOOP, f'{name} is a link of another user')
        return os.readlink('', dir_fd=fd)
    finally:
        os.close(fd)


def _is_trusted(link: os.stat_result, directory: os.stat_result) -> bool:
    """Return whether a link has been put where it is by this user or root.

    Others can give what is not theirs a second name, but not a first one.
    """
    trusted = (0, os.geteuid())
    if directory.st_uid in trusted and not directory.st_mode & _OTHERS:
        return True
    return link.st_uid in trusted and link.st_nlink == 1
