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

"""What a plan says: what is to be done with each image, and why."""

from collections.abc import Iterable, Mapping, Sequence
import dataclasses
import enum
from typing import Any

from osc_glance_replicate.model import audience
from osc_glance_replicate.model import conversions
from osc_glance_replicate.model import image_record


#: Name of a destination, ID of an image.
Key = tuple[str, str]


class Verb(enum.Enum):
    """What is to be done with one image at one destination."""

    COPY = 'copy'
    UPDATE = 'update'
    #: Its data, and keep nothing of it.
    READ = 'read'
    UNCHANGED = 'unchanged'
    SKIP = 'skipped'
    CONFLICT = 'conflict'
    FAIL = 'failed'
    EXTRA = 'extra'


#: What may be done about a replica of a run with other options.
AS_BEFORE = 'run as it, or --owner as before'

#: What is told of an image that is hidden, where none can be
#: (see fact-os-hidden).
UNHIDDEN = 'the Glance there is older than Rocky and hides no image'

#: What is carried out.
TO_DO = frozenset((Verb.COPY, Verb.UPDATE, Verb.READ))


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """One field that differs; a value is None where the field is absent.

    Members are a field, too, whose value maps project IDs to statuses.

    :param exact: what only the replica has is to go
    """

    field: str
    source: Any
    destination: Any
    exact: bool = False

    @property
    def is_of_members(self) -> bool:
        """Whether it is not of a property that is called like them."""
        return isinstance(self.source, Mapping)

    @property
    def gives(self) -> bool:
        """Whether it lets anybody see or use more than before."""
        match self.field:
            case 'visibility':
                there = self.destination or 'private'
                return audience.is_wider(self.source, there)
            case 'os_hidden':
                return self.source is False
            case 'status':
                return bool(self.source == 'active')
            case 'owner':
                return True
        if self.is_of_members:
            return bool(self.wanted.items() - (self.destination or {}).items())
        return False

    @property
    def wanted(self) -> Any:
        """What the field is to become: tags are added to those there."""
        if self.field == 'tags' and not self.exact:
            return sorted({*self.source, *self.destination})
        if self.is_of_members and not self.exact:
            return {**(self.destination or {}), **self.source}
        return self.source


@dataclasses.dataclass(frozen=True, slots=True)
class Successor:
    """The image that brings the name which another one gives up.

    :param id: its ID
    :param strange: neither an administrator nor the other one's owner has a
        say in it
    :param lost: why it does not come
    :param unfit: it is itself the reason, and nothing to wait for
    """

    id: str
    strange: bool = False
    lost: str = ''
    unfit: bool = False

    def __str__(self) -> str:
        text = f'waits for {self.id}, which brings the name'
        return f'{text}: {self.lost}' if self.lost else text


@dataclasses.dataclass(frozen=True, slots=True)
class Action:
    """One image at one destination.

    :param image: the source's record; for EXTRA, the destination's
    :param to: name of the destination
    :param verb: what is to be done
    :param replica: the destination's record, if it has one
    :param shaped: the source's record as the replica is to be, where that
        differs
    :param owner: ID of the project there that the replica is to belong to;
        None for whoever makes it
    :param changes: for UPDATE: what is to be changed in the replica
    :param fixed: what differs as well, and cannot be changed there
    :param reason: why, for the person who reads the report
    :param proof: for UPDATE: what the source's data is hashed with first,
        as nothing else tells that the replica has the same
    :param withdraws: for UPDATE: what takes away does not wait for the proof
    :param told_as: for UPDATE: CONFLICT or FAIL, where it takes away what the
        changes say, and nothing else can be done
    :param foreign: owner of the replica, which is not ours
    :param serves: it is as good as a replica
    :param usable: what is there does for the images that need it; not told
        where it is unchanged, and does
    :param lacks: why it cannot have what it needs there; it only loses then
    :param mark: what marks the replica as ours, where that is asked for
    :param adopts: for UPDATE: the replica is another's, and becomes ours
    :param conversion: whether a replica comes of what the Glance there makes
        of the data
    :param source_hash: what marks one that was converted
    :param converted: the format that its Glance has made of it, where that is
        no replica
    :param exact: what only the replica has is to go
    :param cleared: even what says that a key goes with it, as others have
        had a say in it
    :param routine: nobody needs to look at it
    :param referred: another image needs this one, whatever is selected
    :param capped: it gets no more visibility than its source has
    :param after: IDs of the images that are to land there before this one
    :param successor: for UPDATE: what is to land there first, so that the
        name that the replica gives up does not vanish
    """

    image: image_record.Image
    to: str
    verb: Verb
    replica: image_record.Image | None = None
    shaped: image_record.Image | None = None
    owner: str | None = None
    changes: tuple[Change, ...] = ()
    fixed: tuple[Change, ...] = ()
    reason: str = ''
    proof: str = ''
    withdraws: bool = False
    told_as: Verb | None = None
    foreign: str = ''
    serves: bool = False
    usable: bool = False
    lacks: str = ''
    mark: str = ''
    adopts: bool = False
    conversion: conversions.Conversion = conversions.Conversion.NONE
    source_hash: str = ''
    converted: str = ''
    exact: bool = False
    cleared: bool = False
    routine: bool = False
    referred: bool = False
    capped: bool = False
    after: tuple[str, ...] = ()
    successor: Successor | None = None

    @property
    def waiting(self) -> str:
        """What it waits for, for the person who reads the report, or ''."""
        if self.successor and not self.successor.lost:
            return str(self.successor)
        return ''

    @property
    def awaited(self) -> list[Key]:
        """What is to end before it begins."""
        successor = [self.successor.id] if self.successor else []
        return [(self.to, image_id) for image_id in (*self.after, *successor)]

    @property
    def key(self) -> Key:
        """What tells it from all other actions of a plan."""
        return self.to, self.image.id

    @property
    def fails(self) -> bool:
        """Whether the destination will not have the image after this."""
        is_done = self.verb not in (Verb.SKIP, Verb.CONFLICT, Verb.FAIL)
        return not self.usable and (not is_done or bool(self.told_as))

    @property
    def wanted(self) -> image_record.Image:
        """The record that the replica is to have."""
        return self.shaped or self.image

    @property
    def moves(self) -> bool:
        """Whether data is read for it, here or by the destination."""
        return self.verb in (Verb.COPY, Verb.READ) or bool(self.proof)

    @property
    def to_read(self) -> int:
        """The number of bytes that are to be read for it."""
        if not self.moves:
            return 0
        read = self.image
        if self.verb is Verb.READ and self.replica:
            read = self.replica.as_stored
        return read.size or 0

    @property
    def losable(self) -> bool:
        """Whether the replica may lose something before its data is proven."""
        return (self.withdraws or not self.proof) and not self.adopts

    @property
    def incomplete(self) -> bool:
        """Whether the destination has a record, and no data for it."""
        return (
            self.replica is not None
            and self.replica.status not in image_record.SETTLED
        )

    def with_verb(self, verb: Verb, reason: str, **more: Any) -> 'Action':
        """Return an action for the same image and place with another verb."""
        return dataclasses.replace(self, verb=verb, reason=reason, **more)


#: What is to be done with one image, at one or several destinations.
Group = Sequence[Action]


def unchangeable(fixed: Iterable[Change]) -> str:
    """Return why what differs cannot be changed."""
    fields = [change.field for change in fixed]
    told = []
    if 'os_hidden' in fields:
        fields.remove('os_hidden')
        told.append(f'{UNHIDDEN}: deactivate it there')
    if fields:
        told.append(
            f'Glance does not let {", ".join(fields)} be changed once there '
            'is data'
        )
    return '; '.join(told)


def belongs_to(project: object) -> str:
    """Return why a record of another project is left alone."""
    return f'belongs to project {project} there'


def left_to(project: object) -> str:
    """Return the same, with what to do if it is a replica all the same."""
    return f'{belongs_to(project)}: {AS_BEFORE}'
