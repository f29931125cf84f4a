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

"""Functional tests: the real openstack command against real clouds.

They run inside a sandbox that is started once for all of them::

    python -m osc_glance_replicate.sandbox \\
        --cloud master:RegionOne,RegionTwo --cloud slave --cloud secure \\
        --socket-timeout slave:4 --tls secure \\
        --option secure:DEFAULT.hashing_algorithm=sha256 ... -- stestr run ...

See tox.ini for all options of the clouds.
"""

from collections.abc import Callable, Iterator, Sequence
import contextlib
import functools
import hashlib
import itertools
import json
import os
import pathlib
import re
import socket
import subprocess
import sysconfig
import threading
import time
from typing import Any, IO, TypeVar
import uuid

import fixtures
import testtools
from testtools import content
import yaml

from osc_glance_replicate.model import image_record
from osc_glance_replicate.places.glance import image_api
from osc_glance_replicate.sandbox import client
from osc_glance_replicate.tests.functional import faults
from osc_glance_replicate.tests.functional import leaks
from osc_glance_replicate.tests.functional import preloaded
from osc_glance_replicate.tests.functional import turns
from osc_glance_replicate.tests.oracle import reasons


#: The script that users call.
OPENSTACK = str(pathlib.Path(sysconfig.get_path('scripts')) / 'openstack')

MIB = 1024 * 1024

#: Whether tests take their time: tox run -e functional-long
_LONG = 'OSC_GLANCE_REPLICATE_LONG' in os.environ

#: Seconds after which what is waited for is taken to hang.
_TIMEOUT = 600

#: Seconds in which a run has to end when it is asked to; twice as long it
#: would wait for a place that is silent.
AT_ONCE = image_api.IDLE_TIMEOUT / 2

_Answer = TypeVar('_Answer')


def secrets() -> leaks.Secrets:
    """Give what no command may tell."""
    return _secrets(os.environ[client.DIRECTORIES])


@functools.cache
def _secrets(sandbox: str) -> leaks.Secrets:
    return leaks.Secrets(pathlib.Path(sandbox))


class Result:
    """What a command left behind.

    :param code: its exit code
    :param peak: bytes of memory that it held at the most
    """

    def __init__(
        self, code: int, stdout: str, stderr: str, peak: int = 0
    ) -> None:
        self.code = code
        self.stdout = stdout
        self.stderr = stderr
        self.peak = peak

    @property
    def rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(self.stdout)
        return rows

    @property
    def results(self) -> dict[str, str]:
        return {row['ID']: row['Result'] for row in self.rows}


class Nobody(fixtures.Fixture):
    """A port at which nobody takes a call, and which nobody else gets.

    :ivar address: host and port
    """

    def _setUp(self) -> None:
        taken = socket.socket()
        self.addCleanup(taken.close)
        taken.bind(('127.0.0.1', 0))
        self.address = '{}:{}'.format(*taken.getsockname())


class Server(fixtures.Fixture):
    """A server that does with calls what the others of its kind do not.

    :ivar address: host and port
    """

    def _setUp(self) -> None:
        self._server = socket.create_server(('127.0.0.1', 0))
        self.address = '{}:{}'.format(*self._server.getsockname())
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()
        self.addCleanup(self._close)

    def take(self, call: socket.socket) -> None:
        """Take a call; the next one has to wait until that is done."""
        raise NotImplementedError

    def _accept(self) -> None:
        # To be shut down is what ends it.
        with contextlib.suppress(OSError):
            while True:
                call, _ = self._server.accept()
                self.take(call)

    def _close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._server.close()


class Silence(Server):
    """Takes calls and never says a word.

    :ivar called: set by the first call
    :ivar calls: all of them
    """

    def _setUp(self) -> None:
        self.called = threading.Event()
        self.calls: list[socket.socket] = []
        super()._setUp()
        self.url = f'http://{self.address}'

    def take(self, call: socket.socket) -> None:
        self.calls.append(call)
        self.called.set()


class _SharedCloud(client.Cloud):
    """A cloud in which other tests have images at the same time."""

    def wipe(self) -> None:
        raise RuntimeError('these clouds are shared: see alone')

    def sql(
        self, statement: str, *parameters: object
    ) -> list[tuple[Any, ...]]:
        if not statement.startswith(('SELECT', 'INSERT')):
            assert ' WHERE ' in statement and parameters, statement
        return super().sql(statement, *parameters)


class FunctionalTest(testtools.TestCase):
    """Two clouds, and the command.

    :cvar alone: whether the clouds are this test's alone, and empty at its
        beginning; a test that looks at no more than images that it has made
        itself, and has the command name them, shares the clouds with others
    :ivar held: what lets go what a test has held; set at its end
    :cvar preloads: whether ``openstack`` begins with its imports done; not
        where it is to inherit what the test has made of its own process
    """

    alone = True
    preloads = True

    def setUp(self) -> None:
        super().setUp()
        self.take_turn()
        self.held = threading.Event()
        self.addCleanup(self.held.set)
        self._watch_threads()
        self._output: dict[int, list[pathlib.Path]] = {}
        self._told: dict[str, str] = {}
        self.addOnException(self._tell)
        self.master = self.cloud('master')
        self.slave = self.cloud('slave')

    def _watch_threads(self) -> None:
        """Fail where a thread of this test does, and nobody else tells."""
        others = set(threading.enumerate())
        failed: list[BaseException | None] = []

        def note(args: threading.ExceptHookArgs) -> None:
            if args.thread not in others:
                failed.append(args.exc_value)

        self.useFixture(fixtures.MonkeyPatch('threading.excepthook', note))
        self.addCleanup(lambda: self.assertEqual([], failed))

    def take_turn(self) -> None:
        self.useFixture(turns.Turn(self.alone))

    def cloud(self, name: str) -> client.Cloud:
        cloud = client.Cloud(name) if self.alone else _SharedCloud(name)
        self.addCleanup(cloud.close)
        if self.alone:
            cloud.wipe()
        return cloud

    def start(
        self,
        *arguments: str,
        environment: dict[str, str] | None = None,
        stdout: int | IO[bytes] | None = None,
        stderr: int | IO[bytes] | None = None,
    ) -> preloaded.Command:
        """Start the openstack command, in a process that has its imports.

        :param stdout: where its output goes; by default it is kept
        :param stderr: likewise
        """
        output = self._keep_output(arguments)
        with _opened(output, stdout, stderr) as streams:
            command = preloaded.server().start(
                arguments, {**os.environ, **(environment or {})}, *streams
            )
        self._output[command.pid] = output
        self.addCleanup(_kill, command)
        return command

    def start_script(
        self,
        *arguments: str,
        environment: dict[str, str] | None = None,
        stdout: int | IO[bytes] | None = None,
        stderr: int | IO[bytes] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start the script that users call, from its first import on.

        What the test has made of its own process is handed on to it.

        :param stdout: where its output goes; by default it is kept
        :param stderr: likewise
        """
        output = self._keep_output(arguments)
        with _opened(output, stdout, stderr) as (out, err):
            process = subprocess.Popen(
                [OPENSTACK, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**os.environ, **(environment or {})},
                preexec_fn=preloaded.heed_interrupts,
            )
        self._output[process.pid] = output
        self.addCleanup(_kill, process)
        return process

    def _keep_output(self, arguments: Sequence[str]) -> list[pathlib.Path]:
        """Give the files for what a command tells, to be searched."""
        directory = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        output = [directory / 'stdout', directory / 'stderr']
        self.addCleanup(self._assert_discreet, arguments, *output)
        return output

    def _assert_discreet(
        self, arguments: Sequence[str], *output: pathlib.Path
    ) -> None:
        """Search what a command has told for secrets."""
        streams = {path.name: path for path in output}
        for option, value in itertools.pairwise(arguments):
            if option == '--log-file':
                streams[option] = pathlib.Path(value)
        found = {
            stream: told
            for stream, path in streams.items()
            # A test may have sent a log to /dev/full, for one.
            if path.is_file()
            and (told := secrets().found(path.read_text(errors='replace')))
        }
        command = secrets().hidden(' '.join(arguments))
        self.assertEqual({}, found, f'openstack {command}')

    def loud(self) -> tuple[str, ...]:
        """Give the options that make a command tell all that it can."""
        directory = self.useFixture(fixtures.TempDir()).path
        return '--debug', '--log-file', f'{directory}/log'

    def openstack(
        self,
        *arguments: str,
        expect: int = 0,
        environment: dict[str, str] | None = None,
    ) -> Result:
        """Run the openstack command to its end.

        :param expect: the exit code
        """
        start = self.start if self.preloads else self.start_script
        return self.finish(start(*arguments, environment=environment), expect)

    def finish(
        self,
        process: preloaded.Command | subprocess.Popen[bytes],
        expect: int | None = 0,
    ) -> Result:
        """Wait for a command.

        :param expect: the exit code; None where it is not known
        """
        output = self._output[process.pid]
        deadline = time.monotonic() + _TIMEOUT
        peak = 0
        while (code := _wait_a_little(process)) is None:
            if time.monotonic() > deadline:
                told = secrets().hidden(output[1].read_text())
                self.fail(f'the command hangs; {told}')
            peak = max(peak, _peak(process.pid))
        stdout, stderr = map(pathlib.Path.read_text, output)
        result = Result(code, stdout, stderr, peak)
        self._told = {'stdout': stdout, 'stderr': stderr}
        if expect is not None:
            self.assertEqual(expect, result.code, secrets().hidden(stderr))
        self.assertEqual([], reasons.unknown(stdout), str(reasons.PAGE))
        return result

    def hold(self, count: int = MIB) -> faults.Stream:
        """Let so many bytes pass, and the next ones once ``held`` is set.

        A source that is silent is given up after image_api.IDLE_TIMEOUT, and
        slave gives up who sends nothing for four seconds.
        """
        return faults.after(count, self.held.wait)

    def wait_for(self, ask: Callable[[], _Answer]) -> _Answer:
        """Ask until the answer is true, and give it."""
        deadline = time.monotonic() + _TIMEOUT
        while not (answer := ask()):
            self.assertLess(time.monotonic(), deadline, f'still {answer!r}')
            time.sleep(0.02)
        return answer

    def _tell(self, exc_info: object) -> None:
        """Show what the last command has told, where a test fails."""
        for name, told in self._told.items():
            hidden = secrets().hidden(told)
            self.addDetail(name, content.text_content(hidden))

    def livecopy(
        self,
        *arguments: str,
        source: str = 'master',
        to: str = 'slave',
        expect: int = 0,
        **options: Any,
    ) -> Result:
        """Run a livecopy whose rows are read as JSON."""
        return self.openstack(
            '--os-cloud',
            source,
            'image',
            'replicate',
            'livecopy',
            '-f',
            'json',
            '--to',
            to,
            *arguments,
            expect=expect,
            **options,
        )

    def clouds_yaml(self, **changes: dict[str, Any]) -> dict[str, str]:
        """Write a clouds.yaml with changed entries.

        :param changes: by name of the cloud; put over its entry, the auth
            section over its auth section
        :returns: the environment that makes openstack use it
        """
        original = pathlib.Path(os.environ['OS_CLIENT_CONFIG_FILE'])
        clouds = yaml.safe_load(original.read_text())['clouds']
        for name, change in changes.items():
            entry = clouds.setdefault(name, {})
            auth = {**entry.get('auth', {}), **change.pop('auth', {})}
            entry.update(change, auth=auth)
        handle = original.parent / f'clouds-{uuid.uuid4()}.yaml'
        handle.touch(mode=0o600)
        self.addCleanup(handle.unlink)
        handle.write_text(yaml.safe_dump({'clouds': clouds}))
        return {'OS_CLIENT_CONFIG_FILE': str(handle)}

    def assertReplica(
        self,
        image: image_record.Image,
        data: bytes,
        cloud: client.Cloud | None = None,
    ) -> None:
        """Hold a replica against its source and against the very bytes."""
        cloud = cloud or self.slave
        replica = cloud.get(image.id)
        self.assertEqual(image.portable, replica.portable)
        self.assertEqual(image.status, replica.status)
        self.assertEqual(
            {
                algorithm: hashlib.new(algorithm, data).hexdigest()
                for algorithm in replica.digests
            },
            replica.digests,
        )
        if cloud.has_files:
            self.assertEqual(data, cloud.stored(image.id).read_bytes())
        else:
            self.assertEqual(data, cloud.data(image.id))


@contextlib.contextmanager
def _opened(
    output: Sequence[pathlib.Path], *given: int | IO[bytes] | None
) -> Iterator[list[int]]:
    """Make the files of an output, and use those streams that are given.

    :returns: descriptors
    """
    with contextlib.ExitStack() as opened:
        files = [opened.enter_context(path.open('wb')) for path in output]
        streams = [
            file if stream is None else stream
            for file, stream in zip(files, given, strict=True)
        ]
        yield [
            stream if isinstance(stream, int) else stream.fileno()
            for stream in streams
        ]


def _peak(pid: int) -> int:
    """Give the bytes of memory that a process has held at the most.

    What the system tells when it has ended counts the tests', too, whose
    memory it had until it became another program.
    """
    try:
        status = pathlib.Path(f'/proc/{pid}/status').read_text()
    except OSError:
        return 0
    lines = dict(line.split(':\t', 1) for line in status.splitlines())
    return int(lines.get('VmHWM', '0').split()[0]) * 1024


def _wait_a_little(
    process: preloaded.Command | subprocess.Popen[bytes],
) -> int | None:
    """Give the exit code of a process if it ends in this moment."""
    try:
        return process.wait(0.05)
    except subprocess.TimeoutExpired:
        return None


def _kill(process: preloaded.Command | subprocess.Popen[bytes]) -> None:
    if process.returncode is None:
        process.kill()
        process.wait()


def often(short: int, long: int) -> int:
    """Say how often, or how large, in a test of two lengths."""
    return long if _LONG else short


def spoiled(data: bytes) -> bytes:
    """Give data of which the last byte is another one."""
    return data[:-1] + bytes([data[-1] ^ 1])


def without_sides(reason: str) -> str:
    """Give the reason of a conflict without what tells its two sides apart."""
    found = re.fullmatch(
        r'(.*); source: \d+ bytes, .*; there: (\d+ bytes|no data), .*', reason
    )
    return found[1] if found else reason


def pass_a_second() -> None:
    """Let what is created next bear another created_at than what is there.

    Two images of the same ID and the same second look like one service.
    """
    time.sleep(1.1)
