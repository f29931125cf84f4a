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

"""What is said of measurements: what is to be reached, and where it was."""

from collections.abc import Sequence
import dataclasses
import datetime
import importlib.metadata
import os
import pathlib
import platform
import re
import statistics
import subprocess

_VERSIONS = ('glance', 'openstacksdk', 'python-openstackclient', 'requests')

_CLAIM = re.compile(r'^.{46} +[\d.]+ +[<>]= [\d.]+ +(?:met|MISSED) .*$', re.M)


@dataclasses.dataclass(frozen=True)
class Claim:
    """A number that is to be reached.

    :param what: is measured
    :param values: of all runs, the median of which counts
    :param sign: '>=' or '<='
    :param target: what it is held against
    """

    what: str
    values: Sequence[float]
    sign: str
    target: float

    def __str__(self) -> str:
        median = statistics.median(self.values)
        met = (
            median >= self.target
            if self.sign == '>='
            else median <= self.target
        )
        every = ' '.join(f'{value:.2f}' for value in self.values)
        return (
            f'{self.what:46} {median:7.2f} {self.sign} {self.target:<6g} '
            f'{"met" if met else "MISSED":6}  {every}'
        )

    @staticmethod
    def heading() -> str:
        """Give the line above several of them."""
        return f'{"":46} {"median":>7} {"target":9} {"":6}  runs'

    @staticmethod
    def found(text: str) -> list[str]:
        """Find those that a benchmark has printed."""
        return _CLAIM.findall(text)


def setting() -> str:
    """Say when, where and with what was measured."""
    versions = ', '.join(
        f'{name} {importlib.metadata.version(name)}' for name in _VERSIONS
    )
    return (
        f'{datetime.date.today()}, {os.cpu_count()} cores of {_processor()}, '
        f'Python {platform.python_version()}, {versions}, {_curl()}'
    )


def _processor() -> str:
    found = re.search(
        r'^model name\s*: (.+)$',
        pathlib.Path('/proc/cpuinfo').read_text(),
        re.MULTILINE,
    )
    return found[1] if found else platform.machine()


def _curl() -> str:
    process = subprocess.run(
        ['curl', '--version'],  # noqa: S607
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return ' '.join(process.stdout.split()[:2])
