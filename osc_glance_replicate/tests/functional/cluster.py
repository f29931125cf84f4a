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

"""A Dask cluster on this machine: a real scheduler and real workers."""

from collections.abc import Callable, Mapping, Sequence
import functools
import json
import os
import pathlib
import time

import fixtures

from osc_glance_replicate.tests.functional import preloaded

#: Seconds that a scheduler or a worker gets to start.
_PATIENCE = 180


class _Process:
    """A scheduler or a worker.

    :param log: what it writes to
    """

    def __init__(
        self,
        log: pathlib.Path,
        environment: Mapping[str, str],
        arguments: Sequence[str],
    ) -> None:
        self._log = log
        with log.open('wb') as output:
            self._process = preloaded.server('dask').start(
                arguments,
                {**os.environ, **environment},
                output.fileno(),
                output.fileno(),
            )

    @property
    def told(self) -> str:
        return self._log.read_text()

    def wait(self, is_ready: Callable[[], bool]) -> None:
        """Wait until it is ready.

        :raises RuntimeError: it will not be
        """
        deadline = time.monotonic() + _PATIENCE
        while not is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(self.told)
            time.sleep(0.05)

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._process.kill()
        self._process.wait()


class Cluster(fixtures.Fixture):
    """A scheduler and its workers, as ``dask`` starts them.

    :param workers: what differs in the environment of each of them
    :param environment: of all of them and of the scheduler
    :param protocol: that they speak
    :ivar address: of the scheduler
    :ivar workers: one for each environment
    """

    def __init__(
        self,
        workers: Sequence[Mapping[str, str]] = ({}, {}),
        environment: Mapping[str, str] | None = None,
        protocol: str = 'tcp',
    ) -> None:
        self._environments = workers
        self._environment = environment or {}
        self._protocol = protocol

    def _setUp(self) -> None:
        self._directory = pathlib.Path(
            self.useFixture(fixtures.TempDir()).path
        )
        self._notes = self._directory / 'scheduler.json'
        self._processes: list[_Process] = []
        self.scheduler = self._start(
            {}, 'scheduler', '--protocol', self._protocol, '--port', '0'
        )
        self.scheduler.wait(lambda: 'Scheduler at' in self.scheduler.told)
        # It is there before anything stands in it.
        self.scheduler.wait(
            lambda: self._notes.exists() and self._notes.stat().st_size > 0
        )
        self.address = str(json.loads(self._notes.read_text())['address'])
        self.workers = [
            self._begin(environment) for environment in self._environments
        ]
        for worker in self.workers:
            worker.wait(functools.partial(_is_registered, worker))

    def hire(self, environment: Mapping[str, str]) -> None:
        """Start one more worker."""
        worker = self._begin(environment)
        worker.wait(functools.partial(_is_registered, worker))
        self.workers.append(worker)

    def _begin(self, environment: Mapping[str, str]) -> _Process:
        return self._start(
            environment, 'worker', '--nthreads', '2', '--no-nanny',
            '--local-directory', str(self._directory),
        )  # fmt: skip

    @property
    def told(self) -> str:
        """All that the scheduler and the workers have written."""
        return ''.join(process.told for process in self._processes)

    def _start(
        self, environment: Mapping[str, str], role: str, *arguments: str
    ) -> _Process:
        process = _Process(
            self._directory / f'{len(self._processes)}.log',
            {**self._environment, **environment},
            [role, '--host', '127.0.0.1', '--no-dashboard',
             '--scheduler-file', str(self._notes), *arguments],
        )  # fmt: skip
        self.addCleanup(process.kill)
        self._processes.append(process)
        return process


def _is_registered(worker: _Process) -> bool:
    return 'Registered to' in worker.told
