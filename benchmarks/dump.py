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

"""One image of 1 GiB to a directory and back: dump, load and verify.

Runs in a sandbox::

    tox run -e benchmark -- dump.py

Beside ``dump`` and ``load`` stands what openstackclient offers without this
plugin, ``image save`` and ``image create``; beside ``verify`` stands
``sha512sum -c``. All but dump is measured on one image and on four of the same
size: ``image create`` takes one after the other. What verify cannot do without
is the start of openstackclient, which an empty directory shows; the ratio is
given without it, too. Each run has images of its own. The runs are
interleaved, so that what else the machine does strikes all alike, and all of
them are shown.
"""

import argparse
import collections
from collections.abc import Iterator
import hashlib
import os
import pathlib
import sys
import tempfile

import measuring
import published

from osc_glance_replicate.sandbox import client

#: Images that are loaded and verified at a time.
_SEVERAL = 4

#: What is divided by what, and the least that it is to be.
_RATIOS = (
    ('save', 'dump', 2.5),
    ('create', 'load', 1.0),
    ('create, 4', 'load, 4', 1.4),
    ('sha512sum', 'verify', 0.9),
    ('sha512sum, 4', 'verify, 4', 1.5),
)

#: By name of what was measured.
Results = dict[str, list[measuring.Run]]


class Benchmark:
    """All that is measured.

    :param size: of the one image, in MiB
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._master = client.Cloud('master')
        self._slave = client.Cloud('slave')
        self.results: Results = collections.defaultdict(list)

    def run(self, directory: pathlib.Path) -> None:
        """Measure everything once.

        :param directory: an empty one, with room for five times the size
        """
        digests = self._dump(directory)
        self._load(directory, digests)
        (directory / 'empty').mkdir()
        # As a dump of a cloud without images leaves it.
        (directory / 'empty' / '.lock').touch()
        self._measure('verify', _verify(directory / 'one'))
        self._measure('sha512sum', _sha512sum(directory / 'one'))
        self._measure('verify nothing', _verify(directory / 'empty'))
        self._master.wipe()
        several = [
            self._master.create(client.Mebibytes(self._size)).digests
            for _ in range(_SEVERAL)
        ]
        four = directory / 'four'
        measuring.measure(_dump(four))
        for name, command in (
            ('load, 4', _load(four)),
            ('create, 4', _create(*four.glob('*.img'))),
        ):
            self._slave.wipe()
            self._measure(name, command)
            measuring.check(self._slave, *several)
        self._measure('verify, 4', _verify(four))
        self._measure('sha512sum, 4', _sha512sum(four))

    def _dump(self, directory: pathlib.Path) -> dict[str, str]:
        """Measure the way to a directory.

        :returns: the digests of the image that is there now
        """
        self._master.wipe()
        image = self._master.create(client.Mebibytes(self._size))
        dump, file = directory / 'one', directory / 'saved'
        self._measure('dump', _dump(dump))
        self._measure(
            'save',
            [
                'openstack', '--os-cloud', 'master', 'image', 'save',
                '--file', str(file), image.id,
            ],
        )  # fmt: skip
        for path in (dump / f'{image.id}.img', file):
            with path.open('rb') as data:
                digest = hashlib.file_digest(data, 'sha512').hexdigest()
            if digest != image.digests['sha512']:
                raise SystemExit(f'wrong data in {path}')
        return image.digests

    def _load(self, directory: pathlib.Path, digests: dict[str, str]) -> None:
        """Measure the way back."""
        for name, command in (
            ('load', _load(directory / 'one')),
            ('create', _create(directory / 'saved')),
        ):
            self._slave.wipe()
            self._measure(name, command)
            measuring.check(self._slave, digests)

    def _measure(self, name: str, command: list[str]) -> None:
        os.sync()
        run = measuring.measure(command)
        self.results[name].append(run)
        number = len(self.results[name])
        print(f'run {number}: {name:14} {run}', file=sys.stderr)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    measuring.add_options(parser, size=1024)
    args = parser.parse_args()
    benchmark = Benchmark(args.size)
    for _ in range(args.runs):
        with tempfile.TemporaryDirectory() as directory:
            benchmark.run(pathlib.Path(directory))
    print(f'{args.size} MiB, {published.setting()}\n')
    _publish(benchmark.results)
    return 0


def _dump(directory: pathlib.Path) -> list[str]:
    return [
        'openstack', '--os-cloud', 'master', 'image', 'replicate', 'dump',
        str(directory), '-f', 'value',
    ]  # fmt: skip


def _load(directory: pathlib.Path) -> list[str]:
    return [
        'openstack', '--os-cloud', 'slave', 'image', 'replicate', 'load',
        str(directory), '-f', 'value',
    ]  # fmt: skip


def _create(*files: pathlib.Path) -> list[str]:
    return [
        'sh', '-ec',
        'for file; do openstack --os-cloud slave image create --disk-format '
        'raw --container-format bare --file "$file" -f value -c id image; '
        'done', 'sh', *map(str, files),
    ]  # fmt: skip


def _verify(directory: pathlib.Path) -> list[str]:
    return [
        'openstack', 'image', 'replicate', 'verify', str(directory),
        '-f', 'value',
    ]  # fmt: skip


def _sha512sum(directory: pathlib.Path) -> list[str]:
    return ['env', '-C', str(directory), 'sha512sum', '-c', 'SHA512SUMS']


def _publish(results: Results) -> None:
    print(measuring.table(results), end='\n\n')
    print(published.Claim.heading())
    for theirs, ours, target in _RATIOS:
        print(
            published.Claim(
                f'dump: {ours}, times as fast as {theirs}',
                measuring.ratios(results[theirs], results[ours]),
                '>=',
                target,
            )
        )
    for theirs, ours, _ in _RATIOS:
        if ours.startswith('verify'):
            every = ' '.join(_without_start(results, theirs, ours))
            print(f'\n{theirs} / ({ours} - start), all runs: {every}')


def _without_start(results: Results, theirs: str, ours: str) -> Iterator[str]:
    """Give how many times as fast ours is, but for its start."""
    start, _ = measuring.medians(results['verify nothing'])
    for one, other in zip(results[theirs], results[ours], strict=True):
        # A small size may take no longer than the start.
        yield f'{one.wall / max(other.wall - start, 0.01):.2f}'


if __name__ == '__main__':
    sys.exit(main())
