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

"""Actions carried out by the workers of a Dask cluster."""

from collections.abc import Collection, Iterable
import concurrent.futures
import contextlib
import dataclasses
import functools
import itertools
import logging
import threading
import time
from typing import Any

import distributed

from osc_glance_replicate import background
from osc_glance_replicate.cluster import messages
from osc_glance_replicate.cluster import scheduler
from osc_glance_replicate.cluster import worker
from osc_glance_replicate import errors
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan

LOG = logging.getLogger(__name__)

#: Seconds to wait for a worker where there is none (any more).
_NO_WORKERS_TIMEOUT = 60.0

#: Seconds that one destination waits for others that get the same image, so
#: that it is read once.
_GATHER_TIMEOUT = 2.0

#: Seconds between two looks at who the workers are.
_WATCH_INTERVAL = 1.0

_LOST = 'the scheduler was lost'

_Answers = concurrent.futures.Future[
    dict[str, messages.Answer | messages.Refusal] | messages.Refusal
]


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """What is to be done with one image at one destination."""

    action: plan.Action
    future: outcomes.Future = dataclasses.field(
        default_factory=concurrent.futures.Future
    )


#: What is to be done with one image, by destination.
_Job = dict[str, _Asked]


class DaskCrew:
    """The workers of one scheduler.

    :param address: of the scheduler
    :param brief: what they are told of the run
    :raises ReplicateError: the scheduler cannot be reached, or has nobody
    """

    def __init__(self, address: str, brief: messages.Brief) -> None:
        self._address = address
        self._brief = brief
        self._rate = brief.request.run.bandwidth
        #: What was asked for and has not come back.
        self._pending: set[_Asked] = set()
        self._numbers = itertools.count()
        #: What workers are at, by its number.
        self._jobs: dict[int, _Job] = {}
        #: Why a worker does nothing at a destination, by both.
        self._refusals: dict[tuple[str, str], str] = {}
        #: What waits for others of the same image, by its ID.
        self._gathered: dict[str, tuple[_Job, set[str]]] = {}
        #: Destinations that nobody waits for: they come later each time.
        self._behind: set[str] = set()
        self._lock = threading.Lock()
        self._trouble = ''
        self._stopped = False
        self._closing = threading.Event()
        self._scheduler = scheduler.Scheduler(
            address, brief.request.run.retries
        )
        try:
            self._scheduler.listen(messages.TOPIC, self._note_early)
            self._workers = self._await_workers()
        except BaseException:
            self.close()
            raise
        background.start(self._watch)

    def carry_out(
        self, action: plan.Action, others: Collection[str] = ()
    ) -> outcomes.Future:
        """Ask for what is to be done with one image at one destination.

        :param others: destinations that it is still to be copied to; who
            comes soon is asked for together with this one
        """
        asked = _Asked(action)
        self._pending.add(asked)
        image_id = action.image.id
        with self._lock:
            awaited = set(others) - self._behind
            if awaited:
                self._behind.discard(action.to)
            job, expected = self._gathered.pop(image_id, ({}, awaited))
            is_new = not job
            job[action.to] = asked
            expected.discard(action.to)
            if expected:
                self._gathered[image_id] = job, expected
        if not expected:
            self._ask(job)
        elif is_new:
            timer = threading.Timer(
                _GATHER_TIMEOUT, self._ask_without, [image_id, job]
            )
            timer.daemon = True
            timer.start()
        return asked.future

    def _ask_without(self, image_id: str, job: _Job) -> None:
        """Ask for an image without those who have not come."""
        with self._lock:
            gathered = self._gathered.get(image_id)
            if not gathered or gathered[0] is not job:
                return
            del self._gathered[image_id]
            self._behind |= gathered[1]
        self._ask(job)

    def give_up(self, to: str) -> None:
        """Do nothing: workers find out by themselves."""

    def resume(self, to: str) -> None:
        """Do nothing, likewise."""

    def stop(self) -> None:
        """Have the workers break off what they do for this run."""
        if not self._stopped:
            self._stopped = True
            self._scheduler.tell(worker.stop, self._brief.key)

    def close(self) -> None:
        """Let the scheduler forget what is left of the run."""
        self._closing.set()
        self._scheduler.close()

    @property
    def share(self) -> float | None:
        """Bytes per second that one worker may read."""
        return self._rate and self._rate / max(1, len(self._workers))

    def _ask(self, job: _Job) -> None:
        """Have a worker do it that has not refused to."""
        actions = [asked.action for asked in job.values()]
        number = next(self._numbers)
        self._jobs[number] = job
        try:
            if self._trouble:
                raise errors.ReplicateError(self._trouble)
            answers = self._scheduler.submit(
                worker.carry_out,
                self._brief,
                number,
                actions[0].image.id,
                set(job),
                any(action.referred for action in actions),
                any(action.capped for action in actions),
                self.share,
                # Only where there are others is any of them left out.
                preferred=self._willing(job) if self._refusals else None,
            )
        except Exception as exc:
            LOG.debug('cannot submit', exc_info=True)
            del self._jobs[number]
            self._fail(
                job.values(),
                _LOST if self._scheduler.is_lost else errors.explain(exc),
            )
        else:
            answers.add_done_callback(
                functools.partial(self._note_answers, number)
            )

    def _willing(self, job: _Job) -> set[str]:
        """Return the workers that have refused nothing of a job."""
        return self._workers - {
            address for address, to in list(self._refusals) if to in job
        }

    def _note_early(self, message: Any) -> None:
        """Pass on what a worker has answered of a job that it is still at."""
        try:
            early = messages.Early.unpacked(message)
        except (TypeError, ValueError):
            # Whoever reaches the scheduler can send anything.
            LOG.debug('a message that no worker sends', exc_info=True)
            return
        job = self._jobs.get(early.job)
        if early.key == self._brief.key and job and early.to in job:
            asked = job[early.to]
            self._settle(asked, _outcome(asked.action, early.answer))

    def _note_answers(self, number: int, answers: _Answers) -> None:
        """Pass on what a worker has answered, as far as that is new."""
        job = self._jobs.pop(number)
        try:
            answer = answers.result()
            if isinstance(answer, messages.Refusal):
                self._refused(job, answer)
                return
            for to, asked in job.items():
                if isinstance(one := answer[to], messages.Refusal):
                    self._refused({to: asked}, one)
                else:
                    self._settle(asked, _outcome(asked.action, one))
        except concurrent.futures.CancelledError:
            self._fail(job.values(), self._trouble or _LOST)
        except distributed.KilledWorker:
            self._fail(job.values(), 'every worker that was given it has died')
        except Exception as exc:
            LOG.debug('a worker failed', exc_info=True)
            self._fail(job.values(), errors.unexpected(exc))

    def _refused(self, job: _Job, refusal: messages.Refusal) -> None:
        """Ask another worker, if there is one."""
        told = f'worker {refusal.worker}: {refusal.problem}'
        refused = {(refusal.worker, to): refusal.problem for to in job}
        if refused.keys() - self._refusals.keys():
            self._refusals.update(refused)
            LOG.warning(
                '%s; it is given nothing more for %s',
                told,
                ', '.join(sorted(job)),
            )
        if self._willing(job):
            self._ask(job)
        else:
            self._fail(job.values(), told)

    def _fail(self, some: Iterable[_Asked], problem: str) -> None:
        """Settle that nothing came of what was asked for."""
        reason = errors.line(f'{self._address}: {problem}')
        for asked in some:
            self._settle(asked, outcomes.failed(asked.action, reason))

    def _settle(self, asked: _Asked, outcome: outcomes.Outcome) -> None:
        """Settle what has become of it, unless that was done before."""
        # Whichever thread takes it out settles it.
        with contextlib.suppress(KeyError):
            self._pending.remove(asked)
            asked.future.set_result(outcome)

    def _await_workers(self) -> set[str]:
        """Return the addresses of the workers.

        :raises ReplicateError: there are none
        """
        deadline = time.monotonic() + _NO_WORKERS_TIMEOUT
        while not (found := self._scheduler.workers()):
            if time.monotonic() > deadline:
                raise errors.ReplicateError(
                    f'The scheduler at {self._address} has no workers: start '
                    f"some with 'dask worker {self._address}'"
                )
            self._closing.wait(_WATCH_INTERVAL)
        return found

    def _watch(self) -> None:
        """Notice when nobody is left, and divide the bandwidth anew."""
        seen = time.monotonic()
        while not self._closing.wait(_WATCH_INTERVAL):
            try:
                found = self._scheduler.workers()
            except Exception:
                LOG.debug('cannot ask for the workers', exc_info=True)
                if self._scheduler.is_lost:
                    self._give_up(_LOST)
                continue
            if found:
                seen = time.monotonic()
            elif time.monotonic() - seen > _NO_WORKERS_TIMEOUT:
                self._give_up(
                    f'no worker was left for {_NO_WORKERS_TIMEOUT:.0f} s'
                )
            if found != self._workers:
                LOG.debug('the workers are %s', ', '.join(sorted(found)))
                self._workers = found
                if self._rate:
                    self._scheduler.tell(
                        worker.share, self._brief.key, self.share
                    )

    def _give_up(self, trouble: str) -> None:
        """Fail all that was asked for, and all that will be."""
        self._trouble = trouble
        self._fail(self._pending.copy(), trouble)


def _outcome(action: plan.Action, answer: messages.Answer) -> outcomes.Outcome:
    """Return what a worker has told as if it had been done here."""
    return outcomes.Outcome(
        action.with_verb(
            answer.verb,
            answer.reason,
            routine=answer.routine,
            converted=answer.converted,
        ),
        answer.result,
        answer.reason,
        answer.cause,
        answer.unanswered,
    )
