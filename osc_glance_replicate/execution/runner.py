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

"""The actions carried out: side by side, and to an end when asked."""

from collections.abc import Collection, Iterable, Iterator, Mapping
import concurrent.futures
import dataclasses
import itertools
import queue
import threading
from typing import Any, Protocol

from osc_glance_replicate import background
from osc_glance_replicate.execution import backlog
from osc_glance_replicate.execution import events
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan
from osc_glance_replicate.planning import withdrawal

#: Seconds that transfers get to end by themselves after Ctrl-C.
_INTERRUPT_GRACE = 1.0

_TO_DO = frozenset((plan.Verb.COPY, plan.Verb.UPDATE))

#: Images that are planned before it is their turn, about 2 kB of memory each.
_MAX_PLANNED_AHEAD = 1000
#: Likewise, of those whose data moves: the largest of them comes first. Where
#: more wait for a place, no update is found that comes after them.
_MAX_MOVES_AHEAD = 5000


class Crew(Protocol):
    """Carries actions out, side by side.

    :ivar to: names of the destinations
    """

    @property
    def to(self) -> Collection[str]: ...

    def carry_out(
        self, group: plan.Group
    ) -> Mapping[outcomes.Future, plan.Action]:
        """Begin what is to be done with one image.

        :returns: what becomes of each action; never an exception
        """

    def stop(self) -> None:
        """Break off what has begun."""

    def close(self) -> None:
        """Release what the crew holds."""


def dry_run(
    actions: Iterable[plan.Action],
    listener: events.Listener = events.Listener(),
) -> Iterator[outcomes.Outcome]:
    """Yield what would be done, and do nothing."""
    for outcome in map(outcomes.as_planned, actions):
        listener.ended(outcome)
        yield outcome


class Runner:
    """Has a plan carried out.

    What moves no data does not wait for what does: it takes none of its
    places, and is planned while these are taken. Otherwise, whoever chooses
    how fast his images are read would delay the withdrawal of others'. That
    holds until _MAX_MOVES_AHEAD images wait for a place.

    :param crew: who carries it out
    :param hands: who carries out what moves no data, where all of the crew
        may be busy with data; the crew itself unless it is given
    :param transfers: number of images at a time whose data moves; as many
        again are changed without
    :param fail_fast: start nothing more after the first failure
    """

    def __init__(
        self,
        crew: Crew,
        *,
        transfers: int,
        fail_fast: bool,
        listener: events.Listener = events.Listener(),
        hands: Crew | None = None,
    ) -> None:
        self._to = crew.to
        #: By whether data moves.
        self._crews = {False: hands or crew, True: crew}
        self._listener = listener
        self._transfers = transfers
        self._fail_fast = fail_fast
        self._enough = False
        self._failed: set[plan.Key] = set()
        self._stop = threading.Event()
        self._pending: dict[outcomes.Future, plan.Action] = {}
        self._backlog = backlog.Backlog()
        #: For what is planned, by whether data moves.
        self._room = {
            False: threading.Semaphore(_MAX_PLANNED_AHEAD),
            True: threading.Semaphore(_MAX_MOVES_AHEAD),
        }
        #: What happens: a group is planned, or all are; an action has ended.
        self._queue: queue.SimpleQueue[
            plan.Group | concurrent.futures.Future[Any]
        ] = queue.SimpleQueue()

    def run(
        self, actions: Iterable[plan.Action]
    ) -> Iterator[outcomes.Outcome]:
        """Carry out the actions; yield outcomes in the order they are known.

        What ends the plan early, an error or Ctrl-C, is raised after the
        outcomes of all that was planned: after an error this is finished
        first, after Ctrl-C it is broken off.
        """
        try:
            yield from self._feed(actions)
        except KeyboardInterrupt:
            self._stop_crews()
            concurrent.futures.wait(self._pending, timeout=_INTERRUPT_GRACE)
            for future, action in list(self._pending.items()):
                if future.done():
                    yield self._ended(future)
                else:
                    yield outcomes.failed(action, outcomes.INTERRUPTED)
            raise
        finally:
            # Also when nobody asks for outcomes any more.
            self._stop.set()
            self._stop_crews()
            for crew in self._crews.values():
                crew.close()
            for room in self._room.values():
                room.release()

    def _stop_crews(self) -> None:
        for crew in self._crews.values():
            crew.stop()

    def _feed(
        self, actions: Iterable[plan.Action]
    ) -> Iterator[outcomes.Outcome]:
        """Keep the crew busy."""
        planning = background.start(self._plan, actions)
        planning.add_done_callback(self._queue.put)
        all_planned = False
        while self._pending or not (all_planned or self._enough):
            event = self._queue.get()
            if event is planning:
                all_planned = True
                self._listener.all_planned()
            elif isinstance(event, concurrent.futures.Future):
                yield self._ended(event)
            elif not self._enough:
                yield from self._admit(event)
            yield from self._begin()
        if all_planned:
            # Raise what has ended the plan early.
            planning.result()

    def _plan(self, actions: Iterable[plan.Action]) -> None:
        """Plan ahead, in a thread of its own."""
        for group in self._groups(actions):
            self._queue.put(group)
            for part in _parts(group) or [group]:
                self._room[part[0].moves].acquire()
            if self._stop.is_set():
                break

    def _admit(self, group: plan.Group) -> Iterator[outcomes.Outcome]:
        """Yield what is not to be done, and have the rest wait."""
        for action in group:
            if action.verb not in _TO_DO:
                yield self._noted(outcomes.as_planned(action))
        parts = _parts(group)
        if parts:
            self._listener.planned(list(itertools.chain(*parts)))
        else:
            self._room[group[0].moves].release()
        for part in parts:
            self._backlog.add(part)

    def _begin(self) -> Iterator[outcomes.Outcome]:
        """Begin as much as may go on at a time."""
        while not self._enough and (
            group := self._backlog.take(self._pending.values(), self._free())
        ):
            self._room[group[0].moves].release()
            ready = []
            for action in group:
                action = self._without_lost(action)
                if action.verb in _TO_DO:
                    ready.append(action)
                else:
                    yield self._noted(outcomes.as_planned(action))
            # Without what it needs, one may move no data any more.
            for part in _parts(ready):
                self._start(part)

    def _free(self) -> list[bool]:
        """Return of what more may begin, by whether data moves."""
        busy = {(a.moves, a.image.id) for a in self._pending.values()}
        moving = sum(moves for moves, _ in busy)
        free = []
        if len(busy) - moving < self._transfers:
            free.append(False)
        if moving < self._transfers:
            free.append(True)
        return free

    def _start(self, group: plan.Group) -> None:
        for action in group:
            self._listener.begun(action)
        begun = self._crews[group[0].moves].carry_out(group)
        self._pending.update(begun)
        for future in begun:
            future.add_done_callback(self._queue.put)

    def _groups(self, actions: Iterable[plan.Action]) -> Iterable[plan.Group]:
        """Group the actions by image."""
        if len(self._to) == 1:
            # No need to wait for the next one.
            return ([action] for action in actions)
        groups = itertools.groupby(actions, lambda action: action.image.id)
        return (list(group) for _, group in groups)

    def _without_lost(self, action: plan.Action) -> plan.Action:
        """Return what is done without an image that was not replicated."""
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

    def _ended(self, future: outcomes.Future) -> outcomes.Outcome:
        del self._pending[future]
        return self._noted(future.result())

    def _noted(self, outcome: outcomes.Outcome) -> outcomes.Outcome:
        self._listener.ended(outcome)
        if outcome.result.is_failure:
            self._failed.add(outcome.action.key)
            self._enough = self._fail_fast
        return outcome


def _parts(group: plan.Group) -> list[plan.Group]:
    """Divide what is to be done with an image by whether data moves."""
    to_do = [action for action in group if action.verb in _TO_DO]
    parts = (
        [action for action in to_do if action.moves is moves]
        for moves in (False, True)
    )
    return [part for part in parts if part]
