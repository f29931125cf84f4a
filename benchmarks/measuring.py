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

"""What the benchmarks share: commands measured, and replicas checked."""

import argparse
from collections.abc import Callable, Sequence
import dataclasses
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time

from osc_glance_replicate.sandbox import client

MIB = 1024**2

#: Starts a command and writes what it took to a file.
_PARENT = """
import json, os, sys, time
result, *command = sys.argv[1:]
start = time.monotonic()
pid = os.posix_spawnp(command[0], command, os.environ)
_, status, usage = os.wait4(pid, 0)
with open(result, 'w') as file:
    json.dump(
        [
            os.waitstatus_to_exitcode(status),
            time.monotonic() - start,
            usage.ru_utime + usage.ru_stime,
            usage.ru_maxrss * 1024,
        ],
        file,
    )
"""


@dataclasses.dataclass(frozen=True)
class Run:
    """What one run took.

    :param wall: seconds from start to end
    :param cpu: seconds of CPU of the command, of its children too
    :param peak: bytes of memory that one of them held at the most; 0 where
        that was not measured
    """

    wall: float
    cpu: float
    peak: int = 0


def add_options(parser: argparse.ArgumentParser, size: int = 0) -> None:
    """Add how often to measure, and how much.

    :param size: in MiB; without it there is nothing to choose
    """
    parser.add_argument('--runs', type=int, default=5, metavar='NUMBER')
    if size:
        parser.add_argument(
            '--size',
            type=int,
            default=size,
            choices=range(2, 1025),
            metavar='MIB',
            help='of an image, to try this out (default: %(default)s)',
        )


def measure(command: Sequence[str]) -> Run:
    """Run a command that has to succeed."""
    run, code, _ = try_out(command)
    if code:
        raise SystemExit(f'exit code {code}: {command}')
    return run


def try_out(command: Sequence[str]) -> tuple[Run, int, str]:
    """Run a command.

    :returns: what it took, its exit code and what it wrote
    """
    with tempfile.NamedTemporaryFile() as result:
        # A child's peak is never below what its parent held at its start.
        process = subprocess.run(  # noqa: S603
            [sys.executable, '-I', '-S', '-c', _PARENT, result.name, *command],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        code, wall, cpu, peak = json.load(result)
    return Run(round(wall, 2), round(cpu, 2), peak), code, process.stdout


def call(function: Callable[[], object]) -> Run:
    """Call a function of this process."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    start = time.monotonic()
    function()
    wall = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = sum(
        getattr(after, kind) - getattr(before, kind)
        for kind in ('ru_utime', 'ru_stime')
    )
    return Run(wall, cpu)


def check(cloud: client.Cloud, *digests: dict[str, str]) -> None:
    """Make sure that the peer did the work that it was measured at.

    :param digests: of each image that the cloud should have, by algorithm
    """
    replicas = [cloud.get(image_id) for image_id in cloud.ids()]
    found = [image.digests for image in replicas if image.status == 'active']
    if sorted(map(str, found)) != sorted(map(str, digests)):
        raise SystemExit(f'wrong replicas: {replicas}')


def ratios(over: Sequence[Run], under: Sequence[Run]) -> list[float]:
    """Divide the walls of runs that took turns."""
    return [
        one.wall / other.wall for one, other in zip(over, under, strict=True)
    ]


def medians(runs: Sequence[Run]) -> tuple[float, float]:
    """Give the medians of wall and CPU, each of its own."""
    return (
        statistics.median(run.wall for run in runs),
        statistics.median(run.cpu for run in runs),
    )


def every(runs: Sequence[Run]) -> str:
    """Give all runs, as wall/CPU."""
    return ' '.join(f'{run.wall:.2f}/{run.cpu:.2f}' for run in runs)


def table(results: dict[str, list[Run]]) -> str:
    """Show what was measured, by its name."""
    lines = [f'{"":22} {"wall s":>7} {"CPU s":>7}  runs']
    for name, runs in results.items():
        wall, cpu = medians(runs)
        lines.append(f'{name:22} {wall:7.2f} {cpu:7.2f}  {every(runs)}')
    return '\n'.join(lines)
