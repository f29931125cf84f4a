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


"""Many images to four regions, one of which is in trouble after a few.

Runs in a sandbox, and takes an hour::

    tox run -e benchmark -- fleet.py

All Glances are behind links: the same ones, doing nothing, where all is well.
When ten images have arrived at the first region it is killed (refuses), or
silenced (holds everything), or slowed to 5 MB/s of all that is sent to it, or
killed and brought back when the others have most of the images. Each such run
has one of its own before it in which all is well: what else the machine does
strikes both alike. The CPU of each Glance is told, too, as a region that is
dead leaves more to the others.

To try it out: ``--runs 1 --images 24 --trouble killed``.
"""

import argparse
import collections
from collections.abc import Callable, Iterator
import contextlib
import dataclasses
import pathlib
import sys
import tempfile
import time

import links
import measuring
import psycopg2
import published

from osc_glance_replicate import background
from osc_glance_replicate.sandbox import client

_REGIONS = ('one', 'two', 'three', 'four')
_TROUBLED, *_OTHERS = _REGIONS
_WELL = 'well'
_TROUBLES = ('killed', 'silenced', 'slowed', 'back')
_TRANSFERS = 4

#: Bytes per second.
_SLOW = 5e6

#: Images that have arrived at a region when its trouble begins.
_BEFORE = 10

#: The part of the images that the others have when it is brought back.
_MOST = 0.6

#: Seconds between two looks at what has arrived.
_LOOK = 0.1

#: Bytes read of the source, times the data: where nobody comes back or lags
#: further than what is kept for him, and at the most.
_READ_ONCE = 1.01
_MOST_READ = 2.0
_READ_AGAIN = ('slowed', 'back')

#: Seconds that a run may go on after the others have all.
_ENDS = {'killed': 5, 'silenced': 75, 'back': 15}

#: MiB that the command may hold: see performance.rst.
_PEAK = 220.0

_ARRIVED = """
    SELECT id, os_hash_value FROM images
    WHERE status = 'active' AND visibility = 'public'
"""


@dataclasses.dataclass(frozen=True)
class Trial:
    """What one run came to.

    :param run: the whole of it
    :param others: seconds until the others had all images
    :param read: bytes of the source, times the data
    :param has: images that the troubled region had in the end
    :param cpu: seconds of each Glance, the source's first
    """

    run: measuring.Run
    others: float
    read: float
    has: int
    cpu: list[float]

    def __str__(self) -> str:
        each = ' '.join(f'{cpu:.1f}' for cpu in self.cpu)
        return (
            f'others {self.others:6.1f} s, whole {self.run.wall:6.1f} s, '
            f'{self.read:.3f} read, {self.run.peak / measuring.MIB:.0f} MiB, '
            f'{self.has} there, Glances {each} s'
        )


class Region:
    """A destination, or the source."""

    def __init__(self, name: str) -> None:
        self.cloud = client.Cloud(name)
        # To look often is to cost little.
        self._database = psycopg2.connect(self.cloud.glance.database)
        self._database.autocommit = True

    def hashes(self) -> dict[str, str]:
        """Return the hashes of the images that are there for all."""
        with self._database.cursor() as cursor:
            cursor.execute(_ARRIVED)
            return dict(cursor.fetchall())

    def cpu(self) -> float:
        """Return the seconds of CPU that its Glance has taken so far."""
        home = str(self.cloud.glance.store.parent).encode()
        taken = 0.0
        for process in pathlib.Path('/proc').glob('[0-9]*'):
            # It may end at this moment.
            with contextlib.suppress(OSError):
                environment = (process / 'environ').read_bytes()
                if b'OS_GLANCE_CONFIG_DIR=' + home in environment:
                    taken += _taken(process)
        return taken


def _taken(process: pathlib.Path) -> float:
    """Return the seconds of CPU of a process and its threads."""
    _, _, fields = (process / 'stat').read_text().rpartition(') ')
    return sum(map(int, fields.split()[11:13])) / 100


class Benchmark:
    """A source, four regions, and the links to them.

    :param images: how many there are
    :param size: of each, in MiB
    """

    def __init__(self, images: int, size: int) -> None:
        self._images = images
        self._size = size * measuring.MIB
        self._source = Region('master')
        self._regions = {name: Region(f'fan:{name}') for name in _REGIONS}
        self.trials: dict[str, list[Trial]] = collections.defaultdict(list)
        self._source.cloud.wipe()
        data = client.Mebibytes(size)
        for _ in range(images):
            self._source.cloud.create(data, visibility='public')
        self._hashes = self._source.hashes()

    def run(self, trouble: str) -> None:
        """Measure a pair once."""
        for name in f'{_WELL}/{trouble}', trouble:
            for region in self._regions.values():
                region.cloud.wipe()
            trial = self._try(name)
            self.trials[name].append(trial)
            print(f'{name:14} {trial}', file=sys.stderr)

    def _try(self, name: str) -> Trial:
        everywhere = [self._source, *self._regions.values()]
        with self._linked() as (command, source, troubled):
            before = [region.cpu() for region in everywhere]
            begun = time.monotonic()
            running = background.start(measuring.try_out, command)
            others = self._watch(name, troubled, running.done) - begun
            run, code, _ = running.result()
            after = [region.cpu() for region in everywhere]
            read = sum(
                call.received
                for call in source.calls()
                if '/file ' in call.request
            )
        if code and (name.startswith(_WELL) or code != 1):
            raise SystemExit(f'exit code {code}: {name}')
        for region in _REGIONS if name == 'slowed' else _OTHERS:
            if self._regions[region].hashes() != self._hashes:
                raise SystemExit(f'{name}: wrong replicas in {region}')
        return Trial(
            run,
            others,
            read / (self._images * self._size),
            len(self._regions[_TROUBLED].hashes()),
            [end - start for start, end in zip(before, after, strict=True)],
        )

    @contextlib.contextmanager
    def _linked(self) -> Iterator[tuple[list[str], links.Link, links.Link]]:
        """Stretch links.

        :returns: the command, and the links to the source and to the region
            that is to be troubled
        """
        with contextlib.ExitStack() as stack:
            directory = stack.enter_context(tempfile.TemporaryDirectory())
            stretched = {
                region.cloud.name: stack.enter_context(
                    links.Link(region.cloud.glance.url)
                )
                for region in (self._source, *self._regions.values())
            }
            source, troubled, *_ = stretched.values()
            openstack = links.openstack(pathlib.Path(directory), stretched)
            command = [
                *openstack, '--os-cloud', 'master', 'image', 'replicate',
                'livecopy', '--transfers', str(_TRANSFERS), '-f', 'value',
                *(f'--to={name}' for name in _REGIONS),
            ]  # fmt: skip
            yield command, source, troubled

    def _watch(
        self, name: str, link: links.Link, ended: Callable[[], bool]
    ) -> float:
        """Make trouble at its time.

        :returns: when the others had all images
        """
        trouble = {
            'killed': link.refuse,
            'silenced': link.hold,
            'slowed': lambda: link.share(_SLOW),
            'back': link.refuse,
        }.get(name)
        back = link.serve if name == 'back' else None
        while not ended():
            if trouble and len(self._regions[_TROUBLED].hashes()) >= _BEFORE:
                trouble()
                trouble = None
            there = min(len(self._regions[each].hashes()) for each in _OTHERS)
            if back and not trouble and there >= _MOST * self._images:
                back()
                back = None
            if there == self._images:
                break
            time.sleep(_LOOK)
        return time.monotonic()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    measuring.add_options(parser, size=2)
    parser.add_argument('--images', type=int, default=100, metavar='NUMBER')
    parser.add_argument(
        '--trouble', action='append', choices=_TROUBLES, help='repeats'
    )
    args = parser.parse_args()
    benchmark = Benchmark(args.images, args.size)
    for _ in range(args.runs):
        for trouble in args.trouble or _TROUBLES:
            benchmark.run(trouble)
    print(
        f'{args.images} x {args.size} MiB to {len(_REGIONS)} regions, '
        f'{_TRANSFERS} transfers; {published.setting()}\n'
    )
    for name, trials in benchmark.trials.items():
        for trial in trials:
            print(f'{name:14} {trial}')
    print(f'\n{published.Claim.heading()}')
    for trouble in args.trouble or _TROUBLES:
        for claim in _claims(benchmark, trouble, args.images):
            print(claim)
    return 0


def _claims(
    benchmark: Benchmark, trouble: str, images: int
) -> Iterator[published.Claim]:
    well = benchmark.trials[f'{_WELL}/{trouble}']
    troubled = benchmark.trials[trouble]

    def claim(
        what: str, values: list[float], target: float, sign: str = '<='
    ) -> published.Claim:
        return published.Claim(f'fleet: {what}', values, sign, target)

    yield claim(
        f'{trouble}: others, times when well',
        [
            one.others / other.others
            for one, other in zip(troubled, well, strict=True)
        ],
        1.05,
    )
    if trouble in ('slowed', 'back'):
        yield claim(
            f'{trouble}: images it has',
            [float(trial.has) for trial in troubled],
            images,
            '>=',
        )
    if trouble in _ENDS:
        yield claim(
            f'{trouble}: s until the end after others',
            [trial.run.wall - trial.others for trial in troubled],
            _ENDS[trouble],
        )
    for name, trials in (_WELL, well), (trouble, troubled):
        yield claim(
            f'{name}: bytes of the source, times',
            [trial.read for trial in trials],
            _MOST_READ if name in _READ_AGAIN else _READ_ONCE,
        )
    yield claim(
        f'{trouble}: peak MiB',
        [trial.run.peak / measuring.MIB for trial in troubled],
        _PEAK,
    )


if __name__ == '__main__':
    sys.exit(main())
