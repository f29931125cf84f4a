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

"""Who carries actions out: threads of this process, or a cluster."""

from collections.abc import Collection
from typing import Protocol

from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan


class Crew(Protocol):
    """Carries actions out, side by side."""

    def carry_out(
        self, action: plan.Action, others: Collection[str] = ()
    ) -> outcomes.Future:
        """Begin what is to be done with one image at one destination.

        :param others: destinations that the same image is still to be copied
            to, perhaps with the same reading of its data
        :returns: what becomes of it; never an exception
        """

    def give_up(self, to: str) -> None:
        """Try nothing again at a destination that is down."""

    def resume(self, to: str) -> None:
        """Try again: it is back."""

    def stop(self) -> None:
        """Break off what has begun."""

    def close(self) -> None:
        """Release what the crew holds."""
