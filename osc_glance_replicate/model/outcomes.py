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

"""What became of actions and of files, as reports print it."""

import concurrent.futures
import dataclasses
import enum

from osc_glance_replicate import errors
from osc_glance_replicate.model import plan

#: The reason of what Ctrl-C has broken off.
INTERRUPTED = 'interrupted; the next run completes it'


#: The end of the reason of what a destination was not asked for.
NOT_TRIED = 'not tried'


class Result(enum.StrEnum):
    """What became of one image at one destination, or of one file."""

    COPIED = 'copied'
    UPDATED = 'updated'
    UNCHANGED = 'unchanged'
    SKIPPED = 'skipped'
    CONFLICT = 'conflict'
    FAILED = 'failed'

    # Of a dry run.
    COPY = 'copy'
    UPDATE = 'update'

    # Of verify.
    OK = 'ok'
    UNREAD = 'unread'
    MISSING = 'missing'
    SHORT = 'short'
    DAMAGED = 'damaged'
    LEFTOVER = 'leftover'
    FOREIGN = 'foreign'

    @property
    def is_failure(self) -> bool:
        """Whether the exit code is 1 for it, unless nothing was to be done."""
        return self in (
            Result.CONFLICT,
            Result.FAILED,
            Result.UNREAD,
            Result.MISSING,
            Result.SHORT,
            Result.DAMAGED,
        )

    @property
    def needs_attention(self) -> bool:
        """Whether progress reports it as a failure, while the run goes on.

        UNREAD is none: nothing is known of the image, as after Ctrl-C.
        """
        return self.is_failure and self is not Result.UNREAD

    @property
    def is_there(self) -> bool:
        """Whether the destination has a replica then, as it is to be."""
        return self in (
            Result.COPIED,
            Result.UPDATED,
            Result.UNCHANGED,
            Result.OK,
        )

    @property
    def has_arrived(self) -> bool:
        """Whether all data of the image was read in this run, and verified."""
        return self in (Result.COPIED, Result.OK)


class Cause(enum.Enum):
    """Whether an image itself is why it does not come."""

    #: It would not come anywhere.
    IMAGE = 'image'
    #: It may be: whoever makes images can bring that about, and other trouble
    #: can.
    UNCLEAR = 'unclear'
    #: A place, the network or the end of the run.
    ELSEWHERE = 'elsewhere'


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an action.

    :param reason: why, for the person who reads the report
    :param cause: of a failure
    :param unanswered: since when the destination has given no usable answer,
        as of time.time, if it failed for that; else 0
    """

    action: plan.Action
    result: Result
    reason: str = ''
    cause: Cause = Cause.ELSEWHERE
    unanswered: float = 0.0

    @property
    def lies_in(self) -> Cause:
        """Whether the image itself is why it does not come."""
        if self.result in (Result.SKIPPED, Result.CONFLICT):
            return Cause.IMAGE
        return self.cause


#: What will have become of an action.
Future = concurrent.futures.Future[Outcome]


def failed(
    action: plan.Action,
    reason: str,
    cause: Cause = Cause.ELSEWHERE,
    unanswered: float = 0.0,
) -> Outcome:
    """Return the outcome of an action that failed."""
    return Outcome(action, Result.FAILED, reason, cause, unanswered)


def cause_of(exc: Exception) -> Cause:
    """Return whether an image itself is why something failed for it."""
    match exc:
        case (
            errors.DataError()
            | errors.UnreadableError()
            | errors.TakenError()
            | errors.RefusedError(status=400)
        ):
            return Cause.IMAGE
        case errors.StoppedError():
            return Cause.ELSEWHERE
        case errors.TransientError():
            # What a database will not have: see fact-refused-with-500.
            return Cause.UNCLEAR if exc.status == 500 else Cause.ELSEWHERE
    return Cause.UNCLEAR


def as_planned(action: plan.Action) -> Outcome:
    """Return the outcome of doing nothing: what would be done."""
    verb = action.told_as or action.verb
    result, reason = Result(verb.value), action.reason
    if action.fixed:
        result, reason = Result.FAILED, plan.unchangeable(action.fixed)
    reason = '; '.join(filter(None, [reason, action.waiting]))
    return Outcome(action, result, reason)
