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
from typing import Protocol

from osc_glance_replicate import errors
from osc_glance_replicate.execution import backlog
from osc_glance_replicate.execution import outcomes
from osc_glance_replicate.model import plan


class Watcher(Protocol):
    """Who looks on; called from many threads, and not to keep them waiting."""

    def planned(self, group: backlog.Group) -> None:
        """Hear what is to be done with one image."""

    def all_planned(self) -> None:
        """Hear that there will be no more."""

    def begun(self, action: plan.Action) -> None:
        """Hear that an action has begun, or begins again."""

    def checked(self, action: plan.Action, count: int) -> None:
        """Hear that so many bytes more were read, before any is sent."""

    def sent(self, action: plan.Action, count: int) -> None:
        """Hear that so many bytes more have been sent."""

    def retried(self, action: plan.Action, trouble: errors.PlaceError) -> None:
        """Hear why an action has to begin again."""

    def ended(self, outcome: outcomes.Outcome) -> None:
        """Hear what an action has come to, whether it was begun or not."""


class Nobody:
    """Who does not look."""

    def planned(self, group: backlog.Group) -> None:
        pass

    def all_planned(self) -> None:
        pass

    def begun(self, action: plan.Action) -> None:
        pass

    def checked(self, action: plan.Action, count: int) -> None:
        pass

    def sent(self, action: plan.Action, count: int) -> None:
        pass

    def retried(self, action: plan.Action, trouble: errors.PlaceError) -> None:
        pass

    def ended(self, outcome: outcomes.Outcome) -> None:
        pass


class Several:
    """More than one who looks on."""

    def __init__(self, watchers: Sequence[Watcher]) -> None:
        self._watchers = watchers

    def planned(self, group: backlog.Group) -> None:
        for watcher in self._watchers:
            watcher.planned(group)

    def all_planned(self) -> None:
        for watcher in self._watchers:
            watcher.all_planned()

    def begun(self, action: plan.Action) -> None:
        for watcher in self._watchers:
            watcher.begun(action)

    def checked(self, action: plan.Action, count: int) -> None:
        for watcher in self._watchers:
            watcher.checked(action, count)

    def sent(self, action: plan.Action, count: int) -> None:
        for watcher in self._watchers:
            watcher.sent(action, count)

    def retried(self, action: plan.Action, trouble: errors.PlaceError) -> None:
        for watcher in self._watchers:
            watcher.retried(action, trouble)

    def ended(self, outcome: outcomes.Outcome) -> None:
        for watcher in self._watchers:
            watcher.ended(outcome)
