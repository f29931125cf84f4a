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

"""How often something is tried again, and how long to wait before."""

from collections.abc import Callable
import dataclasses
import functools
import logging
import random
import time
from typing import TypeVar

from osc_glance_replicate import errors

LOG = logging.getLogger(__name__)

#: Seconds before the second try; doubled with each one after it.
_FIRST_DELAY = 1.0

#: Seconds between two tries at the most, unless a place asks for more.
_MAX_DELAY = 60.0

#: Seconds at the most that are waited because a place asks for it.
_MAX_RETRY_AFTER = 300.0

#: Seconds that someone else's upload is waited for. One whose Glance was
#: killed never ends: see fact-killed-glance.
_BUSY_TIMEOUT = 300.0

#: Seconds between two looks at that upload, at the most.
_MAX_BUSY_DELAY = 10.0

#: Seconds between looks at what was just written, of which not every server
#: of a cloud may have heard yet.
UNHEARD = 0.2, 0.5, 1.0, 2.0, 4.0

#: Seconds that a place may ask to wait without a word about it.
_UNTOLD = 10.0

#: Further tries of what only asks.
_PATIENCE = 3

#: Seconds after which a question that others wait for is asked but once more,
#: and those between two tries of it at the most, whatever the place asks for.
_LATE = 30.0
_MAX_HURRIED_DELAY = 10.0

_Result = TypeVar('_Result')


@dataclasses.dataclass(frozen=True, slots=True)
class Retries:
    """The tries that are left, as a value; like Retry of urllib3.

    Each failed try makes a new value of it. While someone else is uploading
    the image, time is counted instead of tries.

    :param total: further tries after the first one
    :param failed: tries that have failed so far
    :param delay: seconds to wait before the next try
    :param looks: how often in a row someone else's upload was met
    :param busy_since: when it was first met, as of time.monotonic
    """

    total: int
    failed: int = 0
    delay: float = 0.0
    looks: int = 0
    busy_since: float = 0.0

    @property
    def exhausted(self) -> bool:
        """Whether there is no further try."""
        return self.failed >= self.total

    def after(self, trouble: Exception) -> 'Retries':
        """Return what is left after a try that failed.

        :param trouble: what it failed with
        :raises Exception: this trouble, where no further try is left
        """
        if isinstance(trouble, errors.BusyError):
            return self._while_busy(trouble)
        if isinstance(trouble, errors.DroppedError):
            # It was not even tried alone.
            return Retries(self.total, self.failed, backoff(0))
        if self.exhausted:
            raise trouble
        return Retries(
            self.total,
            self.failed + 1,
            with_retry_after(backoff(self.failed), trouble),
        )

    def _while_busy(self, trouble: errors.BusyError) -> 'Retries':
        now = time.monotonic()
        since = self.busy_since if self.looks else now
        waited = now - since
        if waited >= _BUSY_TIMEOUT:
            raise errors.TransientError(
                trouble.place,
                f'{trouble.problem}, for {waited:.0f} s by now: run again '
                'when that has ended; if nobody uploads it, an administrator '
                'has to delete what is left of it in the store, and to set '
                "it back to 'queued' in Glance's database",
            ) from trouble
        return dataclasses.replace(
            self,
            delay=min(backoff(self.looks), _MAX_BUSY_DELAY),
            looks=self.looks + 1,
            busy_since=since,
        )


def patiently(ask: Callable[[], _Result]) -> _Result:
    """Return what a question is answered with; what may pass is asked again.

    It is not for what is itself part of something that is tried again: tries
    would multiply.

    :param ask: asks, and changes nothing
    :raises PlaceError: there is no answer, however often it is asked
    """
    retries = Retries(_PATIENCE)
    while True:
        try:
            return ask()
        except errors.TransientError as exc:
            retries = retries.after(exc)
            time.sleep(retries.delay)


def hurriedly(ask: Callable[[bool], _Result]) -> _Result:
    """Return what a question is answered with while others wait for it.

    It is asked like any other, but not again and again where a try takes its
    time.

    :param ask: asks, and changes nothing; told whether it is late, and no
        answer is to be waited for long
    :raises PlaceError: there is no answer
    """
    start = time.monotonic()
    retries = Retries(_PATIENCE)
    while True:
        is_late = time.monotonic() - start >= _LATE
        try:
            return ask(is_late)
        except errors.TransientError as exc:
            if is_late:
                raise
            retries = retries.after(exc)
            time.sleep(min(retries.delay, _MAX_HURRIED_DELAY))


def backoff(failed: int) -> float:
    """Return the seconds to wait after so many tries that failed before."""
    # More doublings make it no longer, and overflow some day.
    delay = _FIRST_DELAY * 2.0 ** min(failed, 16)
    # Jitter, so that two runs that met do not meet again.
    return min(delay, _MAX_DELAY) * random.uniform(0.5, 1)  # noqa: S311


def with_retry_after(delay: float, trouble: Exception) -> float:
    """Return the seconds to wait, respecting what the place asked for."""
    if not isinstance(trouble, errors.TransientError):
        return delay
    asked = min(trouble.retry_after, _MAX_RETRY_AFTER)
    if asked > _UNTOLD:
        _warn(f'{trouble.place} asks to wait for {asked:.0f} s')
    return max(delay, asked)


@functools.cache
def _warn(told: str) -> None:
    """Tell of it, once."""
    LOG.warning(told)
