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

"""What a worker of a Dask cluster does of a run."""

from collections.abc import Collection, Iterator, Sequence
import contextlib
import dataclasses
import importlib.metadata
import threading
import time
from typing import NamedTuple

import distributed
import openstack.connection

from osc_glance_replicate import background
from osc_glance_replicate.clouds import entries
from osc_glance_replicate.clouds import login
from osc_glance_replicate.engine import engine
from osc_glance_replicate.engine import routes
from osc_glance_replicate import errors
from osc_glance_replicate.execution import thread_crew
from osc_glance_replicate.model import options
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan

#: Runs that are remembered, besides those that images are on their way for.
_REMEMBERED_RUNS = 64


def version() -> str:
    """Return what has to be the same here and where the command runs."""
    return importlib.metadata.version('osc-glance-replicate')


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
    """

    verb: plan.Verb
    result: outcomes.Result
    reason: str
    routine: bool
    cause: outcomes.Cause = outcomes.Cause.ELSEWHERE
    unanswered: float = 0.0


class Refusal(NamedTuple):
    """Why a worker does nothing for a run, or at one destination of it.

    Another one may.

    :param worker: its address
    """

    worker: str
    problem: str


class _Part:
    """What this process does of a run.

    :param rate: bytes per second that it may read; None for no limit
    """

    def __init__(self, rate: float | None) -> None:
        self.rate = rate
        self.images = 0
        self.stopped = False
        self._lock = threading.Lock()
        self._engine: engine.Engine | None = None
        self._problem = ''
        self._crew: thread_crew.ThreadCrew | None = None

    def crew(self, ready: engine.Engine) -> thread_crew.ThreadCrew:
        """Return who carries out what this process is asked for.

        What waits for slow destinations shares memory.

        :param ready: knows the clouds
        """
        with self._lock:
            self._crew = self._crew or ready.threads()
            return self._crew

    def engine(self, brief: Brief) -> engine.Engine:
        """Connect to the clouds, once.

        :raises ReplicateError: one of them cannot be used from here
        """
        with self._lock:
            if self._problem:
                # Nothing is asked again: accounts get locked by that.
                raise errors.ReplicateError(self._problem)
            try:
                self._engine = self._engine or _engine(brief)
            except errors.ReplicateError as exc:
                self._problem = str(exc)
                raise
            self._engine.reading.limit.rate = self.rate
            if self.stopped:
                self._engine.reading.stop.set()
            return self._engine

    def stop(self) -> None:
        """Break off what has begun; called where nothing may take long."""
        self.stopped = True
        if self._engine:
            self._engine.reading.stop.set()
            self._engine = self._crew = None

    def share(self, rate: float) -> None:
        """Set the bytes per second that may be read."""
        self.rate = rate
        if self._engine:
            self._engine.reading.limit.rate = rate


#: What this process does of all runs, by their keys.
_parts: dict[str, _Part] = {}
_parts_lock = threading.Lock()


def _part(key: str, rate: float | None = None) -> _Part:
    """Return what this process does of a run; it begins with a rate."""
    with _parts_lock:
        idle = [other for other, part in _parts.items() if not part.images]
        # Those of commands that were killed are never ended.
        for other in idle[: max(0, len(_parts) - _REMEMBERED_RUNS)]:
            del _parts[other]
        return _parts.setdefault(key, _Part(rate))


@contextlib.contextmanager
def _busy(part: _Part) -> Iterator[None]:
    """Keep a part while an image is on its way."""
    with _parts_lock:
        part.images += 1
    try:
        yield
    finally:
        with _parts_lock:
            part.images -= 1


def carry_out(
    brief: Brief,
    image_id: str,
    to: Collection[str],
    referred: bool,
    capped: bool,
    rate: float | None,
) -> dict[str, Answer | Refusal] | Refusal:
    """Plan for one image anew, and do it.

    :param to: names of the destinations in question
    :param referred: another image needs it
    :param capped: it gets no more visibility than it has at its source
    :param rate: bytes per second that this process may read, unless it has
        been told since; None for no limit
    :returns: what became of it, by destination
    """
    part = _part(brief.key, rate)
    if part.stopped:
        return dict.fromkeys(to, _failed(outcomes.INTERRUPTED))
    with _busy(part):
        try:
            ready = part.engine(brief)
        except errors.ReplicateError as exc:
            return Refusal(distributed.get_worker().address, str(exc))
        answers = _refusals(ready, to)
        actions = []
        for name in to:
            if name in answers:
                continue
            try:
                actions += ready.actions_on(image_id, [name], referred, capped)
            except errors.PlaceError as exc:
                silent = exc.unanswered and exc.place == name
                since = time.time() if silent else 0.0
                answers[name] = _failed(str(exc), since)
            except errors.ReplicateError as exc:
                answers[name] = _failed(str(exc))
        answers.update(_done(part.crew(ready), actions))
        return answers


def _refusals(
    ready: engine.Engine, to: Collection[str]
) -> dict[str, Answer | Refusal]:
    """Return which destinations cannot be used from here, and why."""
    return {
        name: Refusal(distributed.get_worker().address, problem)
        for name, problem in ready.unusable.items()
        if name in to
    }


def _done(
    crew: thread_crew.ThreadCrew, actions: Sequence[plan.Action]
) -> dict[str, Answer]:
    """Carry out what is to be done with one image; return the ends."""
    copies = [action.to for action in actions if action.verb is plan.Verb.COPY]
    begun = {}
    for action in actions:
        if action.to in copies:
            copies.remove(action.to)
        begun[action.to] = crew.carry_out(action, copies)
    return {name: _answer(future.result()) for name, future in begun.items()}


def stop(key: str) -> None:
    """Break off what is done for a run, and do nothing more for it."""
    _part(key).stop()


def share(key: str, rate: float) -> None:
    """Set the bytes per second that this process may read for a run."""
    _part(key).share(rate)


def _answer(outcome: outcomes.Outcome) -> Answer:
    return Answer(
        outcome.action.verb,
        outcome.result,
        outcome.reason,
        outcome.action.routine,
        outcome.cause,
        outcome.unanswered,
    )


def _failed(reason: str, unanswered: float = 0.0) -> Answer:
    return Answer(
        plan.Verb.FAIL,
        outcomes.Result.FAILED,
        reason,
        routine=False,
        unanswered=unanswered,
    )


def _engine(brief: Brief) -> engine.Engine:
    """Connect to the clouds that the command means.

    :raises ReplicateError: one of them cannot be used, or is another here
    """
    if brief.version != version():
        raise errors.ReplicateError(
            f'osc-glance-replicate is {version()} here and {brief.version} '
            'where the command runs: install the same'
        )
    source, *others = brief.cloud_ids
    connecting = {
        to.name: background.start(_connect, to.name, there)
        for to, there in zip(brief.request.to, others, strict=True)
    }
    return routes.between(
        _connect(brief.source, source),
        connecting,
        brief.request,
        patience=None,
    )


def _connect(
    name: str, there: entries.CloudId
) -> openstack.connection.Connection:
    """Connect to a cloud that the command means.

    :param there: which cloud it is where the command runs
    :raises CloudError: it cannot be used, or is another here
    """
    connection = login.connect_to(name)
    here = entries.cloud_id(connection)
    if here != there:
        raise errors.CloudError(
            name,
            f'the clouds.yaml here is another: it is {here}, and {there} '
            'where the command runs',
        )
    return connection
