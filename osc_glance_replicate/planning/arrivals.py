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

"""The images of a plan that bring a name, by who has use for them."""

from collections.abc import Iterator
import enum
import heapq
from typing import NamedTuple

from osc_glance_replicate.model import audience
from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import plan
from osc_glance_replicate.planning import decisions

#: Those of one kind that are kept: the first one does for all but those that
#: it waits for itself.
_MOST = 100

#: What users of other projects see.
_OPEN = frozenset(('community', 'public'))

#: What images of a name are told apart by: the destination, the name, and
#: who sees them or whose they are.
Kind = tuple[str, str, object]


class Rank(enum.IntEnum):
    """For whom one waits first.

    SURE ones come, and no stranger has made them; REFUSED ones would have to,
    but are not brought.
    """

    SURE = 0
    REFUSED = 1
    STRANGE = 2
    STRANGE_REFUSED = 3


class Arrival(NamedTuple):
    """What is kept of an image that brings a name: there may be many.

    :param number: tells which is the first in the plan
    :param after: IDs of the images that are to land before it
    :param refused: why it is not brought
    """

    number: int
    id: str
    after: tuple[str, ...]
    refused: str


class Arrivals:
    """Knows the images that bring a name.

    It is looked up who has use for one, and nobody is compared with all:
    anyone can make thousands of one name.

    :param planner: has planned the actions
    """

    def __init__(self, planner: decisions.Planner) -> None:
        self._planner = planner
        self._count = 0
        self._found: dict[tuple[Kind, Rank], list[Arrival]] = {}

    def note(self, action: plan.Action) -> tuple[Arrival | None, list[Kind]]:
        """Note what brings a name.

        :returns: what has been noted, and the kinds of images that may wait
            for nothing better
        """
        refused = _refusal(action)
        if refused is None:
            return None, []
        self._count += 1
        arrival = Arrival(self._count, action.image.id, action.after, refused)
        wanted = action.wanted
        kinds = [
            self._of_owner(action, wanted.name, action.owner),
            (action.to, wanted.name, wanted.visibility),
        ]
        is_vouched = action.image.visibility == 'public'
        sure = []
        for kind, is_known in zip(kinds, (True, is_vouched), strict=True):
            rank = Rank((0 if is_known else 2) + bool(refused))
            found = self._found.setdefault((kind, rank), [])
            if len(found) < _MOST:
                found.append(arrival)
            if rank is Rank.SURE:
                sure.append(kind)
        return arrival, sure

    def of(self, kinds: list[Kind], rank: Rank) -> Iterator[Arrival]:
        """Yield what has been noted, in the order of the plan."""
        yield from heapq.merge(
            *(self._found.get((kind, rank), ()) for kind in kinds)
        )

    def kinds(self, action: plan.Action) -> list[Kind]:
        """Return the kinds that make up for what gives up its name."""
        replica = action.replica
        if not replica:
            return []
        to, name, there = action.to, replica.name, replica.visibility
        found = [self._of_owner(action, name, replica.owner)]
        if there in _OPEN:
            # All may see it who may see the other one.
            found += [(to, name, each) for each in {there, 'public'}]
        return found

    def _of_owner(
        self, action: plan.Action, name: str, owner: str | None
    ) -> Kind:
        """Return the kind of what is of one owner, at the source and there.

        :param owner: of the replica; None for the runner's own project
        """
        mine = self._planner.at(action.to).runner.owns(owner)
        return action.to, name, (action.image.owner, None if mine else owner)


def _refusal(action: plan.Action) -> str | None:
    """Return why an image does not bring its name, or None if it never would.

    It is empty where it does.
    """
    image, wanted = action.image, action.wanted
    if image.defect or image.status != 'active':
        return None
    if not wanted.name or wanted.hidden:
        return None
    match action.verb:
        case plan.Verb.COPY:
            return ''
        case plan.Verb.UPDATE if not action.told_as:
            # What was staged before is shown, or gets the name.
            given = any(c.gives or c.field == 'name' for c in action.changes)
            return '' if given else None
        case plan.Verb.UPDATE | plan.Verb.FAIL | plan.Verb.CONFLICT:
            if _is_there(action, wanted):
                return None
            return action.reason or action.verb.value
    return None


def _is_there(action: plan.Action, wanted: image_record.Image) -> bool:
    """Return whether users have an image of the name already."""
    replica = action.replica
    if not replica or not action.usable or replica.hidden:
        return False
    # Old records do without.
    seen, to_be = (
        each.portable['visibility'] or 'private' for each in (replica, wanted)
    )
    return replica.name == wanted.name and not audience.is_wider(to_be, seen)
