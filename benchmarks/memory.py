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

"""Peak memory of a livecopy: of eight large images, and with a slow region.

First eight images of 1 GiB at a time to one destination. Then images that are
larger than what may wait for a slow destination, 4 and 16 at a time, to four
of which one takes 1 MB/s on each connection.

Runs in a sandbox, and needs 16 GiB of disk there::

    tox run -e benchmark -- memory.py

The peak is that of the real command, started by a parent that is smaller than
it. Beside it stands the start of openstackclient, as ``image list`` has it.
"""

import argparse
from collections.abc import Iterator
import pathlib
import sys
import tempfile

import links
import measuring
import published

from osc_glance_replicate.sandbox import client

_TRANSFERS = 8

#: Images at a time with a slow destination, and the MiB that are documented.
_BOUNDS = {4: 220, 16: 277}
#: Bytes read of the source, times the data; with the headers of the answers.
_MOST_READ = 2.001
#: MiB of each of those images.
_SIZE = 48
#: Bytes per second of each connection.
_SLOW, _FAST = 1e6, 1e9


class SlowRegion:
    """A source, and four destinations of which one is slow.

    :param size: of each image, in MiB
    :ivar results: by the number of transfers
    :ivar read: bytes of the source, as multiples of the data
    """

    def __init__(self, size: int) -> None:
        self._data = client.Mebibytes(size)
        self._master = client.Cloud('master')
        self._slow = client.Cloud('slave')
        self._fast = [
            client.Cloud(f'fan:{region}') for region in ('one', 'two', 'three')
        ]
        self.results: dict[int, list[measuring.Run]] = {n: [] for n in _BOUNDS}
        self.read: dict[int, list[float]] = {n: [] for n in _BOUNDS}

    def run(self, transfers: int) -> None:
        """Measure once, with as many images as move at a time."""
        to = [self._slow, *self._fast]
        for cloud in self._master, *to:
            cloud.wipe()
        digests = [
            self._master.create(self._data).digests for _ in range(transfers)
        ]
        with (
            tempfile.TemporaryDirectory() as directory,
            links.Link(self._master.glance.url, _FAST) as source,
            links.Link(self._slow.glance.url, _SLOW) as slow,
        ):
            command = links.openstack(
                pathlib.Path(directory), {'master': source, 'slave': slow}
            )
            run = measuring.measure(_livecopy(command, to, transfers))
            count = sum(
                call.received
                for call in source.calls()
                if '/file ' in call.request
            )
        for cloud in to:
            measuring.check(cloud, *digests)
            cloud.wipe()
        self._master.wipe()
        read = count / len(self._data) / transfers
        self.results[transfers].append(run)
        self.read[transfers].append(read)
        print(f'slow, {transfers:2} {run}, {read:.2f} read', file=sys.stderr)

    def claims(self) -> Iterator[published.Claim]:
        """Say what became of it."""
        for transfers, runs in self.results.items():
            yield published.Claim(
                f'memory: peak MiB, {transfers} to 4, one is slow',
                [run.peak / measuring.MIB for run in runs],
                '<=',
                _BOUNDS[transfers],
            )
            yield published.Claim(
                'memory: the same, bytes of the source',
                self.read[transfers],
                '<=',
                _MOST_READ,
            )


def _livecopy(
    command: list[str], to: list[client.Cloud], transfers: int
) -> list[str]:
    return [
        *command, '--os-cloud', 'master', 'image', 'replicate', 'livecopy',
        *(f'--to={cloud.name}' for cloud in to), '-f', 'value',
        '--transfers', str(transfers),
    ]  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    measuring.add_options(parser, size=1024)
    args = parser.parse_args()
    master, slave = client.Cloud('master'), client.Cloud('slave')
    master.wipe()
    data = client.Mebibytes(args.size)
    digests = [master.create(data).digests for _ in range(_TRANSFERS)]
    commands = {
        'livecopy': [
            'openstack', '--os-cloud', 'master', 'image', 'replicate',
            'livecopy', '--to', 'slave', '-f', 'value',
            '--transfers', str(_TRANSFERS),
        ],
        'image list': ['openstack', '--os-cloud', 'slave', 'image', 'list'],
    }  # fmt: skip
    results: dict[str, list[measuring.Run]] = {name: [] for name in commands}
    for number in range(args.runs):
        slave.wipe()
        for name, command in commands.items():
            run = measuring.measure(command)
            results[name].append(run)
            print(f'run {number + 1}: {name:14} {run}', file=sys.stderr)
        measuring.check(slave, *digests)
    master.wipe()
    slave.wipe()
    region = SlowRegion(min(args.size, _SIZE))
    for _ in range(args.runs):
        for transfers in _BOUNDS:
            region.run(transfers)
    print(f'{_TRANSFERS} x {args.size} MiB, {published.setting()}\n')
    named = {
        f'{transfers}, one slow': runs
        for transfers, runs in region.results.items()
    }
    print(measuring.table({**results, **named}), end='\n\n')
    peaks = ' '.join(
        f'{run.peak / measuring.MIB:.1f}' for run in results['image list']
    )
    print(f'peak MiB of image list: {peaks}\n')
    print(published.Claim.heading())
    print(
        published.Claim(
            f'memory: peak MiB of {_TRANSFERS} transfers',
            [run.peak / measuring.MIB for run in results['livecopy']],
            '<=',
            120,
        )
    )
    for claim in region.claims():
        print(claim)
    return 0


if __name__ == '__main__':
    sys.exit(main())
