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

"""Images that a Glance converts when it imports them.

What comes of the data has another format, size and hash
(see fact-import-converts).
"""

import dataclasses
import enum
from typing import Any

from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import proof

#: What is told of a replica that was converted.
THERE = 'converted there'

#: Of one that was made of data that has no hash like that of its mark.
NOT_COMPARED = 'not compared'

#: What to do with one that is no replica.
FREE = 'delete it and have its ID freed (glance-manage db purge_images_table)'

#: Why nothing would tell a converted replica again.
UNTOLD = (
    'the source recorded no hash, by which it could be told again once it is '
    'converted'
)

#: Fields that tell of what kind the data is.
FORMATS = ('disk_format', 'container_format')


class Conversion(enum.Enum):
    """Whether what comes of a conversion is a replica."""

    #: The Glance takes the data as it comes.
    NONE = 'none'
    #: The option is not given.
    REFUSED = 'refused'
    #: Nor is a method that imports; but an earlier run has staged the data.
    STAGED = 'staged'
    #: It is to be another project's, which could pass off anything as one.
    FOREIGN = 'foreign'
    ACCEPTED = 'accepted'

    @property
    def spoils(self) -> bool:
        """Whether an image that is converted has used up its ID."""
        return self not in (Conversion.NONE, Conversion.ACCEPTED)

    @property
    def advice(self) -> str:
        """What to do about images that would be converted."""
        match self:
            case Conversion.FOREIGN:
                return (
                    'give --method upload, which converts nothing: once '
                    'converted, what belongs to another project cannot be '
                    'told again'
                )
            case Conversion.STAGED:
                return (
                    'give --method import --accept-conversion, or have its '
                    "administrator set what is staged back to 'queued' in "
                    "Glance's database"
                )
        return (
            'give --accept-conversion, or --method upload, which converts '
            'nothing'
        )


def is_converted(
    wanted: image_record.Image, replica: image_record.Image
) -> bool:
    """Return whether a replica is of another format than it was sent in."""
    return _formats(wanted) != _formats(replica)


def formats(
    wanted: image_record.Image, replica: image_record.Image
) -> tuple[str, str]:
    """Return from which format a replica was converted, and to which."""
    sent, made = _formats(wanted), _formats(replica)
    field = next(field for field in FORMATS if sent[field] != made[field])
    return str(sent[field]), str(made[field])


def source_hash(image: image_record.Image) -> str:
    """Return the mark that a converted replica of an image gets.

    :returns: empty where the image has no hash
    """
    found = image.recorded_hash
    return ':'.join(found) if found else ''


def told(evidence: str) -> str:
    """Return what is told of a converted replica.

    :param evidence: what it was compared by, as it was sent; its size is
        that of its source anyhow
    """
    if evidence == proof.SIZE:
        return f'{THERE}, {NOT_COMPARED}'
    return THERE


def as_sent(
    image: image_record.Image,
    replica: image_record.Image,
    disk_format: str,
) -> image_record.Image:
    """Return what a replica was before its Glance has converted it.

    Its marks tell, which whoever owns it can set: that is to be looked at
    before. What Nova makes of it inherits them, and has another ID.

    :param disk_format: in which it was sent; empty for the source's
    :returns: the replica as it is where it was not converted, or nothing
        tells that it was this image
    """
    sent = _formats(image)
    if disk_format:
        sent['disk_format'] = disk_format
    marks = replica.marks
    algorithm, _, value = marks.get(image_record.SOURCE_HASH, '').partition(
        ':'
    )
    _, _, marked = marks.get(image_record.MARK, replica.id).rpartition('/')
    is_whole = replica.status in image_record.SETTLED
    if not value or marked != replica.id or not is_whole:
        return replica
    same, evidence = proof.same_data(image, replica)
    if sent == _formats(replica) or (same and evidence != proof.SIZE):
        return replica
    if image.digests.get(algorithm, value) != value:
        return replica
    found = dataclasses.replace(
        replica,
        record={
            **replica.record,
            **sent,
            'size': image.size,
            'checksum': None,
            'os_hash_algo': algorithm,
            'os_hash_value': value,
        },
        noted={},
        stored=replica,
    )
    return replica if found.defect else found


def _formats(image: image_record.Image) -> dict[str, Any]:
    return {field: image.record.get(field) for field in FORMATS}
