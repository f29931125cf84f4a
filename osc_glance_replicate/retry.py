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

"""How long to wait between two tries, and when to give up."""

from collections.abc import Iterator
import random
import time

from osc_glance_replicate import errors

#: Seconds before the second try; doubled with each one after it.
_FIRST = 1.0

#: Seconds that are waited at the most, of one's own accord.
_LONGEST = 60.0

#: Seconds that are waited at the most when a place asks for it.
_LONGEST_ASKED = 300.0

#: Seconds that someone else's upload is waited for.
_BUSY_LIMIT = 300.0

#: Seconds between two looks at it, at the most.
_BUSY_LONGEST = 10.0


def delays() -> Iterator[float]:
    """Give the seconds before each further try, growing without end."""
    delay = _FIRST
    while True:
        # Jitter, so that two runs that met do not meet again.
        yield min(delay, _LONGEST) * random.uniform(0.5, 1)  # noqa: S311
        delay *= 2


def wait(delay: float, trouble: errors.TransientError) -> float:
    """Give the seconds to wait, respecting what the place asked for."""
    return max(delay, min(trouble.retry_after, _LONGEST_ASKED))


class Patience:
    """What one image at one destination may still cost.

    What fails is tried again so many times; while someone else is uploading
    it, time counts instead.

    :param retries: further tries
    """

    def __init__(self, retries: int) -> None:
        self._left = retries
        self._delays = delays()
        self._busy_since: float | None = None

    def after(self, trouble: errors.TransientError) -> float:
        """Give the seconds to wait after a try that failed.

        :raises TransientError: this trouble, where enough is enough
        """
        if isinstance(trouble, errors.BusyError):
            return self._while_busy(trouble)
        self._busy_since = None
        if isinstance(trouble, errors.DroppedError):
            # It was not even tried alone.
            return next(delays())
        if not self._left:
            raise trouble
        self._left -= 1
        return wait(next(self._delays), trouble)

    def _while_busy(self, trouble: errors.BusyError) -> float:
        now = time.monotonic()
        if self._busy_since is None:
            self._busy_since = now
            self._looks = delays()
        waited = now - self._busy_since
        if waited >= _BUSY_LIMIT:
            raise errors.TransientError(
                trouble.place,
                f'{trouble.problem}, for {waited:.0f} s by now: run again '
                'when that has ended; if nobody uploads it, an administrator '
                'has to delete what is left of it in the store, and to set '
                "it back to 'queued' in Glance's database",
            ) from trouble
        return min(next(self._looks), _BUSY_LONGEST)
