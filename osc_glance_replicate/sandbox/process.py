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

"""The processes of a sandbox: started, watched and ended together."""

from collections.abc import Mapping
from collections.abc import Sequence
import os
import pathlib
import signal
import subprocess
import sys
import threading
from typing import Any

from osc_glance_replicate.sandbox import errors
from osc_glance_replicate.sandbox import reaper

LOOPBACK = '127.0.0.1'


class Processes:
    """Everything that runs in a sandbox, and the directory it lives in.

    Safe to use from several threads. Start nothing from the main thread: an
    exception that a signal raises there could part a process from its note
    to the reaper.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._ending = False
        # Isolated and without site-packages, as it must start at once and
        # outlive whatever happens to this environment.
        told, notes = os.pipe()
        answer, telling = os.pipe()
        # From here on the notes are closed when this process is gone, or
        # this object: that is what the reaper waits for.
        self._notes = open(notes, 'wb', buffering=0)
        with open(told, 'rb') as stdin, open(telling, 'wb') as stdout:
            self._reaper = subprocess.Popen(  # noqa: S603
                [sys.executable, '-I', '-S', reaper.__file__],
                stdin=stdin,
                stdout=stdout,
                start_new_session=True,
            )
        with open(answer) as lines:
            path = lines.readline().rstrip('\n')
        if not path:
            raise errors.SandboxError('Cannot make a temporary directory')
        self.directory = pathlib.Path(path)

    def start(
        self,
        command: Sequence[str],
        log: pathlib.Path,
        environment: Mapping[str, str] | None = None,
        end_signal: int = signal.SIGKILL,
        **options: Any,
    ) -> subprocess.Popen[bytes]:
        """Start a process in a process group of its own.

        :param command: program and arguments.
        :param log: file that standard output and error are added to.
        :param environment: variables on top of this process's own.
        :param end_signal: what ends it. Nothing of a sandbox outlives it, so
            by default the shortest way.
        :param options: more for subprocess.Popen.
        """
        with self._lock, log.open('ab') as output:
            if self._ending:
                raise errors.SandboxError('The sandbox is being ended')
            started = subprocess.Popen(  # noqa: S603
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=log.parent,
                env=_environment(environment or {}),
                start_new_session=True,
                **options,
            )
            self._running[started.pid] = started
            self._note(f'+ {started.pid} {int(end_signal)}')
        return started

    def run(
        self,
        name: str,
        command: Sequence[str],
        log: pathlib.Path,
        environment: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        """Run a command to its end.

        :param name: what an error calls it.
        :param command: program and arguments.
        :param log: file that standard output and error are added to.
        :param environment: variables on top of this process's own.
        :param options: more for subprocess.Popen.
        """
        started = self.start(command, log, environment, **options)
        code = started.wait()
        with self._lock:
            if not self._ending:
                del self._running[started.pid]
                self._note(f'- {started.pid}')
        if code:
            raise errors.SandboxError(f'{name} failed with {code}', log)

    def end(self) -> None:
        """End every process, and let none start any more."""
        with self._lock:
            if not self._ending:
                self._ending = True
                self._note('end')
        # The reaper waits for the processes to be gone, and they are only
        # gone when their parent has asked for their exit codes.
        for started in self._running.values():
            started.wait()

    def close(self) -> None:
        """End every process and remove the directory.

        Nobody may be writing to the directory any more.
        """
        self.end()
        self._notes.close()
        if self._reaper.wait():
            raise errors.SandboxError(f'Cannot remove {self.directory}')

    def _note(self, line: str) -> None:
        self._notes.write(f'{line}\n'.encode())


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    """Keep the user's clouds and proxies away from the servers."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(('OS_', 'PYTHON'))
    }
    return {**kept, 'no_proxy': LOOPBACK, 'NO_PROXY': LOOPBACK, **more}
