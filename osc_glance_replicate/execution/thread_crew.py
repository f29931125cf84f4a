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

"""Actions carried out in threads of this process."""

from collections.abc import Collection, Mapping
import functools

from osc_glance_replicate import background
from osc_glance_replicate.execution import events
from osc_glance_replicate.execution import task
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan
from osc_glance_replicate import places
from osc_glance_replicate.planning import decisions
from osc_glance_replicate.transfer import fan_out
from osc_glance_replicate.transfer import image_reading
from osc_glance_replicate.transfer import shared_buffer


class ThreadCrew:
    """Runs each action in a thread; those of one image share its reading.

    :param destinations: by name
    :param planner: asked again when a destination has changed meanwhile
    :param reading: how the data of images is read
    """

    def __init__(
        self,
        destinations: Mapping[str, places.Destination],
        planner: decisions.Planner,
        reading: image_reading.Reading,
        listener: events.Listener = events.Listener(),
    ) -> None:
        self._destinations = destinations
        self._planner = planner
        self._reading = reading
        self._listener = listener
        self._buffer = shared_buffer.SharedBuffer(reading.block)
        #: What is read for several destinations, by the ID of the image and
        #: the other format that its data has to be of.
        self._shared: dict[tuple[str, str], fan_out.FanOut] = {}
        self._down: set[str] = set()

    def carry_out(
        self, action: plan.Action, others: Collection[str] = ()
    ) -> outcomes.Future:
        """Begin what is to be done with one image at one destination.

        :param others: destinations that the same image is still to be copied
            to
        """
        begun = task.Task(
            action,
            self._destinations[action.to],
            self._planner,
            self._reading,
            self._share(action, others),
            self._listener,
            self._down,
        )
        return background.start(begun.carry_out)

    def give_up(self, to: str) -> None:
        """Try nothing again at a destination that is down.

        What was read for it as well is not kept until it is back.
        """
        self._down.add(to)
        for shared in self._shared.values():
            shared.leave(to)

    def resume(self, to: str) -> None:
        """Try again: it is back."""
        self._down.discard(to)

    def stop(self) -> None:
        """Break off what has begun."""
        self._reading.stop.set()

    def close(self) -> None:
        """Do nothing: threads end by themselves."""

    def _share(
        self, action: plan.Action, others: Collection[str]
    ) -> fan_out.FanOut | None:
        """Read an image once if it is to be copied several times."""
        if not self._can_share(action):
            return None
        renamed = self._renamed(action, action.to)
        key = action.image.id, renamed
        shared = self._shared.get(key)
        to = [
            name
            for name in others
            if not self._destinations[name].fetch
            and self._renamed(action, name) == renamed
        ]
        if not to:
            self._shared.pop(key, None)
        if shared and shared.expects(action.to):
            return shared
        if not to or (shared and any(map(shared.expects, to))):
            return None
        shared = self._shared[key] = self._fan_out(action, to, renamed)
        return shared

    def _renamed(self, action: plan.Action, to: str) -> str:
        return self._planner.at(to).template.renamed(action.image)

    def _can_share(self, action: plan.Action) -> bool:
        fetches = self._destinations[action.to].fetch
        return action.verb is plan.Verb.COPY and not fetches

    def _fan_out(
        self, action: plan.Action, others: Collection[str], renamed: str
    ) -> fan_out.FanOut:
        to = [action.to, *others]
        places_there = [self._destinations[name] for name in to]
        inspect = any(place.inspects for place in places_there)
        # Each is told by its own hash; the same one is computed once.
        to_hash = dict.fromkeys(
            algorithm
            for place in places_there
            for algorithm in place.to_hash(action.image)
        )
        return fan_out.FanOut(
            functools.partial(
                self._reading.open,
                action.image,
                inspect,
                to_hash,
                renamed=renamed,
            ),
            to,
            self._buffer,
            self._reading.stop,
        )
