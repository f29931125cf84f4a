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

"""A dump directory, as a destination that no interruption can spoil."""

from collections.abc import Collection, Iterable, Iterator, Mapping
import contextlib
import dataclasses
import fcntl
import logging
import os

from osc_glance_replicate import errors
from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import ownership
from osc_glance_replicate.model import plan
from osc_glance_replicate import places
from osc_glance_replicate.places.dump import checksums
from osc_glance_replicate.places.dump import folder
from osc_glance_replicate.places.dump import layout
from osc_glance_replicate.places.dump import members
from osc_glance_replicate.places.dump import noted_hashes
from osc_glance_replicate.places.dump import projects
from osc_glance_replicate.places.dump import reader
from osc_glance_replicate.places.dump import records
from osc_glance_replicate.places.dump import source
from osc_glance_replicate.places.dump import writer


LOG = logging.getLogger(__name__)


class Destination(source.Source, places.Destination):
    """The images of a dump, to which replicas are added.

    The data of an image grows in a part file, and gets its final name when it
    is complete and on the disk; its record is written after that. So an image
    with a record has its data, and the next run continues one without.

    :param path: of the directory, which may not exist yet
    """

    def __init__(self, path: str) -> None:
        super().__init__(path)
        #: Released when the process ends, however it does.
        self._lock = contextlib.ExitStack()
        #: Descriptors of the part files in use, by the IDs of their images.
        self._parts: dict[str, int] = {}

    def _open(self, path: str) -> folder.Folder:
        try:
            return folder.Folder(path)
        except FileNotFoundError:
            return folder.Absent()

    def open(self) -> None:
        """Create the directory if there is none, and lock it.

        :raises RefusedError: it cannot be written to, or is locked
        """
        flags = os.O_WRONLY | os.O_CREAT
        with self._named_in_errors():
            self._folder = folder.Folder(self.name, create=True)
        with self._named_in_errors(layout.LOCK):
            fd = self._lock.enter_context(
                self._folder.open(layout.LOCK, flags)
            )
            try:
                with folder.tolerating(
                    'lets two dumps write to it at once', folder.UNKNOWN
                ):
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as exc:
                raise errors.RefusedError(
                    self.name, 'another dump into it is running; wait for it'
                ) from exc
        self._checksums = checksums.Checksums(self._folder)

    def _parse(self, content: bytes, image_id: str) -> image_record.Image:
        """Return the record in a file; one that is torn is to be written."""
        image = super()._parse(content, image_id)
        if image.defect and records.is_torn(content):
            torn = {'id': image_id, 'status': 'queued'}
            return image_record.Image(torn)
        return image

    def to_hash(self, image: image_record.Image) -> Collection[str]:
        """Return by what data is hashed that has no hash at its source."""
        return () if image.recorded_hash else (noted_hashes.ALGORITHM,)

    def require_room(self, actions: Iterable[plan.Action]) -> None:
        """Check that the disk has room for what is to be copied.

        :raises RefusedError: it has not
        """
        needed = sum(
            (action.image.size or 0) - self._size_kept(action.image)
            for action in actions
            if action.verb is plan.Verb.COPY
        )
        with self._named_in_errors():
            free = self._folder.free()
        if free is None:
            LOG.warning(
                '%s: its file system does not tell how much is free: %d bytes '
                'are to be written',
                self.name,
                needed,
            )
        elif needed > free:
            raise errors.RefusedError(
                self.name,
                f'there is no room: {needed} bytes are to be written and '
                f'{free} are free; select fewer images, or give '
                '--no-room-check where they have holes',
            )

    def catch_up(self, actions: Iterable[plan.Action]) -> None:
        """Update the files beside the records that stay as they are."""
        for action in actions:
            if action.verb is plan.Verb.UNCHANGED:
                # Older versions did not note it.
                self._note_checksum(action.image, action.image.digests)
                self._forget_members(action.image)

    def note_projects(self, found: Mapping[str, ownership.Project]) -> None:
        """Add projects, by ID, to those whose names were dumped."""
        try:
            known = {**self.known(), **found}
        except errors.DataError:
            known = dict(found)
        with self._named_in_errors(layout.PROJECTS):
            self._folder.replace(layout.PROJECTS, projects.serialize(known))

    def _size_kept(self, image: image_record.Image) -> int:
        """Return the number of an image's bytes that have room already."""
        for name in (layout.data_name(image), layout.part_name(image)):
            with contextlib.suppress(OSError):
                if status := self._folder.status(name):
                    return min(status.st_size, image.size or 0)
        return 0

    def _check_data(self, image: image_record.Image) -> image_record.Image:
        """Treat an image without all of its data as an interrupted copy.

        One that was not active when it was dumped has no data either, and may
        have some now (see fact-v1-order).
        """
        if image.status in image_record.SETTLED:
            flaw = self.flaw(image)
            if not flaw:
                return image
            if flaw.result is outcomes.Result.DAMAGED:
                return dataclasses.replace(image, flaw=flaw.reason)
        return dataclasses.replace(
            image,
            # As in Glance, what has no data has no hash.
            record={
                **image.record,
                'status': 'queued',
                'checksum': None,
                'os_hash_value': None,
            },
            noted={},
        )

    @contextlib.contextmanager
    def kept(
        self, image: image_record.Image
    ) -> Iterator[tuple[places.Data, int]]:
        """Open the data that an interrupted write has left.

        Data without a record counts as such, even if it is complete.
        """
        whole, name = layout.data_name(image), layout.part_name(image)
        with contextlib.ExitStack() as stack:
            with self._named_in_errors(name):
                if status := self._folder.status(whole):
                    if status.st_size > (image.size or 0):
                        flaw = source.wrong_length(image, status.st_size)
                        raise errors.RefusedError(
                            self.name, f'{flaw}: move it away'
                        )
                    if self._folder.is_own(status):
                        self._folder.rename(whole, name)
                fd = stack.enter_context(self._folder.open_own(name))
                size = os.fstat(fd).st_size
                # Without a hash it cannot be verified.
                if size > (image.size or 0) or not image.recorded_hash:
                    os.ftruncate(fd, 0)
                    size = 0
            self._parts[image.id] = fd
            stack.callback(self._parts.pop, image.id)
            try:
                yield reader.Reader(self.name, fd, 0, size), size
            except errors.DataError:
                # The source may have proved wrong before any was written.
                if not os.fstat(fd).st_size:
                    with self._named_in_errors(name):
                        self._folder.remove(name)
                raise

    def members(self, image: image_record.Image) -> Mapping[str, str] | None:
        """Return the members; None where their file has to be rewritten."""
        try:
            return super().members(image)
        except errors.DataError:
            return None

    def write(self, image: image_record.Image, body: places.Body) -> None:
        """Write the data, but what is kept of it, and then the record.

        :raises RefusedError: the disk is full or broken
        """
        name = layout.part_name(image)
        # By its name, it could be another file by now.
        fd = self._parts[image.id]
        try:
            with self._named_in_errors(name):
                writer.fill(fd, body)
        except errors.DataError:
            self._folder.remove(name)
            raise
        with self._named_in_errors(layout.data_name(image)):
            self._folder.rename(name, layout.data_name(image), fd)
        self._note_checksum(image, {**image.digests, **body.digests})
        if not image.recorded_hash:
            digest = body.digests[noted_hashes.ALGORITHM]
            self._noted.add(layout.data_name(image), digest)
        self._write_record(image)

    def update(self, action: plan.Action) -> None:
        """Replace the record with the source's."""
        self._note_checksum(action.image, action.image.digests)
        self._write_record(action.image)

    def quarantine(self, image: image_record.Image) -> None:
        """Remove the record, without which the data is not used."""
        with self._named_in_errors(image.id):
            self._folder.remove(image.id)

    def _note_checksum(
        self, image: image_record.Image, digests: Mapping[str, str]
    ) -> None:
        with self._named_in_errors('the checksums'):
            self._checksums.add(
                digests,
                layout.data_name(image),
                durably=not image.recorded_hash,
            )

    def _write_record(self, image: image_record.Image) -> None:
        with self._named_in_errors(image.id):
            self._forget_members(image)
            if image.members is not None:
                content = members.serialize(image.members)
                self._folder.replace(layout.members_name(image), content)
            self._folder.replace(image.id, records.serialize(image))

    def _forget_members(self, image: image_record.Image) -> None:
        """Remove the file of members where the image has none any more."""
        name = layout.members_name(image)
        if image.members is None:
            with self._named_in_errors(name):
                self._folder.remove(name)
