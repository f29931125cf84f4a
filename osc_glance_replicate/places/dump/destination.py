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

"""A dump directory being written, so that no instant can spoil it."""

from collections.abc import Collection, Iterable, Iterator, Mapping
import contextlib
import dataclasses
import fcntl
import os

from osc_glance_replicate import errors
from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import ownership
from osc_glance_replicate.model import plan
from osc_glance_replicate.model import results
from osc_glance_replicate import places
from osc_glance_replicate.places.dump import checksums
from osc_glance_replicate.places.dump import files as dump_files
from osc_glance_replicate.places.dump import folder
from osc_glance_replicate.places.dump import record as dump_record
from osc_glance_replicate.places.dump import source as directory

#: What is zero for so many bytes, a block of most file systems, is a hole.
_HOLE = bytes(4096)


class Dump(directory.Directory):
    """A dump, as a destination; it may not be there yet.

    The data of an image grows in a part file, gets its final name when it is
    whole and on the disk, and then its record: so what has a record has its
    data, and the next run goes on with what has none.

    :param path: of the directory
    """

    inspects = False
    imports = False
    fetch = None
    formats: Mapping[str, Collection[str]] = {}

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._checksums: checksums.Checksums | None = None
        #: Let go of when the process ends, whatever ends it.
        self._lock = contextlib.ExitStack()

    def _open(self, path: str) -> folder.Folder:
        try:
            return folder.Folder(path)
        except FileNotFoundError:
            return folder.Absent()

    def open(self) -> None:
        """Make the directory if there is none, and keep others from writing.

        :raises RefusedError: it cannot be written, or somebody else does
        """
        flags = os.O_WRONLY | os.O_CREAT
        try:
            with self._named_in_errors():
                self._folder = folder.Folder(self.name, create=True)
                fd = self._lock.enter_context(
                    self._folder.open(dump_files.LOCK, flags)
                )
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except errors.RefusedError as exc:
            if isinstance(exc.__cause__, BlockingIOError):
                raise errors.RefusedError(
                    self.name, 'another dump into it is running; wait for it'
                ) from exc
            raise
        self._checksums = checksums.Checksums(self._folder)

    def make_room(self, actions: Iterable[plan.Action]) -> None:
        """Find out whether there is room for what is to be copied.

        :raises RefusedError: there is not
        """
        needed = sum(
            (action.image.size or 0) - self._size_kept(action.image)
            for action in actions
            if action.verb is plan.Verb.COPY
        )
        with self._named_in_errors():
            free = self._folder.free()
        if needed > free:
            raise errors.RefusedError(
                self.name,
                f'there is no room: {needed} bytes are to be written and '
                f'{free} are free; select fewer images',
            )

    def catch_up(self, actions: Iterable[plan.Action]) -> None:
        """Mend what stands beside the records that stay as they are."""
        for action in actions:
            if action.verb in (plan.Verb.UNCHANGED, plan.Verb.UPDATE):
                # Older dumps did not.
                self._note_checksum(action.image)
            if action.verb is plan.Verb.UNCHANGED:
                self._forget_members(action.image)

    def note_projects(self, projects: Mapping[str, ownership.Project]) -> None:
        """Add the names of projects to those that are known."""
        try:
            known = {**self.known(), **projects}
        except errors.DataError:
            known = dict(projects)
        with self._named_in_errors(dump_files.PROJECTS):
            self._folder.replace(
                dump_files.PROJECTS, dump_record.serialize_projects(known)
            )

    def _size_kept(self, image: image_record.Image) -> int:
        """Give the number of bytes that have room already."""
        for name in (dump_files.data_name(image), dump_files.part_name(image)):
            with contextlib.suppress(OSError):
                if status := self._folder.status(name):
                    return min(status.st_size, image.size or 0)
        return 0

    def _held_against_data(
        self, image: image_record.Image
    ) -> image_record.Image:
        """Take what has not all of its data for a copy that was broken off.

        What was not active when an older dump was made has no data either,
        and may have some now.
        """
        if image.status in image_record.SETTLED:
            flaw = self.flaw(image)
            if not flaw:
                return image
            if flaw.result is results.Result.DAMAGED:
                return dataclasses.replace(image, flaw=flaw.reason)
        return dataclasses.replace(
            image,
            # As Glance has it: the hash belongs to the data.
            record={**image.record, 'status': 'queued', 'checksum': None},
        )

    @contextlib.contextmanager
    def kept(
        self, image: image_record.Image
    ) -> Iterator[tuple[places.Data, int]]:
        """Open the part of an image that is there.

        What data there is without a record is a part, too: perhaps all of it.
        """
        whole, name = dump_files.data_name(image), dump_files.part_name(image)
        flags = os.O_RDWR | os.O_CREAT
        with contextlib.ExitStack() as stack:
            with self._named_in_errors(name):
                if status := self._folder.status(whole):
                    if status.st_size > (image.size or 0):
                        flaw = directory.wrong_length(image, status.st_size)
                        raise errors.RefusedError(
                            self.name, f'{flaw}: move it away'
                        )
                    self._folder.rename(whole, name)
                self._folder.unshare(name)
                fd = stack.enter_context(self._folder.open(name, flags))
                folder.make_private(fd)
                size = os.fstat(fd).st_size
                # Without a hash nothing tells whether it is right.
                if size > (image.size or 0) or not image.recorded_hash:
                    os.ftruncate(fd, 0)
                    size = 0
            try:
                yield directory.Reader(self.name, fd, 0, size), size
            except errors.DataError:
                # It may have proved wrong before any was written.
                if not os.fstat(fd).st_size:
                    with self._named_in_errors(name):
                        self._folder.remove(name)
                raise

    def members(self, image: image_record.Image) -> Mapping[str, str] | None:
        """Give the members; None where their file is to be written anew."""
        try:
            return super().members(image)
        except errors.DataError:
            return None

    def stage(self, action: plan.Action) -> None:
        """Do nothing: the record comes last."""

    def write(self, image: image_record.Image, body: places.Body) -> None:
        """Write data and record; what is kept of the data is not rewritten.

        :raises RefusedError: the disk is full or broken
        """
        name = dump_files.part_name(image)
        try:
            with (
                self._named_in_errors(name),
                self._folder.open(name, os.O_WRONLY) as fd,
            ):
                _fill(fd, body)
        except errors.DataError:
            self._folder.remove(name)
            raise
        with self._named_in_errors(dump_files.data_name(image)):
            self._folder.rename(name, dump_files.data_name(image))
        self._note_checksum(image)
        self._write_record(image)

    def publish(self, action: plan.Action) -> None:
        """Do nothing: who may read the directory sees what is written."""

    def update(self, action: plan.Action) -> None:
        """Write the source's record anew."""
        self._note_checksum(action.image)
        self._write_record(action.image)

    def quarantine(self, image: image_record.Image) -> None:
        """Remove the record, without which nobody takes the data."""
        with self._named_in_errors(image.id):
            self._folder.remove(image.id)

    def _note_checksum(self, image: image_record.Image) -> None:
        if self._checksums:
            with self._named_in_errors('the checksums'):
                self._checksums.add(image, dump_files.data_name(image))

    def _write_record(self, image: image_record.Image) -> None:
        with self._named_in_errors(image.id):
            self._forget_members(image)
            if image.members is not None:
                content = dump_record.serialize_members(image.members)
                self._folder.replace(dump_files.members_name(image), content)
            self._folder.replace(image.id, dump_record.serialize(image))

    def _forget_members(self, image: image_record.Image) -> None:
        """Keep no members but those of today."""
        name = dump_files.members_name(image)
        if image.members is None:
            with self._named_in_errors(name):
                self._folder.remove(name)


def _fill(fd: int, body: places.Body) -> None:
    """Write data where it is not written yet, and wait for the disk."""
    kept = os.fstat(fd).st_size
    position = 0
    for block in map(bytes, body):
        if position + len(block) > kept:
            for place, piece in _pieces(block, position):
                folder.write(fd, piece, place)
        position += len(block)
    os.ftruncate(fd, position)
    os.fsync(fd)


def _pieces(block: bytes, position: int) -> Iterator[tuple[int, bytes]]:
    """Give what is not zero of a block, with its position in the file.

    :param position: of the block; holes begin and end at multiples of their
        size, as the file system keeps them
    """
    start = 0
    first = -position % len(_HOLE)
    for offset in range(first, len(block), len(_HOLE)):
        if block.startswith(_HOLE, offset):
            if start < offset:
                yield position + start, block[start:offset]
            start = offset + len(_HOLE)
    if start < len(block):
        yield position + start, block[start:]
