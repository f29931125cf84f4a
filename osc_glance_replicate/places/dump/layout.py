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

"""The names of the files in a dump, and files that do not belong there."""

from collections.abc import Iterator, Mapping
import dataclasses

from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.places.dump import checksums

#: Locked by the process that writes to a dump; there since the first one.
LOCK = '.lock'

#: The file that holds the names of projects.
PROJECTS = 'projects.json'

_OURS = frozenset((LOCK, PROJECTS, *checksums.FILES.values()))

#: What follows the ID of an image in the names of its files.
_ENDS = frozenset(('', 'img', 'members'))


def data_name(image: image_record.Image) -> str:
    """Return the name of the file that holds an image's data."""
    return f'{image.id}.img'


def part_name(image: image_record.Image) -> str:
    """Return the name of the file in which an image's data grows."""
    return f'{data_name(image)}.part'


def members_name(image: image_record.Image) -> str:
    """Return the name of the file that holds an image's members."""
    return f'{image.id}.members'


@dataclasses.dataclass(frozen=True, slots=True)
class Stray:
    """A file that is no record, and belongs to no record or the whole dump.

    :param image_id: ID of the image after which it is named, if it is
    :param size: in bytes; None for what is no file
    """

    image_id: str
    size: int | None
    result: outcomes.Result
    reason: str


def strays(files: Mapping[str, int | None]) -> Iterator[Stray]:
    """Yield the files that do not belong to a whole dump.

    :param files: name → size of all that is in the directory
    """
    for name, size in sorted(files.items()):
        whole = name.removesuffix('.part')
        head, _, end = whole.partition('.')
        image_id = head if image_record.is_id(head) else ''
        is_ours = whole in _OURS or (image_id and end in _ENDS)
        if is_ours and whole != name:
            reason = f'{name}: an interrupted dump left it'
            yield Stray(image_id, size, outcomes.Result.LEFTOVER, reason)
        elif image_id and end == 'img' and head not in files:
            reason = f'{name} is there without its record: dump it again'
            yield Stray(image_id, size, outcomes.Result.MISSING, reason)
        elif not is_ours or (end == 'members' and head not in files):
            reason = f'{name} is no part of a dump'
            yield Stray(image_id, size, outcomes.Result.FOREIGN, reason)


def unfinished(files: Mapping[str, int | None]) -> list[str]:
    """Return the IDs of images with data, or a part of it, but no record.

    :param files: name → size of all that is in the directory
    """
    return sorted(
        {
            stray.image_id
            for stray in strays(files)
            if stray.result is not outcomes.Result.FOREIGN
            and stray.image_id not in ('', *files)
        }
    )
