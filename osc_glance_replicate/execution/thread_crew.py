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

from collections.abc import Mapping
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
        self.to = list(destinations)
        self._destinations = destinations
        self._planner = planner
        self._reading = reading
        self._listener = listener

    def carry_out(
        self, group: plan.Group
    ) -> dict[outcomes.Future, plan.Action]:
        """Begin what is to be done with one image.

        :returns: what becomes of each action
        """
        shared = self._share(group)
        return {
            background.start(self._task(action, shared).carry_out): action
            for action in group
        }

    def stop(self) -> None:
        """Break off what has begun."""
        self._reading.stop.set()

    def close(self) -> None:
        """Do nothing: threads end by themselves."""

    def _task(
        self, action: plan.Action, shared: fan_out.FanOut | None
    ) -> task.Task:
        return task.Task(
            action,
            self._destinations[action.to],
            self._planner,
            self._reading,
            shared if action.verb is plan.Verb.COPY else None,
            self._listener,
        )

    def _share(self, group: plan.Group) -> fan_out.FanOut | None:
        """Read an image once if it is to be copied several times."""
        to = [
            action.to
            for action in group
            if action.verb is plan.Verb.COPY
            and not self._destinations[action.to].fetch
        ]
        if len(to) < 2:
            return None
        inspect = any(self._destinations[name].inspects for name in to)
        return fan_out.FanOut(
            functools.partial(self._reading.open, group[0].image, inspect), to
        )
