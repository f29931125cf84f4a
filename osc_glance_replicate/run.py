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

"""The actions carried out: side by side, and to an end when asked."""

from collections.abc import Iterable, Iterator, Mapping
import concurrent.futures
import threading

from osc_glance_replicate import places
from osc_glance_replicate import plan
from osc_glance_replicate import task
from osc_glance_replicate import workers

#: Seconds that transfers get to end by themselves after Ctrl-C.
_GRACE = 1.5

_TO_DO = frozenset((plan.Verb.COPY, plan.Verb.UPDATE))

_Pending = dict[concurrent.futures.Future[task.Outcome], plan.Action]


def rehearse(actions: Iterable[plan.Action]) -> Iterator[task.Outcome]:
    """Give what would be done, and do nothing."""
    return map(task.as_planned, actions)


class Runner:
    """Carries out a plan.

    :param source: where the data is
    :param destinations: by name
    :param planner: asked again when a destination has changed meanwhile
    :param transfers: number of images at a time
    :param retries: further tries per image and destination
    :param checks: what the data of images is held against
    :param fail_fast: start nothing more after the first failure
    """

    def __init__(
        self,
        source: places.Source,
        destinations: Mapping[str, places.Destination],
        planner: plan.Planner,
        *,
        transfers: int,
        retries: int,
        checks: task.Checks,
        fail_fast: bool,
    ) -> None:
        self._source = source
        self._destinations = destinations
        self._planner = planner
        self._transfers = transfers
        self._retries = retries
        self._checks = checks
        self._fail_fast = fail_fast
        self._enough = False
        self._failed: set[tuple[str, str]] = set()
        self._stop = threading.Event()

    def run(self, actions: Iterable[plan.Action]) -> Iterator[task.Outcome]:
        """Carry out the actions; outcomes come in the order they are known.

        What ends the plan early, an error or Ctrl-C, is raised after the
        outcomes of all that had begun. After an error that is finished
        first; after Ctrl-C it is broken off.
        """
        pending: _Pending = {}
        try:
            yield from self._feed(pending, actions)
        except KeyboardInterrupt:
            self._stop.set()
            yield from self._finished(pending, _GRACE)
            for action in pending.values():
                yield task.Outcome(action, 'failed', task.INTERRUPTED)
            raise
        except Exception:
            while pending:
                yield from self._finished(pending)
            raise
        finally:
            # Also when nobody asks for outcomes any more.
            self._stop.set()

    def _feed(
        self, pending: _Pending, actions: Iterable[plan.Action]
    ) -> Iterator[task.Outcome]:
        """Keep the workers busy."""
        for action in actions:
            while any(_waits(action, other) for other in pending.values()):
                yield from self._finished(pending)
            if action.verb in _TO_DO and (lost := self._lost(action)):
                reason = (
                    f'{lost}, which it needs, was not replicated; '
                    '--dont-replicate leaves the property out'
                )
                yield self._noted(task.Outcome(action, 'failed', reason))
            elif action.verb in _TO_DO:
                job = self._task(action)
                pending[workers.start(job.carry_out)] = action
            else:
                yield self._noted(task.as_planned(action))
            while len(pending) >= self._transfers:
                yield from self._finished(pending)
            if self._enough:
                break
        while pending:
            yield from self._finished(pending)

    def _lost(self, action: plan.Action) -> str:
        """Give the ID of an image that a new one needs and will not have."""
        if action.verb is plan.Verb.COPY:
            for image_id in action.after:
                if (action.to, image_id) in self._failed:
                    return image_id
        return ''

    def _task(self, action: plan.Action) -> task.Task:
        return task.Task(
            action,
            self._source,
            self._destinations[action.to],
            self._planner,
            retries=self._retries,
            checks=self._checks,
            stop=self._stop,
        )

    def _finished(
        self, pending: _Pending, grace: float | None = None
    ) -> Iterator[task.Outcome]:
        """Wait for the first that ends or, given a grace, for all.

        :param grace: seconds to wait at the most
        """
        done, _ = concurrent.futures.wait(
            pending,
            timeout=grace,
            return_when=concurrent.futures.FIRST_COMPLETED
            if grace is None
            else concurrent.futures.ALL_COMPLETED,
        )
        for future in done:
            del pending[future]
            yield self._noted(future.result())

    def _noted(self, outcome: task.Outcome) -> task.Outcome:
        if outcome.result in ('failed', 'conflict'):
            action = outcome.action
            self._failed.add((action.to, action.image.id))
            self._enough = self._fail_fast
        return outcome


def _waits(action: plan.Action, other: plan.Action) -> bool:
    """Say whether an action is to begin after another one has ended."""
    return action.to == other.to and other.image.id in action.after
