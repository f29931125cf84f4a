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

"""What is planned and not begun: the largest images first."""

import bisect
from collections.abc import Collection
import math

from osc_glance_replicate.model import plan


class Backlog:
    """Groups of actions that wait for their turn.

    A run whose last transfer is a large one ends with that one alone, so
    large images come early. What moves no data is not kept waiting by what
    does. Nothing comes before an image that it needs.
    """

    def __init__(self) -> None:
        self._groups: list[plan.Group] = []

    def add(self, group: plan.Group) -> None:
        """Have a group wait for its turn."""
        bisect.insort(self._groups, group, key=_weight)

    def take(self, pending: Collection[plan.Action]) -> plan.Group | None:
        """Take the group whose turn it is out of the backlog.

        :param pending: what has begun and not ended
        :returns: None where all have to wait
        """
        unfinished: set[plan.Key] | None = None
        for index, group in enumerate(self._groups):
            needed = {
                (action.to, image_id)
                for action in group
                for image_id in action.after
            }
            if needed and unfinished is None:
                unfinished = {
                    action.key
                    for actions in (pending, *self._groups)
                    for action in actions
                }
            if not unfinished or not needed & unfinished:
                return self._groups.pop(index)
        # Nothing may wait for what never comes.
        return self._groups.pop(0) if self._groups and not pending else None


def _weight(group: plan.Group) -> float:
    """Return what groups are sorted by: the lightest has its turn first."""
    if any(action.verb is plan.Verb.COPY for action in group):
        return -(group[0].image.size or 0)
    return -math.inf
