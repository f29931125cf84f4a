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

"""The decision: records in, an action out, nothing read or written."""

from collections.abc import Callable, Collection, Iterator, Mapping
import dataclasses

from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import image_selection
from osc_glance_replicate.model import options
from osc_glance_replicate.model import plan
from osc_glance_replicate.model import replica_template

#: How an administrator has an ID freed that a record makes useless.
_FREE = (
    "delete it and purge it from the database ('glance-manage db purge', then "
    "'glance-manage db purge_images_table', both with --age_in_days 0)"
)

#: Statuses of a record that will never get data.
_DEAD = frozenset(('killed', 'deleted', 'pending_delete'))


@dataclasses.dataclass(frozen=True, slots=True)
class Rules:
    """How replicas at one destination are made and judged.

    :param template: how they differ from their sources
    :param exact: what only a replica has is removed
    :param at_rest: images only rest there: nothing is fixed, and nothing
        boots from there
    :param formats: returns the formats that it takes, by field; called only
        if anything is to be copied
    :param project: ID of the project that new replicas belong to; None where
        that is not known
    :param delivery: how data gets there
    """

    template: replica_template.Template = dataclasses.field(
        default_factory=replica_template.Template
    )
    exact: bool = False
    at_rest: bool = False
    formats: Callable[[], Mapping[str, Collection[str]]] = dict
    project: str | None = None
    delivery: options.Delivery = dataclasses.field(
        default_factory=options.Delivery
    )

    def references(self, image: image_record.Image) -> dict[str, str]:
        """Return the images that a replica needs to boot: property → ID."""
        return {
            field: image_id
            for field, image_id in image.references.items()
            if not self.template.leaves_out(field)
            and field not in self.template.properties
        }

    def can_change(self, change: plan.Change) -> bool:
        """Return whether a replica that has its data can get a change."""
        return self.at_rest or image_record.can_change(change.field)

    def unknown_format(self, wanted: image_record.Image) -> str:
        """Return which format would be refused, and what to do; else ''.

        :param wanted: the record that the replica is to have
        """
        fields = wanted.portable
        return '; '.join(
            f'{field} {fields[field]!r} is not known there: have it added to '
            f'{field}s of its Glance'
            for field, known in self.formats().items()
            if fields[field] not in (None, *known)
        )

    def is_anothers(self, replica: image_record.Image) -> bool:
        """Return whether a record without data is another project's.

        An administrator sees it, and could fill it; but whoever owns it
        would see the data before it is verified, or send other data:
        see fact-other-owner.
        """
        return (
            replica.status == 'queued'
            and None not in (self.project, replica.owner)
            and replica.owner != self.project
        )


#: Where nothing special holds.
_PLAIN = Rules()


@dataclasses.dataclass(frozen=True, slots=True)
class Planner:
    """Decides what is to be done with one image.

    :param selection: which images are to be copied
    :param metadata_only: whether data must not move
    :param extra: whether images that only a destination has are told of; the
        rows must then hold all images of the source, selected or not
    :param destinations: what holds at each of them, by name; one where
        nothing special does may be missing
    """

    selection: image_selection.Selection
    metadata_only: bool = False
    extra: bool = False
    destinations: Mapping[str, Rules] = dataclasses.field(default_factory=dict)

    def at(self, to: str) -> Rules:
        """Return what holds at a destination."""
        return self.destinations.get(to, _PLAIN)

    @property
    def members(self) -> bool:
        """Whether any destination needs to know the members of images."""
        return any(
            each.template.members for each in self.destinations.values()
        )

    def decide(
        self,
        image: image_record.Image,
        replica: image_record.Image | None,
        to: str,
        referred: bool = False,
    ) -> plan.Action:
        """Return what is to be done with one image at one destination.

        :param to: name of the destination
        :param referred: another image needs it, whatever is selected
        """
        there = self.at(to)
        action = plan.Action(
            image,
            to,
            plan.Verb.COPY,
            replica,
            exact=there.exact,
            referred=referred,
        )
        for whose, record in (('source', image), ('destination', replica)):
            if record and (defect := record.defect):
                return action.with_verb(
                    plan.Verb.FAIL,
                    f"the {whose}'s record cannot be used: {defect}",
                )
        # Who names an image wants to know why it is not copied.
        routine = not self.selection.images
        if not referred and not self.selection.matches(image):
            return action.with_verb(
                plan.Verb.SKIP, 'not what the options select', routine=routine
            )
        is_there = replica and replica.status in image_record.SETTLED
        reason = self.selection.reason_not_to_copy(image, referred) or ''
        if reason and not is_there:
            return action.with_verb(plan.Verb.SKIP, reason, routine=routine)
        try:
            shaped, owner = there.template.apply(image)
        except LookupError as exc:
            return action.with_verb(plan.Verb.FAIL, str(exc.args[0]))
        action = dataclasses.replace(action, shaped=shaped, owner=owner)
        if replica and is_there:
            return self._bring_up_to_date(action, replica)
        return self._copy(action, replica)

    def _copy(
        self, action: plan.Action, replica: image_record.Image | None
    ) -> plan.Action:
        """Return whether an image can get its data.

        :param replica: what there is of it, which is a record without data
        """
        there = self.at(action.to)
        if replica and (reason := _stuck(replica)):
            return action.with_verb(plan.Verb.CONFLICT, reason)
        if replica and there.is_anothers(replica):
            return action.with_verb(
                plan.Verb.CONFLICT,
                f'queued there in project {replica.owner}, whose '
                'users would see the data: have its owner changed',
            )
        if self.metadata_only:
            return action.with_verb(
                plan.Verb.SKIP, '--metadata-only', routine=True
            )
        if reason := there.unknown_format(action.wanted):
            return action.with_verb(plan.Verb.FAIL, reason)
        return action.with_verb(plan.Verb.COPY, str(there.delivery))

    def _bring_up_to_date(
        self, action: plan.Action, replica: image_record.Image
    ) -> plan.Action:
        """Return what is to be done with a replica that has its data."""
        image = action.image
        if image.status not in image_record.SETTLED:
            return action.with_verb(
                plan.Verb.SKIP, f'status is {image.status}', routine=True
            )
        same, evidence = image_record.same_data(image, replica)
        if not same:
            return action.with_verb(
                plan.Verb.CONFLICT,
                f'other data under this ID: {evidence} differs',
            )
        reasons = ['size only'] if evidence == 'size' and image.size else []
        found = list(_differences(action, replica))
        changes = tuple(filter(self.at(action.to).can_change, found))
        fixed = tuple(c for c in found if c not in changes)
        if not found:
            return action.with_verb(
                plan.Verb.UNCHANGED, ''.join(reasons), routine=True
            )
        if not changes:
            return action.with_verb(
                plan.Verb.FAIL, plan.unchangeable(fixed), fixed=fixed
            )
        reasons += [change.field for change in changes]
        return action.with_verb(
            plan.Verb.UPDATE, ', '.join(reasons), changes=changes, fixed=fixed
        )

    def decide_extra(
        self, replica: image_record.Image, to: str
    ) -> plan.Action:
        """Return what is told of an image that only a destination has."""
        action = plan.Action(replica, to, plan.Verb.EXTRA, replica)
        if defect := replica.defect:
            return action.with_verb(
                plan.Verb.FAIL,
                f"the destination's record cannot be used: {defect}",
            )
        return action


def _stuck(replica: image_record.Image) -> str:
    """Return why a record without data will not get any, or ''."""
    status, record = replica.status, replica.record
    if status in _DEAD:
        return f'status there is {status}'
    if status == 'queued' and record.get('checksum'):
        # Glance keeps the data that it has refused, and finds its ID taken
        # in the store ever after: see fact-poisoned-record.
        return (
            'an upload was refused there, after which Glance takes no data '
            f'for this record any more: its administrator has to {_FREE}'
        )
    # It does not end by itself: see fact-import-end.
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
    action: plan.Action, replica: image_record.Image
) -> Iterator[plan.Change]:
    """Yield how a replica differs from what it is to be."""
    image, exact = action.wanted, action.exact
    wanted, have = image.portable, replica.portable
    # What only the replica has is the destination's own affair otherwise.
    for field in {**wanted, **have} if exact else wanted:
        change = plan.Change(field, wanted.get(field), have.get(field), exact)
        if change.wanted != change.destination:
            yield change
    if image.status != replica.status:
        yield plan.Change('status', image.status, replica.status)
    if action.owner not in (None, replica.owner):
        yield plan.Change('owner', action.owner, replica.owner)
    if image.members is not None:
        change = plan.Change('members', image.members, replica.members, exact)
        if change.wanted != replica.members:
            yield change
