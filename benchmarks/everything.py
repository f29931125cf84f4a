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
table of all that is to be reached, whether it is or not. With ``--try-out``
everything is small and the page is printed instead: its numbers say nothing.
"""

import argparse
import pathlib
import subprocess
import sys

import published

_HERE = pathlib.Path(__file__).parent
_PAGE = _HERE.parent / 'doc/source/contributor/measured.rst.inc'

#: Each benchmark, and what makes it small.
_BENCHMARKS = {
    'wire.py': ('--size', '64'),
    'latency.py': (
        '--size', '2', '--images', '8', '--catalogue', '2000',
    ),
    'fanout.py': ('--size', '32'),
    'fleet.py': ('--images', '24'),
    'memory.py': ('--size', '32'),
    'small.py': ('--images', '200', '--far', '20'),
    'livecopy.py': ('--size', '32'),
    'dump.py': ('--size', '32'),
    'compare.py': (),
    'million.py': ('--images', '20000'),
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--try-out',
        action='store_true',
        help='measure little, once, and print the page',
    )
    try_out = parser.parse_args().try_out
    printed: dict[str, str] = {}
    failed = []
    for name, small in _BENCHMARKS.items():
        print(f'{name} ...', file=sys.stderr)
        options = ('--runs', '1', *small) if try_out else ()
        process = subprocess.run(  # noqa: S603
            [sys.executable, str(_HERE / name), *options],
            stdout=subprocess.PIPE,
            text=True,
        )
        if process.returncode:
            failed.append(name)
        else:
            printed[name] = process.stdout
    if try_out:
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

    :param printed: by the benchmarks, by name
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
    for name, text in printed.items():
        parts += [f'``{name}``:', _literal(text.splitlines())]
    return '\n\n'.join(parts) + '\n'


def _literal(lines: list[str]) -> str:
    return '::\n\n' + '\n'.join(f'    {line}'.rstrip() for line in lines)


if __name__ == '__main__':
    sys.exit(main())
