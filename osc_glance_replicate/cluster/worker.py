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

from collections.abc import Callable, Collection, Iterable, Iterator, Set
import concurrent.futures
import contextlib
import functools
import importlib.metadata
import threading
import time
from typing import Any

import distributed
import openstack.connection

from osc_glance_replicate import background
from osc_glance_replicate.clouds import entries
from osc_glance_replicate.clouds import login
from osc_glance_replicate.cluster import messages
from osc_glance_replicate.engine import engine
from osc_glance_replicate.engine import routes
from osc_glance_replicate import errors
from osc_glance_replicate.execution import thread_crew
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan

#: Seconds that one destination waits for others to say what they have, so
#: that an image is read once for all.
_PATIENCE = 2.0

#: What is to be done at one destination; an answer where that is unknown.
_Decided = plan.Action | messages.Answer

#: Runs that are remembered, besides those that images are on their way for.
_REMEMBERED_RUNS = 64


def version() -> str:
    """Return what has to be the same here and where the command runs."""
    return importlib.metadata.version('osc-glance-replicate')


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

    def engine(self, brief: messages.Brief) -> engine.Engine:
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
    brief: messages.Brief,
    job: int,
    image_id: str,
    to: Set[str],
    referred: bool,
    capped: bool,
    rate: float | None,
) -> dict[str, messages.Answer | messages.Refusal] | messages.Refusal:
    """Plan for one image anew, and do it.

    :param job: number of what is asked for, in its run
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
            return messages.Refusal(distributed.get_worker().address, str(exc))
        answers = _refusals(ready, to)
        decide = functools.partial(_decide, ready, image_id, referred, capped)
        ends = _ends(part.crew(ready), decide, to - answers.keys())
        for name, answer in ends:
            answers[name] = answer
            if len(answers) < len(to):
                early = messages.Early(brief.key, job, name, answer)
                distributed.get_worker().log_event(
                    messages.TOPIC, early.packed()
                )
        return answers


def _refusals(
    ready: engine.Engine, to: Collection[str]
) -> dict[str, messages.Answer | messages.Refusal]:
    """Return which destinations cannot be used from here, and why."""
    return {
        name: messages.Refusal(distributed.get_worker().address, problem)
        for name, problem in ready.unusable.items()
        if name in to
    }


def _decide(
    ready: engine.Engine,
    image_id: str,
    referred: bool,
    capped: bool,
    name: str,
) -> _Decided:
    """Return what is to be done with one image at one destination."""
    try:
        (action,) = ready.actions_on(image_id, [name], referred, capped)
    except errors.PlaceError as exc:
        silent = exc.unanswered and exc.place == name
        return _failed(str(exc), time.time() if silent else 0.0)
    except errors.ReplicateError as exc:
        return _failed(str(exc))
    return action


def _ends(
    crew: thread_crew.ThreadCrew,
    decide: Callable[[str], _Decided],
    to: Iterable[str],
) -> Iterator[tuple[str, messages.Answer]]:
    """Carry out what is to be done with one image; yield ends as they come.

    :param decide: returns what is to be done at a destination
    """
    ends: dict[concurrent.futures.Future[Any], str] = {}
    asked = {background.start(decide, name): name for name in to}
    known, late = concurrent.futures.wait(asked, _PATIENCE)
    decided = [(asked[each], each.result()) for each in known]
    copies = {name for name, end in decided if _is_copy(end)}
    for name, end in decided:
        copies.discard(name)
        if isinstance(end, plan.Action):
            ends[crew.carry_out(end, copies)] = name
        else:
            yield name, end
    ends.update(
        {background.start(_late, crew, each): asked[each] for each in late}
    )
    for number, each in enumerate(concurrent.futures.as_completed(ends), 1):
        yield ends[each], _answer(each.result())
        if number == 1 < len(ends):
            # Slow destinations keep no thread from the next images.
            distributed.secede()


def _late(
    crew: thread_crew.ThreadCrew,
    asked: concurrent.futures.Future[_Decided],
) -> outcomes.Outcome | messages.Answer:
    """Carry out what is known so late that it has a reading of its own."""
    end = asked.result()
    if isinstance(end, plan.Action):
        return crew.carry_out(end).result()
    return end


def _is_copy(end: _Decided) -> bool:
    return isinstance(end, plan.Action) and end.verb is plan.Verb.COPY


def stop(key: str) -> None:
    """Break off what is done for a run, and do nothing more for it."""
    _part(key).stop()


def share(key: str, rate: float) -> None:
    """Set the bytes per second that this process may read for a run."""
    _part(key).share(rate)


def _answer(outcome: outcomes.Outcome | messages.Answer) -> messages.Answer:
    if isinstance(outcome, messages.Answer):
        return outcome
    return messages.Answer(
        outcome.action.verb,
        outcome.result,
        outcome.reason,
        outcome.action.routine,
        outcome.cause,
        outcome.unanswered,
        outcome.action.converted,
    )


def _failed(reason: str, unanswered: float = 0.0) -> messages.Answer:
    return messages.Answer(
        plan.Verb.FAIL,
        outcomes.Result.FAILED,
        reason,
        routine=False,
        unanswered=unanswered,
    )


def _engine(brief: messages.Brief) -> engine.Engine:
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
