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

"""Compare 10,000 images with 10,000: time, requests and memory.

Runs in a sandbox::

    python -m osc_glance_replicate.sandbox -- python benchmarks/compare.py

The records are put straight into the databases, with properties and tags
as the images of a public cloud have; of every hundred one is missing in the
destination and one has another property. Requests are counted in the log of
the servers. Peak memory is that of the real command, started by a parent
that is smaller than it.

Beside it stand what glance-replicator did, one GET after the other for each
image, measured on the first thousand images and multiplied; and what no
comparison can do without, ``curl`` reading the pages of both listings side
by side. The runs are interleaved, so that what else the machine does
strikes all alike, and all of them are shown.
"""

import argparse
import collections
from collections.abc import Callable
import dataclasses
import http.client
import json
import re
import statistics
import sys
import time
import urllib.parse

import measuring
import planting
import psycopg2
import published

from osc_glance_replicate.sandbox import client

_SIZES = (1000, 10000)
_PAGE = 1000
_MIB = 1024**2

#: One of a hundred, counted from 0: what is missing, and what differs.
_MISSING = 7
_DIFFERENT = 77

_LISTING = f'limit={_PAGE}&sort_key=id&sort_dir=asc&visibility=all'

_REQUEST = re.compile(rb'\] (?:GET|HEAD|POST|PUT|PATCH|DELETE) /')


@dataclasses.dataclass(frozen=True)
class Run(measuring.Run):
    """What one run took.

    :param requests: that both image services answered
    """

    requests: int = 0


#: By number of images and name of the way.
Results = dict[tuple[int, str], list[Run]]


class Clouds:
    """Source and destination."""

    def __init__(self) -> None:
        self._both = client.Cloud('master'), client.Cloud('slave')

    def plant(self, images: int) -> None:
        """Fill both with records."""
        master, slave = self._both
        planting.plant(master, images)
        planting.plant(slave, images, [_MISSING], [_DIFFERENT])

    def compare(self, images: int) -> Run:
        """Run the command."""
        before = self._requests()
        run, code, output = measuring.try_out(
            [
                'openstack', '--os-cloud', 'master', 'image', 'replicate',
                'compare', '--to', 'slave', '-f', 'json',
            ]
        )  # fmt: skip
        found = collections.Counter(
            row['Difference'] for row in json.loads(output)
        )
        few = images // 100
        if (code, found) != (3, {'missing': few, 'metadata': few}):
            raise SystemExit(f'wrong comparison: exit code {code}, {found}')
        return _counted(run, self._requests() - before)

    def one_by_one(self, images: int) -> Run:
        """Look up a thousand images, one after the other."""
        source, destination = self._both
        before = self._requests()
        start, cpu = time.monotonic(), time.process_time()
        get = _getter(source)
        _, body = get(f'/v2/images?{_LISTING}')
        ids = [record['id'] for record in json.loads(body)['images']]
        get = _getter(destination)
        statuses = collections.Counter(
            get(f'/v2/images/{image_id}')[0] for image_id in ids
        )
        wall, cpu = time.monotonic() - start, time.process_time() - cpu
        if statuses.total() != _PAGE or set(statuses) != {200, 404}:
            raise SystemExit(f'wrong answers: {statuses}')
        times = images // _PAGE
        requests = self._requests() - before
        return Run(wall * times, cpu * times, 0, requests * times)

    def curl(self, images: int) -> Run:
        """Read all pages of both and do nothing with them."""
        commands = [
            f"curl -sf -H 'X-Auth-Token: {cloud.connections[''].auth_token}' "
            + ' '.join(f"'{url}'" for url in _pages(cloud))
            for cloud in self._both
        ]
        before = self._requests()
        one, other = commands
        run, code, output = measuring.try_out(
            ['bash', '-c', f'{one} & {other}; code=$?; wait $! && exit $code']
        )
        listed = output.count('"schema": "/v2/schemas/image"')
        if code or listed != 2 * images - images // 100:
            raise SystemExit(f'curl: exit code {code}, {listed} records')
        return _counted(run, self._requests() - before)

    def _requests(self) -> int:
        """Count the requests that both Glances have ever answered."""
        time.sleep(0.5)  # They are logged after the answer.
        return sum(
            len(_REQUEST.findall(cloud.glance.log.read_bytes()))
            for cloud in self._both
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    measuring.add_options(parser)
    runs = parser.parse_args().runs
    clouds = Clouds()
    ways = {
        'compare': clouds.compare,
        'GET by GET': clouds.one_by_one,
        'curl': clouds.curl,
    }
    results: Results = {(images, way): [] for images in _SIZES for way in ways}
    for number in range(runs):
        for images in _SIZES:
            clouds.plant(images)
            for way, measure in ways.items():
                run = measure(images)
                results[images, way].append(run)
                print(
                    f'run {number + 1}: {images:5} {way:10} {run}',
                    file=sys.stderr,
                )
    _publish(results)
    return 0


def _counted(run: measuring.Run, requests: int) -> Run:
    return Run(run.wall, run.cpu, run.peak, requests)


def _pages(cloud: client.Cloud) -> list[str]:
    """Give the URLs of all pages of both of its listings."""
    connection = psycopg2.connect(cloud.glance.database)
    with connection, connection.cursor() as cursor:
        cursor.execute('SELECT id FROM images ORDER BY id')
        ids = [image_id for (image_id,) in cursor]
    connection.close()
    url = f'{cloud.glance.url}/v2/images?{_LISTING}'
    markers = ids[_PAGE - 1 :: _PAGE]
    return [
        url,
        *(f'{url}&marker={marker}' for marker in markers),
        f'{url}&os_hidden=true',
    ]


def _getter(cloud: client.Cloud) -> Callable[[str], tuple[int, bytes]]:
    """Make a function that does a GET over a connection of its own."""
    address = urllib.parse.urlsplit(cloud.glance.url)
    connection = http.client.HTTPConnection(address.netloc)
    headers = {'X-Auth-Token': str(cloud.connections[''].auth_token)}

    def get(path: str) -> tuple[int, bytes]:
        connection.request('GET', path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read()

    return get


def _publish(results: Results) -> None:
    print(f'{published.setting()}\n')
    print(
        f'{"images":>6} {"":10} {"wall s":>7} {"CPU s":>6} {"MiB":>6} '
        f'{"requests":>8} {"this/compare":>12}  wall s of all runs'
    )
    for (images, way), runs in results.items():
        ours = _median('wall', results[images, 'compare'])
        wall = _median('wall', runs)
        peak = _median('peak', runs) / _MIB
        every = ' '.join(f'{run.wall:.2f}' for run in runs)
        print(
            f'{images:6} {way:10} {wall:7.2f} {_median("cpu", runs):6.2f} '
            f'{peak:6.1f} {_median("requests", runs):8.0f} '
            f'{wall / ours:12.2f}  {every}'
        )
    few, many = _SIZES
    peaks = {
        images: [run.peak for run in results[images, 'compare']]
        for images in _SIZES
    }
    for images, bytes_held in peaks.items():
        every = ' '.join(f'{held / _MIB:.1f}' for held in bytes_held)
        print(f'\npeak MiB of all runs of compare, {images} images: {every}')
    growth = statistics.median(peaks[many]) - statistics.median(peaks[few])
    print(f'\ngrowth of the peak: {growth / (many - few):.0f} B per image')


def _median(field: str, runs: list[Run]) -> float:
    return float(statistics.median(getattr(run, field) for run in runs))


if __name__ == '__main__':
    sys.exit(main())
