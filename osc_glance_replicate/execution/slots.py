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

"""How much goes on at a time at each destination."""

import collections
from collections.abc import Callable

from osc_glance_replicate.execution import backlog
from osc_glance_replicate.execution import events
from osc_glance_replicate.model import plan


def _ignore(key: plan.Key) -> None:
    """Have nobody who waits for a slot."""


class Slots(events.Listener):
    """The slots of a run's transfers, so many to each destination.

    An image whose data has arrived makes room for another while it is looked
    at and published, which takes round trips and moves nothing. No more of
    them than there are slots may be in that state, so that those of a
    destination that falls silent do not pile up.

    All but ``arrived`` is called in one thread.

    :param transfers: number of slots of each line
    :ivar tell: called with the key of what has arrived, in any thread
    """

    def __init__(self, transfers: int) -> None:
        self._transfers = transfers
        self.tell: Callable[[plan.Key], object] = _ignore
        #: What holds a slot.
        self._holders: dict[plan.Key, backlog.Line] = {}
        self._held: collections.Counter[backlog.Line] = collections.Counter()
        self._in_work: collections.Counter[backlog.Line] = (
            collections.Counter()
        )

    def arrived(self, action: plan.Action) -> None:
        self.tell(action.key)

    def are_taken(self, line: backlog.Line) -> bool:
        """Return whether all slots of a line are."""
        return self._held[line] >= self._transfers or self.are_many(line)

    def are_many(self, line: backlog.Line) -> bool:
        """Return whether nothing more may be in work in a line at all."""
        return self._in_work[line] >= 2 * self._transfers

    def take(self, action: plan.Action) -> None:
        """Note that an action has begun."""
        line = backlog.line_of(action)
        self._holders[action.key] = line
        self._held[line] += 1
        self._in_work[line] += 1

    def leave(self, key: plan.Key) -> None:
        """Have an action go on without its slot."""
        if line := self._holders.pop(key, None):
            self._held[line] -= 1

    def end(self, action: plan.Action) -> None:
        """Note that an action has ended."""
        self.leave(action.key)
        self._in_work[backlog.line_of(action)] -= 1
