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

"""How much of a run is done, as it is told while it goes on."""

from osc_glance_replicate import errors
from osc_glance_replicate.execution import backlog
from osc_glance_replicate.execution import outcomes
from osc_glance_replicate.model import plan

Key = tuple[str, str]


class Counts:
    """How much there is to do, and how much of it is done.

    :ivar images: to be done, as far as it is known; each destination counts
    :ivar done: of them, whatever has become of them
    :ivar size: bytes to be sent, as far as it is known
    :ivar complete: all is known
    """

    def __init__(self) -> None:
        self.images = self.done = self.size = 0
        self.failed = self.retried = 0
        self.complete = False
        self._to_do: dict[Key, int] = {}

    def plan(self, group: backlog.Group) -> None:
        for action in group:
            size = action.image.size or 0
            moved = size if action.verb is plan.Verb.COPY else 0
            self._to_do[key(action)] = moved
            self.images += 1
            self.size += moved

    def end(self, outcome: outcomes.Outcome) -> int | None:
        """Give the bytes that were to be sent; None if nobody need know."""
        size = self._to_do.pop(key(outcome.action), None)
        if size is None:
            if not outcome.result.needs_attention:
                return None
            # It was known before anything was begun.
            self.images += 1
            size = 0
        self.done += 1
        self.failed += outcome.result.needs_attention
        return size

    @property
    def words(self) -> str:
        """The images, in words."""
        more = '' if self.complete else '+'
        parts = [f'{self.done} of {self.images}{more} images']
        if self.failed:
            parts.append(f'{self.failed} failed')
        if self.retried:
            parts.append(f'{self.retried} retried')
        return ', '.join(parts)


def key(action: plan.Action) -> Key:
    """Tell an action from all others."""
    return action.image.id, action.to


def title(action: plan.Action) -> str:
    """Name an action in a line."""
    name = f' {action.image.name}' if action.image.name else ''
    to = f' to {action.to}' if action.to else ''
    return errors.printable(f'{action.image.id}{name}{to}')
