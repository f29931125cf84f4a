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

"""What is to be done with a record that has its data at the destination.

Whoever made it chose its ID, and may have chosen its data: it is our replica
only if its owner, its age and its data say so (doc/source/user/security.rst).
"""

from collections.abc import Sequence
import dataclasses

from osc_glance_replicate.model import conversions
from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import image_selection
from osc_glance_replicate.model import plan
from osc_glance_replicate.model import proof
from osc_glance_replicate.planning import conflicts
from osc_glance_replicate.planning import converted
from osc_glance_replicate.planning import differences
from osc_glance_replicate.planning import rules
from osc_glance_replicate.planning import withdrawal

#: What is told of a replica that may have any data of the same size.
_UNPROVEN = 'nothing proves that its data is the same'

#: What is told of evidence that others may have forged.
_WEAK = {proof.SIZE: proof.SIZE_ONLY, 'md5': 'md5 only'}


@dataclasses.dataclass(frozen=True, slots=True)
class Judge:
    """Decides whether a record is our replica, and what becomes of it.

    :param there: what holds at the destination
    :param computed: whether the source has itself computed the hashes in its
        records
    :param metadata_only: whether data must not be read
    :param adopts: whether the record becomes a replica if it is another's, or
        was there first
    :param encrypted: whether both clouds have the keys of encrypted images
    :param routine: whether nobody needs to look at what is left out
    """

    there: rules.Rules
    computed: bool
    metadata_only: bool
    adopts: bool
    encrypted: bool
    routine: bool

    def decide(
        self, action: plan.Action, replica: image_record.Image
    ) -> plan.Action:
        """Return what is to be done with one record."""
        image, there = action.image, self.there
        if image.status not in image_record.SETTLED:
            return action.with_verb(
                plan.Verb.SKIP, f'status is {image.status}', routine=True
            )
        same, evidence = there.same_data(image, replica)
        mine = there.runner.owns(replica.owner)
        if other := there.other_mark(replica):
            return action.with_verb(plan.Verb.CONFLICT, f'replica of {other}')
        if reason := image_selection.not_portable(image, self.encrypted):
            ours = same and (mine or replica.owner == action.owner)
            return self._withdraw(action, replica, reason, ours)
        if not mine and replica.owner != action.owner:
            if same and self.adopts:
                return self._take_over(action, replica, evidence)
            if self.adopts:
                return conflicts.other_data(action, evidence)
            serves = same and there.can_serve(replica, evidence)
            return conflicts.left_to_owner(action, replica, serves)
        if not same:
            told = conflicts.other_data(action, evidence)
            return converted.explained(told, replica, there)
        return self._bring_up_to_date(action, replica, evidence)

    def only_withdraw(
        self, failed: plan.Action, replica: image_record.Image
    ) -> plan.Action:
        """Return a failure, with what a replica loses all the same."""
        if not self.computed:
            return failed
        changes = self.decide(failed, replica).changes
        less = withdrawal.only_losing(
            failed, changes, failed.reason, told_as=failed.verb
        )
        return less or failed

    def _bring_up_to_date(
        self, action: plan.Action, replica: image_record.Image, evidence: str
    ) -> plan.Action:
        """Return what is to be done with a record of a right owner.

        :param evidence: what its data was compared by
        """
        there = self.there
        mine = there.runner.owns(replica.owner)
        found = self._differences(action, replica)
        if there.is_hashed_since(action.image, replica):
            field = 'os_hash_value'
            if not (value := action.image.record.get(field)):
                field, value = 'checksum', action.image.record['checksum']
            found.append(plan.Change(field, value, None))
        goes = any(change.field == 'owner' for change in found)
        if goes and replica.stored:
            return converted.kept(action, found)
        if goes or (not mine and any(change.gives for change in found)):
            # What its owner has set besides would be given, too.
            action = dataclasses.replace(action, exact=True, cleared=True)
            found = self._differences(action, replica)
        if found and action.capped and not there.at_rest:
            # Nobody changes it by an image of his own that refers to it.
            return self._withdraw(
                action, replica, 'needed as it is there', ours=True
            )
        if found and there.was_first(action.image, replica):
            if self.adopts:
                return self._take_over(action, replica, evidence)
            return conflicts.was_first(action)
        if found:
            return self._change(action, replica, found, evidence)
        weak = _WEAK.get(evidence, '') if action.image.size else ''
        if replica.stored:
            weak = conversions.told(evidence)
        return action.with_verb(plan.Verb.UNCHANGED, weak, routine=True)

    def _differences(
        self, action: plan.Action, replica: image_record.Image
    ) -> list[plan.Change]:
        """Return how a replica differs that follows its source."""
        found = list(differences.of(action, replica))
        hidden = [change for change in found if change.field == 'os_hidden']
        if replica.status != 'deactivated' or all(
            map(self.there.can_change, hidden)
        ):
            return found
        # Where no image can be hidden, nothing is nearer to it.
        rest = 'os_hidden', 'status'
        return [change for change in found if change.field not in rest]

    def _withdraw(
        self,
        action: plan.Action,
        replica: image_record.Image,
        reason: str,
        ours: bool,
    ) -> plan.Action:
        """Return how a replica follows its source in nothing but a withdrawal.

        Neither who has made the image nor who refers to it may delay that.

        :param reason: why it follows in nothing else
        :param ours: whether the record is a replica
        """
        image = action.image
        less: Sequence[plan.Change] = ()
        if ours and self.computed and not self.there.was_first(image, replica):
            less = [
                change
                for change in differences.of(action, replica)
                # Not what an option alone asks for.
                if change.field != 'visibility'
                or change.source == image.visibility
            ]
        return withdrawal.only_losing(action, less, reason) or (
            action.with_verb(
                plan.Verb.SKIP,
                reason,
                routine=self.routine or action.capped,
            )
        )

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
        changes = tuple(filter(self.there.can_change, found))
        fixed = tuple(c for c in found if c not in changes)
        if fixed and not self.there.runner.owns(replica.owner):
            # What is not as it is to be is not given to anybody.
            gives = [change for change in changes if change.gives]
            changes = (
                *(change for change in changes if not change.gives),
                *differences.taking_away(gives),
            )
        if fixed and not changes:
            return action.with_verb(
                plan.Verb.FAIL, plan.unchangeable(fixed), fixed=fixed
            )
        algorithm = ''
        told = [_WEAK[evidence]] if evidence in _WEAK else []
        if not self._is_proven(action.image, replica, evidence):
            algorithm = proof.to_read_for(replica)
            readable = self.there.can_prove(replica, algorithm)
            if self.metadata_only or not readable:
                return self._only_take_away(action, changes)
            told = ['read to prove']
        have = replica.marks.get(image_record.MARK)
        if action.mark and action.mark != have:
            changes += (plan.Change(image_record.MARK, action.mark, have),)
        return action.with_verb(
            plan.Verb.UPDATE,
            ', '.join([*told, *(change.field for change in changes)]),
            changes=changes,
            fixed=fixed,
            proof=algorithm,
            withdraws=self.computed,
        )

    def _only_take_away(
        self, action: plan.Action, changes: Sequence[plan.Change]
    ) -> plan.Action:
        """Return what is done to a replica whose data may be any.

        What a dump says may be anybody's word, and is no reason to withdraw.
        """
        conflict = action.with_verb(plan.Verb.CONFLICT, _UNPROVEN)
        if not self.computed:
            return conflict
        less = withdrawal.only_losing(
            action, changes, _UNPROVEN, told_as=plan.Verb.CONFLICT
        )
        return less or conflict

    def _is_proven(
        self,
        image: image_record.Image,
        replica: image_record.Image,
        evidence: str,
    ) -> bool:
        """Return whether a replica has the source's data, by its record.

        What a dump's record says of its data is the word of who has written
        it.
        """
        there = self.there
        if there.at_rest:
            # Its own hash may be by another algorithm than the source's.
            is_other = there.is_hashed_since(image, replica)
            return not is_other or evidence != proof.SIZE
        return self.computed and (
            there.is_marked(replica) or there.can_prove(replica, evidence)
        )

    def _take_over(
        self, action: plan.Action, replica: image_record.Image, evidence: str
    ) -> plan.Action:
        """Return how another's image becomes a replica, if it is the same."""
        action = dataclasses.replace(action, exact=True)
        found = list(differences.of(action, replica))
        taken = self._change(action, replica, found, evidence)
        if taken.told_as or taken.verb is plan.Verb.CONFLICT:
            return action.with_verb(plan.Verb.CONFLICT, _UNPROVEN)
        if taken.fixed:
            return action.with_verb(
                plan.Verb.FAIL,
                plan.unchangeable(taken.fixed),
                fixed=taken.fixed,
            )
        reason = ', '.join(filter(None, ['adopted', taken.reason]))
        # His own stays as visible as it is meanwhile.
        others = not self.there.runner.owns(replica.owner)
        return dataclasses.replace(
            taken,
            adopts=others,
            withdraws=taken.withdraws and not others,
            reason=reason,
        )
