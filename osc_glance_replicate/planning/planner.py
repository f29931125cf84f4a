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

"""The judgement: records in, actions out, nothing read or written."""

from collections.abc import Callable, Collection, Iterator, Mapping
import dataclasses

from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import image_selection
from osc_glance_replicate.model import plan
from osc_glance_replicate.model import replica_template

#: How an administrator has an ID freed that a record makes useless.
_FREE = (
    "delete it and purge it from the database ('glance-manage db purge', then "
    "'glance-manage db purge_images_table', both with --age_in_days 0)"
)

#: Statuses of a record that will never get data.
_DEAD = frozenset(('killed', 'deleted', 'pending_delete'))

_Formats = Mapping[str, Collection[str]]


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
    ) -> plan.Action:
        """Plan for one image at one destination.

        :param referred: another image needs it, whatever is selected
        """
        action = plan.Action(
            image,
            to,
            plan.Verb.COPY,
            replica,
            exact=to in self.exact,
            referred=referred,
        )
        for whose, record in (('source', image), ('destination', replica)):
            if record and (defect := record.defect):
                reason = f"the {whose}'s record cannot be used: {defect}"
                return action.instead(plan.Verb.FAIL, reason)
        # Who names an image wants to know why it is not copied.
        routine = not self.selection.images
        if not referred and not self.selection.matches(image):
            reason = 'not what the options select'
            return action.instead(plan.Verb.SKIP, reason, routine=routine)
        is_there = replica and replica.status in image_record.SETTLED
        reason = self.selection.reason_not_to_copy(image, referred) or ''
        if reason and not is_there:
            return action.instead(plan.Verb.SKIP, reason, routine=routine)
        try:
            shaped, owner = self.template.apply(image, to)
        except LookupError as exc:
            return action.instead(plan.Verb.FAIL, str(exc.args[0]))
        action = dataclasses.replace(action, shaped=shaped, owner=owner)
        if replica and is_there:
            return self._bring_up_to_date(action, replica)
        if replica and (reason := _stuck(replica)):
            return action.instead(plan.Verb.CONFLICT, reason)
        if replica and self._is_anothers(replica, to):
            reason = (
                f'queued there in project {replica.owner}, whose '
                'users would see the data: have its owner changed'
            )
            return action.instead(plan.Verb.CONFLICT, reason)
        if self.metadata_only:
            return action.instead(
                plan.Verb.SKIP, '--metadata-only', routine=True
            )
        if reason := self._unknown_format(action):
            return action.instead(plan.Verb.FAIL, reason)
        return action.instead(plan.Verb.COPY, self.ways.get(to, ''))

    def _bring_up_to_date(
        self, action: plan.Action, replica: image_record.Image
    ) -> plan.Action:
        """Plan for a replica that has its data."""
        image = action.image
        if image.status not in image_record.SETTLED:
            reason = f'status is {image.status}'
            return action.instead(plan.Verb.SKIP, reason, routine=True)
        same, evidence = image_record.same_data(image, replica)
        if not same:
            reason = f'other data under this ID: {evidence} differs'
            return action.instead(plan.Verb.CONFLICT, reason)
        reasons = ['size only'] if evidence == 'size' and image.size else []
        found = [
            *_differences(action.wanted, replica, action.exact),
            *_differences_in_people(action, replica, action.exact),
        ]
        changes = tuple(c for c in found if self._can_change(c, action.to))
        fixed = tuple(c for c in found if c not in changes)
        if not found:
            reason = ''.join(reasons)
            return action.instead(plan.Verb.UNCHANGED, reason, routine=True)
        if not changes:
            reason = plan.unchangeable(fixed)
            return action.instead(plan.Verb.FAIL, reason, fixed=fixed)
        reasons += [change.field for change in changes]
        return action.instead(
            plan.Verb.UPDATE, ', '.join(reasons), changes=changes, fixed=fixed
        )

    def _can_change(self, change: plan.Change, to: str) -> bool:
        return to in self.dumps or image_record.can_change(change.field)

    def _unknown_format(self, action: plan.Action) -> str:
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

    def extras(
        self, replica: image_record.Image, to: str
    ) -> Iterator[plan.Action]:
        """Tell of an image that only a destination has, if it is meant."""
        if not self.selection.matches(replica):
            return
        action = plan.Action(replica, to, plan.Verb.EXTRA, replica)
        if defect := replica.defect:
            reason = f"the destination's record cannot be used: {defect}"
            yield action.instead(plan.Verb.FAIL, reason)
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


def _differences(
    image: image_record.Image,
    replica: image_record.Image,
    exact: bool,
) -> Iterator[plan.Change]:
    """Compare what a replica should share with its source.

    :param exact: properties and tags that only the replica has are a
        difference, too, rather than the destination's own affair
    """
    wanted, have = image.portable, replica.portable
    fields = {**wanted, **have} if exact else wanted
    for field in fields:
        change = plan.Change(field, wanted.get(field), have.get(field), exact)
        if change.wanted != change.destination:
            yield change
    if image.status != replica.status:
        yield plan.Change('status', image.status, replica.status)


def _differences_in_people(
    action: plan.Action, replica: image_record.Image, exact: bool
) -> Iterator[plan.Change]:
    """Compare whose the replica is, and who may use it, where it matters."""
    owner = replica.owner
    if action.owner not in (None, owner):
        yield plan.Change('owner', action.owner, owner)
    members = action.wanted.members
    if members is not None:
        change = plan.Change('members', members, replica.members, exact)
        if change.wanted != replica.members:
            yield change
