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

"""What can be heard of a plan while it is carried out."""

from collections.abc import Sequence

from osc_glance_replicate import errors
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan


class Listener:
    """Hears how a plan is carried out; of itself, it ignores everything.

    Its methods are called from many threads, which they must not keep
    waiting.
    """

    def planned(self, group: plan.Group) -> None:
        """Hear what is to be done with one image."""

    def all_planned(self) -> None:
        """Hear that nothing more will be planned."""

    def begun(self, action: plan.Action) -> None:
        """Hear that an action has begun, or begins again."""

    def checked(self, action: plan.Action, count: int) -> None:
        """Hear how many more bytes were read, before any of them is sent."""

    def sent(self, action: plan.Action, count: int) -> None:
        """Hear how many more bytes were sent."""

    def arrived(self, action: plan.Action) -> None:
        """Hear that all data of an action is there, and still to be seen."""

    def retried(self, action: plan.Action, trouble: errors.PlaceError) -> None:
        """Hear why an action has to begin again."""

    def put_off(self, action: plan.Action) -> None:
        """Hear that an action has got no answer, and may begin again."""

    def down(self, to: str, since: float) -> None:
        """Hear that a destination is down.

        :param since: as of time.time
        """

    def up(self, to: str) -> None:
        """Hear that a destination that was down is back."""

    def ended(self, outcome: outcomes.Outcome) -> None:
        """Hear what became of an action, whether it was begun or not."""


class Listeners(Listener):
    """Passes on what it hears.

    :param listeners: to whom
    """

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._listeners = listeners

    def planned(self, group: plan.Group) -> None:
        for listener in self._listeners:
            listener.planned(group)

    def all_planned(self) -> None:
        for listener in self._listeners:
            listener.all_planned()

    def begun(self, action: plan.Action) -> None:
        for listener in self._listeners:
            listener.begun(action)

    def checked(self, action: plan.Action, count: int) -> None:
        for listener in self._listeners:
            listener.checked(action, count)

    def sent(self, action: plan.Action, count: int) -> None:
        for listener in self._listeners:
            listener.sent(action, count)

    def arrived(self, action: plan.Action) -> None:
        for listener in self._listeners:
            listener.arrived(action)

    def retried(self, action: plan.Action, trouble: errors.PlaceError) -> None:
        for listener in self._listeners:
            listener.retried(action, trouble)

    def put_off(self, action: plan.Action) -> None:
        for listener in self._listeners:
            listener.put_off(action)

    def down(self, to: str, since: float) -> None:
        for listener in self._listeners:
            listener.down(to, since)

    def up(self, to: str) -> None:
        for listener in self._listeners:
            listener.up(to)

    def ended(self, outcome: outcomes.Outcome) -> None:
        for listener in self._listeners:
            listener.ended(outcome)
