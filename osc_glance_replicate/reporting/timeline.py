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

"""When the data of each image of a run was moved, as one SVG."""

from collections.abc import Sequence
import dataclasses
import datetime
from xml.etree import ElementTree

from rich import cells

from osc_glance_replicate.model import outcomes
from osc_glance_replicate.reporting import legible
from osc_glance_replicate.reporting import markup

#: In units of the drawing.
_WIDTH = 1000.0
_BAR_HEIGHT = 14.0
_ROW_HEIGHT = 18.0

#: Of a character cell of the name on a bar, likewise.
_CELL_WIDTH = 6.5

_MAX_TICKS = 5

#: What is done before the first image is on its way.
_BEGINNING = 'login, listing'

#: Seconds between ticks.
_TICK_STEPS = (
    0.1,
    0.2,
    0.5,
    1,
    2,
    5,
    10,
    20,
    30,
    60,
    120,
    300,
    600,
    1200,
    1800,
)


@dataclasses.dataclass(frozen=True, slots=True)
class TimedOutcome:
    """What became of one image at one destination, and when.

    :param begun: seconds since the run began
    :param ended: likewise
    """

    outcome: outcomes.Outcome
    begun: float
    ended: float

    @property
    def seconds(self) -> float:
        """How long it took, in seconds."""
        return self.ended - self.begun


def draw(parent: ElementTree.Element, images: Sequence[TimedOutcome]) -> None:
    """Draw a bar for each image, in as few rows as there is room for."""
    end = max(timed.ended for timed in images)
    rows: list[float] = []
    placed = []
    for timed in sorted(images, key=lambda timed: timed.begun):
        free = (i for i, until in enumerate(rows) if until <= timed.begun)
        row = next(free, len(rows))
        rows[row : row + 1] = [timed.ended]
        placed.append((row, timed))
    height = len(rows) * _ROW_HEIGHT + 20
    svg = markup.add(
        markup.add(parent, 'figure'),
        'svg',
        xmlns='http://www.w3.org/2000/svg',
        viewBox=f'0 0 {_WIDTH:.0f} {height:.0f}',
        role='img',
    )
    markup.add(svg, 'title', 'When each image was on its way')
    _add_ticks(svg, end, height)
    _add_beginning(svg, _WIDTH * min(t.begun for t in images) / end)
    several = len({timed.outcome.action.to for timed in images}) > 1
    for row, timed in placed:
        _add_bar(svg, timed, _WIDTH / end, row * _ROW_HEIGHT, several)


def _add_ticks(svg: ElementTree.Element, end: float, height: float) -> None:
    """Mark round times."""
    longest = 3600.0 * (1 + end // (_MAX_TICKS * 3600))
    step = next((s for s in _TICK_STEPS if s * _MAX_TICKS >= end), longest)
    for tick in range(int(end / step) + 1):
        seconds = tick * step
        x = f'{_WIDTH * seconds / end:.1f}'
        markup.add(svg, 'line', x1=x, x2=x, y1='0', y2=f'{height - 20:.1f}')
        label = f'{seconds:g} s'
        if end > 120:
            label = str(datetime.timedelta(seconds=seconds))
        # Halves of labels would be cut off.
        anchor = 'middle' if tick else 'start'
        if _WIDTH * (end - seconds) / end < 30:
            anchor = 'end'
        markup.add(svg, 'text', label, x=x, y=f'{height - 5:.1f}',
             **{'text-anchor': anchor})  # fmt: skip


def _add_beginning(svg: ElementTree.Element, width: float) -> None:
    """Name the time in which no image is on its way, where that has room."""
    if _CELL_WIDTH * (len(_BEGINNING) + 2) < width:
        markup.add(svg, 'text', _BEGINNING, x=f'{_CELL_WIDTH:.1f}',
             y=f'{_BAR_HEIGHT - 4:.1f}')  # fmt: skip


def _add_bar(
    svg: ElementTree.Element,
    timed: TimedOutcome,
    scale: float,
    y: float,
    several: bool,
) -> None:
    """Draw a bar, and on it the name of its image where that has room.

    :param several: whether there are several destinations, to be told apart
    """
    outcome, image = timed.outcome, timed.outcome.action.image
    x, width = scale * timed.begun, max(1.0, scale * timed.seconds)
    bar = markup.add(
        svg,
        'rect',
        x=f'{x:.1f}',
        y=f'{y:.1f}',
        width=f'{width:.1f}',
        height=f'{_BAR_HEIGHT:.0f}',
        rx='2',
        **{'class': outcome.result},
    )
    name = legible.name(image.name or image.id)
    where = f'{name} to {outcome.action.to}'
    tooltip = f'{where}: {outcome.result}, {timed.seconds:.1f} s'
    markup.add(bar, 'title', tooltip)
    if several:
        name = where
    if _CELL_WIDTH * (cells.cell_len(name) + 2) < width:
        markup.add(svg, 'text', name, x=f'{x + _CELL_WIDTH:.1f}',
             y=f'{y + _BAR_HEIGHT - 4:.1f}', **{'class': 'name'})  # fmt: skip
