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

"""What became of an action."""

import concurrent.futures
import dataclasses

from osc_glance_replicate.model import plan
from osc_glance_replicate.model import results

#: The reason of what Ctrl-C has broken off.
INTERRUPTED = 'interrupted; the next run completes it'


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an action.

    :param reason: why, for the person who reads the report
    """

    action: plan.Action
    result: results.Result
    reason: str = ''


#: What will have become of an action.
Future = concurrent.futures.Future[Outcome]


def failed(action: plan.Action, reason: str) -> Outcome:
    """Return the outcome of an action that failed."""
    return Outcome(action, results.Result.FAILED, reason)


def as_planned(action: plan.Action) -> Outcome:
    """Return the outcome of doing nothing: what would be done."""
    if action.fixed:
        return failed(action, plan.unchangeable(action.fixed))
    return Outcome(action, results.Result(action.verb.value), action.reason)
