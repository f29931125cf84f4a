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

"""Clouds far away: what --transfers brings, and when copying begins.

Runs in a sandbox::

    tox run -e benchmark -- latency.py

Both clouds are behind a link of 50 ms there and back, and of 10 MB/s for each
connection. 32 images of 8 MiB are copied one at a time and eight at a time.
Both have in common what a dry run takes: the start of openstackclient, and
the listings over the same links; the ratio is given without it, too.

Then both clouds have 10,000 images, of which the first lacks at the
destination. It is measured when its first byte has come, and how many pages
of each listing had come until then; the next ones may have been asked for. A
listing of hidden images is one of its own.

The runs are interleaved, so that what else the machine does strikes all
alike, and all of them are shown.
"""

import argparse
import collections
from collections.abc import Iterator
import contextlib
import pathlib
import re
import sys
import tempfile
import time

import links
import measuring
import planting
import published

from osc_glance_replicate.sandbox import client

_LATENCY = 0.05
_RATE = 10e6
_IMAGES = 32
_CATALOGUE = 10000
_FIRST = '00000000-0000-4000-8000-000000000000'
_MANY = '8 transfers'
_ONE = '1 transfer'
_DRY = 'dry run'

_OPTIONS = {
    _ONE: ('--transfers', '1'),
    _MANY: ('--transfers', '8'),
    _DRY: ('--dry-run',),
}


class Benchmark:
    """Two clouds and the links to them.

    :param size: of an image, in MiB
    :param images: how many are copied
    :param catalogue: how many both have when the first byte is waited for
    """

    def __init__(self, size: int, images: int, catalogue: int) -> None:
        self._data = client.Mebibytes(size)
        self._images = images
        self._catalogue = catalogue
        self._clouds = {
            name: client.Cloud(name) for name in ('master', 'slave')
        }
        self.results: dict[str, list[measuring.Run]] = collections.defaultdict(
            list
        )
        self.first_bytes: list[float] = []
        self.pages: list[int] = []

    def run(self) -> None:
        """Measure everything once."""
        with self._linked() as (openstack, far):
            self._copy(openstack)
            for link in far:
                link.calls()
            self._begin(openstack, far)

    @contextlib.contextmanager
    def _linked(self) -> Iterator[tuple[list[str], list[links.Link]]]:
        """Stretch links to both.

        :returns: the start of a command that uses them, and they
        """
        with contextlib.ExitStack() as stack:
            directory = stack.enter_context(tempfile.TemporaryDirectory())
            far = {
                name: stack.enter_context(
                    links.Link(cloud.glance.url, _RATE, _LATENCY)
                )
                for name, cloud in self._clouds.items()
            }
            openstack = links.openstack(pathlib.Path(directory), far)
            yield openstack, list(far.values())

    def _copy(self, openstack: list[str]) -> None:
        master, slave = self._clouds.values()
        master.wipe()
        digests = [
            master.create(self._data).digests for _ in range(self._images)
        ]
        for name, options in _OPTIONS.items():
            slave.wipe()
            run = measuring.measure(_livecopy(openstack, *options))
            if name != _DRY:
                measuring.check(slave, *digests)
            self.results[name].append(run)
            print(f'{name:14} {run}', file=sys.stderr)

    def _begin(self, openstack: list[str], far: list[links.Link]) -> None:
        for cloud in self._clouds.values():
            planting.plant(cloud, self._catalogue)
        master, slave = self._clouds.values()
        image = master.create(self._data, id=_FIRST)
        start = time.monotonic()
        measuring.measure(_livecopy(openstack))
        if slave.get(_FIRST).digests != image.digests:
            raise SystemExit('wrong replica')
        calls = [link.calls() for link in far]
        (file,) = (
            call for call in calls[0] if f'{_FIRST}/file ' in call.request
        )
        pages = collections.Counter(
            (cloud, _listing(call.request))
            for cloud, seen in enumerate(calls)
            for call in seen
            if call.answered <= file.answered
        )
        self.first_bytes.append(file.answered - start)
        self.pages.append(
            max(count for (_, what), count in pages.items() if what)
        )
        print(
            f'first byte after {self.first_bytes[-1]:.2f} s, {pages}',
            file=sys.stderr,
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    measuring.add_options(parser, size=8)
    parser.add_argument('--images', type=int, default=_IMAGES)
    parser.add_argument('--catalogue', type=int, default=_CATALOGUE)
    args = parser.parse_args()
    benchmark = Benchmark(args.size, args.images, args.catalogue)
    for _ in range(args.runs):
        benchmark.run()
    print(
        f'{args.images} images of {args.size} MiB, {_LATENCY * 1000:.0f} ms '
        f'there and back, {_RATE / 1e6:.0f} MB/s per connection; '
        f'{published.setting()}\n'
    )
    print(measuring.table(benchmark.results), end='\n\n')
    seconds = ' '.join(f'{value:.2f}' for value in benchmark.first_bytes)
    print(f's from start to first byte, {args.catalogue} images: {seconds}\n')
    print(published.Claim.heading())
    for claim in _claims(benchmark):
        print(claim)
    return 0


def _livecopy(openstack: list[str], *options: str) -> list[str]:
    return [
        *openstack, '--os-cloud', 'master', 'image', 'replicate',
        'livecopy', '--to', 'slave', '-f', 'value', *options,
    ]  # fmt: skip


def _listing(request: str) -> str:
    """Say which listing a request is about; '' for any other."""
    if not re.match(r'GET /v2/images\?', request):
        return ''
    return 'hidden' if 'os_hidden=true' in request else 'images'


def _claims(benchmark: Benchmark) -> Iterator[published.Claim]:
    one, many, dry = (benchmark.results[name] for name in (_ONE, _MANY, _DRY))
    yield published.Claim(
        'latency: 8 transfers, times as fast as one',
        measuring.ratios(one, many),
        '>=',
        7,
    )
    yield published.Claim(
        'latency: the same without what a dry run takes',
        [
            (a.wall - c.wall) / max(b.wall - c.wall, 0.01)
            for a, b, c in zip(one, many, dry, strict=True)
        ],
        '>=',
        7,
    )
    yield published.Claim(
        'latency: pages of a listing before the data',
        benchmark.pages,
        '<=',
        2,
    )


if __name__ == '__main__':
    sys.exit(main())
