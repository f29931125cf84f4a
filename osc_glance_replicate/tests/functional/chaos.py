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

"""What goes wrong between a command and two Glances, at random."""

from collections.abc import Callable
import random

from osc_glance_replicate.tests.functional import faults
from osc_glance_replicate.tests.functional import proxy

_DATA = '/images/[^/]+/file$'

#: Seconds of silence: more than the destination puts up with.
_PAUSE = 5

#: Answers that may pass.
_PASSING = (500, 502, 503, 504)


class Chaos:
    """Troubles with both Glances, each once in a while.

    What happens to data does so to one of the first images, too, so that
    nothing is left out where there are few.

    :param numbers: what chance is taken from
    :param largest: bytes of the largest image
    """

    def __init__(self, numbers: random.Random, largest: int) -> None:
        self._numbers = numbers
        self._largest = largest

    def upset_source(self, link: proxy.Proxy) -> None:
        """Break what only reads."""
        for act in faults.reset, faults.close, faults.pause(_PAUSE):
            broken = faults.Fault(download=self._somewhere(act))
            self._spoil(link, 'GET', broken)
        damaged = faults.Fault(
            download=lambda blocks: faults.corrupt(self._position())(blocks)
        )
        self._spoil(link, 'GET', damaged)
        self._upset(link)

    def upset_destination(self, link: proxy.Proxy) -> None:
        """Break what writes: on its way, and the answer to it."""
        for act in faults.reset, faults.pause(_PAUSE):
            broken = faults.Fault(upload=self._somewhere(act))
            self._spoil(link, 'PUT', broken)
        # The Glance goes on waiting for the rest.
        left = faults.Fault(upload=self._somewhere(faults.reset), keep=True)
        self._spoil(link, 'PUT', left)
        lost = faults.Fault(lose=True)
        self._spoil(link, 'PUT', lost)
        self._sometimes(link, 0.04, 'POST|PATCH', '', lost)
        self._upset(link)

    def _upset(self, link: proxy.Proxy) -> None:
        """Answer instead of the Glance, or not at all."""
        for status in _PASSING:
            for early in (False, True):
                answer = faults.Answer(status, {'Retry-After': '1'})
                refused = faults.Fault(answer=answer, early=early)
                self._sometimes(link, 0.005, '.*', '', refused)
        expired = faults.Fault(answer=faults.Answer(401))
        self._sometimes(link, 0.01, '.*', '', expired)
        gone = faults.Fault(before=lambda call: faults.reset())
        self._sometimes(link, 0.02, '.*', '', gone)
        down = faults.Fault(before=lambda call: link.down(0.5))
        self._sometimes(link, 0.01, '.*', '', down)

    def _spoil(
        self, link: proxy.Proxy, method: str, fault: faults.Fault
    ) -> None:
        """Let something happen to data."""
        link.on(method, _DATA, fault, first=self._numbers.randint(1, 12))
        self._sometimes(link, 0.04, method, _DATA, fault)

    def _sometimes(
        self,
        link: proxy.Proxy,
        chance: float,
        method: str,
        path: str,
        fault: faults.Fault,
    ) -> None:
        link.on(
            method,
            path,
            fault,
            times=None,
            when=lambda call: self._numbers.random() < chance,
        )

    def _somewhere(self, act: Callable[[], object]) -> faults.Stream:
        """Do something in the middle of data, if there is so much."""
        return lambda blocks: faults.after(self._position(), act)(blocks)

    def _position(self) -> int:
        return int(self._largest * self._numbers.random() ** 8)
