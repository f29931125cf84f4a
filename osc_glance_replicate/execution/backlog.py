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
import collections
from collections.abc import Callable, Collection, Iterator
import math

from osc_glance_replicate.model import plan


#: A destination, and whether data moves: each has places of its own.
Line = tuple[str, bool]


class Backlog:
    """Actions that wait for their turn, in a line for each destination.

    A run whose last transfer is a large one ends with that one alone, so
    large images come early. What moves no data waits in a line of its own.
    Nothing comes before an image that it needs.
    """

    def __init__(self) -> None:
        self._lines: dict[Line, list[plan.Action]] = {}
        #: What has had its turn in vain, by what it waits for.
        self._held: dict[plan.Key, list[plan.Action]] = {}
        self._keys: set[plan.Key] = set()
        #: By ID, the destinations that an image is still to be copied to.
        self._copies: dict[str, set[str]] = collections.defaultdict(set)

    def add(self, action: plan.Action) -> None:
        """Have an action wait for its turn."""
        self._line_up(action)
        self._keys.add(action.key)
        if action.verb is plan.Verb.COPY:
            self._copies[action.image.id].add(action.to)

    def _line_up(self, action: plan.Action) -> None:
        line = self._lines.setdefault(line_of(action), [])
        bisect.insort(line, action, key=_weight)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def lines(self) -> list[Line]:
        """Return the lines in which anybody waits.

        Those where no data moves come first.
        """
        return sorted(
            (line for line, waiting in self._lines.items() if waiting),
            key=lambda line: line[1],
        )

    def take(
        self,
        line: Line,
        waits_for: Callable[[plan.Action], plan.Key | None],
        is_full: bool = False,
    ) -> plan.Action | None:
        """Take the action whose turn it is out of a line.

        :param waits_for: returns what is to end before an action begins;
            free() is told when it has
        :param is_full: whether all places are taken; what gives up a name
            that has arrived elsewhere needs none
        :returns: None where all have to wait
        """
        waiting = self._lines.get(line, [])
        while waiting and not (is_full and not waiting[0].successor):
            action = waiting.pop(0)
            needed = waits_for(action)
            if needed is None:
                return self._taken(action)
            # Thousands may wait for one: they are not looked at each time.
            self._held.setdefault(needed, []).append(action)
        return None

    def free(self, key: plan.Key) -> None:
        """Give what waits for an action its turn: that is finished."""
        for action in self._held.pop(key, ()):
            self._line_up(action)

    def take_held(
        self, has_to_wait: Callable[[plan.Key], bool]
    ) -> plan.Action | None:
        """Take one of those that wait for others.

        :param has_to_wait: whether what waits for a key has to
        """
        for key, held in self._held.items():
            if not has_to_wait(key):
                action = held.pop(0)
                if not held:
                    del self._held[key]
                return self._taken(action)
        return None

    def take_all(self, to: str) -> list[plan.Action]:
        """Take all that waits for one destination."""
        waiting = list(self.waiting(to))
        for moves in (False, True):
            self._lines.pop((to, moves), None)
        for key in [key for key in self._held if key[0] == to]:
            del self._held[key]
        return list(map(self._taken, waiting))

    def waiting(self, to: str) -> Iterator[plan.Action]:
        """Yield what waits for one destination."""
        for moves in (False, True):
            yield from self._lines.get((to, moves), ())
        for key, held in self._held.items():
            if key[0] == to:
                yield from held

    def copies(self, image_id: str) -> Collection[str]:
        """Return the destinations that an image is still to be copied to."""
        return self._copies.get(image_id, ())

    def _taken(self, action: plan.Action) -> plan.Action:
        self._keys.discard(action.key)
        if copies := self._copies.get(action.image.id):
            copies.discard(action.to)
            if not copies:
                del self._copies[action.image.id]
        return action


def line_of(action: plan.Action) -> Line:
    """Return the line in which an action waits for its turn."""
    return action.to, action.moves


def _weight(action: plan.Action) -> tuple[bool, float]:
    """Return what actions are sorted by: the lightest has its turn first."""
    moves = action.verb in (plan.Verb.COPY, plan.Verb.READ)
    size = (action.image.size or 0) if moves else math.inf
    # Until it has its turn, there are two of the name.
    return not action.successor, -size
