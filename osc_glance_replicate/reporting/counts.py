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

"""How much of a run is done, while it goes on."""

import threading

from osc_glance_replicate import errors
from osc_glance_replicate.execution import events
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan
from osc_glance_replicate.reporting import legible


class CountingListener(events.Listener):
    """Counts how much there is to do, and how much of it is done.

    :ivar images: to be done, as far as is known; each destination counts
    :ivar done: of them, whatever became of them
    :ivar size: bytes to be sent, as far as is known
    :ivar complete: all is known
    """

    def __init__(self) -> None:
        self.images = self.done = self.size = 0
        self.failed = self.retries = 0
        self.complete = False
        #: Names of the destinations that are down.
        self._down: list[str] = []
        self._lock = threading.Lock()
        self._to_do: dict[plan.Key, int] = {}

    def planned(self, group: plan.Group) -> None:
        with self._lock:
            for action in group:
                self._to_do[action.key] = action.to_read
                self.images += 1
                self.size += action.to_read
            self._show_counts()

    def all_planned(self) -> None:
        with self._lock:
            self.complete = True
            self._show_counts()

    def down(self, to: str, since: float) -> None:
        with self._lock:
            self._down.append(to)
            self._show_counts()

    def up(self, to: str) -> None:
        with self._lock:
            self._down.remove(to)
            self._show_counts()

    def _show_counts(self) -> None:
        """Show the counts, which have changed; the lock is held."""

    def count(self, outcome: outcomes.Outcome) -> int | None:
        """Count an action that has ended; the lock is held.

        :returns: the bytes that were to be sent; None: it is not to be shown
        """
        size = self._to_do.pop(outcome.action.key, None)
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
        """The number of images, in words."""
        more = '' if self.complete else '+'
        parts = [f'{self.done} of {self.images}{more} images']
        if self.failed:
            parts.append(f'{self.failed} failed')
        parts += [f'{to} is down' for to in self._down]
        if self.retries:
            parts.append(f'{self.retries} retried')
        return ', '.join(parts)


def title(action: plan.Action) -> str:
    """Return a line that names an action."""
    names = legible.name(action.image.id), legible.name(action.image.name)
    where = 'at' if action.verb is plan.Verb.READ else 'to'
    to = f' {where} {action.to}' if action.to else ''
    return f'{" ".join(filter(None, names))}{errors.printable(to)}'


def told(action: plan.Action, words: object) -> str:
    """Return a line that names an action, and says what has come of it."""
    # The destination is named once.
    text = legible.text(words).removeprefix(f'{action.to}: ')
    return f'{title(action)}: {text}'
