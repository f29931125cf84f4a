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

"""What is to be done: records in, actions out, nothing read or written."""

from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
import dataclasses
import enum
from typing import Any

from osc_glance_replicate import image as image_record
from osc_glance_replicate import replica as replica_template
from osc_glance_replicate import selection as image_selection

#: How an administrator has an ID freed that a record makes useless.
_FREE = (
    "delete it and purge it from the database ('glance-manage db purge', then "
    "'glance-manage db purge_images_table', both with --age_in_days 0)"
)

#: Statuses of a record that will never get data.
_DEAD = frozenset(('killed', 'deleted', 'pending_delete'))

_Formats = Mapping[str, Collection[str]]

#: The records of one ID: the source's, then each destination's.
Row = Sequence[image_record.Image | None]


class Verb(enum.Enum):
    """What is to be done with one image at one destination."""

    COPY = 'copy'
    UPDATE = 'update'
    UNCHANGED = 'unchanged'
    SKIP = 'skipped'
    CONFLICT = 'conflict'
    FAIL = 'failed'
    EXTRA = 'extra'


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
    def wanted(self) -> Any:
        """What the field is to become: tags are added to those there."""
        if self.field == 'tags' and not self.exact:
            return sorted({*self.source, *self.destination})
        if self.field == 'members' and not self.exact:
            return {**(self.destination or {}), **self.source}
        return self.source


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
    :param exact: what only the replica has is to go
    :param routine: nobody needs to look at it
    :param referred: another image needs this one, whatever is selected
    :param after: IDs of the images that are to land there before this one
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
    exact: bool = False
    routine: bool = False
    referred: bool = False
    after: tuple[str, ...] = ()

    @property
    def fails(self) -> bool:
        """Whether the destination will not have the image after this."""
        if self.verb is Verb.SKIP:
            return self.replica is None
        return self.verb in (Verb.CONFLICT, Verb.FAIL)

    @property
    def wanted(self) -> image_record.Image:
        """The record that the replica is to have."""
        return self.shaped or self.image

    @property
    def incomplete(self) -> bool:
        """Whether the destination has a record, and no data for it."""
        return (
            self.replica is not None
            and self.replica.status not in image_record.SETTLED
        )

    def instead(self, verb: Verb, reason: str, **more: Any) -> 'Action':
        """Give the action for the same image and place that does this."""
        return dataclasses.replace(self, verb=verb, reason=reason, **more)


@dataclasses.dataclass(frozen=True, slots=True)
class Planner:
    """The one judgement that all verbs share.

    :param selection: which images are to be copied
    :param metadata_only: whether data must not move
    :param extra: tell of images that only a destination has, too; the rows
        must then hold all of the source's images, selected or not
    :param exact: names of the destinations where properties and tags that
        only the replica has are removed
    :param dumps: names of the destinations where images only rest: nothing
        is fixed there, and nothing boots from there
    :param template: how replicas differ from their sources
    :param formats: by destination: gives the formats that it knows, by field
    :param projects: ID of the project that new replicas belong to, by
        destination; where it is not known, or None, it is not looked at
    :param ways: by destination: how data gets there, where it is to be said
    """

    selection: image_selection.Selection
    metadata_only: bool = False
    extra: bool = False
    exact: Collection[str] = ()
    dumps: Collection[str] = ()
    template: replica_template.Template = dataclasses.field(
        default_factory=replica_template.Template
    )
    formats: Mapping[str, Callable[[], _Formats]] = dataclasses.field(
        default_factory=dict
    )
    projects: Mapping[str, str | None] = dataclasses.field(
        default_factory=dict
    )
    ways: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def decide(
        self,
        image: image_record.Image,
        replica: image_record.Image | None,
        to: str,
        referred: bool = False,
    ) -> Action:
        """Plan for one image at one destination.

        :param referred: another image needs it, whatever is selected
        """
        action = Action(
            image,
            to,
            Verb.COPY,
            replica,
            exact=to in self.exact,
            referred=referred,
        )
        for whose, record in (('source', image), ('destination', replica)):
            if record and (defect := record.defect):
                reason = f"the {whose}'s record cannot be used: {defect}"
                return action.instead(Verb.FAIL, reason)
        # Who names an image wants to know why it is not copied.
        routine = not self.selection.images
        if not referred and not self.selection.matches(image):
            reason = 'not what the options select'
            return action.instead(Verb.SKIP, reason, routine=routine)
        is_there = replica and replica.status in image_record.SETTLED
        reason = self.selection.reason_not_to_copy(image, referred) or ''
        if reason and not is_there:
            return action.instead(Verb.SKIP, reason, routine=routine)
        try:
            shaped, owner = self.template.apply(image, to)
        except LookupError as exc:
            return action.instead(Verb.FAIL, str(exc.args[0]))
        action = dataclasses.replace(action, shaped=shaped, owner=owner)
        if replica and is_there:
            return self._bring_up_to_date(action, replica)
        if replica and (reason := _stuck(replica)):
            return action.instead(Verb.CONFLICT, reason)
        if replica and self._is_anothers(replica, to):
            reason = (
                f'queued there in project {replica.owner}, whose '
                'users would see the data: have its owner changed'
            )
            return action.instead(Verb.CONFLICT, reason)
        if self.metadata_only:
            return action.instead(Verb.SKIP, '--metadata-only', routine=True)
        if reason := self._unknown_format(action):
            return action.instead(Verb.FAIL, reason)
        return action.instead(Verb.COPY, self.ways.get(to, ''))

    def _bring_up_to_date(
        self, action: Action, replica: image_record.Image
    ) -> Action:
        """Plan for a replica that has its data."""
        image = action.image
        if image.status not in image_record.SETTLED:
            reason = f'status is {image.status}'
            return action.instead(Verb.SKIP, reason, routine=True)
        same, evidence = image_record.same_data(image, replica)
        if not same:
            reason = f'other data under this ID: {evidence} differs'
            return action.instead(Verb.CONFLICT, reason)
        reasons = ['size only'] if evidence == 'size' and image.size else []
        found = [
            *differences(action.wanted, replica, action.exact),
            *_differences_in_people(action, replica, action.exact),
        ]
        changes = tuple(c for c in found if self._can_change(c, action.to))
        fixed = tuple(c for c in found if c not in changes)
        if not found:
            reason = ''.join(reasons)
            return action.instead(Verb.UNCHANGED, reason, routine=True)
        if not changes:
            return action.instead(Verb.FAIL, unchangeable(fixed), fixed=fixed)
        reasons += [change.field for change in changes]
        return action.instead(
            Verb.UPDATE, ', '.join(reasons), changes=changes, fixed=fixed
        )

    def _can_change(self, change: Change, to: str) -> bool:
        return to in self.dumps or image_record.can_change(change.field)

    def _unknown_format(self, action: Action) -> str:
        """Say which format a destination would refuse, before it does."""
        if action.to not in self.formats:
            return ''
        fields = action.wanted.portable
        return '; '.join(
            f'{field} {fields[field]!r} is not known there: have it added to '
            f'{field}s of its Glance'
            for field, known in self.formats[action.to]().items()
            if fields[field] not in (None, *known)
        )

    def extras(self, replica: image_record.Image, to: str) -> Iterator[Action]:
        """Tell of an image that only a destination has, if it is meant."""
        if not self.selection.matches(replica):
            return
        action = Action(replica, to, Verb.EXTRA, replica)
        if defect := replica.defect:
            reason = f"the destination's record cannot be used: {defect}"
            yield action.instead(Verb.FAIL, reason)
        else:
            yield action

    def _is_anothers(self, replica: image_record.Image, to: str) -> bool:
        """Say whether a record without data is another project's.

        An administrator sees it, and could fill it; but whoever owns it
        would see the data before it is verified, or send other data.
        """
        mine = self.projects.get(to)
        owner = replica.owner
        return (
            replica.status == 'queued'
            and None not in (mine, owner)
            and owner != mine
        )


def _stuck(replica: image_record.Image) -> str:
    """Say why a record without data will not get any, if that is so."""
    status, record = replica.status, replica.record
    if status in _DEAD:
        return f'status there is {status}'
    if status == 'queued' and record.get('checksum'):
        # Tried: Glance keeps the data that it has refused (FACTS.md,
        # "poisoned"), and finds its ID taken in the store ever after.
        return (
            'an upload was refused there, after which Glance takes no data '
            f'for this record any more: its administrator has to {_FREE}'
        )
    failed = record.get('os_glance_failed_import')
    if status == 'importing' and (
        failed and not record.get('os_glance_importing_to_stores')
    ):
        return (
            f'an import to {failed} has failed there and left the record '
            'importing for ever: its administrator has to delete what is left '
            f'of it in that store, then to {_FREE}'
        )
    return ''


def _differences_in_people(
    action: Action, replica: image_record.Image, exact: bool
) -> Iterator[Change]:
    """Compare whose the replica is, and who may use it, where it matters."""
    owner = replica.owner
    if action.owner not in (None, owner):
        yield Change('owner', action.owner, owner)
    members = action.wanted.members
    if members is not None:
        change = Change('members', members, replica.members, exact)
        if change.wanted != replica.members:
            yield change


def unchangeable(fixed: Iterable[Change]) -> str:
    """Name what differs for ever."""
    fields = ', '.join(change.field for change in fixed)
    return f'Glance does not let {fields} be changed once there is data'


def differences(
    image: image_record.Image,
    replica: image_record.Image,
    exact: bool = False,
) -> Iterator[Change]:
    """Compare what a replica should share with its source.

    :param exact: properties and tags that only the replica has are a
        difference, too, rather than the destination's own affair
    """
    wanted, have = image.portable, replica.portable
    fields = {**wanted, **have} if exact else wanted
    for field in fields:
        change = Change(field, wanted.get(field), have.get(field), exact)
        if change.wanted != change.destination:
            yield change
    if image.status != replica.status:
        yield Change('status', image.status, replica.status)
