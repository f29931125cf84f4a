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

"""The actions carried out: workers, retries, and an end when asked."""

from collections.abc import Iterable, Iterator, Mapping
import concurrent.futures
import dataclasses
import logging
import random
import threading

from osc_glance_replicate import errors
from osc_glance_replicate import image as image_record
from osc_glance_replicate import places
from osc_glance_replicate import plan
from osc_glance_replicate import transfer

LOG = logging.getLogger(__name__)

#: Seconds between two tries: doubled each time, up to the longest.
_FIRST_DELAY = 1.0
_LONGEST_DELAY = 60.0

#: Seconds that transfers get to end by themselves after Ctrl-C.
_GRACE = 2.0

#: Statuses of a record that somebody is uploading to.
_BUSY = frozenset(('saving', 'uploading', 'importing'))

_DONE = {
    plan.Verb.COPY: 'copied',
    plan.Verb.UPDATE: 'updated',
}


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an action.

    :param result: one of SPEC's results, as it is shown
    :param reason: why, for the person who reads the report
    """

    action: plan.Action
    result: str
    reason: str = ''


def rehearse(actions: Iterable[plan.Action]) -> Iterator[Outcome]:
    """Give what would be done, and do nothing."""
    return map(_as_planned, actions)


def _as_planned(action: plan.Action) -> Outcome:
    return Outcome(action, action.verb.value, action.reason)


class Runner:
    """Carries out a plan.

    :param source: where the data is
    :param destinations: by name
    :param planner: asked again when a destination has changed meanwhile
    :param transfers: number of images at a time
    :param retries: further tries per image and destination
    :param checksum: whether to hash the data on its way
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
        checksum: bool,
        fail_fast: bool,
    ) -> None:
        self._source = source
        self._destinations = destinations
        self._planner = planner
        self._transfers = transfers
        self._retries = retries
        self._checksum = checksum
        self._fail_fast = fail_fast
        self._stop = threading.Event()

    def run(self, actions: Iterable[plan.Action]) -> Iterator[Outcome]:
        """Carry out the actions; outcomes come in the order they are known.

        :raises ReplicateError: the plan could not be read to its end; what
            had begun is finished and reported before
        :raises KeyboardInterrupt: likewise, but nothing is finished
        """
        pool = concurrent.futures.ThreadPoolExecutor(self._transfers)
        pending: set[concurrent.futures.Future[Outcome]] = set()
        try:
            yield from self._feed(pool, pending, actions)
        except errors.ReplicateError:
            while pending:
                yield from self._finished(pending)
            raise
        except KeyboardInterrupt:
            self._stop.set()
            yield from self._finished(pending, _GRACE)
            raise
        finally:
            # Also when nobody asks for outcomes any more.
            self._stop.set()
            pool.shutdown(wait=False, cancel_futures=True)

    def _feed(
        self,
        pool: concurrent.futures.Executor,
        pending: set[concurrent.futures.Future[Outcome]],
        actions: Iterable[plan.Action],
    ) -> Iterator[Outcome]:
        """Keep the workers busy, with no more than one action in waiting."""
        for action in actions:
            if action.verb in _DONE:
                pending.add(pool.submit(self._outcome, action))
            else:
                yield self._noted(_as_planned(action))
            while len(pending) > self._transfers:
                yield from self._finished(pending)
            if self._stop.is_set():
                break
        while pending:
            yield from self._finished(pending)

    def _finished(
        self,
        pending: set[concurrent.futures.Future[Outcome]],
        grace: float | None = None,
    ) -> Iterator[Outcome]:
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
        pending -= done
        for future in done:
            yield self._noted(future.result())

    def _noted(self, outcome: Outcome) -> Outcome:
        if self._fail_fast and outcome.result in ('failed', 'conflict'):
            self._stop.set()
        return outcome

    def _outcome(self, action: plan.Action) -> Outcome:
        """Carry out an action, whatever happens, as far as it goes."""
        try:
            return self._try_and_try_again(action)
        except errors.ReplicateError as exc:
            return Outcome(action, 'failed', str(exc))
        except Exception as exc:
            LOG.debug('defect while copying', exc_info=True)
            problem = errors.printable(f'{type(exc).__name__}: {exc}')
            return Outcome(action, 'failed', f'unexpected {problem}')

    def _try_and_try_again(self, action: plan.Action) -> Outcome:
        delay = _FIRST_DELAY
        for tries_left in range(self._retries, -1, -1):
            if self._stop.is_set():
                break
            try:
                if tries_left < self._retries:
                    action = self._decide_again(action)
                return self._try(action)
            except errors.TransientError as exc:
                if not tries_left:
                    raise
                LOG.debug('%s: trying again: %s', action.image.id, exc)
                # Jitter, so that two runs that met do not meet again.
                wait = max(delay, exc.retry_after) * random.uniform(1, 1.5)  # noqa: S311
                self._stop.wait(min(wait, _LONGEST_DELAY))
                delay *= 2
        return Outcome(action, 'failed', 'not done: the run was stopped')

    def _decide_again(self, action: plan.Action) -> plan.Action:
        replica = self._destinations[action.to].find(action.image.id)
        return self._planner.decide(action.image, replica, action.to)

    def _try(self, action: plan.Action) -> Outcome:
        try:
            return self._carry_out(action)
        except errors.TakenError as exc:
            action = self._decide_again(action)
            if action.replica:
                # Another run has been faster.
                return self._carry_out(action)
            reason = (
                f'{exc} by an image that this user cannot see or that was '
                'deleted: Glance frees an ID only when its database is purged'
            )
            return Outcome(action, 'conflict', reason)

    def _carry_out(self, action: plan.Action) -> Outcome:
        if action.verb not in _DONE:
            return _as_planned(action)
        destination = self._destinations[action.to]
        if action.verb is plan.Verb.UPDATE and action.replica:
            destination.update(action.replica, action.changes)
        else:
            if action.replica and action.replica.status in _BUSY:
                raise errors.TransientError(
                    action.to,
                    f'{action.image.id} is {action.replica.status} there: '
                    'it is being uploaded by someone else',
                )
            self._copy(action.image, action.replica, destination)
        return Outcome(action, _DONE[action.verb], action.reason)

    def _copy(
        self,
        image: image_record.Image,
        replica: image_record.Image | None,
        destination: places.Destination,
    ) -> None:
        destination.stage(image, replica)
        with self._source.read(image) as data:
            body = transfer.Body(
                data, image, self._source.name, self._checksum, self._stop
            )
            destination.write(image, body)
        self._verify(image, destination)
        destination.publish(image)

    def _verify(
        self, image: image_record.Image, destination: places.Destination
    ) -> None:
        """Hold the written replica's record against the source's."""
        replica = destination.find(image.id)
        if replica is None or replica.status != 'active':
            status = replica.status if replica else 'gone'
            raise errors.TransientError(
                destination.name,
                f'{image.id} is {status} after all of it was sent',
            )
        same, evidence = image_record.same_data(image, replica)
        if not same:
            destination.quarantine(image)
            raise errors.DataError(
                destination.name,
                f'{image.id} arrived damaged: {evidence} differs; it was left '
                'private and, where this user may, deactivated',
            )
