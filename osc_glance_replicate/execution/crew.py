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

"""Who carries actions out, whichever way: the protocol."""

from collections.abc import Collection, Mapping
from typing import Protocol

from osc_glance_replicate.execution import outcomes
from osc_glance_replicate.model import plan


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
