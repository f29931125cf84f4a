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

"""One image of 1 GiB from cloud to cloud: livecopy beside its peers.

Runs in a sandbox::

    tox run -e benchmark -- livecopy.py

The peers move the same bytes between the same servers: ``curl | curl``, and
what openstackclient offers without this plugin, ``image save | image
create``. Beside them stands what livecopy cannot do without: the start of
openstackclient, as ``image list`` has it too, and hashing, as hashlib does
it alone. The runs are interleaved, so that what else the machine does
strikes all alike, and all of them are shown.
"""

import argparse
from collections.abc import Callable
import os
import sys

import measuring
import published

from osc_glance_replicate.sandbox import client


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    measuring.add_options(parser, size=1024)
    args = parser.parse_args()
    master, slave = client.Cloud('master'), client.Cloud('slave')
    master.wipe()
    image = master.create(client.Mebibytes(args.size))
    peers: dict[str, Callable[[], list[str]]] = {
        'livecopy': lambda: _livecopy(image.id),
        'curl | curl': lambda: _curl(master, slave, image.id),
        'save | create': lambda: _save_create(image.id),
    }
    parts: dict[str, Callable[[], list[str]]] = {
        'image list': _image_list,
        'sha512': lambda: _sha512(args.size),
    }
    results: dict[str, list[measuring.Run]] = {
        name: [] for name in [*peers, *parts]
    }
    for number in range(args.runs):
        for name, prepare in {**peers, **parts}.items():
            slave.wipe()
            command = prepare()
            os.sync()
            run = measuring.measure(command)
            if name in peers:
                measuring.check(slave, image.digests)
            results[name].append(run)
            print(f'run {number + 1}: {name:14} {run}', file=sys.stderr)
    print(f'{args.size} MiB, {published.setting()}\n')
    _publish(results)
    return 0


def _livecopy(image_id: str) -> list[str]:
    return [
        'openstack', '--os-cloud', 'master', 'image', 'replicate',
        'livecopy', image_id, '--to', 'slave', '-f', 'value',
    ]  # fmt: skip


def _curl(
    master: client.Cloud, slave: client.Cloud, image_id: str
) -> list[str]:
    """Give the pipe; a token each and the record are there beforehand."""
    record = slave.create(None, id=image_id)
    source, destination = (
        f"-H 'X-Auth-Token: {cloud.connections[''].auth_token}' "
        f'{cloud.glance.url}/v2/images/{record.id}/file'
        for cloud in (master, slave)
    )
    kind = "-H 'Content-Type: application/octet-stream'"
    pipe = f'curl -sf {source} | curl -sf -T - {kind} {destination}'
    return ['bash', '-c', f'set -o pipefail; {pipe}']


def _save_create(image_id: str) -> list[str]:
    save = f'openstack --os-cloud master image save {image_id}'
    create = (
        f'openstack --os-cloud slave image create --id {image_id} '
        '--disk-format raw --container-format bare -f value -c id image'
    )
    return ['bash', '-c', f'set -o pipefail; {save} | {create}']


def _image_list() -> list[str]:
    return ['openstack', '--os-cloud', 'slave', 'image', 'list']


def _sha512(size: int) -> list[str]:
    code = (
        'import hashlib\n'
        'digest = hashlib.sha512()\n'
        'block = bytes(1024**2)\n'
        f'for _ in range({size}):\n'
        '    digest.update(block)\n'
    )
    return [sys.executable, '-c', code]


def _publish(results: dict[str, list[measuring.Run]]) -> None:
    ours = measuring.medians(results['livecopy'])
    print(f'{"":14} {"wall s":>7} {"CPU s":>7}  {"livecopy/this":>13}  runs')
    for peer, runs in results.items():
        wall, cpu = measuring.medians(runs)
        print(
            f'{peer:14} {wall:7.2f} {cpu:7.2f}  {ours[0] / wall:13.2f}  '
            f'{measuring.every(runs)}'
        )


if __name__ == '__main__':
    sys.exit(main())
