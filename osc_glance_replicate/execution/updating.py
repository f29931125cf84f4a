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

"""A replica that has its data brought up to date."""

import dataclasses
import functools

from osc_glance_replicate import errors
from osc_glance_replicate.execution import events
from osc_glance_replicate.execution import planned
from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan
from osc_glance_replicate import places
from osc_glance_replicate.planning import conflicts
from osc_glance_replicate.planning import differences
from osc_glance_replicate.transfer import image_reading
from osc_glance_replicate.transfer import proving


class Updating:
    """The changes of one replica, in as many tries as they take.

    :param current: what is to be done, as planned by now
    :param destination: where the replica is
    :param reading: how the source's data is read, to prove it
    """

    def __init__(
        self,
        current: planned.Planned,
        destination: places.Destination,
        reading: image_reading.Reading,
        listener: events.Listener,
    ) -> None:
        self._planned = current
        self._destination = destination
        self._reading = reading
        self._listener = listener
        #: What was begun, whose answer may have been lost.
        self._begun: plan.Action | None = None
        #: Fields that were changed before the data was proven.
        self._withdrawn: list[str] = []
        #: Hashes of the source's data, by algorithm: it does not change.
        self._digests: dict[str, str] = {}

    def try_once(self) -> outcomes.Outcome | None:
        """Make the changes; before those that give more, prove the data.

        :returns: None where that took so long that it was planned anew
        :raises PlaceError: the source broke, or the destination refuses
        """
        action = self._begun = self._planned.action
        if action.proof:
            if action.withdraws:
                self._withdraw(action)
            if not self._is_proven(action):
                return outcomes.Outcome(
                    action,
                    outcomes.Result.CONFLICT,
                    self.after_withdrawal(
                        conflicts.words_of_other_data(action, action.proof)
                    ),
                )
            if self._planned.is_old:
                self._planned.renew(but_not=lambda replica: False)
                return None
        if action.adopts:
            action = self._adopt(action)
        self._destination.update(action)
        return self._done(self._begun)

    def _withdraw(self, action: plan.Action) -> None:
        """Make those changes that need no proof."""
        less = tuple(differences.taking_away(action.changes))
        if less:
            self._destination.update(dataclasses.replace(action, changes=less))
            self._withdrawn += [change.field for change in less]

    def after_withdrawal(self, problem: str) -> str:
        """Return why the rest was not done, after what was."""
        fields = ', '.join(self._withdrawn)
        return f'{fields}; {problem}' if fields else problem

    def lost(self) -> outcomes.Outcome | None:
        """Return what became of what was begun, if nothing is left of it.

        It was done, and the answer was lost.
        """
        return self._done(self._begun) if self._begun else None

    def _done(self, action: plan.Action) -> outcomes.Outcome:
        if action.fixed or action.told_as:
            return outcomes.as_planned(action)
        return outcomes.Outcome(action, outcomes.Result.UPDATED, action.reason)

    def _is_proven(self, action: plan.Action) -> bool:
        """Read the source's data, and hold it against the replica's hash."""
        if action.proof not in self._digests:
            self._digests[action.proof] = proving.digest(
                self._reading,
                action.image,
                action.proof,
                functools.partial(self._listener.checked, action),
            )
        found = self._digests[action.proof]
        replica = action.replica
        return replica is not None and found == replica.digests[action.proof]

    def _adopt(self, action: plan.Action) -> plan.Action:
        """Make another's image the runner's own, seen by nobody else.

        :returns: what is to be changed from there on
        :raises RefusedError: it is not the image any more that was judged
        """
        replica = self._destination.adopt(action)
        if _data_of(replica) != _data_of(action.replica):
            raise errors.RefusedError(
                action.to,
                f'{action.image.id} has changed meanwhile, and is private '
                'now: run again',
            )
        changes = tuple(differences.of(action, replica))
        if fixed := [
            c for c in changes if not image_record.can_change(c.field)
        ]:
            raise errors.RefusedError(
                action.to,
                f'{action.image.id} is private now: '
                f'{plan.unchangeable(fixed)}',
            )
        marking = [c for c in action.changes if c.field == image_record.MARK]
        return dataclasses.replace(
            action, replica=replica, changes=(*changes, *marking)
        )


def _data_of(replica: image_record.Image | None) -> object:
    return replica and (replica.status, replica.size, replica.digests)
