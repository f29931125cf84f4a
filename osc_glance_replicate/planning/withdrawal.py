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

"""What a replica loses where nothing else may be done with it.

No tenant may delay that: neither whoever has made the image, nor whoever
refers to it or is referred to by it.
"""

from collections.abc import Collection, Sequence

from osc_glance_replicate.model import plan
from osc_glance_replicate.planning import differences


def only_losing(
    action: plan.Action,
    changes: Sequence[plan.Change],
    reason: str,
    told_as: plan.Verb | None = None,
) -> plan.Action | None:
    """Return an action in which a replica only loses something.

    :param changes: all that would be made
    :param reason: why no other is
    :param told_as: what comes of it all the same
    :returns: None where there is nothing to lose
    """
    less = tuple(differences.taking_away(changes))
    if not less:
        return None
    fields = ', '.join(change.field for change in less)
    return action.with_verb(
        plan.Verb.UPDATE,
        f'{fields}; {reason}',
        changes=less,
        fixed=(),
        proof='',
        told_as=told_as,
    )


def within_needs(action: plan.Action, needs: Collection[str]) -> plan.Action:
    """Return an action as far as it is done without what its image needs.

    :param needs: properties of the image that refer to others
    """
    if not action.lacks or not depends(action, needs):
        return action
    if action.verb is plan.Verb.UPDATE and action.losable:
        less = only_losing(
            action, action.changes, action.lacks, plan.Verb.FAIL
        )
        if less:
            return less
    return action.with_verb(
        plan.Verb.FAIL, action.lacks, changes=(), adopts=False
    )


def depends(action: plan.Action, needs: Collection[str]) -> bool:
    """Return whether an action gives anybody an image that needs others.

    :param needs: properties of the image that refer to others
    """
    if action.verb is plan.Verb.UPDATE:
        return bool(needs) and (
            action.adopts
            or any(c.gives or c.field in needs for c in action.changes)
        )
    return action.verb is plan.Verb.COPY and bool(needs)
