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

from collections.abc import Sequence
import dataclasses
import datetime
import importlib.metadata
import os
import platform
import resource
import statistics
import subprocess
import time

from osc_glance_replicate.tests.functional import base

_VERSIONS = ('glance', 'openstacksdk', 'python-openstackclient', 'requests')


@dataclasses.dataclass(frozen=True)
class Run:
    """What one run took.

    :param wall: seconds from start to end
    :param cpu: seconds of CPU of the command, of its children too
    """

    wall: float
    cpu: float


def measure(command: Sequence[str]) -> Run:
    """Run a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    wall = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = sum(
        getattr(after, kind) - getattr(before, kind)
        for kind in ('ru_utime', 'ru_stime')
    )
    return Run(round(wall, 2), round(cpu, 2))


def check(cloud: base.Cloud, *digests: dict[str, str]) -> None:
    """Make sure that the peer did the work that it was measured at.

    :param digests: of each image that the cloud should have, by algorithm
    """
    replicas = [cloud.get(image_id) for image_id in cloud.ids()]
    found = [image.digests for image in replicas if image.status == 'active']
    if sorted(map(str, found)) != sorted(map(str, digests)):
        raise SystemExit(f'wrong replicas: {replicas}')


def medians(runs: Sequence[Run]) -> tuple[float, float]:
    """Give the medians of wall and CPU, each of its own."""
    return (
        statistics.median(run.wall for run in runs),
        statistics.median(run.cpu for run in runs),
    )


def every(runs: Sequence[Run]) -> str:
    """Give all runs, as wall/CPU."""
    return ' '.join(f'{run.wall:.2f}/{run.cpu:.2f}' for run in runs)


def setting() -> str:
    """Say when, where and with what was measured."""
    versions = ', '.join(
        f'{name} {importlib.metadata.version(name)}' for name in _VERSIONS
    )
    return (
        f'{datetime.date.today()}, {os.cpu_count()} cores, Python '
        f'{platform.python_version()}, {versions}'
    )
