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

"""How far a plan is read before it is its turn."""

import collections
from collections.abc import Callable
import threading

from osc_glance_replicate.model import plan

#: Images that are planned before it is their turn, about 2 kB of memory each.
_MAX_PLANNED_AHEAD = 1000
#: Likewise, of those whose data moves: the largest of them comes first. Where
#: more wait for a place, no update is found that comes after them.
_MAX_MOVES_AHEAD = 5000


class WaitingRoom:
    """Has room for so many images that were planned, by whether data moves.

    :param destinations: number of those for which an image may wait
    :param full: called in the thread of who waits, before that
    """

    def __init__(
        self, destinations: int = 1, full: Callable[[], object] = bool
    ) -> None:
        self._full = full
        self._room = {
            False: threading.Semaphore(_MAX_PLANNED_AHEAD),
            True: threading.Semaphore(_MAX_MOVES_AHEAD * destinations),
        }
        #: What is in there, by whether data moves, and ID.
        self._waiting: collections.Counter[tuple[bool, str]] = (
            collections.Counter()
        )

    def wait(self, group: plan.Group) -> None:
        """Wait until there is room for what is to be done with one image."""
        for moves in _parts(group):
            if not self._room[moves].acquire(blocking=False):
                self._full()
                self._room[moves].acquire()

    def enter(self, group: plan.Group) -> None:
        """Let it in, once it has waited."""
        for moves in _parts(group):
            self._waiting[moves, group[0].image.id] += 1

    def leave(self, action: plan.Action) -> None:
        """Make room, as it is an image's turn; others may be in there yet."""
        key = action.moves, action.image.id
        if self._waiting[key] > 0:
            self._waiting[key] -= 1
            self._room[action.moves].release()
        if not self._waiting[key]:
            del self._waiting[key]

    def leave_where_down(
        self, group: plan.Group, is_down: Callable[[str], bool]
    ) -> None:
        """Make room, unless the turn of an image may come."""
        for moves in _parts(group):
            part = [action for action in group if action.moves is moves]
            if not any(
                action.verb in plan.TO_DO and not is_down(action.to)
                for action in part
            ):
                self.leave(part[0])

    def close(self) -> None:
        """Let who waits go on."""
        for room in self._room.values():
            room.release()


def _parts(group: plan.Group) -> list[bool]:
    """Return the rooms that an image takes, by whether data moves."""
    found = {action.moves for action in group if action.verb in plan.TO_DO}
    return sorted(found) or [group[0].moves]
