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

"""What the documentation tells people to type, typed.

A page is a shell session: its console blocks are run from the first to the
last, in one shell, and what they print has to be what the page shows. What is
to be there before, or happens meanwhile, stands in comments, which readers do
not see::

    .. tests:

       create 44579238-8a67-469f-a35c-01bdad77c654 50M debian-13

Inside a sandbox, a page's outputs are written anew by::

    python -m osc_glance_replicate.tests.functional.documents PAGE ...
"""

from collections.abc import Iterator
import contextlib
import dataclasses
import itertools
import os
import pathlib
import re
import shlex
import signal
import socket
import subprocess
import sys
import sysconfig
import textwrap
import threading

import fixtures

from osc_glance_replicate.tests.functional import preloaded

ROOT = pathlib.Path(__file__).parents[3]

#: Where ``openstack`` is.
SCRIPTS = sysconfig.get_path('scripts')

#: What differs from run to run, by the name of what it is.
MASKS = {
    'uuid': re.compile(
        r'\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b'
    ),
    'time': re.compile(
        r'\b\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?Z?)?|-\d{6})?'
    ),
    'seconds': re.compile(r'\bin \d+ s\b'),
    'port': re.compile(r'(?<=127\.0\.0\.1:)\d+|(?<=localhost:)\d+'),
    'rate': re.compile(r'\b[\d.]+ [kMG]?B/s'),
    'project': re.compile(r'\b[0-9a-f]{32}\b'),
}

#: Lines that come in the order in which images end.
_UNORDERED = re.compile(
    r'\|.*|.*\.img: OK|(?!\d)\S+ (copied|updated|failed|conflict)\b.*'
)

_CONSOLE = '.. code-block:: console'
_HIDDEN = '.. tests:'

#: Seconds for one command.
_TIMEOUT = 300

#: What the hidden parts may use.
_PRELUDE = pathlib.Path(__file__).with_name('documents.sh')

#: Commands that cannot be run here.
_LEFT_OUT = pathlib.Path(__file__).with_name('documents-left-out.txt')


@dataclasses.dataclass
class Command:
    """A command of a page.

    :param source: what is typed
    :param shown: what the page says that it prints; None where that is
        hidden
    :param start: index of its first line in the page
    :param first: of the first line of what is shown
    :param last: of the line after that
    :param indent: of what is shown
    """

    source: str
    shown: str | None
    start: int
    first: int
    last: int
    indent: str = ''

    @property
    def line(self) -> str:
        """The command in one line, as it is listed where it is left out."""
        return re.sub(r'\\\n\s*', '', self.source)


def masked(text: str) -> str:
    """Give a text without what differs from run to run."""
    for name, pattern in MASKS.items():
        text = pattern.sub(f'<{name}>', text)
    lines = (line.rstrip() for line in text.splitlines())
    groups = itertools.groupby(lines, _is_unordered)
    return '\n'.join(
        line
        for unordered, group in groups
        for line in (sorted(group) if unordered else group)
    )


def _is_unordered(line: str) -> bool:
    return _UNORDERED.fullmatch(line) is not None


def left_out() -> dict[str, str]:
    """Give the commands that are not run, and why."""
    lines = _LEFT_OUT.read_text().splitlines()
    pairs = (line.partition('  # ') for line in lines if line)
    return {command: reason for command, _, reason in pairs}


def pages() -> list[pathlib.Path]:
    """Give all pages that have commands."""
    sources = [ROOT / 'README.rst', *(ROOT / 'doc/source').rglob('*.rst')]
    return sorted(page for page in sources if _CONSOLE in page.read_text())


def commands(page: pathlib.Path) -> Iterator[Command]:
    """Read the commands of a page, the hidden ones too."""
    lines = page.read_text().splitlines()
    position = 0
    while position < len(lines):
        kind = lines[position].strip()
        position += 1
        if kind in (_CONSOLE, _HIDDEN):
            start, position = _block(lines, position)
            if kind == _HIDDEN:
                hidden = textwrap.dedent('\n'.join(lines[start:position]))
                yield Command(hidden, None, start, position, position)
            else:
                yield from _typed(lines, start, position)


def _block(lines: list[str], position: int) -> tuple[int, int]:
    """Find the indented lines that follow, without empty ones around."""
    while not lines[position].strip():
        position += 1
    start = end = position
    indent = ' ' * (len(lines[start]) - len(lines[start].lstrip()))
    while position < len(lines) and (
        lines[position].startswith(indent) or not lines[position].strip()
    ):
        position += 1
        if lines[position - 1].strip():
            end = position
    return start, end


def _typed(lines: list[str], start: int, end: int) -> Iterator[Command]:
    indent = ' ' * (len(lines[start]) - len(lines[start].lstrip()))
    position = start
    while position < end:
        begin = position
        typed = [lines[position].removeprefix(f'{indent}$ ')]
        if typed[0] == lines[position]:
            raise ValueError(f'{lines[position]!r} is the output of nothing')
        position += 1
        while typed[-1].endswith('\\'):
            typed.append(lines[position].removeprefix(indent))
            position += 1
        first = position
        while position < end and not lines[position].startswith(f'{indent}$ '):
            position += 1
        shown = '\n'.join(
            line.removeprefix(indent) for line in lines[first:position]
        )
        source = '\n'.join(typed)
        yield Command(source, shown, begin, first, position, indent)


#: The openstack command of a session: see preloaded.py.
_OPENSTACK = """\
#!{python} -IS
import socket, sys
sys.path.append({root!r})
from osc_glance_replicate.tests.functional import preloaded
sys.exit(preloaded.relay(socket.socket(fileno={orders})))
"""


class Session(fixtures.Fixture):
    """A shell, as a reader's: a home, /srv, and clouds.yaml in its place.

    Its openstack command has done its imports.

    :param clouds: the sandbox's clouds.yaml
    """

    def __init__(self, clouds: pathlib.Path) -> None:
        super().__init__()
        self._directory = clouds.parent
        self._clouds = clouds.read_text()

    def _setUp(self) -> None:
        root = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        for name in 'bin', 'home/.config/openstack', 'srv':
            (root / name).mkdir(parents=True)
        clouds = root / 'home/.config/openstack/clouds.yaml'
        clouds.touch(mode=0o600)
        clouds.write_text(self._clouds)
        # Paths are part of what is printed, so they have to be the shown ones.
        enter = ['unshare', '--mount']
        if os.getuid():
            enter += ['--map-root-user']
        pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours, theirs = (end.fileno() for end in pair)
        openstack = root / 'bin/openstack'
        openstack.write_text(
            _OPENSTACK.format(
                python=sys.executable, root=str(ROOT), orders=ours
            )
        )
        openstack.chmod(0o755)
        self._shell = subprocess.Popen(
            [*enter, 'bash', '--noprofile', '--norc'],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # What it leaves in the background ends with it.
            start_new_session=True,
            preexec_fn=preloaded.heed_interrupts,
            pass_fds=(ours,),
            cwd=root / 'home',
            env={
                'HOME': str(root / 'home'),
                'LANG': 'C.UTF-8',
                'PATH': f'{root}/bin:{SCRIPTS}:{os.environ["PATH"]}',
                'PYTHONPATH': str(ROOT),
                'ROOT': str(ROOT),
                'SANDBOX': str(self._directory),
            },
        )
        self._groups = [self._shell.pid]
        self.addCleanup(self._shell.communicate)
        self.addCleanup(self._kill)
        mount = f'mount --bind {shlex.quote(str(root / "srv"))} /srv'
        if told := self.run(mount):
            raise RuntimeError(f'/srv stays what it is: {told}')
        # It finds the same in /srv as the shell.
        branch = preloaded.server().branch(theirs, self._shell.pid)
        self._groups.append(branch)
        for end in pair:
            end.close()
        self.run(_PRELUDE.read_text())

    def _kill(self) -> None:
        for group in self._groups:
            # The branch ends with the shell, unless commands are left.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)

    def run(self, source: str) -> str:
        """Run a command and give what it prints.

        :raises RuntimeError: it hangs, or ends the shell
        """
        assert self._shell.stdin and self._shell.stdout
        # Whatever has its output ends, too: else it would be read on.
        hangs = threading.Timer(_TIMEOUT, self._kill)
        hangs.start()
        mark = f'end of {os.urandom(8).hex()}'
        self._shell.stdin.write(
            f"eval {shlex.quote(source)} < /dev/null; code=$?; "
            f"printf '\\n%s\\n' '{mark}'; (exit $code)\n"
        )
        self._shell.stdin.flush()
        printed: list[str] = []
        for line in self._shell.stdout:
            if line == f'{mark}\n':
                hangs.cancel()
                # The line end before it is ours.
                text = ''.join(printed)
                return text.removesuffix('\n')
            printed.append(line)
        hangs.cancel()
        told = ''.join(printed)
        raise RuntimeError(f'{source} hangs, or ends the shell: {told}')


def rewrite(page: pathlib.Path, session: Session) -> None:
    """Put into a page what its commands print, where that is news."""
    lines = page.read_text().splitlines()
    # Lines move from the end to the beginning only.
    changes = []
    for command in commands(page):
        if command.line in left_out():
            continue
        printed = session.run(command.source)
        if command.shown is None:
            print(printed, end='', file=sys.stderr)
        elif masked(printed) != masked(command.shown):
            changes.append((command, printed))
    for command, printed in reversed(changes):
        lines[command.first : command.last] = [
            f'{command.indent}{line}'.rstrip() for line in printed.splitlines()
        ]
    page.write_text('\n'.join(lines) + '\n')


def main() -> None:
    from osc_glance_replicate.sandbox import client

    for name in sys.argv[1:]:
        for cloud in 'master', 'master:RegionTwo', 'slave', 'secure':
            client.Cloud(cloud).wipe()
        clouds = pathlib.Path(os.environ['OS_CLIENT_CONFIG_FILE'])
        with Session(clouds) as session:
            rewrite(pathlib.Path(name), session)


if __name__ == '__main__':
    main()
