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

"""EC2-style IDs of images: computed from the UUID, or kept as they are."""

from collections.abc import Iterable, Mapping
import dataclasses
import hashlib
import uuid

from osc_glance_replicate.model import image_record

#: What is hashed before the UUID. IDs made in another way get another one.
_SCHEME = b'ec2-image-id:v1:'

#: By container_format; all others are machine images.
_KINDS = {'aki': 'aki', 'kernel': 'aki', 'ari': 'ari', 'ramdisk': 'ari'}

#: Nova's column holds 31 bits, and nova counts on from the highest ID:
#: see fact-nova-ids.
_SHORT_MASK = 2**30 - 1


def digits(image_id: str) -> str:
    """Return the digits of an ID, computed from the image's UUID."""
    raw = uuid.UUID(image_id).bytes
    return hashlib.sha256(_SCHEME + raw).hexdigest()[:17]


def short_digits(image_id: str) -> str:
    """Return the digits of an ID that fits into nova's column."""
    return f'{int(digits(image_id)[:8], 16) & _SHORT_MASK:08x}'


@dataclasses.dataclass(frozen=True, slots=True)
class Ec2Id:
    """The ID of an image.

    :param image_id: its UUID
    :param digits: what comes after the kind
    :param where: the cloud or the file that has the image
    :param kind: aki, ari or ami; not known of what a file has
    :param name: the image's
    """

    image_id: str
    digits: str
    where: str
    kind: str = ''
    name: str = ''

    @property
    def key(self) -> str:
        """What tells images apart."""
        return self.image_id.lower()

    @property
    def ec2_id(self) -> str:
        return f'{self.kind}-{self.digits}'

    def __str__(self) -> str:
        return f'{self.image_id} ({self.where})'


@dataclasses.dataclass(frozen=True, slots=True)
class Scheme:
    """How images get their IDs.

    :param short: IDs are to fit into nova's column
    :param kept: digits in use already, which stay: key of the image → digits
    """

    short: bool = False
    kept: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def identify(self, image: image_record.Image, where: str) -> Ec2Id:
        """Return the ID of an image.

        :param image: its ID is a UUID
        :param where: name of the cloud that has it
        """
        compute = short_digits if self.short else digits
        return Ec2Id(
            image.id,
            self.kept.get(image.key) or compute(image.id),
            where,
            _KINDS.get(str(image.record.get('container_format')), 'ami'),
            image.name,
        )


def problems(chosen: Iterable[Ec2Id], others: Iterable[Ec2Id]) -> list[str]:
    """Return what speaks against IDs; nothing does of other images alone.

    :param chosen: the IDs in question
    :param others: what IDs are in use, or would be
    """
    taken: dict[str, Ec2Id] = {}
    mine: dict[str, Ec2Id] = {}
    found: dict[str, None] = {}

    def hold_against(each: Ec2Id) -> None:
        holder = taken.get(each.digits, each)
        if holder.key != each.key:
            text = f'{holder} and {each} share the ID {each.digits}'
            found[text] = None
        same = mine.get(each.key, each)
        if same.digits != each.digits:
            text = f'{each} has the ID {each.digits}'
            found[f'{text}, and would get {same.digits}'] = None

    for each in chosen:
        if not int(each.digits, 16):
            found[f'{each} would get the ID 0, which is none'] = None
        hold_against(each)
        taken.setdefault(each.digits, each)
        mine[each.key] = each
    for each in others:
        hold_against(each)
    return list(found)
