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

"""Many small images: what this plugin itself costs for each of them.

A source and a destination that cost next to nothing, processes of their own
without a Keystone, take the places of the Glances::

    tox run -e benchmark -- small.py

2,000 images of 1 KiB are copied, one, four and 16 at a time, by the command
itself and by a bare loop over ``requests``, which has as many threads, a
session for each, makes the same requests for each image, and hashes and
plans nothing. What a run without any image takes, the start of openstack, is
measured in the same turn and left out of the command's time; what it takes to
list and plan the images is not.

Then every answer comes 100 ms late, as over a long link: how many of them an
image waits for, one after the other, private and public; what is asked once
in a run is left out as before.

The runs are interleaved, so that what else the machine does strikes all
alike, and all of them are shown.
"""

import argparse
import collections
from collections.abc import Iterator
import concurrent.futures
import contextlib
import pathlib
import sys
import tempfile
import threading
import uuid

import measuring
import published
import quick_glance
import requests
import yaml

_SIZE = 1024
_LATENCY = 0.1
_TRANSFERS = (1, 4, 16)
_FAR_TRANSFERS = 4
_VISIBILITIES = ('private', 'public')
_EMPTY = 'no image'

#: Requests that are made of each image.
_PER_IMAGE = (
    'GET file',
    'POST images',
    'PUT file',
    'GET image',
    'PATCH image',
)


class Benchmark:
    """What is measured.

    :param images: how many are copied
    :param far: how many are, where every answer is late
    """

    def __init__(self, images: int, far: int) -> None:
        self._images = images
        self._far = far
        self.results: dict[str, list[measuring.Run]] = collections.defaultdict(
            list
        )
        #: By visibility, of each run.
        self.trips: dict[str, list[float]] = collections.defaultdict(list)
        self.requests: dict[str, list[float]] = collections.defaultdict(list)

    def run(self) -> None:
        """Measure everything once."""
        empty = self._note(_EMPTY, self._ours(0, 1))
        for transfers in _TRANSFERS:
            for name, bare in (('livecopy', False), ('bare', True)):
                do = self._bare if bare else self._ours
                run = do(self._images, transfers)
                if not bare:
                    run = _without(run, empty)
                self._note(f'{name}, {transfers} at a time', run)
        nothing = self._ours(0, 1, latency=_LATENCY)
        for visibility in _VISIBILITIES:
            run = self._ours(self._far, _FAR_TRANSFERS, visibility, _LATENCY)
            run = _without(run, nothing)
            self._note(f'far, {visibility}', run)
            self.trips[visibility].append(
                run.wall * _FAR_TRANSFERS / self._far / _LATENCY
            )

    def _note(self, name: str, run: measuring.Run) -> measuring.Run:
        self.results[name].append(run)
        print(f'{name:24} {run}', file=sys.stderr)
        return run

    @contextlib.contextmanager
    def _glances(
        self, images: int, visibility: str, latency: float
    ) -> Iterator[list[quick_glance.QuickGlance]]:
        with contextlib.ExitStack() as stack:
            yield [
                stack.enter_context(
                    quick_glance.QuickGlance(count, _SIZE, visibility, latency)
                )
                for count in (images, 0)
            ]

    def _ours(
        self,
        images: int,
        transfers: int,
        visibility: str = 'private',
        latency: float = 0.0,
    ) -> measuring.Run:
        """Copy with the command."""
        with (
            self._glances(images, visibility, latency) as glances,
            tempfile.TemporaryDirectory() as directory,
        ):
            clouds = _clouds(pathlib.Path(directory), *glances)
            run = measuring.measure(
                [
                    'env', f'OS_CLIENT_CONFIG_FILE={clouds}', 'openstack',
                    '--os-cloud', 'near', 'image', 'replicate', 'livecopy',
                    '--to', 'far', '--transfers', str(transfers),
                    '-f', 'value',
                ]
            )  # fmt: skip
            told = _check(glances[1], images, visibility)
            told += collections.Counter(glances[0].told()['requests'])
            if images:
                made = sum(told[kind] for kind in _PER_IMAGE)
                self.requests[visibility].append(made / images)
        return run

    def _bare(self, images: int, transfers: int) -> measuring.Run:
        """Make the same requests."""
        with self._glances(images, 'private', 0.0) as glances:
            here, there = (glance.url for glance in glances)
            glances[0].told()
            run = measuring.call(lambda: _loop(images, transfers, here, there))
            _check(glances[1], images, 'private')
        return run


def _loop(images: int, transfers: int, here: str, there: str) -> None:
    own = threading.local()

    def copy(number: int) -> None:
        if not hasattr(own, 'session'):
            own.session = requests.Session()
        session: requests.Session = own.session
        path = f'/images/{uuid.UUID(int=number + 1)}'
        data = session.get(f'{here}{path}/file')
        record = {
            'id': path[8:],
            'name': f'image {number}',
            'container_format': 'bare',
            'disk_format': 'raw',
            'visibility': 'private',
        }
        answers = [
            data,
            session.post(f'{there}/images', json=record),
            session.put(
                f'{there}{path}/file',
                data=data.content,
                headers={'Content-Type': 'application/octet-stream'},
            ),
            session.get(f'{there}{path}'),
        ]
        for answer in answers:
            answer.raise_for_status()
        answers[-1].json()

    with concurrent.futures.ThreadPoolExecutor(transfers) as pool:
        for _ in pool.map(copy, range(images)):
            pass


def _clouds(
    directory: pathlib.Path,
    source: quick_glance.QuickGlance,
    destination: quick_glance.QuickGlance,
) -> pathlib.Path:
    """Write a clouds.yaml for clouds without a Keystone."""
    clouds = {
        name: {
            'auth_type': 'none',
            'auth': {'endpoint': glance.url},
            'image_endpoint_override': glance.url,
            'image_api_version': '2',
        }
        for name, glance in (('near', source), ('far', destination))
    }
    path = directory / 'clouds.yaml'
    path.write_text(yaml.safe_dump({'clouds': clouds}))
    return path


def _check(
    destination: quick_glance.QuickGlance, images: int, visibility: str
) -> collections.Counter[str]:
    """Make sure that the work was done; give the requests that it took."""
    told = destination.told()
    wanted = {f'active {visibility}': images} if images else {}
    if told['images'] != wanted:
        raise SystemExit(f'wrong replicas: {told}')
    return collections.Counter(told['requests'])


def _without(run: measuring.Run, empty: measuring.Run) -> measuring.Run:
    return measuring.Run(
        round(run.wall - empty.wall, 2), round(run.cpu - empty.cpu, 2)
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    measuring.add_options(parser)
    parser.add_argument('--images', type=int, default=2000)
    parser.add_argument('--far', type=int, default=200, metavar='IMAGES')
    args = parser.parse_args()
    benchmark = Benchmark(args.images, args.far)
    for _ in range(args.runs):
        benchmark.run()
    print(
        f'{args.images} images of {_SIZE} bytes; {args.far} of them with '
        f'{_LATENCY * 1000:.0f} ms there and back; {published.setting()}\n'
    )
    print(measuring.table(benchmark.results), end='\n\n')
    for transfers in _TRANSFERS:
        told = ' '.join(
            f'{args.images / run.wall:.0f}'
            for run in benchmark.results[f'livecopy, {transfers} at a time']
        )
        print(f'images a second, {transfers} at a time: {told}')
    for visibility, made in benchmark.requests.items():
        told = ' '.join(f'{value:.3f}' for value in made)
        print(f'requests per {visibility} image: {told}')
    print(f'\n{published.Claim.heading()}')
    for claim in _claims(benchmark):
        print(claim)
    return 0


def _claims(benchmark: Benchmark) -> Iterator[published.Claim]:
    results = benchmark.results
    for transfers in _TRANSFERS:
        yield published.Claim(
            f'small: {transfers} at a time, times as fast as bare',
            measuring.ratios(
                results[f'bare, {transfers} at a time'],
                results[f'livecopy, {transfers} at a time'],
            ),
            '>=',
            0.8,
        )
    yield published.Claim(
        'small: 16 at a time, times as fast as four',
        measuring.ratios(
            results['livecopy, 4 at a time'],
            results['livecopy, 16 at a time'],
        ),
        '>=',
        1,
    )
    for visibility in _VISIBILITIES:
        yield published.Claim(
            f'small: round trips in series, {visibility}',
            benchmark.trips[visibility],
            '<=',
            3.3,
        )


if __name__ == '__main__':
    sys.exit(main())
