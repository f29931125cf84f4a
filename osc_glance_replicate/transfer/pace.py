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

"""How fast a destination takes what it is given."""

import time

#: Seconds of sending after which what was before counts for half as much.
_WINDOW = 20.0

#: Less than any time that sending a block takes.
_NO_TIME = 1e-6


class Pace:
    """How fast one destination takes blocks, all of its images together.

    Only the time that it is busy with a block counts: whoever waits for the
    source, or for other destinations, is not slow.
    """

    def __init__(self) -> None:
        self._count = 0.0
        self._seconds = 0.0

    def spent(self, count: int, seconds: float) -> None:
        """Note that so many bytes have taken so long."""
        self._count += count
        self._seconds += seconds
        if self._seconds > _WINDOW:
            self._count /= 2
            self._seconds /= 2

    def speed(self, busy: float) -> float:
        """Return bytes per second.

        :param busy: seconds that it has spent on what is not taken yet
        """
        return self._count / max(self._seconds + busy, _NO_TIME)


class Stopwatch:
    """The time that a branch is busy with a block.

    :param pace: of its destination
    """

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._count = 0
        self._since: float | None = None

    @property
    def seconds(self) -> float:
        """Return how long it has been busy with what it has."""
        return 0.0 if self._since is None else time.monotonic() - self._since

    def start(self, count: int) -> None:
        """Note that it has got so many bytes."""
        self._count = count
        self._since = time.monotonic()

    def stop(self) -> None:
        """Note that it has come for more."""
        if self._since is not None:
            self._pace.spent(self._count, self.seconds)
        self._since = None

    def cancel(self) -> None:
        """Note that it wants nothing more."""
        self._since = None
