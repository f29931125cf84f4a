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

"""One image to four destinations: bytes read of the source, and time.

Runs in a sandbox::

    tox run -e benchmark -- fanout.py

The source is behind a link of 10 MB/s for each connection, which is the limit
and counts what it passes on. The same image goes to one destination and to
four, each a Glance of its own. The runs are interleaved, so that what else
the machine does strikes all alike, and all of them are shown.
"""

import argparse
import collections
from collections.abc import Iterator
import os
import pathlib
import sys
import tempfile

import links
import measuring
import published

from osc_glance_replicate import sandbox
from osc_glance_replicate.sandbox import client
from osc_glance_replicate.sandbox import glance

_RATE = 10e6
_CLOUD = 'fan'


class Benchmark:
    """A source, its link, and the destinations.

    :param size: of the image, in MiB
    """

    def __init__(self, size: int) -> None:
        self._data = client.Mebibytes(size)
        self._master = client.Cloud('master')
        self._destinations = [
            client.Cloud(f'{_CLOUD}:{region}') for region in _sandbox()[_CLOUD]
        ]
        self.results: dict[str, list[measuring.Run]] = collections.defaultdict(
            list
        )
        #: Bytes read, as multiples of the data, of each run with all.
        self.read: list[float] = []

    def run(self) -> None:
        """Measure everything once."""
        self._master.wipe()
        digests = self._master.create(self._data).digests
        with (
            tempfile.TemporaryDirectory() as directory,
            links.Link(self._master.glance.url, _RATE) as link,
        ):
            command = links.openstack(
                pathlib.Path(directory), {'master': link}
            )
            for destinations in self._destinations[:1], self._destinations:
                for cloud in destinations:
                    cloud.wipe()
                to = [f'--to={cloud.name}' for cloud in destinations]
                run = measuring.measure(_livecopy(command, to))
                for cloud in destinations:
                    measuring.check(cloud, digests)
                read = sum(
                    call.received
                    for call in link.calls()
                    if '/file ' in call.request
                ) / len(self._data)
                name = f'to {len(to)}'
                self.results[name].append(run)
                print(f'{name:14} {run}, {read:.3f} read', file=sys.stderr)
        self.read.append(read)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    measuring.add_options(parser, size=256)
    args = parser.parse_args()
    benchmark = Benchmark(args.size)
    for _ in range(args.runs):
        benchmark.run()
    print(
        f'{args.size} MiB, {_RATE / 1e6:.0f} MB/s from the source; '
        f'{published.setting()}\n'
    )
    print(measuring.table(benchmark.results), end='\n\n')
    print(published.Claim.heading())
    for claim in _claims(benchmark):
        print(claim)
    return 0


def _sandbox() -> dict[str, dict[str, glance.Glance]]:
    """Give its Glances, by cloud and region."""
    # base has chosen it, where there are several.
    directory = os.environ['OSC_GLANCE_REPLICATE_SANDBOX']
    return sandbox.load(pathlib.Path(directory))


def _livecopy(command: list[str], to: list[str]) -> list[str]:
    return [
        *command, '--os-cloud', 'master', 'image', 'replicate',
        'livecopy', *to, '-f', 'value',
    ]  # fmt: skip


def _claims(benchmark: Benchmark) -> Iterator[published.Claim]:
    one, several = benchmark.results.values()
    yield published.Claim(
        'fanout: bytes of the source, times the data',
        benchmark.read,
        '<=',
        1.01,
    )
    yield published.Claim(
        'fanout: 4 destinations, times the wall of one',
        measuring.ratios(several, one),
        '<=',
        1.05,
    )


if __name__ == '__main__':
    sys.exit(main())
