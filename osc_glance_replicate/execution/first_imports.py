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

"""The first import of each disk format, by which a conversion shows."""

import heapq

from osc_glance_replicate.model import conversions
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan

#: A destination, and the formats of what is imported there.
Kind = tuple[str, ...]


class FirstImports:
    """Lets the first import of each disk format to a destination go alone.

    Nobody can see beforehand whether a Glance converts what it imports
    (see fact-import-converts), and each image that comes back converted,
    where that will not do, has used up its ID there.

    None begins before all is planned: an earlier run may have left one that
    was converted, and the smallest one tells soonest.
    """

    def __init__(self) -> None:
        self._is_planned = False
        self._kinds: set[Kind] = set()
        self._first: dict[Kind, plan.Key] = {}
        #: Those that may be the first, the smallest at the front.
        self._candidates: dict[Kind, list[tuple[int, plan.Key]]] = {}
        self._waiting: set[plan.Key] = set()
        #: What arrives as it was sent.
        self._sound: set[Kind] = set()
        #: By what was converted: an image, and the format that it got.
        self._converted: dict[Kind, tuple[str, str]] = {}

    def expect(self, action: plan.Action) -> None:
        """Note that an action is to begin.

        Whoever needs others, or has no data, is not waited for.
        """
        kind, size = _kind(action), action.image.size
        if kind:
            self._kinds.add(kind)
        if kind and size and not action.awaited:
            candidates = self._candidates.setdefault(kind, [])
            heapq.heappush(candidates, (size, action.key))
            self._waiting.add(action.key)

    def ahead_of(self, action: plan.Action) -> plan.Key | None:
        """Return what an action has to wait for."""
        kind = _kind(action)
        if not kind or kind in self._sound or kind in self._converted:
            return None
        if first := self._first.get(kind):
            return None if first == action.key else first
        if not self._is_planned:
            return _plan_for(action.to)
        candidates = self._candidates.get(kind, [])
        while candidates and candidates[0][1] not in self._waiting:
            heapq.heappop(candidates)
        if not candidates or candidates[0][1] == action.key:
            return None
        return candidates[0][1]

    def note_planned(self) -> list[plan.Key]:
        """Note that all is planned.

        :returns: what the first ones were said to wait for
        """
        self._is_planned = True
        return [_plan_for(kind[0]) for kind in self._kinds]

    @staticmethod
    def is_plan(key: plan.Key) -> bool:
        """Return whether a key is no import's, but stands for the plan."""
        return not key[1]

    def begin(self, action: plan.Action) -> None:
        """Note that an action begins, perhaps as the first of its kind."""
        self._waiting.discard(action.key)
        if kind := _kind(action):
            self._first.setdefault(kind, action.key)

    def is_first(self, action: plan.Action) -> bool:
        """Return whether others wait for an action, by which it shows."""
        kind = _kind(action)
        return kind is not None and kind not in self._sound

    def release(self, action: plan.Action) -> None:
        """Let another one be the first: this one has to wait."""
        kind = _kind(action)
        if kind and self._first.get(kind) == action.key:
            del self._first[kind]

    def note(self, planned: plan.Action, outcome: outcomes.Outcome) -> None:
        """Note what has become of an action, which the others wait for.

        :param planned: what was to be done
        """
        if made := outcome.action.converted:
            found = planned.image.id, made
            self._converted.setdefault(_of(planned), found)
        self._waiting.discard(planned.key)
        self.release(planned)
        kind = _kind(planned)
        has_arrived = outcome.result is outcomes.Result.COPIED
        if kind and has_arrived and planned.image.size:
            self._sound.add(kind)

    def without(self, action: plan.Action) -> plan.Action:
        """Return an action, or why it would come back converted."""
        kind = _kind(action)
        if not kind or kind not in self._converted:
            return action
        image_id, made = self._converted[kind]
        return action.with_verb(
            plan.Verb.FAIL,
            f'not imported: {image_id}, of the same format, was '
            f'converted to {made} there; {action.conversion.advice}',
        )


def _plan_for(to: str) -> plan.Key:
    """Return a key that stands for the plan for a destination."""
    return to, ''


def _kind(action: plan.Action) -> Kind | None:
    """Return what an import is one of; None where nothing can go wrong."""
    copies = action.verb is plan.Verb.COPY
    return _of(action) if copies and action.conversion.spoils else None


def _of(action: plan.Action) -> Kind:
    record = action.wanted.record
    formats = (str(record.get(field)) for field in conversions.FORMATS)
    return action.to, *formats
