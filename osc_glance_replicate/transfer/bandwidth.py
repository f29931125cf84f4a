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

"""A ceiling for the bytes per second of a whole run."""

import threading
import time

#: Seconds for which a reader gets bytes at a time: it is silent no longer.
_GRANTED_SECONDS = 0.25


class Bandwidth:
    """A bucket that fills as time goes by, and all transfers take from.

    :param rate: bytes per second; None for no ceiling. It may change.
    """

    def __init__(self, rate: float | None = None) -> None:
        self.rate = rate
        self._lock = threading.Lock()
        self._level = 0.0
        self._waiting = 0
        self._filled = time.monotonic()

    def grant(self, most: int) -> int:
        """Wait for one's turn to read.

        :param most: number of bytes that are wanted
        :returns: how many may be read: at least one
        """
        rate = self.rate
        if rate is None:
            return most
        with self._lock:
            self._waiting += 1
            # The more wait, the less each of them gets, and the sooner.
            share = rate * _GRANTED_SECONDS / self._waiting
            granted = max(1, min(most, int(share)))
            delay = self._take(rate, granted)
        time.sleep(delay)
        with self._lock:
            self._waiting -= 1
        return granted

    def _take(self, rate: float, count: int) -> float:
        """Take bytes, of the time to come if need be.

        :returns: seconds until they are there
        """
        now = time.monotonic()
        filled = self._level + (now - self._filled) * rate
        # What was not used is not saved up.
        self._level = min(filled, rate * _GRANTED_SECONDS) - count
        self._filled = now
        return max(0.0, -self._level / rate)

    def give_back(self, count: int) -> None:
        """Return what was granted and not read."""
        if self.rate is not None:
            with self._lock:
                self._level += count
