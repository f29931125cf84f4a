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

"""Images of some size, four at a time, beside four pipes of curl.

Runs in a sandbox, of which ``--store`` says between which stores::

    tox run -e benchmark -- pipes.py
    tox run -e benchmark-stores

The peer is ``xargs -P 4`` of ``curl | curl`` between the same Glances. It has
a token and the records beforehand, tells the size, and verifies nothing; of
the command, all is measured, the start of openstackclient included. The runs
are interleaved.
"""

import argparse
import sys

import measuring
import published

from osc_glance_replicate.model import image_record
from osc_glance_replicate.sandbox import client

_TRANSFERS = 4

#: Of the wall of curl, by the drivers of both stores.
_TARGETS = {'file to file': 0.95, 'rbd to rbd': 0.75}
_TARGET = 1.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    measuring.add_options(parser, size=256)
    parser.add_argument('--images', type=int, default=16, metavar='NUMBER')
    args = parser.parse_args()
    master, slave = client.Cloud('master'), client.Cloud('slave')
    master.wipe()
    images = [
        master.create(client.Mebibytes(args.size)) for _ in range(args.images)
    ]
    results: dict[str, list[measuring.Run]] = {'livecopy': [], 'curl': []}
    for number in range(args.runs):
        for name, runs in results.items():
            _empty(slave)
            command = (
                _livecopy()
                if name == 'livecopy'
                else _curl(master, slave, images)
            )
            runs.append(measuring.measure(command))
            measuring.check(slave, *(image.digests for image in images))
            print(f'run {number + 1}: {name:10} {runs[-1]}', file=sys.stderr)
    drivers = f'{master.glance.driver} to {slave.glance.driver}'
    print(
        f'{args.images} x {args.size} MiB, {_TRANSFERS} at a time, {drivers}; '
        f'{published.setting()}\n'
    )
    print(f'{"":20} {"wall s":>9} {"CPU s":>7}  runs')
    for name, runs in results.items():
        wall, cpu = measuring.medians(runs)
        print(f'{name:20} {wall:9.2f} {cpu:7.2f}  {measuring.every(runs)}')
    ratios = measuring.ratios(results['livecopy'], results['curl'])
    claim = published.Claim(
        f'pipes: {drivers}, times the wall of curl',
        ratios,
        '<=',
        _TARGETS.get(drivers, _TARGET),
    )
    print(f'\n{published.Claim.heading()}\n{claim}')
    return 0


def _empty(cloud: client.Cloud) -> None:
    """Have images removed from the store, and then forgotten."""
    for image_id in cloud.ids():
        cloud.request('DELETE', f'/images/{image_id}')
    cloud.wipe()


def _livecopy() -> list[str]:
    return [
        'openstack', '--os-cloud', 'master', 'image', 'replicate',
        'livecopy', '--to', 'slave', '--transfers', str(_TRANSFERS),
        '-f', 'value',
    ]  # fmt: skip


def _curl(
    master: client.Cloud,
    slave: client.Cloud,
    images: list[image_record.Image],
) -> list[str]:
    """Give the pipes; a token each and the records are there beforehand."""
    source, destination = (
        f"-H 'X-Auth-Token: {cloud.connections[''].auth_token}' "
        f'{cloud.glance.url}/v2/images'
        for cloud in (master, slave)
    )
    headers = (
        "-H 'Content-Type: application/octet-stream' "
        f"-H 'X-OpenStack-Image-Size: {images[0].size}'"
    )
    pipe = (
        f'set -o pipefail; curl -sf {source}/$1/file | '
        f'curl -sf -T - {headers} {destination}/$1/file'
    )
    for image in images:
        slave.create(None, id=image.id)
    return [
        'sh', '-c', 'pipe=$1; shift; printf "%s\\n" "$@" | '
        f'xargs -n 1 -P {_TRANSFERS} bash -c "$pipe" -', '-', pipe,
        *(image.id for image in images),
    ]  # fmt: skip


if __name__ == '__main__':
    sys.exit(main())
