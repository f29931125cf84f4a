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

import concurrent.futures
import functools
import logging
import threading
import time
from typing import Any

import dask.config
import distributed

from osc_glance_replicate import backlog
from osc_glance_replicate import errors
from osc_glance_replicate import plan
from osc_glance_replicate import remote
from osc_glance_replicate import task
from osc_glance_replicate import workers

LOG = logging.getLogger(__name__)

#: Seconds to wait for the scheduler.
_TIMEOUT = 10.0

#: Seconds to wait for a worker where there is none (any more).
_PATIENCE = 60.0

#: Seconds between two looks at who the workers are.
_INTERVAL = 1.0

#: Seconds that the workers get to hear that a run has ended.
_GRACE = 5.0

_Future = concurrent.futures.Future[task.Outcome]


class Cluster:
    """The workers of one scheduler.

    :param address: of the scheduler
    :param run: what they are told of it
    :param rate: bytes per second that all of them may read together; None
        for no limit
    :raises ReplicateError: the scheduler cannot be reached, or has nobody
    """

    def __init__(
        self, address: str, run: remote.Run, rate: float | None
    ) -> None:
        self.to = list(run.projects)
        self._address = address
        self._run = run
        self._rate = rate
        self._client = _connect(address)
        self._executor = self._client.get_executor(
            pure=False, retries=run.options['retries']
        )
        #: What was asked for, and has not come back.
        self._asked: set[concurrent.futures.Future[Any]] = set()
        self._trouble = 'the scheduler was lost'
        self._closing = threading.Event()
        self._workers = self._await_workers()
        workers.start(self._watch)

    def carry_out(self, group: backlog.Group) -> dict[_Future, plan.Action]:
        """Ask for what is to be done with one image.

        :returns: what each action will have come to
        """
        ours: dict[_Future, plan.Action] = {
            concurrent.futures.Future(): action for action in group
        }
        try:
            asked = self._executor.submit(
                remote.carry_out,
                self._run,
                group[0].image.id,
                [action.to for action in group],
                any(action.referred for action in group),
                self.share,
            )
        except Exception as exc:
            LOG.debug('cannot submit', exc_info=True)
            self._fail(ours, errors.explain(exc))
        else:
            self._asked.add(asked)
            asked.add_done_callback(functools.partial(self._end, ours))
        return ours

    def stop(self) -> None:
        """Have the workers break off what they do for this run."""
        self._tell(remote.stop, self._run.key)

    def close(self) -> None:
        """Let the scheduler forget what is left of the run."""
        self._closing.set()
        self._client.close(_GRACE)

    @property
    def share(self) -> float | None:
        """Bytes per second that one worker may read."""
        return self._rate and self._rate / max(1, len(self._workers))

    def _end(
        self,
        ours: dict[_Future, plan.Action],
        asked: concurrent.futures.Future[list[remote.Result]],
    ) -> None:
        """Pass on what a worker has answered."""
        self._asked.discard(asked)
        try:
            results = {result.to: result for result in asked.result()}
        except concurrent.futures.CancelledError:
            self._fail(ours, self._trouble)
        except distributed.KilledWorker:
            self._fail(ours, 'every worker that was given it has died')
        except Exception as exc:
            LOG.debug('a worker failed', exc_info=True)
            self._fail(ours, errors.explain(exc))
        else:
            for future, action in ours.items():
                future.set_result(_outcome(action, results[action.to]))

    def _fail(self, ours: dict[_Future, plan.Action], problem: str) -> None:
        for future, action in ours.items():
            reason = errors.printable(f'{self._address}: {problem}')
            future.set_result(task.Outcome(action, 'failed', reason))

    def _await_workers(self) -> set[str]:
        """Give the addresses of the workers.

        :raises ReplicateError: there are none
        """
        deadline = time.monotonic() + _PATIENCE
        while not (found := self._client.nthreads()):
            if time.monotonic() > deadline:
                self._client.close(_GRACE)
                raise errors.ReplicateError(
                    f'The scheduler at {self._address} has no workers: start '
                    f"some with 'dask worker {self._address}'"
                )
            time.sleep(_INTERVAL)
        return set(found)

    def _watch(self) -> None:
        """Divide the bandwidth anew, and notice when nobody is left."""
        seen = time.monotonic()
        while not self._closing.wait(_INTERVAL):
            try:
                found = set(self._client.nthreads())
            except Exception:
                LOG.debug('cannot ask for the workers', exc_info=True)
                continue
            now = time.monotonic()
            if found:
                seen = now
            elif now - seen > _PATIENCE:
                self._trouble = f'no worker was left for {_PATIENCE:.0f} s'
                for asked in list(self._asked):
                    asked.cancel()
            if found != self._workers:
                LOG.debug('the workers are %s', ', '.join(sorted(found)))
                self._workers = found
                if self._rate:
                    self._tell(remote.share, self._run.key, self.share)

    def _tell(self, function: Any, *args: object) -> None:
        """Call a function in every worker, as far as they can be reached."""
        told = workers.start(
            self._client.run, function, *args, on_error='ignore'
        )
        try:
            told.result(_GRACE)
        except Exception:
            LOG.debug('the workers were not told', exc_info=True)


def _connect(address: str) -> distributed.Client:
    """Connect to a scheduler.

    :raises ReplicateError: it does not answer, or is not to be trusted
    """
    for name in 'distributed', 'distributed.client', 'tornado.application':
        # They tell at length what an error or a row is about to say.
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        _require_certificates(address)
        return distributed.Client(
            address, timeout=_TIMEOUT, set_as_default=False
        )
    except Exception as exc:
        raise errors.ReplicateError(
            f'Cannot use the Dask scheduler at {address}: '
            f'{errors.explain(exc)}'
        ) from exc


def _require_certificates(address: str) -> None:
    """Look for what tls takes; without, Dask waits long before it fails.

    :raises LookupError: there is none
    """
    arguments = distributed.Security().get_connection_args('client')
    if address.startswith('tls:') and not arguments['ssl_context']:
        raise LookupError(
            'no certificates in distributed.comm.tls of '
            f'{dask.config.PATH} or the environment: ca-file, client.cert '
            'and client.key'
        )


def _outcome(action: plan.Action, result: remote.Result) -> task.Outcome:
    """Give what a worker has told as if it had been done here."""
    verb = plan.Verb(result.verb)
    done = action.instead(verb, result.reason, routine=result.routine)
    return task.Outcome(done, result.result, result.reason)
