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

"""The openstack command, and dask, without the wait for their imports.

Most of the time of a short command goes into imports, which are the same
for all. A process does them once, and each command is a fork of it that
calls what the console script calls, with its own arguments, environment,
streams, signals and end. What is about the start of a command starts the
console script itself (``FunctionalTest.start_script``).
"""

import atexit
from collections.abc import Callable, Mapping, Sequence
import contextlib
import functools
import gc
import importlib
import json
import os
import pathlib
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from typing import Any, NoReturn, TextIO

_MODULES = (
    'cliff.formatters.json_format',
    'cliff.formatters.table',
    'keystoneauth1.loading._plugins.identity.generic',
    'keystoneauth1.loading._plugins.identity.v3',
    'openstack.identity.v3._proxy',
    'openstack.image.v2._proxy',
)


#: What commands do not import, or where an environment has its say.
_OTHERS = {'cluster', 'remote', 'sandbox', 'scheduler', 'tests'}


class Command:
    """A command that was started; what is used of subprocess.Popen."""

    def __init__(self, told: int) -> None:
        self._told = os.fdopen(told)
        self.pid = _process(self._told)
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Give its exit code if it has ended."""
        if self.returncode is None:
            ready, _, _ = select.select([self._told], [], [], 0)
            if ready:
                self.wait()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and give its exit code.

        :param timeout: seconds; None for as long as it takes
        :raises subprocess.TimeoutExpired: it has not ended by then
        """
        if self.returncode is None:
            if not select.select([self._told], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired('openstack', timeout or 0)
            with self._told:
                self.returncode = int(self._told.readline())
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal to it, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Server:
    """The process that has imported everything.

    :param program: openstack or dask
    """

    def __init__(self, program: str) -> None:
        self._socket, theirs = socket.socketpair(
            socket.AF_UNIX, socket.SOCK_SEQPACKET
        )
        with theirs:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    '-m',
                    __name__,
                    str(theirs.fileno()),
                    program,
                ],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )

    def start(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        stdout: int,
        stderr: int,
    ) -> Command:
        """Start the program with these arguments.

        :param stdout: descriptor of the file that its output goes to
        :param stderr: likewise
        """
        return _order(self._socket, arguments, environment, stdout, stderr)

    def branch(self, orders: int, process: int) -> int:
        """Have a fork of it serve others, whose files are other ones.

        :param orders: descriptor of the socket that it takes orders from
        :param process: ID of one that has their namespaces
        :returns: its process group, which all its commands are in
        """
        told, tell = os.pipe()
        with contextlib.ExitStack() as opened:
            namespaces = [
                opened.enter_context(open(f'/proc/{process}/ns/{name}', 'rb'))
                # root has taken no other users along.
                for name in (*(('user',) if os.getuid() else ()), 'mnt')
            ]
            fds = [orders, tell, *(file.fileno() for file in namespaces)]
            socket.send_fds(self._socket, [b'branch'], fds)
        os.close(tell)
        with os.fdopen(told) as file:
            return _process(file)


def _process(told: TextIO) -> int:
    """Read the ID of a process that was started."""
    if not (pid := told.readline()):
        raise RuntimeError('nothing could be started: see stderr')
    return int(pid)


def _order(
    orders: socket.socket,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    stdout: int,
    stderr: int,
    ignores: bool = False,
) -> Command:
    """Have a command started.

    :param ignores: whether it is to ignore SIGINT
    """
    told, tell = os.pipe()
    os.umask(umask := os.umask(0))
    order = json.dumps(
        [list(arguments), dict(environment), os.getcwd(), umask, ignores]
    ).encode()
    with tempfile.TemporaryFile() as file:
        # A message of a socket may not be as long as what it orders.
        file.write(order)
        file.flush()
        fds = [file.fileno(), stdout, stderr, tell]
        socket.send_fds(orders, [b'start'], fds)
    os.close(tell)
    return Command(told)


def relay(orders: socket.socket) -> int:
    """Be the openstack command of a shell, whose server has another parent.

    :param orders: what the server takes them from
    :returns: the exit code, as a shell counts them
    """
    # As in a script what it starts in the background does.
    ignores = signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    command = _order(orders, sys.argv[1:], os.environ, 1, 2, ignores)
    for number in signal.SIGTERM, *(() if ignores else (signal.SIGINT,)):
        signal.signal(number, lambda number, _: os.kill(command.pid, number))
    code = command.wait()
    return code if code >= 0 else 128 - code


def heed_interrupts() -> None:
    """Undo what a shell does to what it starts in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@functools.cache
def server(program: str = 'openstack') -> Server:
    """Give the one of this process."""
    return Server(program)


def _load_openstack() -> Callable[[], int | None]:
    """Import what commands import, and give what the script calls."""
    # Not for those who only give orders.
    from importlib import metadata
    import pkgutil

    from openstack.config import loader
    from openstackclient import shell

    import osc_glance_replicate
    from osc_glance_replicate.commands import livecopy

    package = pkgutil.walk_packages(
        osc_glance_replicate.__path__, 'osc_glance_replicate.'
    )
    ours = [
        module.name
        for module in package
        if not _OTHERS & set(module.name.split('.'))
    ]
    for name in (*_MODULES, *ours):
        importlib.import_module(name)
    found = metadata.entry_points()
    for group in found.groups:
        if group.startswith('openstack.'):
            for entry_point in found.select(group=group):
                entry_point.load()
    # cliff looks, once, which package a command is from.
    livecopy.LivecopyImages(shell.OpenStackShell(), None).get_parser('')

    def run() -> int | None:
        # Where it looks for clouds.yaml was decided when it was imported.
        importlib.reload(loader)
        return shell.main()

    return run


def _load_dask() -> Callable[[], int | None]:
    """Import what workers do, and give what the script calls."""
    from importlib import metadata

    from dask import cli
    from dask import config

    # What a worker is sent needs it.
    from osc_glance_replicate.cluster import worker  # noqa: F401

    for entry_point in metadata.entry_points(group='dask_cli'):
        entry_point.load()

    def run() -> None:
        # It was read when it was imported.
        directory = os.environ.get('DASK_CONFIG')
        config.refresh(paths=[directory] if directory else [])
        cli.run_cli()

    return run


#: By the names of the scripts.
_LOADERS = {'openstack': _load_openstack, 'dask': _load_dask}


def _serve(orders: socket.socket) -> list[str] | None:
    """Fork for every order.

    :returns: in a command, its arguments; None when there is no more to do
    """
    # Those who mind the commands are not waited for.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        word, fds, _, _ = socket.recv_fds(orders, 16, 4)
        if not word:
            return None
        if not os.fork():
            orders.close()
            if word == b'start':
                return _mind(*fds)
            orders = _branch(*fds)
            continue
        for fd in fds:
            os.close(fd)


def _branch(orders: int, tell: int, *namespaces: int) -> socket.socket:
    """Become a server of its own."""
    import ctypes

    os.setsid()
    # Only Python 3.12 brings it.
    setns = ctypes.CDLL(None, use_errno=True).setns
    for namespace in namespaces:
        if setns(namespace, 0):
            raise OSError(ctypes.get_errno(), 'setns')
        os.close(namespace)
    os.write(tell, f'{os.getpid()}\n'.encode())
    os.close(tell)
    return socket.socket(fileno=orders)


def _mind(order: int, stdout: int, stderr: int, tell: int) -> list[str]:
    """Fork the command, and tell its process ID and its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # Whoever has started the tests may have had it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if pid := os.fork():
        os.write(tell, f'{pid}\n'.encode())
        _, status = os.waitpid(pid, 0)
        os.write(tell, f'{os.waitstatus_to_exitcode(status)}\n'.encode())
        os._exit(0)
    os.close(tell)
    for fd, stream in (stdout, 1), (stderr, 2):
        os.dup2(fd, stream)
        os.close(fd)
    with open(order, 'rb') as file:
        file.seek(0)
        arguments, environment, here, umask, ignores = json.load(file)
    if ignores:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(umask)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(here)
    return list(arguments)


def _exit(run: Callable[[], int | None]) -> NoReturn:
    """Run a command, and end as Python does.

    But where no thread is left, and nothing more can happen, it does not take
    down all that was imported: it would have to copy it first.
    """
    code: Any
    try:
        code = run()
    except SystemExit as exc:
        code = exc.code
    if threading.active_count() == 1 and isinstance(code, int | None):
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code or 0)
    sys.exit(code)


def main() -> None:
    """Serve; in a command, become the console script."""
    number, program = sys.argv[1:]
    # cliff takes its name from there when it is imported.
    script = pathlib.Path(sys.executable).with_name(program)
    sys.argv[0] = str(script)
    run = _LOADERS[program]()
    # Else each command would look through all that it was given, and copy it.
    gc.collect()
    gc.freeze()
    if threading.active_count() != 1:
        raise RuntimeError('forks would lack the threads that imports began')
    with socket.socket(fileno=int(number)) as orders:
        arguments = _serve(orders)
    if arguments is not None:
        sys.argv = [str(script), *arguments]
        _exit(run)


if __name__ == '__main__':
    main()
