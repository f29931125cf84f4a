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

from collections.abc import Container, Iterable, Iterator
import dataclasses
from typing import NamedTuple

from osc_glance_replicate import errors
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan
from osc_glance_replicate.planning import decisions
from osc_glance_replicate.planning import differences
from osc_glance_replicate.planning import withdrawal

#: Name of a destination, name of an image.
_Name = tuple[str, str]

#: What users of other projects see.
_OPEN = frozenset(('community', 'public'))


class _Arrival(NamedTuple):
    """What is kept of an image that is to be copied: there may be many.

    :param source_owner: whose it is at the source
    :param owner: whose it is to be; None for the runner's own
    :param visibility: as its users at the destination are to see it
    :param vouched: an administrator has made it public at the source
    :param after: IDs of the images that are to land before it
    """

    id: str
    source_owner: str | None
    owner: str | None
    visibility: str
    vouched: bool
    after: tuple[str, ...]


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
        self._arrivals: dict[_Name, list[_Arrival]] = {}
        #: What may still find a successor, in the order of the plan.
        self._held: dict[plan.Key, plan.Action] = {}
        #: The same, by the name that it gives up.
        self._leaving: dict[_Name, list[plan.Key]] = {}

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
                if action.verb is plan.Verb.COPY:
                    found += self._note(action)
                if not _gives_name_up(action) or self._rests(action):
                    yield action
                elif followed := self._followed(action, vouched=True):
                    yield followed
                else:
                    self._hold(action)
        except errors.ReplicateError:
            yield from found
            yield from map(_undecided, self._held.values())
            raise
        yield from found
        for action in self._held.values():
            if followed := self._followed(action, vouched=False):
                yield followed
            else:
                is_lost = action.to in self._lost
                yield _undecided(action) if is_lost else action

    def _rests(self, action: plan.Action) -> bool:
        """Return whether nobody asks for names there."""
        return self._planner.at(action.to).at_rest

    def _hold(self, action: plan.Action) -> None:
        self._held[action.key] = action
        self._leaving.setdefault(_given_up(action), []).append(action.key)

    def _note(self, action: plan.Action) -> Iterator[plan.Action]:
        """Note what is to be copied; yield what has waited for it alone."""
        wanted = action.wanted
        if not wanted.name or wanted.hidden or self._rests(action):
            return
        arrival = _Arrival(
            action.image.id,
            action.image.owner,
            action.owner,
            wanted.visibility,
            action.image.visibility == 'public',
            action.after,
        )
        name = action.to, wanted.name
        self._arrivals.setdefault(name, []).append(arrival)
        for key in list(self._leaving.get(name, ())):
            if followed := self._followed(self._held[key], vouched=True):
                del self._held[key]
                self._leaving[name].remove(key)
                yield followed

    def _followed(
        self, action: plan.Action, vouched: bool
    ) -> plan.Action | None:
        """Return an action that waits for a successor, if there is one.

        :param vouched: whether it is to be one that no stranger has made
        """
        for arrival in self._arrivals.get(_given_up(action), ()):
            own = self._is_of_one_owner(action, arrival)
            strange = not own and not arrival.vouched
            if (
                (own or _is_seen_by_as_many(action, arrival))
                and not (strange and vouched)
                # They would wait for each other.
                and action.image.id not in arrival.after
            ):
                successor = plan.Successor(arrival.id, strange)
                return _but_members(
                    dataclasses.replace(action, successor=successor)
                )
        return None

    def _is_of_one_owner(self, action: plan.Action, arrival: _Arrival) -> bool:
        """Return whether both are of one owner, at the source and there."""
        replica, runner = action.replica, self._planner.at(action.to).runner
        if not replica or action.image.owner != arrival.source_owner:
            return False
        mine = arrival.owner is None or runner.owns(arrival.owner)
        return (mine and runner.owns(replica.owner)) or (
            replica.owner == arrival.owner
        )


def lost(action: plan.Action, why: str, cause: outcomes.Cause) -> plan.Action:
    """Return what is done of an action whose successor has not come.

    :param why: it has not come
    :param cause: whether it is itself the reason
    """
    successor = action.successor
    if not successor:
        return action
    # Whoever makes images decides how they fail.
    unfit = cause is outcomes.Cause.IMAGE or successor.strange
    successor = dataclasses.replace(successor, lost=why, unfit=unfit)
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


def _given_up(action: plan.Action) -> _Name:
    name = action.replica.name if action.replica else None
    return action.to, name or ''


def _is_seen_by_as_many(action: plan.Action, arrival: _Arrival) -> bool:
    """Return whether all may see an image who may see another's."""
    there = action.replica.visibility if action.replica else ''
    return there in _OPEN and arrival.visibility in (there, 'public')


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


def _undecided(action: plan.Action) -> plan.Action:
    """Return what is told where it is not known what else was to come."""
    return action.with_verb(
        plan.Verb.FAIL,
        'not all images could be listed, of which one may bring its name',
        changes=(),
        fixed=(),
        adopts=False,
    )
