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

"""Compare 1,000,000 images with 1,000,000 of which nothing differs.

Runs in a sandbox, though it uses none of its clouds::

    tox run -e benchmark -- million.py

The records are served by what has nothing but listings, a process of its own
for each cloud, whose CPU does not count.

Beside this checkout stands an earlier commit, in turns with it: what the
planning of a pair costs shows in the CPU of the whole command. Peak memory is
that of the real command, too, started by a parent that is smaller than it; it
is to be no more than with 10,000 images.
"""

import argparse
from collections.abc import Iterator
import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile

import listings
import measuring
import published

_IMAGES = 1_000_000
_FEW = 10_000

#: The last one that looked at a record again and again.
_BEFORE = '7e4ad54'

_HERE = pathlib.Path(__file__).parents[1]
_NOW = 'now'
_EARLIER = 'before'
_SMALL = f'now, {_FEW} images'

_PACKAGE = 'osc_glance_replicate'
_WHERE = f'import {_PACKAGE}; print({_PACKAGE}.__file__)'


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    measuring.add_options(parser)
    parser.add_argument('--images', type=int, default=_IMAGES)
    parser.add_argument(
        '--before',
        default=_BEFORE,
        metavar='COMMIT',
        help='to compare with (default: %(default)s)',
    )
    args = parser.parse_args()
    with _checkout(args.before) as before:
        ways = {
            _EARLIER: (before, args.images),
            _NOW: (_HERE, args.images),
            _SMALL: (_HERE, _FEW),
        }
        results: dict[str, list[measuring.Run]] = {name: [] for name in ways}
        for number in range(args.runs):
            for name, (checkout, images) in ways.items():
                run = _compare(checkout, images)
                results[name].append(run)
                print(f'run {number + 1}: {name:18} {run}', file=sys.stderr)
    print(
        f'{args.images} images, before: {args.before}; {published.setting()}\n'
    )
    print(measuring.table(results), end='\n\n')
    for name, runs in results.items():
        peaks = ' '.join(f'{run.peak / measuring.MIB:.1f}' for run in runs)
        print(f'peak MiB, {name}: {peaks}')
    print(f'\n{published.Claim.heading()}')
    for claim in _claims(results):
        print(claim)
    return 0


@contextlib.contextmanager
def _checkout(commit: str) -> Iterator[pathlib.Path]:
    """Lay a commit out in a directory of its own."""
    with tempfile.TemporaryDirectory() as name:
        archive = pathlib.Path(name, 'archive.tar')
        subprocess.run(  # noqa: S603
            ['git', 'archive', '-o', archive, commit, _PACKAGE],  # noqa: S607
            check=True,
            cwd=_HERE,
        )
        checkout = pathlib.Path(name, 'checkout')
        checkout.mkdir()
        subprocess.run(  # noqa: S603
            ['tar', '-xf', archive, '-C', checkout],  # noqa: S607
            check=True,
        )
        yield checkout


def _compare(checkout: pathlib.Path, images: int) -> measuring.Run:
    """Run the command as a checkout has it."""
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        # No two services make an image at the same time.
        urls = {
            name: stack.enter_context(listings.Catalogue(images, made)).url
            for name, made in (
                ('here', '2026-11-01T10:00:00Z'),
                ('there', '2026-11-02T11:00:00Z'),
            )
        }
        clouds = listings.clouds(pathlib.Path(directory), urls)
        environment = [
            'env', f'PYTHONPATH={checkout}', f'OS_CLIENT_CONFIG_FILE={clouds}',
            'no_proxy=127.0.0.1',
        ]  # fmt: skip
        found = subprocess.run(  # noqa: S603
            [*environment, sys.executable, '-c', _WHERE],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            cwd=directory,
        ).stdout
        if not found.startswith(f'{checkout}{os.sep}'):
            raise SystemExit(f'another checkout is installed: {found}')
        run, code, output = measuring.try_out(
            [
                *environment, 'openstack', '--os-cloud', 'here', 'image',
                'replicate', 'compare', '--to', 'there', '-f', 'json',
            ]
        )  # fmt: skip
    if (code, output.strip()) != (0, '[]'):
        raise SystemExit(f'wrong comparison: exit code {code}, {output:.400}')
    return run


def _claims(
    results: dict[str, list[measuring.Run]],
) -> Iterator[published.Claim]:
    now, before = results[_NOW], results[_EARLIER]
    yield published.Claim(
        'million: times the CPU of before',
        [one.cpu / other.cpu for one, other in zip(now, before, strict=True)],
        '<=',
        0.35,
    )
    yield published.Claim(
        f'million: times the peak of {_FEW} images',
        [
            one.peak / other.peak
            for one, other in zip(now, results[_SMALL], strict=True)
        ],
        '<=',
        1.05,
    )


if __name__ == '__main__':
    sys.exit(main())
