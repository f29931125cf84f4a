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

from collections.abc import Mapping
import dataclasses

from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import image_selection
from osc_glance_replicate.model import ownership
from osc_glance_replicate.model import plan
from osc_glance_replicate.planning import conflicts
from osc_glance_replicate.planning import rules
from osc_glance_replicate.planning import updates

#: Statuses of a record that will never get data.
_DEAD = frozenset(('killed', 'deleted', 'pending_delete'))


#: Where nothing special holds.
_PLAIN = rules.Rules()


@dataclasses.dataclass(frozen=True, slots=True)
class Planner:
    """Decides what is to be done with one image.

    :param selection: which images are to be copied
    :param metadata_only: whether data must not move
    :param extra: whether images that only a destination has are told of; the
        rows must then hold all images of the source, selected or not
    :param adopt: whether an image that is named by its ID becomes a replica
        where it is another's, or was there first
    :param destinations: what holds at each of them, by name; one where
        nothing special does may be missing
    :param reader: ID of the project whose ordinary user reads the source;
        None for an administrator, who sees what nobody has shown to him
    :param dumped: whether the source is a dump, where owners and hashes are
        the word of whoever wrote it
    """

    selection: image_selection.Selection
    metadata_only: bool = False
    extra: bool = False
    adopt: bool = False
    destinations: Mapping[str, rules.Rules] = dataclasses.field(
        default_factory=dict
    )
    reader: str | None = None
    dumped: bool = False

    def at(self, to: str) -> rules.Rules:
        """Return what holds at a destination."""
        return self.destinations.get(to, _PLAIN)

    @property
    def projects(self) -> set[str]:
        """IDs of the projects that new replicas belong to by default."""
        found = (each.runner.project for each in self._all())
        return {project for project in found if project}

    @property
    def members(self) -> bool:
        """Whether any destination needs to know the members of images."""
        return any(each.template.members for each in self._all())

    def _all(self) -> list[rules.Rules]:
        # More of them may come meanwhile.
        return list(self.destinations.values())

    def decide(
        self,
        image: image_record.Image,
        replica: image_record.Image | None,
        to: str,
        referred: bool = False,
        capped: bool = False,
    ) -> plan.Action:
        """Return what is to be done with one image at one destination.

        :param to: name of the destination
        :param referred: another image needs it, whatever is selected
        :param capped: it gets no more visibility than it has at its source
        """
        if replica and not image.defect and not replica.defect:
            replica = self.at(to).as_sent(image, replica)
        decided = self._decide(image, replica, to, referred, capped)
        # What is unchanged does for others in any case.
        if decided.verb is plan.Verb.UNCHANGED or not replica:
            return decided
        if image.defect or replica.defect:
            return decided
        return dataclasses.replace(
            decided, usable=self._is_usable(image, replica, self.at(to))
        )

    def _is_usable(
        self,
        image: image_record.Image,
        replica: image_record.Image,
        there: rules.Rules,
    ) -> bool:
        try:
            _, owner = there.template.apply(image)
        except LookupError:
            owner = None
        return there.is_usable(image, replica, owner)

    def _decide(
        self,
        image: image_record.Image,
        replica: image_record.Image | None,
        to: str,
        referred: bool,
        capped: bool,
    ) -> plan.Action:
        there = self.at(to)
        action = plan.Action(
            image,
            to,
            plan.Verb.COPY,
            replica,
            exact=there.exact,
            referred=referred,
            mark=there.mark_of(image),
            capped=capped,
        )
        if defect := _defect(image, replica):
            return action.with_verb(plan.Verb.FAIL, defect)
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
        unread = image.unread
        is_exact = there.exact or self._adopts(image, referred)
        if replica and (image.members or is_exact):
            unread = unread or replica.unread
        if unread and there.template.members:
            failed = action.with_verb(plan.Verb.FAIL, unread)
            return self._but_withdrawn(failed, routine)
        try:
            shaped, owner = there.template.apply(image, capped)
        except LookupError as exc:
            failed = action.with_verb(plan.Verb.FAIL, str(exc.args[0]))
            return self._but_withdrawn(failed, routine)
        adopts = self._adopts(image, referred)
        action = dataclasses.replace(
            action,
            shaped=shaped,
            owner=owner,
            exact=there.exact or adopts,
            cleared=there.at_rest or adopts,
        )
        if replica and is_there:
            return self._judge(there, adopts, routine).decide(action, replica)
        return self._copy(action, replica)

    def _judge(
        self, there: rules.Rules, adopts: bool, routine: bool
    ) -> updates.Judge:
        return updates.Judge(
            there,
            computed=not self.dumped,
            metadata_only=self.metadata_only,
            adopts=adopts,
            encrypted=self.selection.encrypted,
            routine=routine,
        )

    def _but_withdrawn(
        self, failed: plan.Action, routine: bool
    ) -> plan.Action:
        """Return a failure, with what its replica loses all the same.

        Whoever owns an image chooses its members: that one of them cannot be
        mapped, or even be read, does not delay a withdrawal.
        """
        image, replica = failed.image, failed.replica
        if not replica or replica.status not in image_record.SETTLED:
            return failed
        there = self.at(failed.to)
        template = dataclasses.replace(there.template, members=False)
        try:
            shaped, owner = template.apply(image, failed.capped)
        except LookupError:
            # Then at least what is the runner's own is withdrawn.
            template = dataclasses.replace(template, owners=ownership.Owners())
            shaped, owner = template.apply(image, failed.capped)
        action = dataclasses.replace(failed, shaped=shaped, owner=owner)
        judge = self._judge(there, False, routine)
        return judge.only_withdraw(action, replica)

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
            return conflicts.was_first(action)
        if replica and (reason := _stuck(replica, there)):
            return action.with_verb(plan.Verb.CONFLICT, reason)
        if self.metadata_only:
            return action.with_verb(
                plan.Verb.SKIP, '--metadata-only', routine=True
            )
        if reason := (
            there.refused(action.wanted, action.to)
            or there.unprovable_format(action.image)
            or there.cannot_be_told(action.image)
        ):
            return action.with_verb(plan.Verb.FAIL, reason)
        is_staged = replica is not None and replica.staged
        return action.with_verb(
            plan.Verb.COPY,
            str(there.delivery),
            conversion=there.conversion(action.owner, is_staged),
        )

    def _adopts(self, image: image_record.Image, referred: bool) -> bool:
        """Return whether what is another's there is to become a replica."""
        ids = {name.lower() for name in self.selection.images}
        return self.adopt and not referred and image.key in ids

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


def _defect(
    image: image_record.Image, replica: image_record.Image | None
) -> str:
    """Return whose record cannot be used, and why, or ''."""
    for whose, record in (('source', image), ('destination', replica)):
        if record and (defect := record.defect):
            return f"the {whose}'s record cannot be used: {defect}"
    return ''


def _stuck(replica: image_record.Image, there: rules.Rules) -> str:
    """Return why a record without data will not get any, or ''."""
    status = replica.status
    if status in _DEAD:
        return f'status there is {status}'
    if status == 'queued' and replica.record.get('checksum'):
        # Glance keeps the data that it has refused, and finds its ID taken
        # in the store ever after: see fact-poisoned-record.
        return (
            'an upload was refused there, and what its Glance has kept of it '
            'is in the way of another one: its administrator has to remove '
            'the object of this ID from its store, and to set size, checksum, '
            "os_hash_algo and os_hash_value of its record in Glance's "
            'database to NULL, after which the next run completes it'
        )
    # It does not end by itself: see fact-import-end.
    return there.failed_import(replica) if status == 'importing' else ''
