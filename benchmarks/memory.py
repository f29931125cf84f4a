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

"""Peak memory of a livecopy of eight images of 1 GiB at a time.

Runs in a sandbox, and needs 16 GiB of disk there::

    tox run -e benchmark -- memory.py

The peak is that of the real command, started by a parent that is smaller than
it. Beside it stands the start of openstackclient, as ``image list`` has it.
"""

import argparse
import sys

import measuring
import published

from osc_glance_replicate.sandbox import client

_TRANSFERS = 8


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
    print(f'{_TRANSFERS} x {args.size} MiB, {published.setting()}\n')
    print(measuring.table(results), end='\n\n')
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
    return 0


if __name__ == '__main__':
    sys.exit(main())
