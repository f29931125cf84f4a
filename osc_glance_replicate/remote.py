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

import argparse
from collections.abc import Collection, Mapping
import dataclasses
import functools
import importlib.metadata
import threading
from typing import Any, NamedTuple

import distributed

from osc_glance_replicate import clouds
from osc_glance_replicate import engine
from osc_glance_replicate import errors
from osc_glance_replicate import routes

#: Runs that are remembered. Those whose commands were killed are never ended.
_MOST = 16


def version() -> str:
    """Give what has to be the same here and there."""
    return importlib.metadata.version('osc-glance-replicate')


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """What workers are told of a run: names, and never a secret.

    :param key: tells it from other runs
    :param version: of the command
    :param source: CLOUD or CLOUD:REGION, to be found in a worker's own
        clouds.yaml as the destinations are
    :param options: of the command, as it has parsed them
    :param projects: ID of the command's own project, by destination
    """

    key: str
    version: str
    source: str
    options: Mapping[str, Any]
    projects: Mapping[str, str | None]


class Result(NamedTuple):
    """What became of an image at one destination.

    :param verb: value of the plan.Verb that it came to
    :param routine: nobody needs to look at it
    """

    to: str
    verb: str
    result: str
    reason: str
    routine: bool


class _Part:
    """What this process knows of a run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._engine: engine.Engine | None = None
        self._stopped = False

    def engine(self, run: Run) -> engine.Engine:
        """Connect to the clouds, once.

        :raises ReplicateError: one of them cannot be used from here
        """
        with self._lock:
            self._engine = self._engine or _engine(run)
        if self._stopped:
            self._engine.reading.stop.set()
        return self._engine

    def stop(self) -> None:
        """Break off what has begun; called where nothing may take long."""
        self._stopped = True
        if self._engine:
            self._engine.reading.stop.set()

    def share(self, rate: float | None) -> None:
        """Set the bytes per second that this process may read."""
        if self._engine:
            self._engine.reading.limit.rate = rate


_parts: dict[str, _Part] = {}


def carry_out(
    run: Run,
    image_id: str,
    to: Collection[str],
    referred: bool,
    rate: float | None,
) -> list[Result]:
    """Plan for one image anew, and do it.

    :param to: names of the destinations that are meant
    :param referred: another image needs it
    :param rate: bytes per second that this process may read; None for no
        limit
    :raises ReplicateError: it cannot be done here; elsewhere, perhaps
    """
    while len(_parts) > _MOST:
        _parts.pop(next(iter(_parts)), None)
    part = _parts.setdefault(run.key, _Part())
    try:
        ready = part.engine(run)
    except errors.ReplicateError as exc:
        address = distributed.get_worker().address
        # One that a pickle can hold.
        raise errors.ReplicateError(f'worker {address}: {exc}') from exc
    part.share(rate)
    try:
        actions = ready.actions_on(image_id, to, referred)
    except errors.ReplicateError as exc:
        return [
            Result(name, 'failed', 'failed', str(exc), False) for name in to
        ]
    outcomes = [
        future.result() for future in ready.threads().carry_out(actions)
    ]
    return [
        Result(
            outcome.action.to,
            outcome.action.verb.value,
            outcome.result,
            outcome.reason,
            outcome.action.routine,
        )
        for outcome in outcomes
    ]


def stop(key: str) -> None:
    """Break off what is done for a run."""
    _parts.setdefault(key, _Part()).stop()


def share(key: str, rate: float) -> None:
    """Set the bytes per second that this process may read for a run."""
    if part := _parts.get(key):
        part.share(rate)


def _engine(run: Run) -> engine.Engine:
    if run.version != version():
        raise errors.ReplicateError(
            f'osc-glance-replicate is {version()} here and {run.version} '
            'where the command runs: install the same'
        )
    ready = routes.to_clouds(
        functools.partial(clouds.connect_to, run.source),
        argparse.Namespace(**run.options),
    )
    for name, project in run.projects.items():
        if ready.projects[name] != project:
            raise errors.CloudError(
                name,
                f'its clouds.yaml is another: project {ready.projects[name]} '
                f'there, {project} where the command runs',
            )
    return ready
