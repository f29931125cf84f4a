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

from collections.abc import Mapping, Sequence
import dataclasses

from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import image_selection
from osc_glance_replicate.model import plan
from osc_glance_replicate.model import proof
from osc_glance_replicate.planning import differences
from osc_glance_replicate.planning import rules

#: How an administrator has an ID freed that a record makes useless.
_FREE = (
    "delete it and purge it from the database ('glance-manage db purge', then "
    "'glance-manage db purge_images_table', both with --age_in_days 0)"
)

#: What is told of a replica that may have any data of the same size.
_UNPROVEN = 'nothing proves that its data is the same'

#: What is told of evidence that others may have forged.
_WEAK = {proof.SIZE: 'size only', 'md5': 'md5 only'}

#: Statuses of a record that will never get data.
_DEAD = frozenset(('killed', 'deleted', 'pending_delete'))


#: Where nothing special holds.
_PLAIN = rules.Rules()


@dataclasses.dataclass(frozen=True, slots=True)
class Planner:
    """Decides what is to be done with one image.

    :param selection: which images are to be copied
    :param metadata_only: whether data must not move
    :param computed: whether the source has itself computed the hashes in its
        records
    :param extra: whether images that only a destination has are told of; the
        rows must then hold all images of the source, selected or not
    :param destinations: what holds at each of them, by name; one where
        nothing special does may be missing
    """

    selection: image_selection.Selection
    metadata_only: bool = False
    computed: bool = True
    extra: bool = False
    destinations: Mapping[str, rules.Rules] = dataclasses.field(
        default_factory=dict
    )

    def at(self, to: str) -> rules.Rules:
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
        if replica and not there.runner.owns(replica.owner):
            # He would see the data before it is verified, or send other
            # data: see fact-other-owner.
            return action.with_verb(
                plan.Verb.CONFLICT,
                f'{plan.belongs_to(replica.owner)}, {replica.status}: '
                'have its owner changed and run with --exact, which removes '
                'what they have set',
                foreign=str(replica.owner),
            )
        if replica and there.was_first(action.image, replica):
            return action.with_verb(plan.Verb.CONFLICT, 'was there first')
        if replica and (reason := _stuck(replica)):
            return action.with_verb(plan.Verb.CONFLICT, reason)
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
        if reason := image_selection.not_portable(image):
            return action.with_verb(
                plan.Verb.SKIP, reason, routine=not self.selection.images
            )
        there = self.at(action.to)
        same, evidence = there.same_data(image, replica)
        if replica.owner != action.owner and not there.runner.owns(
            replica.owner
        ):
            serves = same and there.can_serve(replica, evidence)
            return _leave_to_owner(action, replica, serves)
        if not same:
            return action.with_verb(
                plan.Verb.CONFLICT,
                f'other data under this ID: {evidence} differs',
            )
        found = list(differences.of(action, replica))
        if not there.runner.owns(replica.owner) and any(
            map(differences.gives, found)
        ):
            # What its owner has set besides would be given, too.
            action = dataclasses.replace(action, exact=True)
            found = list(differences.of(action, replica))
        told = [_WEAK[evidence]] if evidence in _WEAK and image.size else []
        mine = there.runner.owns(replica.owner)
        if (found or not mine) and there.was_first(image, replica):
            return action.with_verb(
                plan.Verb.CONFLICT, _withdrawn('was there first', action)
            )
        if not found:
            return action.with_verb(
                plan.Verb.UNCHANGED, ''.join(told), routine=True
            )
        return self._change(action, replica, found, evidence)

    def _change(
        self,
        action: plan.Action,
        replica: image_record.Image,
        found: Sequence[plan.Change],
        evidence: str,
    ) -> plan.Action:
        """Return the changes of a replica, as far as they may be made.

        :param found: how it differs
        :param evidence: what its data was compared by
        """
        there = self.at(action.to)
        changes = tuple(filter(there.can_change, found))
        fixed = tuple(c for c in found if c not in changes)
        if not changes:
            return action.with_verb(
                plan.Verb.FAIL, plan.unchangeable(fixed), fixed=fixed
            )
        algorithm = ''
        told = [_WEAK[evidence]] if evidence in _WEAK else []
        if not self._is_proven(action.to, replica, evidence):
            algorithm = proof.to_read_for(replica)
            if self.metadata_only or not there.can_prove(replica, algorithm):
                return _only_take_away(action, changes)
            told = ['read to prove']
        return action.with_verb(
            plan.Verb.UPDATE,
            ', '.join([*told, *(change.field for change in changes)]),
            changes=changes,
            fixed=fixed,
            proof=algorithm,
        )

    def _is_proven(
        self, to: str, replica: image_record.Image, evidence: str
    ) -> bool:
        """Return whether a replica has the source's data, by its record.

        What a dump's record says of its data is the word of who has written
        it.
        """
        there = self.at(to)
        if there.at_rest:
            return True
        return self.computed and there.can_prove(replica, evidence)

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


def _leave_to_owner(
    action: plan.Action, replica: image_record.Image, serves: bool
) -> plan.Action:
    """Return what is told of an image that is not ours.

    :param serves: it is as good as a replica
    """
    if serves and not _withdrawn('', action):
        return action.with_verb(
            plan.Verb.SKIP,
            f'{replica.visibility} there, of project {replica.owner}',
            routine=True,
            serves=True,
        )
    return action.with_verb(
        plan.Verb.CONFLICT,
        _withdrawn(plan.belongs_to(replica.owner), action),
        foreign=str(replica.owner),
    )


def _withdrawn(reason: str, action: plan.Action) -> str:
    """Return a reason, with what it keeps from being withdrawn."""
    replica = action.replica
    is_to_go = action.image.status == 'deactivated'
    if is_to_go and replica and replica.status == 'active':
        return f'{reason}, deactivated at its source'
    return reason


def _only_take_away(
    action: plan.Action, changes: Sequence[plan.Change]
) -> plan.Action:
    """Return what is done to a replica whose data may be any."""
    less = tuple(differences.taking_away(changes))
    if not less:
        return action.with_verb(plan.Verb.CONFLICT, _UNPROVEN)
    fields = ', '.join(change.field for change in less)
    return action.with_verb(
        plan.Verb.UPDATE,
        f'{fields}; {_UNPROVEN}',
        changes=less,
        doubt=_UNPROVEN,
    )


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
