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

from collections.abc import Callable, Iterable, Iterator
import concurrent.futures
import contextlib
import dataclasses
import functools
import itertools
import logging
import queue
import threading

from osc_glance_replicate import background
from osc_glance_replicate.execution import backlog
from osc_glance_replicate.execution import crew
from osc_glance_replicate.execution import events
from osc_glance_replicate.execution import first_imports
from osc_glance_replicate.execution import losses
from osc_glance_replicate.execution import outages
from osc_glance_replicate.execution import slots
from osc_glance_replicate.execution import waiting_room
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan

LOG = logging.getLogger(__name__)

#: Seconds that transfers get to end by themselves after Ctrl-C.
_INTERRUPT_GRACE = 1.0

#: Seconds after which a wait for the next event begins anew.
_LONGEST_WAIT = 1.0

#: What happens; returns what becomes known of actions by it.
_Event = Callable[[], Iterable[outcomes.Outcome]]


def _assume_up(to: str) -> None:
    """Take a destination for one that answers."""


def _never(to: str) -> float:
    """Know nobody who has answered."""
    return 0.0


class Runner:
    """Has a plan carried out.

    Each destination has places of its own, so that none waits for another.

    What moves no data does not wait for what does: it takes none of its
    places, and is planned while these are taken. Otherwise, whoever chooses
    how fast his images are read would delay the withdrawal of others'. That
    holds until too many images wait for a place: see waiting_room.

    Where nothing is to begin after a failure, an image has its place until
    it is known to be right.

    :param movers: who carries out what moves data
    :param transfers: number of images at a time whose data moves to one
        destination; as many again are changed without, and
        as many more give up a name that has arrived elsewhere, and as many
        again whose data has arrived are looked at and published
    :param fail_fast: start nothing more after the first failure
    :param hands: who carries out what moves no data, where all the others
        may be busy with data; the movers unless it is given
    :param greet: finds out whether a destination answers that was down;
        raises PlaceError where it does not
    :param answered: returns when a destination last gave a usable answer, as
        of time.monotonic
    :param destinations: number of those that an image may be planned for, one
        after the other
    :param places: hears what of the movers' data has arrived
    """

    def __init__(
        self,
        movers: crew.Crew,
        *,
        transfers: int,
        fail_fast: bool,
        listener: events.Listener = events.Listener(),
        hands: crew.Crew | None = None,
        greet: Callable[[str], None] = _assume_up,
        answered: Callable[[str], float] = _never,
        destinations: int = 1,
        places: slots.Slots | None = None,
    ) -> None:
        #: By whether data moves.
        self._crews = {False: hands or movers, True: movers}
        self._listener = listener
        self._fail_fast = fail_fast
        self._several = destinations > 1
        self._enough = False
        self._is_planned = False
        #: Whether nothing is planned before something has had its turn.
        self._is_full = False
        self._losses = losses.Losses()
        self._first_imports = first_imports.FirstImports()
        self._stop = threading.Event()
        self._pending: dict[outcomes.Future, plan.Action] = {}
        self._keys: set[plan.Key] = set()
        self._backlog = backlog.Backlog()
        self._room = waiting_room.WaitingRoom(
            destinations, lambda: self._events.put(self._note_full)
        )
        self._events: queue.SimpleQueue[_Event] = queue.SimpleQueue()
        self._outages = outages.Outages(greet, self._note_over, answered)
        self._slots = places or slots.Slots(transfers)
        if not fail_fast:
            self._slots.tell = self._note_arrived

    def run(
        self, actions: Iterable[plan.Action], late: Iterable[plan.Action] = ()
    ) -> Iterator[outcomes.Outcome]:
        """Carry out the actions; yield outcomes in the order they are known.

        What ends the plan early, an error or Ctrl-C, is raised after the
        outcomes of all that was planned: after an error this is finished
        first, after Ctrl-C it is broken off.

        :param late: what may not be planned for a while, each for one
            destination
        """
        try:
            yield from self._feed(self._groups(actions, late))
        except KeyboardInterrupt:
            self._stop_crews()
            concurrent.futures.wait(self._pending, timeout=_INTERRUPT_GRACE)
            for future, action in list(self._pending.items()):
                if future.done():
                    yield from self._ended(future)
                else:
                    yield outcomes.failed(action, outcomes.INTERRUPTED)
            yield from map(self._noted, self._outages.close())
            raise
        finally:
            # Also when nobody asks for outcomes any more.
            self._stop.set()
            self._outages.close()
            self._stop_crews()
            for each in self._crews.values():
                each.close()
            self._room.close()

    def _stop_crews(self) -> None:
        for each in self._crews.values():
            each.stop()

    def _feed(
        self, groups: Iterable[plan.Group]
    ) -> Iterator[outcomes.Outcome]:
        """Keep the crew busy."""
        planning = background.start(self._plan, groups)
        planning.add_done_callback(
            lambda _: self._events.put(self._note_planned)
        )
        while True:
            yield from self._begin()
            is_end = self._is_planned or self._enough
            if not self._pending and (is_end or self._is_full):
                if missed := self._outages.rest():
                    yield from map(self._noted, missed)
                    continue
                if is_end and not self._outages.ask_at_once():
                    break
            yield from self._next_event()()
        if self._is_planned:
            # Raise what has ended the plan early.
            planning.result()

    def _next_event(self) -> _Event:
        """Wait for what happens next.

        Again and again: Python lets a signal be that comes in the moment in
        which a wait begins, until it ends.
        """
        while True:
            with contextlib.suppress(queue.Empty):
                return self._events.get(timeout=_LONGEST_WAIT)

    def _note_planned(self) -> Iterable[outcomes.Outcome]:
        self._is_planned = True
        self._listener.all_planned()
        self._let_import()
        return ()

    def _note_full(self) -> Iterable[outcomes.Outcome]:
        self._is_full = True
        self._let_import()
        return ()

    def _let_import(self) -> None:
        """Let the first imports begin: no more is known before they end."""
        for key in self._first_imports.note_planned():
            self._backlog.free(key)

    def _plan(self, groups: Iterable[plan.Group]) -> None:
        """Plan ahead, in a thread of its own."""
        for group in groups:
            self._events.put(functools.partial(self._admit, group))
            self._room.wait(group)
            if self._stop.is_set():
                break

    def _groups(
        self, actions: Iterable[plan.Action], late: Iterable[plan.Action]
    ) -> Iterator[plan.Group]:
        """Yield the actions, those of one image together."""
        if self._several:
            # What belongs together is known when the next one comes.
            by_image = itertools.groupby(actions, lambda each: each.image.id)
            yield from (list(group) for _, group in by_image)
        else:
            yield from ([action] for action in actions)
        yield from ([action] for action in late)

    def _admit(self, group: plan.Group) -> Iterator[outcomes.Outcome]:
        """Yield what is not to be done, and have the rest wait."""
        self._is_full = False
        if self._enough:
            return
        to_do = []
        for action in group:
            if action.verb not in plan.TO_DO:
                yield self._noted(outcomes.as_planned(action))
            elif self._outages.is_lost(action.to):
                yield self._noted(self._outages.not_tried(action))
            else:
                to_do.append(action)
        self._room.enter(group)
        if to_do:
            self._listener.planned(to_do)
        for action in to_do:
            self._backlog.add(action)
            self._first_imports.expect(action)
            if action.successor:
                # It may wait for long, and keeps nobody else waiting.
                self._room.leave(action)
        self._room.leave_where_down(group, self._outages.is_down)

    def _begin(self) -> Iterator[outcomes.Outcome]:
        """Begin as much as may go on at a time."""
        goes_on = True
        while goes_on and not self._enough:
            goes_on = False
            for line in self._backlog.lines():
                if action := self._next(line):
                    goes_on = True
                    yield from self._start(action)
            if not goes_on and not self._pending:
                # Nothing may wait for what never comes.
                late = {to for to, _ in self._outages.missed}
                if action := self._backlog.take_held(
                    # The plan ends in any case.
                    lambda key: (
                        self._first_imports.is_plan(key)
                        or self._outages.is_down(key[0])
                        or key[0] in late
                    )
                ):
                    goes_on = True
                    yield from self._start(action)

    def _next(self, line: backlog.Line) -> plan.Action | None:
        """Take what may begin out of a line, if there is anything."""
        to, moves = line
        is_full = self._slots.are_taken(line)
        no_more = moves or self._slots.are_many(line)
        if self._enough or (is_full and no_more) or self._outages.is_down(to):
            return None
        return self._backlog.take(line, self._awaited, is_full)

    def _awaited(self, action: plan.Action) -> plan.Key | None:
        """Return what is to end before an action begins, if anything is."""
        missed = self._outages.missed
        for key in action.awaited:
            if key in self._backlog or key in self._keys or key in missed:
                return key
        return self._first_imports.ahead_of(action)

    def _start(self, planned: plan.Action) -> Iterator[outcomes.Outcome]:
        self._room.leave(planned)
        action = self._first_imports.without(self._losses.without(planned))
        if action.verb not in plan.TO_DO:
            outcome = self._losses.outcome(planned, action)
            yield self._noted(outcome, planned)
            return
        others = [
            to
            for to in self._backlog.copies(action.image.id)
            if not self._outages.is_down(to)
        ]
        self._first_imports.begin(action)
        self._listener.begun(action)
        future = self._crews[action.moves].carry_out(action, others)
        self._pending[future] = action
        self._keys.add(action.key)
        self._slots.take(action)
        future.add_done_callback(
            lambda done: self._events.put(functools.partial(self._ended, done))
        )

    def _note_arrived(self, key: plan.Key) -> None:
        def leave() -> Iterable[outcomes.Outcome]:
            self._slots.leave(key)
            return ()

        self._events.put(leave)

    def _ended(self, future: outcomes.Future) -> Iterator[outcomes.Outcome]:
        action = self._pending.pop(future, None)
        if action is None:
            return
        self._keys.discard(action.key)
        self._slots.end(action)
        outcome = future.result()
        to = action.to
        may_wait = not (self._fail_fast or self._outages.is_lost(to))
        yield from map(self._noted, self._outages.outdated(to))
        if outcome.unanswered and may_wait:
            # As it was planned, so that it can be begun again.
            outcome = dataclasses.replace(outcome, action=action)
            self._listener.put_off(action)
            # Where the others wait for it, there is nobody else to tell.
            is_enough = self._first_imports.is_first(action)
            if self._outages.note(outcome, is_enough):
                yield from self._give_up(to, outcome.reason)
            else:
                self._first_imports.release(action)
                self._backlog.free(action.key)
            return
        if outcome.result.is_there:
            yield from map(self._noted, self._outages.arrived(to))
        yield self._noted(outcome, action)

    def _give_up(self, to: str, reason: str) -> Iterator[outcomes.Outcome]:
        """Have all that is left for a destination wait until it answers."""
        is_lost = self._outages.is_lost(to)
        LOG.warning(
            '%s, and is %s: %s',
            self._outages.words(to),
            'given up' if is_lost else 'asked again from time to time',
            reason.removeprefix(f'{to}: '),
        )
        self._listener.down(to, self._outages.since(to))
        for each in set(self._crews.values()):
            each.give_up(to)
        for action in self._backlog.waiting(to):
            self._room.leave(action)
        if is_lost:
            yield from self._over(to, is_back=False)

    def _note_over(self, to: str, is_back: bool) -> None:
        self._events.put(functools.partial(self._over, to, is_back))

    def _over(self, to: str, is_back: bool) -> Iterator[outcomes.Outcome]:
        """Go on with a destination that was down, or without it for good."""
        missed = self._outages.over(to, is_back)
        if is_back:
            LOG.warning('%s answers again, and gets what it has missed', to)
            self._listener.up(to)
            for each in set(self._crews.values()):
                each.resume(to)
            for outcome in missed:
                self._backlog.add(outcome.action)
            return
        yield from map(self._noted, missed)
        for action in self._backlog.take_all(to):
            yield self._noted(self._outages.not_tried(action))

    def _noted(
        self, outcome: outcomes.Outcome, planned: plan.Action | None = None
    ) -> outcomes.Outcome:
        """Note what has become of an action.

        :param planned: what was to be done, where it may be another thing
        """
        planned = planned or outcome.action
        self._losses.note(planned, outcome)
        self._first_imports.note(planned, outcome)
        self._backlog.free(outcome.action.key)
        self._listener.ended(outcome)
        if outcome.result.is_failure:
            self._enough = self._fail_fast
        return outcome
