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

"""A dump directory, as a source (doc/source/user/dump.rst)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
import contextlib
import dataclasses
import functools
import os
from typing import TypeVar

from osc_glance_replicate import errors
from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import image_selection
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import ownership
from osc_glance_replicate import places
from osc_glance_replicate.places.dump import folder
from osc_glance_replicate.places.dump import layout
from osc_glance_replicate.places.dump import members
from osc_glance_replicate.places.dump import noted_hashes
from osc_glance_replicate.places.dump import projects
from osc_glance_replicate.places.dump import reader
from osc_glance_replicate.places.dump import records

_Content = TypeVar('_Content')


#: Status of an image whose data the tool that dumped it has left out.
_LEFT_OUT = 'deactivated (its data was not dumped)'


@dataclasses.dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with the data of an image."""

    result: outcomes.Result
    reason: str


class Source(ownership.Projects):
    """The images of a dump.

    :param path: of the directory
    :raises PlaceError: it cannot be opened
    """

    dates = False

    def __init__(self, path: str) -> None:
        self.name = path
        with self._named_in_errors():
            self._folder = self._open(path)
        self._noted = noted_hashes.NotedHashes(self._folder)

    def _open(self, path: str) -> folder.Folder:
        return folder.Folder(path)

    def require_dump(self) -> None:
        """Refuse a directory that looks like an empty mount point.

        :raises RefusedError: no dump was ever made into it
        """
        if not any(
            name == layout.LOCK or image_record.is_id(name)
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
        """Yield all images in ascending order of their IDs.

        A record or a file that cannot be used is an image with a flaw.
        """
        with self._named_in_errors():
            names = self._folder.names()
        ids = filter(image_record.is_id, names)
        for name in sorted(ids, key=image_record.rank):
            yield self._image(name)

    def named(self, name: str) -> Sequence[image_record.Image]:
        """Return the images with this name."""
        return [image for image in self.images() if image.name == name]

    def find(self, image_id: str) -> image_record.Image | None:
        """Return the image with this ID, or None where there is no record."""
        # What is there, but no file, becomes the flaw of the image.
        with contextlib.suppress(OSError):
            if self._folder.status(image_id) is None:
                return None
        return self._image(image_id)

    def _image(self, image_id: str) -> image_record.Image:
        try:
            content = self._folder.read(image_id, records.MAX_SIZE)
        except OSError as exc:
            flaw = f'its file cannot be read: {exc.strerror}'
            return image_record.Image({'id': image_id}, flaw)
        image = self._parse(content, image_id)
        if not image.defect and not image.recorded_hash:
            image = self._with_noted(image)
        return image if image.defect else self._check_data(image)

    def _parse(self, content: bytes, image_id: str) -> image_record.Image:
        """Return the record in a file."""
        return records.parse(content, image_id)

    def _with_noted(self, image: image_record.Image) -> image_record.Image:
        """Return an image with the hash that it got when it was dumped."""
        try:
            value = self._noted.of(layout.data_name(image))
        except OSError as exc:
            flaw = f'{noted_hashes.FILE} cannot be used: {exc.strerror}'
            return dataclasses.replace(image, flaw=flaw)
        noted = {noted_hashes.ALGORITHM: value} if value else {}
        return dataclasses.replace(image, noted=noted)

    def _check_data(self, image: image_record.Image) -> image_record.Image:
        """Flaw an image whose data is not as long as its record says.

        One that was not active when it was dumped has no data.
        """
        if image.status not in image_record.SETTLED:
            return image
        flaw = self.flaw(image)
        is_missing = flaw and flaw.result is outcomes.Result.MISSING
        if is_missing and records.is_without_data(image):
            return dataclasses.replace(
                image, record={**image.record, 'status': _LEFT_OUT}
            )
        return dataclasses.replace(image, flaw=flaw.reason if flaw else '')

    def flaw(self, image: image_record.Image) -> Flaw | None:
        """Check the data of an image, without reading it.

        :returns: what is wrong, if anything is
        """
        name = layout.data_name(image)
        try:
            status = self._folder.status(name)
        except OSError as exc:
            return Flaw(outcomes.Result.DAMAGED, f'{name}: {exc.strerror}')
        if status is None:
            return Flaw(outcomes.Result.MISSING, f'{name} is missing')
        size = image.size or 0
        if status.st_size == size:
            return None
        return Flaw(
            outcomes.Result.SHORT
            if status.st_size < size
            else outcomes.Result.DAMAGED,
            wrong_length(image, status.st_size),
        )

    def members(self, image: image_record.Image) -> Mapping[str, str] | None:
        """Return the members of a shared image: project ID → status.

        :returns: None where they were not dumped
        :raises DataError: the file that holds them is damaged
        """
        return self._parsed(
            layout.members_name(image), members.MAX_SIZE, members.parse
        )

    def known(self) -> Mapping[str, ownership.Project]:
        """Return the projects whose names were dumped, by ID.

        :raises DataError: the file that holds them is damaged
        """
        return self._known

    @functools.cached_property
    def _known(self) -> Mapping[str, ownership.Project]:
        return (
            self._parsed(layout.PROJECTS, projects.MAX_SIZE, projects.parse)
            or {}
        )

    def _parsed(
        self, name: str, limit: int, parse: Callable[[bytes], _Content]
    ) -> _Content | None:
        """Read a file that lies beside the records.

        :param limit: bytes that it may have
        :returns: None where there is no such file
        :raises DataError: it is damaged
        """
        with self._named_in_errors(name):
            if not self._folder.status(name):
                return None
            content = self._folder.read(name, limit)
        try:
            return parse(content)
        except (ValueError, RecursionError) as exc:
            raise errors.DataError(
                self.name, f'{name} is damaged: {exc}'
            ) from exc

    def is_owner(self, project: str) -> bool:
        """Return whether its records name a project as an owner."""
        return any(image.owner == project for image in self.images())

    def is_closed(self, image: image_record.Image) -> bool:
        """Return whether this user may not read the files of an image."""
        names = [
            image.id,
            layout.data_name(image),
            layout.members_name(image),
        ]
        if not image.digests:
            names.append(noted_hashes.FILE)
        for name in names:
            try:
                with self._folder.open(name):
                    pass
            except PermissionError:
                return True
            except OSError:
                # It would not help to be another user.
                continue
        return False

    def files(self) -> dict[str, int | None]:
        """Return the names and sizes of all that is in the directory.

        :returns: name → size in bytes; None for what is no regular file
        """
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
            name = layout.data_name(image)
            with self._named_in_errors(name):
                fd = stack.enter_context(self._folder.open(name))
            length = os.fstat(fd).st_size
            if length != size:
                raise errors.DataError(self.name, wrong_length(image, length))
            yield reader.Reader(self.name, fd, start, size)

    @contextlib.contextmanager
    def _named_in_errors(self, name: str = '') -> Iterator[None]:
        """Turn OSErrors into errors that name the place, and the file if any.

        :param name: of the file, unless the error itself names one
        :raises RefusedError: for every OSError: files do not mend themselves
        """
        try:
            yield
        except OSError as exc:
            problem = exc.strerror or str(exc)
            if exc.filename2:
                name = f'{exc.filename} to {exc.filename2}'
            elif isinstance(exc.filename, str) and exc.filename != self.name:
                name = exc.filename
            raise errors.RefusedError(
                self.name, f'{name}: {problem}' if name else problem
            ) from exc


def wrong_length(image: image_record.Image, length: int) -> str:
    """Return a message that there is more or less data than recorded.

    :param length: bytes that there are
    """
    return (
        f'{layout.data_name(image)} has {length} bytes, {image.size} are '
        'recorded'
    )
