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

"""The images of a dump directory, to be read (SPEC, "A dump directory")."""

from collections.abc import Iterator, Mapping, Sequence
import contextlib
import dataclasses
import functools
import json
import os

from osc_glance_replicate import errors
from osc_glance_replicate.model import image_members
from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import image_selection
from osc_glance_replicate.model import ownership
from osc_glance_replicate.model import results
from osc_glance_replicate import places
from osc_glance_replicate.places.dump import files as dump_files
from osc_glance_replicate.places.dump import folder
from osc_glance_replicate.places.dump import record as dump_record

#: Bytes that a file of members may have: hundreds of them.
_MOST_MEMBERS = 1024 * 1024


@dataclasses.dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with the data of an image."""

    result: results.Result
    reason: str


class Directory:
    """A dump, as a source.

    :param path: of the directory
    :raises PlaceError: it cannot be opened
    """

    dates = False

    def __init__(self, path: str) -> None:
        self.name = path
        with self._named_in_errors():
            self._folder = self._open(path)

    def _open(self, path: str) -> folder.Folder:
        return folder.Folder(path)

    def require_dump(self) -> None:
        """Refuse a directory that looks like one where nothing is mounted.

        :raises RefusedError: no dump was ever made into it
        """
        if not any(
            name == dump_files.LOCK or image_record.is_id(name)
            for name in self.files()
        ):
            raise errors.RefusedError(
                self.name,
                'there is no dump in it (no file is named by an image ID); is '
                'it mounted?',
            )

    def images(
        self, selection: image_selection.Selection | None = None
    ) -> Iterator[image_record.Image]:
        """Give all images in ascending order of their IDs.

        A record or a file that cannot be used is an image with a flaw.
        """
        with self._named_in_errors():
            names = self._folder.names()
        for name in sorted(filter(image_record.is_id, names), key=str.lower):
            yield self._image(name)

    def named(self, name: str) -> Sequence[image_record.Image]:
        """Give the images that bear this name."""
        return [image for image in self.images() if image.name == name]

    def find(self, image_id: str) -> image_record.Image | None:
        """Give the image of this ID, or None where there is no record."""
        # What it is, if no file, is told by the flaw of the image.
        with contextlib.suppress(OSError):
            if self._folder.status(image_id) is None:
                return None
        return self._image(image_id)

    def _image(self, image_id: str) -> image_record.Image:
        try:
            content = self._folder.read(image_id, dump_record.MOST)
        except OSError as exc:
            flaw = f'its file cannot be read: {exc.strerror}'
            return image_record.Image({'id': image_id}, flaw)
        image = dump_record.parse(content, image_id)
        return image if image.defect else self._held_against_data(image)

    def members(self, image: image_record.Image) -> Mapping[str, str] | None:
        """Give the members of a shared image: project ID → status.

        :returns: None where they were not dumped
        :raises DataError: the file that holds them is damaged
        """
        name = dump_files.members_name(image)
        with self._named_in_errors(name):
            if not self._folder.status(name):
                return None
            content = self._folder.read(name, _MOST_MEMBERS)
        try:
            return image_members.parse(json.loads(content))
        except (ValueError, RecursionError) as exc:
            raise errors.DataError(
                self.name, f'{name} is damaged: {exc}'
            ) from exc

    def known(self) -> Mapping[str, ownership.Project]:
        """Give the projects whose names were dumped, by ID.

        :raises DataError: the file that holds them is damaged
        """
        return self._known

    @functools.cached_property
    def _known(self) -> Mapping[str, ownership.Project]:
        with self._named_in_errors(dump_files.PROJECTS):
            if not self._folder.status(dump_files.PROJECTS):
                return {}
            content = self._folder.read(dump_files.PROJECTS, dump_record.MOST)
        try:
            return dump_record.parse_projects(content)
        except (ValueError, RecursionError) as exc:
            raise errors.DataError(
                self.name, f'{dump_files.PROJECTS} is damaged: {exc}'
            ) from exc

    def _held_against_data(
        self, image: image_record.Image
    ) -> image_record.Image:
        """Find fault with an image whose data is not as long as it should be.

        What was not active when it was dumped has no data.
        """
        if image.status not in image_record.SETTLED:
            return image
        flaw = self.flaw(image)
        return dataclasses.replace(image, flaw=flaw.reason if flaw else '')

    def flaw(self, image: image_record.Image) -> Flaw | None:
        """Look at the data of an image, without reading it.

        :returns: what is wrong, if anything is
        """
        name = dump_files.data_name(image)
        try:
            status = self._folder.status(name)
        except OSError as exc:
            return Flaw(results.Result.DAMAGED, f'{name}: {exc.strerror}')
        if status is None:
            return Flaw(results.Result.MISSING, f'{name} is missing')
        size = image.size or 0
        if status.st_size == size:
            return None
        return Flaw(
            results.Result.SHORT
            if status.st_size < size
            else results.Result.DAMAGED,
            wrong_length(image, status.st_size),
        )

    def is_closed(self, image: image_record.Image) -> bool:
        """Say whether this user may not read the files of an image."""
        for name in (
            image.id,
            dump_files.data_name(image),
            dump_files.members_name(image),
        ):
            try:
                with self._folder.open(name):
                    pass
            except PermissionError:
                return True
            except OSError:
                # Another user would not fare better.
                continue
        return False

    def files(self) -> dict[str, int | None]:
        """Give the sizes of all that is there; None for what is no file."""
        found: dict[str, int | None] = {}
        with self._named_in_errors():
            names = self._folder.names()
        for name in names:
            found[name] = None
            with contextlib.suppress(OSError):
                if status := self._folder.status(name):
                    found[name] = status.st_size
        return found

    @contextlib.contextmanager
    def read(
        self, image: image_record.Image, start: int = 0
    ) -> Iterator[places.Data]:
        """Open an image's data.

        :param start: number of bytes to leave out
        :raises DataError: it is not as long as its record says; while
            reading: the file has changed meanwhile
        """
        size = image.size or 0
        with contextlib.ExitStack() as stack:
            name = dump_files.data_name(image)
            with self._named_in_errors(name):
                fd = stack.enter_context(self._folder.open(name))
            length = os.fstat(fd).st_size
            if length != size:
                raise errors.DataError(self.name, wrong_length(image, length))
            yield Reader(self.name, fd, start, size)

    @contextlib.contextmanager
    def _named_in_errors(self, name: str = '') -> Iterator[None]:
        """Name the place, and the file if any, in errors of the system.

        :raises RefusedError: for every OSError: files do not mend themselves
        """
        try:
            yield
        except OSError as exc:
            problem = exc.strerror or str(exc)
            raise errors.RefusedError(
                self.name, f'{name}: {problem}' if name else problem
            ) from exc


class Reader:
    """A piece of a file, as data.

    :param place: name of the place
    :param fd: of the open file
    :param start: where the piece starts
    :param end: where it ends
    """

    unwanted = 0

    def __init__(self, place: str, fd: int, start: int, end: int) -> None:
        self._place = place
        self._fd = fd
        self._start = start
        self._position = start
        self._end = end
        self._before = _fingerprint(fd)

    def read(self, most: int) -> bytes:
        """Give bytes, as ``places.Data`` does.

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

    def rewind(self) -> None:
        """Start again; a change since the first time still counts."""
        self._position = self._start

    def fileno(self) -> None:
        """Tell nothing: a file that has to be read from a disk is ready."""

    def interrupt(self) -> None:
        """Do nothing: a file does not let anybody wait."""


def wrong_length(image: image_record.Image, length: int) -> str:
    """Say that there is more data, or less, than there should be."""
    return (
        f'{dump_files.data_name(image)} has {length} bytes, {image.size} are '
        'recorded'
    )


def _fingerprint(fd: int) -> tuple[int, int]:
    status = os.fstat(fd)
    return status.st_size, status.st_mtime_ns
