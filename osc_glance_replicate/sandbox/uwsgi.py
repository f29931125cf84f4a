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

"""A WSGI service under uWSGI, as deployments run them, with TLS or not."""

from collections.abc import Sequence
import pathlib
import socket
import subprocess
import sys
import time

import requests

from osc_glance_replicate.sandbox import errors
from osc_glance_replicate.sandbox import installed
from osc_glance_replicate.sandbox import process
from osc_glance_replicate.sandbox import tls

PROCESSES = 2
THREADS = 8

# Said below the reason; then the other process is interrupted, at length.
_GIVEN_UP = 'unable to load app'
_BACKLOG = 100  # connections
_READY_WITHIN = 300.0  # seconds


class Service:
    """An HTTP service on a free port of the loopback.

    The port is bound at once and handed down to the server: nobody else can
    take it meanwhile, and everyone can be told of it before it is served.

    :param name: what an error calls it.
    :param processes: the sandbox's.
    :param log: where the server writes to.
    :param authority: who vouches for it, where it is to speak TLS.
    :param workers: its processes, of several threads each.
    """

    _server: subprocess.Popen[bytes]

    def __init__(
        self,
        name: str,
        processes: process.Processes,
        log: pathlib.Path,
        authority: tls.Authority | None,
        workers: int = PROCESSES,
    ) -> None:
        self._name = name
        self._workers = workers
        self._processes = processes
        self._log = log
        self._authority = authority
        self._socket = _listen()
        self._front = _listen() if authority else self._socket
        self.plain_url = f'http://{_address(self._socket)}'
        self.url = (
            f'https://{_address(self._front)}' if authority else self.plain_url
        )

    def start(
        self,
        application: str | pathlib.Path,
        environment: dict[str, str],
        timeout: int,
        installation: pathlib.Path | None = None,
        modules: Sequence[str] = (),
    ) -> None:
        """Start the server, without waiting for it.

        :param application: MODULE:NAME of the WSGI application, or the file
            that has one.
        :param environment: variables on top of this process's own.
        :param timeout: seconds of a peer's silence it puts up with.
        :param installation: the virtual environment that has the application
            and a uWSGI, unless it is this one.
        :param modules: what it needs and may be imported once, before the
            processes part.
        """
        if self._authority:
            self._start_tls(self._authority)
        with self._socket as listening:
            self._server = self._processes.start(
                [
                    installed.script('pyuwsgi', installation),
                    *('--http-socket', f'fd://{listening.fileno()}'),
                    *(
                        '--wsgi-file'
                        if isinstance(application, pathlib.Path)
                        else '--module',
                        str(application),
                    ),
                    *('--processes', str(self._workers)),
                    *('--threads', str(THREADS)),
                    *('--socket-timeout', str(timeout)),
                    *('--listen', str(_BACKLOG)),
                    *('--buffer-size', '65535'),
                    # Kept alive, connections would be reset between requests.
                    *('--add-header', 'Connection: close'),
                    *(f'--shared-import={module}' for module in modules),
                    '--http-chunked-input',
                    '--enable-threads',
                    '--lazy-apps',
                    '--master',
                    '--die-on-term',
                    '--need-app',
                ],
                self._log,
                environment,
                pass_fds=[listening.fileno()],
            )

    def wait(self, path: str) -> None:
        """Wait until the service answers.

        :param path: something it answers without a token.
        """
        deadline = time.monotonic() + _READY_WITHIN
        while time.monotonic() < deadline:
            if self._server.poll() is not None:
                raise errors.SandboxError(
                    f'{self._name} died while starting',
                    self._log,
                    until=_GIVEN_UP,
                )
            if self._answers(path):
                return
            time.sleep(0.1)
        raise errors.SandboxError(
            f'{self._name} is not ready after {_READY_WITHIN:.0f} s',
            self._log,
        )

    def _answers(self, path: str) -> bool:
        with requests.Session() as session:
            session.trust_env = False  # no proxy, no netrc
            if self._authority:
                session.verify = str(self._authority.certificate)
            try:
                return session.get(self.url + path, timeout=1.0).ok
            except requests.RequestException:
                return False

    def _start_tls(self, authority: tls.Authority) -> None:
        with self._front as listening:
            self._processes.start(
                [
                    # Without -P the modules next to it would hide packages.
                    *(sys.executable, '-P', tls.__file__),
                    str(listening.fileno()),
                    str(self._socket.getsockname()[1]),
                    str(authority.issue(self._log.with_suffix('.pem'))),
                ],
                self._log.with_suffix('.tls.log'),
                pass_fds=[listening.fileno()],
            )


def _listen() -> socket.socket:
    return socket.create_server((process.LOOPBACK, 0), backlog=_BACKLOG)


def _address(listening: socket.socket) -> str:
    host, port = listening.getsockname()
    return f'{host}:{port}'
