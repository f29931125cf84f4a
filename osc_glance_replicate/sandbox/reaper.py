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

"""End everything once the sandbox's own process is gone, however it went.

Runs as a script of its own. It makes the sandbox's directory and prints the
path. On its standard input it is told of each process that starts (`+ PID
SIGNAL`) and ends (`- PID`), and to end those that are left (`end`). When that
input ends, be it by a tidy close or a SIGKILL, it ends what is left, too, and
removes the directory.
"""

from collections.abc import Container
import contextlib
import glob
import os
import shutil
import signal
import sys
import tempfile
import time

_GRACE = 10.0  # seconds
# A Unix socket's path holds 107 bytes: PostgreSQL's must fit below.
_LONGEST_PARENT = 50  # characters


def main() -> None:
    """Make the directory, keep the list, clean up."""
    for ignored in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    parent = tempfile.gettempdir()
    directory = tempfile.mkdtemp(
        prefix='osc-glance-sandbox-',
        dir=parent if len(parent) <= _LONGEST_PARENT else '/tmp',  # noqa: S108
    )
    running: dict[int, int] = {}
    try:
        with contextlib.suppress(BrokenPipeError):
            os.write(1, f'{directory}\n'.encode())
        for line in sys.stdin:
            match line.split():
                case ['+', pid, number]:
                    running[int(pid)] = int(number)
                case ['-', pid]:
                    del running[int(pid)]
                case ['end']:
                    end(running)
                    running.clear()
    finally:
        end(running)
        shutil.rmtree(directory)


def end(running: dict[int, int]) -> None:
    """End process groups: first by their own signal, then by force.

    :param running: group ID → the signal that ends it best.
    """
    for group, number in running.items():
        send(group, number)
    deadline = time.monotonic() + _GRACE
    while alive(running):
        if time.monotonic() > deadline:
            for group in running:
                send(group, signal.SIGKILL)
        time.sleep(0.02)


def send(group: int, number: int) -> None:
    """Signal a process group, if there still is one.

    :param group: its ID.
    :param number: the signal.
    """
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def alive(groups: Container[int]) -> bool:
    """Tell whether a process of some groups is left.

    :param groups: their IDs.
    """
    # Not by a signal 0, which finds zombies too: who has inherited them may
    # be slow to bury them, or never do it, as in many containers.
    for path in glob.iglob('/proc/[0-9]*/stat'):
        try:
            with open(path, errors='replace') as file:
                status = file.read()
        except OSError:
            continue  # ended meanwhile
        # A command in parentheses comes first, and may have some in it.
        state, _, group = status.rpartition(')')[2].split()[:3]
        if state != 'Z' and int(group) in groups:
            return True
    return False


if __name__ == '__main__':
    main()
