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

"""What all verbs do, where images go to a dump."""

from collections.abc import Iterable
import logging

from osc_glance_replicate.engine import engine
from osc_glance_replicate.engine import fleet
from osc_glance_replicate import errors
from osc_glance_replicate.model import options
from osc_glance_replicate.model import ownership
from osc_glance_replicate.model import plan
from osc_glance_replicate import places
from osc_glance_replicate.places import dump
from osc_glance_replicate.planning import decisions

LOG = logging.getLogger(__name__)


class DumpEngine(engine.Engine):
    """The same, where nothing is begun before all of it has room.

    The plan is held for that: about 2 kB of memory for each image.
    """

    def __init__(
        self,
        source: places.Source,
        projects: ownership.Projects,
        destination: dump.Destination,
        planner: decisions.Planner,
        request: options.Request,
    ) -> None:
        there = planner.at(destination.name)
        destinations = fleet.of([fleet.Ready(destination, there)])
        super().__init__(source, destinations, planner, request)
        self._dump = destination
        self._projects = projects

    def _to_carry_out(self) -> Iterable[plan.Action]:
        """Plan all of it, and see that there is room.

        :raises RefusedError: there is no room, or another dump is running
        """
        self._dump.open()
        actions = list(self.actions())
        if self._request.checks.room:
            self._dump.require_room(actions)
        self._dump.catch_up(actions)
        if self._planner.members:
            self._note_projects(actions)
        return actions

    def _note_projects(self, actions: Iterable[plan.Action]) -> None:
        """Keep the names of owners and members, as far as they are known."""
        ids = {
            project
            for action in actions
            for project in (
                action.image.owner,
                *(action.wanted.members or ()),
            )
            if project
        }
        try:
            found = {each: self._projects.project(each) for each in ids}
        except errors.CloudError as exc:
            LOG.warning('The names of projects are not dumped: %s', exc)
            return
        self._dump.note_projects(
            {each: project for each, project in found.items() if project}
        )
