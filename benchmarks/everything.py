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

"""All benchmarks, one after the other, and the page that shows them.

Runs in a sandbox::

    tox run -e benchmark

What they print is put into doc/source/contributor/measured.rst.inc, below a
table of all that is to be reached, whether it is or not. The last one starts a
Ceph, in a sandbox of its own. With ``--try-out`` everything is small and the
page is printed instead: its numbers say nothing.
"""

import argparse
from collections.abc import Sequence
import dataclasses
import pathlib
import subprocess
import sys

import published

from osc_glance_replicate.sandbox import client

_HERE = pathlib.Path(__file__).parent
_PAGE = _HERE.parent / 'doc/source/contributor/measured.rst.inc'


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """One of them.

    :param name: of its file
    :param small: options that make it small
    :param options: that it is run with where it is not small
    :param repeated: whether a run of it is short enough to have several
    :param stores: of a sandbox of its own, which it needs
    """

    name: str
    small: Sequence[str] = ()
    options: Sequence[str] = ()
    repeated: bool = True
    stores: Sequence[str] = ()

    def title(self, try_out: bool) -> str:
        """Name it, and how it is run."""
        return ' '.join([self.name, *self._options(try_out)])

    def _options(self, try_out: bool) -> Sequence[str]:
        return self.small if try_out else self.options

    def command(self, runs: int, try_out: bool) -> list[str]:
        """Give what is to be run."""
        # The clouds around it are not to be joined by its own.
        sandbox = [
            'env', '-u', client.DIRECTORIES,
            sys.executable, '-m', 'osc_glance_replicate.sandbox',
        ]  # fmt: skip
        for store in self.stores:
            sandbox += ['--store', store]
        how_often = runs if self.repeated and not try_out else 1
        return [
            *([*sandbox, '--'] if self.stores else []),
            sys.executable, str(_HERE / self.name),
            '--runs', str(how_often),
            *self._options(try_out),
        ]  # fmt: skip


_BENCHMARKS = (
    Benchmark('wire.py', ('--size', '64')),
    Benchmark(
        'latency.py', ('--size', '2', '--images', '8', '--catalogue', '2000')
    ),
    Benchmark('fanout.py', ('--size', '32')),
    Benchmark('fleet.py', ('--images', '24')),
    Benchmark('memory.py', ('--size', '32')),
    Benchmark('small.py', ('--images', '200', '--far', '20')),
    Benchmark('livecopy.py', ('--size', '32')),
    Benchmark('pipes.py', ('--size', '8')),
    Benchmark('dump.py', ('--size', '32')),
    Benchmark('compare.py'),
    Benchmark('million.py', ('--images', '20000'), repeated=False),
    Benchmark(
        'pipes.py',
        ('--size', '8', '--images', '4'),
        ('--size', '1024', '--images', '4'),
        stores=('master:ceph', 'slave:ceph'),
    ),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--try-out',
        action='store_true',
        help='measure little, once, and print the page',
    )
    parser.add_argument('--runs', type=int, default=3, metavar='NUMBER')
    args = parser.parse_args()
    printed: dict[str, str] = {}
    failed = []
    for benchmark in _BENCHMARKS:
        title = benchmark.title(args.try_out)
        print(f'{title} ...', file=sys.stderr)
        process = subprocess.run(  # noqa: S603
            benchmark.command(args.runs, args.try_out),
            stdout=subprocess.PIPE,
            text=True,
        )
        if process.returncode:
            failed.append(title)
        else:
            printed[title] = process.stdout
    if args.try_out:
        print(_page(printed))
    elif failed:
        # A page with holes would replace a whole one; nothing is lost.
        print('\n'.join(printed.values()))
    else:
        _PAGE.write_text(_page(printed))
    if failed:
        print(f'failed: {", ".join(failed)}', file=sys.stderr)
    return 1 if failed else 0


def _page(printed: dict[str, str]) -> str:
    """Write the page.

    :param printed: by the benchmarks, by title
    """
    claims = [
        claim
        for text in printed.values()
        for claim in published.Claim.found(text)
    ]
    parts = [
        f'Measured on {published.setting()}.',
        _literal([published.Claim.heading(), *claims]),
    ]
    for title, text in printed.items():
        parts += [f'``{title}``:', _literal(text.splitlines())]
    return '\n\n'.join(parts) + '\n'


def _literal(lines: list[str]) -> str:
    return '::\n\n' + '\n'.join(f'    {line}'.rstrip() for line in lines)


if __name__ == '__main__':
    sys.exit(main())
