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
import itertools
import math

from osc_glance_replicate.model import plan


class Backlog:
    """Groups of actions that wait for their turn.

    A run whose last transfer is a large one ends with that one alone, so
    large images come early. What moves no data waits in a queue of its own.
    Nothing comes before an image that it needs.
    """

    def __init__(self) -> None:
        #: What moves no data, and what does.
        self._groups: dict[bool, list[plan.Group]] = {False: [], True: []}

    def add(self, group: plan.Group) -> None:
        """Have a group wait for its turn.

        :param group: all of it moves data, or none
        """
        bisect.insort(self._groups[group[0].moves], group, key=_weight)

    def take(
        self, pending: Collection[plan.Action], free: Collection[bool]
    ) -> plan.Group | None:
        """Take the group whose turn it is out of the backlog.

        :param pending: what has begun and not ended
        :param free: whether it may be one that moves data, in the order in
            which they are tried
        :returns: None where all have to wait
        """
        unfinished: set[plan.Key] | None = None
        for moves in free:
            for index, group in enumerate(self._groups[moves]):
                needed = {
                    (action.to, image_id)
                    for action in group
                    for image_id in action.after
                }
                if needed and unfinished is None:
                    unfinished = self._unfinished(pending)
                if not unfinished or not needed & unfinished:
                    return self._groups[moves].pop(index)
        if not pending:
            # Nothing may wait for what never comes.
            for moves in free:
                if self._groups[moves]:
                    return self._groups[moves].pop(0)
        return None

    def _unfinished(self, pending: Collection[plan.Action]) -> set[plan.Key]:
        groups = itertools.chain([pending], *self._groups.values())
        return {action.key for group in groups for action in group}


def _weight(group: plan.Group) -> float:
    """Return what groups are sorted by: the lightest has its turn first."""
    if any(action.verb is plan.Verb.COPY for action in group):
        return -(group[0].image.size or 0)
    return -math.inf
