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

"""How a replica differs from its source, in the words of compare."""

import enum

from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import plan


class Difference(enum.StrEnum):
    """How a replica differs from its source."""

    SAME = 'same'
    MISSING = 'missing'
    INCOMPLETE = 'incomplete'
    METADATA = 'metadata'
    CONFLICT = 'conflict'
    EXTRA = 'extra'
    #: It cannot be told.
    FAILED = 'failed'
    #: The destination could not be asked.
    UNKNOWN = 'unknown'
    #: It is not what was recorded, now that it has been read.
    DATA = 'data'
    #: It was to be read, and could not be.
    UNREAD = 'unread'


def of(action: plan.Action) -> Difference | None:
    """Return the difference that an action is for; None: not compared."""
    match action.verb:
        case plan.Verb.COPY if not action.replica:
            return Difference.MISSING
        case plan.Verb.COPY:
            return Difference.INCOMPLETE
        case plan.Verb.CONFLICT if action.incomplete:
            return Difference.INCOMPLETE
        case plan.Verb.UPDATE if action.told_as:
            return Difference(action.told_as.value)
        case plan.Verb.UPDATE:
            return Difference.METADATA
        case plan.Verb.FAIL if action.fixed:
            return Difference.METADATA
        case plan.Verb.UNCHANGED:
            return Difference.SAME
        case plan.Verb.SKIP:
            return Difference.SAME if action.serves else None
        case verb:
            return Difference(verb.value)


def is_replica(action: plan.Action) -> bool:
    """Return whether there is a replica with data, whatever else differs.

    What is as good as a replica is one.
    """
    replica = action.replica
    return (
        replica is not None
        and replica.status in image_record.SETTLED
        and of(action) in (Difference.SAME, Difference.METADATA)
    )
