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

"""What the command and the workers of a cluster tell each other."""

from collections.abc import Sequence
import dataclasses
from typing import Any, NamedTuple

from osc_glance_replicate.clouds import entries
from osc_glance_replicate.model import options
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan

#: What answers are told under while others of the same image are still due.
TOPIC = 'osc-glance-replicate'


@dataclasses.dataclass(frozen=True, slots=True)
class Brief:
    """What workers are told of a run: names, and never a secret.

    :param key: tells it from other runs
    :param version: of the command
    :param source: CLOUD or CLOUD:REGION, to be found in a worker's own
        clouds.yaml as the destinations are
    :param request: what the command was asked for
    :param cloud_ids: of the source and the destinations, in their order, as
        the command knows them
    """

    key: str
    version: str
    source: str
    request: options.Request
    cloud_ids: tuple[entries.CloudId, ...]


class Answer(NamedTuple):
    """What became of an image at one destination.

    :param verb: what it came to
    :param routine: nobody needs to look at it
    :param cause: of a failure
    :param unanswered: since when the destination gives no usable answer
    :param converted: the format that its Glance has made of it, where that is
        no replica
    """

    verb: plan.Verb
    result: outcomes.Result
    reason: str
    routine: bool
    cause: outcomes.Cause = outcomes.Cause.ELSEWHERE
    unanswered: float = 0.0
    converted: str = ''


class Early(NamedTuple):
    """An answer to a part of what was asked for.

    Others have it no sooner than a slow destination has its image.

    :param key: of the run
    :param job: number of what was asked for, in that run
    :param to: the destination
    """

    key: str
    job: int
    to: str
    answer: Answer

    def packed(self) -> tuple[object, ...]:
        """Return it in values that every message can hold."""
        verb, result, reason, routine, cause, *rest = self.answer
        values = verb.value, result.value, reason, routine, cause.value
        return (*self[:3], *values, *rest)

    @classmethod
    def unpacked(cls, values: Sequence[Any]) -> 'Early':
        """Return what was packed.

        :raises ValueError: it was not
        """
        key, job, to, verb, result, reason, routine, cause, since, made = (
            values
        )
        if not (isinstance(job, int) and isinstance(to, str)):
            raise ValueError(f'no job or destination: {values}')
        answer = Answer(
            plan.Verb(verb),
            outcomes.Result(result),
            reason,
            routine,
            outcomes.Cause(cause),
            since,
            made,
        )
        return cls(key, job, to, answer)


class Refusal(NamedTuple):
    """Why a worker does nothing for a run, or at one destination of it.

    Another one may.

    :param worker: its address
    """

    worker: str
    problem: str
