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

"""Which images are selected, and which of them are copied."""

from collections.abc import Sequence
import dataclasses
import datetime
import fnmatch

from osc_glance_replicate.model import encryption
from osc_glance_replicate.model import image_record


@dataclasses.dataclass(frozen=True, slots=True)
class Selection:
    """Which images the user chose.

    What it does not match is left alone altogether. What it matches may
    still not be copied, being hidden or not active; a replica that exists
    is kept up to date even so (doc/source/user/selection.rst).

    :param images: names and IDs given on the command line; empty for all
    :param names: globs, of which the name must match one
    :param excludes: globs, of which neither name nor ID may match any
    :param properties: (key, value) pairs of custom properties that the
        image must all have
    :param tags: that the image must all have
    :param visibilities: of which the image must have one
    :param include_hidden: copy hidden images, too
    :param encrypted: copy images whose key is in the source's key manager
    :param unportable: choose also images that are of no use in another cloud
    :param owner: project that the image must belong to: as the user names it
        at first, its ID where images are matched
    :param disk_format: that the image must have
    :param min_size: in bytes
    :param max_size: in bytes
    :param updated_since: a time with a zone
    """

    images: Sequence[str] = ()
    names: Sequence[str] = ()
    excludes: Sequence[str] = ()
    properties: Sequence[tuple[str, str]] = ()
    tags: Sequence[str] = ()
    visibilities: Sequence[str] = ()
    include_hidden: bool = False
    encrypted: bool = False
    unportable: bool = False
    owner: str | None = None
    disk_format: str | None = None
    min_size: int | None = None
    max_size: int | None = None
    updated_since: datetime.datetime | None = None

    def matches(self, image: image_record.Image) -> bool:
        """Return whether this image is selected.

        One whose record cannot be used is, unless it is excluded:
        better to be told of it in vain than to miss it. If the record is
        sound, and cannot be used for another reason, it tells.
        """
        if self.excludes_image(image):
            return False
        if image.defect and dataclasses.replace(image, flaw='').defect:
            return True
        return (
            self._matches_name(image)
            and self._matches_record(image)
            and self._matches_data(image)
        )

    def excludes_image(self, image: image_record.Image) -> bool:
        """Return whether an image is excluded by its name or ID."""
        return any(
            fnmatch.fnmatchcase(text, glob)
            for text in (image.id, image.name)
            for glob in self.excludes
        )

    def takes(self, image: image_record.Image) -> bool:
        """Return whether an image is selected that was looked up for this.

        Where images are named, no others are looked up.
        """
        return bool(self.images) or self.matches(image)

    def _matches_name(self, image: image_record.Image) -> bool:
        return not self.names or any(
            fnmatch.fnmatchcase(image.name, glob) for glob in self.names
        )

    def _matches_record(self, image: image_record.Image) -> bool:
        fields = {**image_record.DEFAULTS, **image.record}
        return (
            (
                not self.visibilities
                or fields['visibility'] in self.visibilities
            )
            and all(
                image.properties.get(key) == value
                for key, value in self.properties
            )
            and set(self.tags) <= set(fields['tags'])
            and self.owner in (None, image.record.get('owner'))
            and self.disk_format in (None, fields['disk_format'])
        )

    def _matches_data(self, image: image_record.Image) -> bool:
        size = image.size or 0
        if self.min_size is not None and size < self.min_size:
            return False
        if self.max_size is not None and size > self.max_size:
            return False
        if self.updated_since is None or image.updated_at is None:
            return True
        return image.updated_at >= self.updated_since

    def reason_not_to_copy(
        self, image: image_record.Image, referred: bool = False
    ) -> str | None:
        """Return why a selected image is not copied; None when it is.

        :param referred: another image needs it
        """
        if image.status != 'active':
            return f'status is {image.status}'
        if image.hidden and not (self.include_hidden or referred):
            return 'hidden (--include-hidden selects it)'
        return None if self.unportable else not_portable(image, self.encrypted)


def not_portable(
    image: image_record.Image, encrypted: bool = False
) -> str | None:
    """Return why an image is of no use in another cloud; None if it is.

    :param encrypted: whether the clouds share the key manager
    """
    keys = encryption.naming_keys(image.record)
    if keys and not encrypted:
        return (
            "encrypted with a key of the source's key manager "
            f'({", ".join(keys)})'
        )
    if not image.size and image.record.get('block_device_mapping'):
        return "volume-backed snapshot: its data is the source cloud's volume"
    return None
