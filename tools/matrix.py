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

"""Run all verbs between clouds of all releases, and with all stores.

    tox run -e oldglance,matrix -- [--only SOURCE:DESTINATION ...] [--write]

Each pair is a sandbox of its own, in which osc_glance_replicate/tests/matrix
runs. --write notes the days on which they passed in doc/source/user.
"""

import argparse
from collections.abc import Sequence
import csv
import datetime
import importlib.metadata
import itertools
import pathlib
import subprocess
import sys
import tempfile

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_TESTS = 'osc_glance_replicate/tests/matrix'

#: Besides the one that is installed with the sandbox.
SOURCES = ('pike', 'rocky', 'stein', 'ussuri', 'zed')
DESTINATIONS = ('pike', 'rocky', 'ussuri', 'zed')

STORES = ('file', 'ceph', 'swift', 's3')

#: Source and destination.
Pair = tuple[str, str]

#: When all went well between two of them last, or that it did not.
Days = dict[Pair, str]


def main(arguments: Sequence[str]) -> int:
    """Run it; return whether any pair has failed."""
    parser = argparse.ArgumentParser()
    parser.add_argument('releases', type=pathlib.Path)
    parser.add_argument('--only', nargs='+', default=[])
    parser.add_argument('--write', action='store_true')
    options = parser.parse_args(arguments)
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    newest = importlib.metadata.version('glance').partition('.')[0]
    releases = itertools.product((*SOURCES, newest), (*DESTINATIONS, newest))
    stores = [
        pair for pair in itertools.product(STORES, STORES) if 'file' in pair
    ]

    def release(cloud: str, name: str) -> list[str]:
        if name == newest:
            return []
        return ['--glance', f'{cloud}:{options.releases / name}']

    def store(cloud: str, kind: str) -> list[str]:
        return ['--store', f'{cloud}:{kind}']

    tables = (
        ('releases', list(releases), release),
        ('stores', stores, store),
    )
    known = {':'.join(pair) for _, pairs, _ in tables for pair in pairs}
    if unknown := set(options.only) - known:
        parser.error(f'no such pair: {", ".join(sorted(unknown))}')
    failed = False
    for name, pairs, options_of in tables:
        path = _ROOT / 'doc' / 'source' / 'user' / f'clouds-{name}.csv'
        days = read(path)
        for source, destination in pairs:
            if options.only and f'{source}:{destination}' not in options.only:
                continue
            passed = _run(
                [
                    *options_of('master', source),
                    *options_of('slave', destination),
                ]
            )
            told = 'passed' if passed else 'FAILED'
            print(source, destination, told, flush=True)
            failed |= not passed
            days[source, destination] = today if passed else 'fails'
        if options.write:
            write(path, pairs, days)
    return int(failed)


def _run(options: Sequence[str]) -> bool:
    """Run the tests between two clouds; show what they say if they fail."""
    with tempfile.TemporaryDirectory() as repository:
        done = subprocess.run(  # noqa: S603
            [
                *(sys.executable, '-m', 'osc_glance_replicate.sandbox'),
                *options,
                '--',
                *(sys.executable, '-m', 'stestr', '--repo-url', repository),
                *('--test-path', _TESTS, 'run', '--serial'),
            ],
            cwd=_ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    if done.returncode:
        print(done.stdout)
    return not done.returncode


def read(path: pathlib.Path) -> Days:
    """Return what a table has noted."""
    if not path.exists():
        return {}
    with path.open(newline='') as file:
        head, *rows = csv.reader(file)
    return {
        (row[0], destination): day
        for row in rows
        for destination, day in zip(head[1:], row[1:], strict=True)
        if day
    }


def write(path: pathlib.Path, pairs: Sequence[Pair], days: Days) -> None:
    """Write a table: a row for each source, a column for each destination."""
    sources = list(dict.fromkeys(source for source, _ in pairs))
    destinations = list(dict.fromkeys(each for _, each in pairs))
    with path.open('w', newline='') as file:
        table = csv.writer(file, lineterminator='\n')
        table.writerow(['', *destinations])
        for source in sources:
            found = [days.get((source, each), '') for each in destinations]
            table.writerow([source, *found])


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
