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

"""Names that do not vanish: what gives one up waits for what brings it."""

import collections
from collections.abc import Container, Iterable, Iterator
import dataclasses

from osc_glance_replicate import errors
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan
from osc_glance_replicate.planning import arrivals
from osc_glance_replicate.planning import decisions
from osc_glance_replicate.planning import differences
from osc_glance_replicate.planning import withdrawal


class Succession:
    """Has a replica give its name up after another image has brought it.

    That one may be planned later: what gives up a name that nobody brings
    yet comes last. All else stays in its order.

    :param planner: has planned the actions
    :param lost: names of the destinations for which nothing more is planned,
        not even what may bring a name; it may change
    """

    def __init__(
        self, planner: decisions.Planner, lost: Container[str] = ()
    ) -> None:
        self._planner = planner
        self._lost = lost
        self._arrivals = arrivals.Arrivals(planner)
        #: What may still find a successor, in the order of the plan.
        self._held: dict[plan.Key, plan.Action] = {}
        #: The same, by the kinds of images that make up for it.
        self._leaving: dict[arrivals.Kind, list[plan.Key]] = {}
        #: What waits for one that waits itself, by that.
        self._behind: dict[plan.Key, list[plan.Action]] = {}
        #: What brings a name, and has not had its own turn.
        self._late: set[plan.Key] = set()
        #: Whom one waits for, or whom that waits for, and so on.
        self._awaited: dict[plan.Key, plan.Key] = {}

    def follow(self, actions: Iterable[plan.Action]) -> Iterator[plan.Action]:
        """Yield all actions, reading them one by one."""
        found: list[plan.Action] = []
        turn = ''
        try:
            for action in actions:
                if action.image.id != turn:
                    # Those of one image stay together: it is read once.
                    turn = action.image.id
                    yield from found
                    found = []
                if self._rests(action):
                    yield action
                    continue
                found += self._note(action)
                if not _gives_name_up(action):
                    yield action
                elif followed := self._followed(action, arrivals.Rank.SURE):
                    yield from self._in_turn(followed)
                else:
                    self._hold(action)
        except errors.ReplicateError:
            yield from found
            for action in self._held.values():
                yield from self._in_turn(_undecided(action))
            raise
        yield from found
        for action in self._held.values():
            yield from self._in_turn(self._at_last(action))

    def _rests(self, action: plan.Action) -> bool:
        """Return whether nobody asks for names there."""
        return self._planner.at(action.to).at_rest

    def _hold(self, action: plan.Action) -> None:
        self._held[action.key] = action
        for kind in self._arrivals.kinds(action):
            self._leaving.setdefault(kind, []).append(action.key)

    def _note(self, action: plan.Action) -> Iterator[plan.Action]:
        """Note what brings a name; yield what has waited for it alone."""
        arrival, kinds = self._arrivals.note(action)
        if not arrival:
            return
        if _gives_name_up(action):
            # It may have to wait itself.
            self._late.add(action.key)
        for kind in kinds:
            passed = []
            for key in self._leaving.pop(kind, ()):
                held = self._held.get(key)
                if held and self._fits(held, arrival):
                    del self._held[key]
                    followed = self._behind_of(held, arrival, strange=False)
                    yield from self._in_turn(followed)
                elif held:
                    passed.append(key)
            if passed:
                self._leaving[kind] = passed

    def _at_last(self, action: plan.Action) -> plan.Action:
        """Return what becomes of an action that has waited for all others."""
        for rank in arrivals.Rank:
            if followed := self._followed(action, rank):
                return followed
        return _undecided(action) if action.to in self._lost else action

    def _followed(
        self, action: plan.Action, rank: arrivals.Rank
    ) -> plan.Action | None:
        """Return an action that waits for a successor, if there is one.

        :param rank: of the successor
        """
        for arrival in self._arrivals.of(self._arrivals.kinds(action), rank):
            if self._fits(action, arrival):
                strange = rank >= arrivals.Rank.STRANGE
                return self._behind_of(action, arrival, strange)
        return None

    def _fits(self, action: plan.Action, arrival: arrivals.Arrival) -> bool:
        """Return whether they would not wait for each other.

        Two that swap their names would.
        """
        return all(
            self._end((action.to, image_id)) != action.key
            for image_id in (arrival.id, *arrival.after)
        )

    def _end(self, key: plan.Key) -> plan.Key:
        """Return what waits for nothing, of all that one waits for."""
        while then := self._awaited.get(key):
            # Half as far the next time.
            self._awaited[key] = self._awaited.get(then, then)
            key = then
        return key

    def _behind_of(
        self, action: plan.Action, arrival: arrivals.Arrival, strange: bool
    ) -> plan.Action:
        """Return an action with its successor."""
        successor = plan.Successor(arrival.id, strange)
        waiting = dataclasses.replace(action, successor=successor)
        if arrival.refused:
            return lost(waiting, arrival.refused, outcomes.Cause.IMAGE)
        waiting = _but_members(waiting)
        if waiting.successor:
            self._awaited[action.key] = action.to, arrival.id
        return waiting

    def _in_turn(self, action: plan.Action) -> Iterator[plan.Action]:
        """Yield an action after its successor, and before what follows it."""
        line = collections.deque([action])
        while line:
            action = line.popleft()
            if successor := action.successor:
                key = action.to, successor.id
                if key in self._late:
                    self._behind.setdefault(key, []).append(action)
                    continue
            self._late.discard(action.key)
            yield action
            behind = self._behind.pop(action.key, ())
            line.extend(_after(action, each) for each in behind)


def why(action: plan.Action, reason: str) -> str:
    """Return why an image brings no name, for what waits for it.

    Of a long chain each tells of the next one alone.

    :param reason: as it is told of the image itself
    """
    successor = action.successor
    if successor and successor.lost:
        return f'waits for {successor.id} itself'
    return reason


def lost(
    action: plan.Action, reason: str, cause: outcomes.Cause
) -> plan.Action:
    """Return what is done of an action whose successor has not come.

    :param reason: why it has not come
    :param cause: whether it is itself the reason
    """
    successor = action.successor
    if not successor:
        return action
    # Whoever makes images decides how they fail.
    unfit = cause is outcomes.Cause.IMAGE or successor.strange
    successor = dataclasses.replace(successor, lost=reason, unfit=unfit)
    return without(dataclasses.replace(action, successor=successor))


def without(action: plan.Action) -> plan.Action:
    """Return as much of an action as is done where its successor is lost.

    Where that is no image to wait for, its name keeps nobody else's in use.
    """
    successor = action.successor
    if not successor or not successor.lost or not _gives_name_up(action):
        return action
    if successor.unfit:
        if all(change.field != 'name' for change in action.changes):
            return action
        less = action.losable and withdrawal.only_losing(
            action, action.changes, str(successor), plan.Verb.FAIL
        )
        if less:
            return less
    return action.with_verb(
        plan.Verb.FAIL, str(successor), changes=(), fixed=(), adopts=False
    )


def _gives_name_up(action: plan.Action) -> bool:
    """Return whether users lose a name who could go on without that.

    What is deactivated, or shown to fewer, is lost to them anyway; that is
    done at once.
    """
    replica = action.replica
    if action.verb is not plan.Verb.UPDATE or not replica or not replica.name:
        return False
    if replica.status != 'active':
        return False
    for change in action.changes:
        if change.field == 'status' and not change.is_of_members:
            return False
        if change.field == 'visibility' and not change.gives:
            return False
    return any(
        change.field == 'name'
        or (change.field == 'os_hidden' and change.source is True)
        for change in action.changes
    )


def _but_members(action: plan.Action) -> plan.Action:
    """Return an action that waits, but not with what it takes from members."""
    less = [
        change
        for change in differences.taking_away(action.changes)
        if change.is_of_members
    ]
    losing = action.losable and withdrawal.only_losing(
        action, less, f'{action.successor}: run again', plan.Verb.FAIL
    )
    if losing:
        return dataclasses.replace(losing, successor=None)
    return action


def _after(action: plan.Action, waiting: plan.Action) -> plan.Action:
    """Return what becomes of an action, by what its successor has come to."""
    if action.verb in plan.TO_DO and not action.told_as:
        return waiting
    # It waits for an image itself that is why.
    unfit = action.successor and action.successor.unfit
    cause = outcomes.Cause.IMAGE if unfit else outcomes.Cause.ELSEWHERE
    return lost(waiting, why(action, action.reason), cause)


def _undecided(action: plan.Action) -> plan.Action:
    """Return what is told where it is not known what else was to come."""
    return action.with_verb(
        plan.Verb.FAIL,
        'not all images could be listed, of which one may bring its name',
        changes=(),
        fixed=(),
        adopts=False,
    )
