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

"""What has not arrived, and what is done without it."""

import dataclasses

from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan
from osc_glance_replicate.planning import succession
from osc_glance_replicate.planning import withdrawal


class Losses:
    """Knows what was to be done and was not, for what waits for it."""

    def __init__(self) -> None:
        self._failed: set[plan.Key] = set()
        #: What was to bring something and did not: why, and whether it is why.
        self._lost: dict[plan.Key, tuple[str, outcomes.Cause]] = {}

    def note(self, planned: plan.Action, outcome: outcomes.Outcome) -> None:
        """Note what has become of an action.

        :param planned: what was to be done
        """
        if planned.verb is plan.Verb.READ:
            # It brings nothing, so that nothing waits for it.
            return
        if outcome.result.is_failure:
            self._failed.add(planned.key)
        if planned.verb in plan.TO_DO and not outcome.result.is_there:
            reason = outcome.reason or outcome.result.value
            why = succession.why(outcome.action, reason)
            self._lost[planned.key] = why, outcome.lies_in

    def without(self, action: plan.Action) -> plan.Action:
        """Return what is done without an image that has not arrived."""
        successor = action.successor
        if successor and not successor.lost:
            if lost := self._lost.get((action.to, successor.id)):
                action = succession.lost(action, *lost)
            else:
                action = dataclasses.replace(action, successor=None)
        for image_id in action.after:
            if (action.to, image_id) in self._failed:
                lacks = (
                    f'{image_id}, which it needs, was not replicated: mend '
                    'that first, or leave the property out by --dont-replicate'
                )
                return withdrawal.within_needs(
                    dataclasses.replace(action, lacks=lacks, after=()),
                    action.image.references,
                )
        return action

    def outcome(
        self, planned: plan.Action, action: plan.Action
    ) -> outcomes.Outcome:
        """Return what becomes of an action that is not begun.

        :param planned: what was to be done
        :param action: what is left of it
        """
        causes = [
            self._lost[action.to, image_id][1]
            for image_id in planned.after
            if (action.to, image_id) in self._lost
        ]
        if action.successor and action.successor.unfit:
            causes.append(outcomes.Cause.IMAGE)
        outcome = outcomes.as_planned(action)
        if causes:
            outcome = dataclasses.replace(outcome, cause=causes[0])
        return outcome
