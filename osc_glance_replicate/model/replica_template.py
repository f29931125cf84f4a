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

"""What a replica is to be, where the options ask for more than a copy."""

from collections.abc import Mapping, Sequence
import dataclasses
import fnmatch
from typing import Any

from osc_glance_replicate.model import audience
from osc_glance_replicate.model import encryption
from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import ownership


@dataclasses.dataclass(frozen=True, slots=True)
class Template:
    """How replicas differ from their sources (doc/source/user/replica.rst).

    :param left_out: globs of the names of properties that are left out
    :param properties: that are added to every replica, or override its own
    :param visibility: of every replica; None for the source's
    :param owners: whose they are
    :param members: whether shared images get their members
    :param formats: disk formats that get another name, and that one
    :param key_policies: whether what deletes the key of an encrypted image
        with it stays, as where nobody deletes any
    """

    left_out: Sequence[str] = ()
    properties: Mapping[str, str] = dataclasses.field(default_factory=dict)
    visibility: str | None = None
    owners: ownership.Owners = dataclasses.field(
        default_factory=ownership.Owners
    )
    members: bool = False
    formats: Mapping[str, str] = dataclasses.field(default_factory=dict)
    key_policies: bool = False

    def apply(
        self, image: image_record.Image, capped: bool = False
    ) -> tuple[image_record.Image, str | None]:
        """Return the image as its replica is to be, and its owner there.

        :param capped: it gets no more visibility than it has
        :returns: the record with what is to differ, the members being
            projects of the destination; and the ID of its project, None for
            whoever makes it
        :raises LookupError: a project has no counterpart there
        """
        owner = self.owners.at(image.owner) if image.owner else None
        was_shared = image.visibility == 'shared'
        if self._reshapes(image):
            record = self._record(image)
            if self.visibility:
                record['visibility'] = (
                    audience.narrower(
                        self.visibility, image.portable['visibility']
                    )
                    if capped
                    else self.visibility
                )
            image = dataclasses.replace(image, record=record)
        members = (
            self._members(image)
            if self.members and was_shared and image.visibility == 'shared'
            else None
        )
        if members != image.members:
            image = dataclasses.replace(image, members=members)
        return image, owner

    def _reshapes(self, image: image_record.Image) -> bool:
        return bool(
            self.properties
            or self.visibility
            or self.renamed(image)
            or any(map(self.leaves_out, image.record))
        )

    def _record(self, image: image_record.Image) -> dict[str, Any]:
        record = {
            field: value
            for field, value in image.record.items()
            if not self.leaves_out(field)
        }
        record.update(self.properties)
        if renamed := self.renamed(image):
            record['disk_format'] = renamed
        return record

    def renamed(self, image: image_record.Image) -> str:
        """Return the other disk format of which a replica is to be, or ''.

        Its data has to be of both.
        """
        return self.formats.get(image.record.get('disk_format') or '', '')

    def leaves_out(self, field: str) -> bool:
        """Return whether replicas do not get a property."""
        if encryption.is_key_policy(field) and not self.key_policies:
            return True
        return image_record.is_property(field) and any(
            fnmatch.fnmatchcase(field, glob) for glob in self.left_out
        )

    def _members(self, image: image_record.Image) -> Mapping[str, str]:
        if image.members is None:
            raise LookupError(
                'its members are not in the dump: dump it with --members'
            )
        found: dict[str, str] = {}
        for project, status in image.members.items():
            member = self.owners.at(project)
            if member is None:
                raise LookupError(
                    f'the project {project} is a member, and --owner mine '
                    'maps none: give --owner or --map-owner'
                )
            # Two projects that become one accept if either does.
            if found.get(member) != 'accepted':
                found[member] = status
        return found
