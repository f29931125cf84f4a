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

from collections.abc import Iterable, Iterator, Mapping, Sequence
import concurrent.futures
import functools
import itertools

from osc_glance_replicate import checked
from osc_glance_replicate import fan
from osc_glance_replicate import places
from osc_glance_replicate import plan
from osc_glance_replicate import task
from osc_glance_replicate import workers

#: Seconds that transfers get to end by themselves after Ctrl-C.
_GRACE = 1.0

_TO_DO = frozenset((plan.Verb.COPY, plan.Verb.UPDATE))

_Pending = dict[concurrent.futures.Future[task.Outcome], plan.Action]


def rehearse(actions: Iterable[plan.Action]) -> Iterator[task.Outcome]:
    """Give what would be done, and do nothing."""
    return map(task.as_planned, actions)


class Runner:
    """Carries out a plan.

    :param destinations: by name
    :param planner: asked again when a destination has changed meanwhile
    :param reading: how the data of images is read
    :param transfers: number of images at a time
    :param fail_fast: start nothing more after the first failure
    """

    def __init__(
        self,
        destinations: Mapping[str, places.Destination],
        planner: plan.Planner,
        reading: checked.Reading,
        *,
        transfers: int,
        fail_fast: bool,
    ) -> None:
        self._destinations = destinations
        self._planner = planner
        self._reading = reading
        self._transfers = transfers
        self._fail_fast = fail_fast
        self._enough = False
        self._failed: set[tuple[str, str]] = set()
        self._stop = reading.stop

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
        for group in self._groups(actions):
            for action in group:
                while any(_waits(action, other) for other in pending.values()):
                    yield from self._finished(pending)
            shared = self._share(group)
            for action in group:
                if action.verb in _TO_DO and (lost := self._lost(action)):
                    reason = (
                        f'{lost}, which it needs, was not replicated; '
                        '--dont-replicate leaves the property out'
                    )
                    yield self._noted(task.Outcome(action, 'failed', reason))
                    if shared:
                        shared.leave(action.to)
                elif action.verb in _TO_DO:
                    job = self._task(action, shared)
                    pending[workers.start(job.carry_out)] = action
                else:
                    yield self._noted(task.as_planned(action))
            while _images(pending) >= self._transfers:
                yield from self._finished(pending)
            if self._enough:
                break
        while pending:
            yield from self._finished(pending)

    def _groups(
        self, actions: Iterable[plan.Action]
    ) -> Iterable[Sequence[plan.Action]]:
        """Bring together what is to be done with one image."""
        if len(self._destinations) == 1:
            # No need to wait for the next one.
            return ([action] for action in actions)
        groups = itertools.groupby(actions, lambda action: action.image.id)
        return (list(group) for _, group in groups)

    def _share(self, group: Sequence[plan.Action]) -> fan.Fan | None:
        """Have an image read once where it is to be copied several times."""
        to = [a.to for a in group if a.verb is plan.Verb.COPY]
        if len(to) < 2:
            return None
        inspect = any(self._destinations[name].inspects for name in to)
        return fan.Fan(
            functools.partial(self._reading.open, group[0].image, inspect), to
        )

    def _lost(self, action: plan.Action) -> str:
        """Give the ID of an image that a new one needs and will not have."""
        if action.verb is plan.Verb.COPY:
            for image_id in action.after:
                if (action.to, image_id) in self._failed:
                    return image_id
        return ''

    def _task(self, action: plan.Action, shared: fan.Fan | None) -> task.Task:
        return task.Task(
            action,
            self._destinations[action.to],
            self._planner,
            self._reading,
            shared if action.verb is plan.Verb.COPY else None,
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


def _images(pending: _Pending) -> int:
    """Give the number of images that are on their way."""
    return len({action.image.id for action in pending.values()})
