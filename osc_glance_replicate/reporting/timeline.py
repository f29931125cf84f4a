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

"""When each image of a run was on its way, as one SVG."""

from collections.abc import Sequence
import dataclasses
import datetime
from xml.etree import ElementTree

from rich import cells

from osc_glance_replicate import errors
from osc_glance_replicate.execution import outcomes
from osc_glance_replicate.reporting import markup

#: In units of its own.
_WIDTH = 1000.0
_BAR = 14.0
_STEP = 18.0
_TICKS = 5

#: Of a cell of the name on a bar, likewise.
_CELL = 6.5

#: Seconds between ticks.
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800)


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """What became of one image at one destination.

    :param begun: seconds since the run began
    :param ended: likewise
    """

    outcome: outcomes.Outcome
    begun: float
    ended: float


def draw(parent: ElementTree.Element, events: Sequence[Event]) -> None:
    """Draw a bar for each image, in as few rows as there is room for."""
    end = max(event.ended for event in events)
    rows: list[float] = []
    placed = []
    for event in sorted(events, key=lambda event: event.begun):
        free = (i for i, until in enumerate(rows) if until <= event.begun)
        row = next(free, len(rows))
        rows[row : row + 1] = [event.ended]
        placed.append((row, event))
    height = len(rows) * _STEP + 20
    svg = markup.add(
        markup.add(parent, 'figure'),
        'svg',
        xmlns='http://www.w3.org/2000/svg',
        viewBox=f'0 0 {_WIDTH:.0f} {height:.0f}',
        role='img',
    )
    markup.add(svg, 'title', 'When each image was on its way')
    _add_ticks(svg, end, height)
    for row, event in placed:
        _add_bar(svg, event, _WIDTH / end, row * _STEP)


def _add_ticks(svg: ElementTree.Element, end: float, height: float) -> None:
    """Mark round times."""
    longest = 3600.0 * (1 + end // (_TICKS * 3600))
    step = next((s for s in _STEPS if s * _TICKS >= end), longest)
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


def _add_bar(
    svg: ElementTree.Element, event: Event, scale: float, y: float
) -> None:
    """Draw a bar, and on it the name of its image where that has room."""
    outcome, image = event.outcome, event.outcome.action.image
    seconds = event.ended - event.begun
    x, width = scale * event.begun, max(1.0, scale * seconds)
    bar = markup.add(
        svg,
        'rect',
        x=f'{x:.1f}',
        y=f'{y:.1f}',
        width=f'{width:.1f}',
        height=f'{_BAR:.0f}',
        rx='2',
        **{'class': outcome.result},
    )
    name = image.name or image.id
    told = f'{name} to {outcome.action.to}: {outcome.result}, {seconds:.1f} s'
    markup.add(bar, 'title', told)
    if _CELL * (cells.cell_len(errors.printable(name)) + 2) < width:
        markup.add(svg, 'text', name, x=f'{x + _CELL:.1f}',
             y=f'{y + _BAR - 4:.1f}', **{'class': 'name'})  # fmt: skip
