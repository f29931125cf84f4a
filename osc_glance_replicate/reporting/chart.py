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

"""A drawing over the time of a run, below which round times are told."""

import datetime
from xml.etree import ElementTree

from rich import cells

from osc_glance_replicate.reporting import markup

#: In units of the drawing, as are all coordinates.
_WIDTH = 1000.0
_AXIS_HEIGHT = 20.0

#: Of a character cell of a text.
_CELL_WIDTH = 6.5

_MAX_TICKS = 5

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


class Chart:
    """One SVG, as wide as a run was long.

    :param parent: the element that it is put into
    :param title: what it shows
    :param height: of what will be drawn
    :param seconds: that the run took; more than 0
    """

    def __init__(
        self,
        parent: ElementTree.Element,
        title: str,
        height: float,
        seconds: float,
    ) -> None:
        self._seconds = seconds
        # Where it is wider than the screen, keys are to move it, too.
        frame = markup.add(
            parent, 'figure', tabindex='0', **{'aria-label': title}
        )
        self._svg = markup.add(
            frame,
            'svg',
            xmlns='http://www.w3.org/2000/svg',
            viewBox=f'0 0 {_WIDTH:.0f} {height + _AXIS_HEIGHT:.0f}',
            role='img',
        )
        markup.add(self._svg, 'title', title)
        self._add_ticks(height)

    def _add_ticks(self, height: float) -> None:
        """Mark round times."""
        end = self._seconds
        longest = 3600.0 * (1 + end // (_MAX_TICKS * 3600))
        step = next((s for s in _TICK_STEPS if s * _MAX_TICKS >= end), longest)
        for tick in range(int(end / step) + 1):
            seconds = tick * step
            x = self.x(seconds)
            label = f'{seconds:g} s'
            if end > 120:
                label = str(datetime.timedelta(seconds=seconds))
            # Halves of labels would be cut off.
            anchor = 'middle' if tick else 'start'
            if _WIDTH - x < 30:
                anchor = 'end'
            self.line(x, 0, x, height)
            self.text(label, x, height + 15, anchor)

    def describe(self, words: str) -> None:
        """Tell those who cannot see it what is drawn."""
        markup.add(self._svg, 'desc', words)

    def x(self, seconds: float) -> float:
        """Return where a time of the run is, in seconds since it began."""
        return _WIDTH * seconds / self._seconds

    def line(self, x1: float, y1: float, x2: float, y2: float) -> None:
        """Draw a line."""
        ends = {'x1': x1, 'y1': y1, 'x2': x2, 'y2': y2}
        markup.add(
            self._svg,
            'line',
            **{name: f'{value:.1f}' for name, value in ends.items()},
        )

    def area(self, edge: list[tuple[float, float]], kind: str) -> None:
        """Fill what a line surrounds.

        :param edge: its corners
        :param kind: the class that says how it looks
        """
        corners = ' '.join(f'{x:.1f},{y:.1f}' for x, y in edge)
        markup.add(self._svg, 'polygon', points=corners, **{'class': kind})

    def bar(
        self,
        begun: float,
        ended: float,
        y: float,
        height: float,
        kind: str,
        hint: str,
    ) -> float:
        """Draw a bar over some time, in seconds.

        :param kind: the class that says how it looks
        :param hint: shown where one points at it
        :returns: how wide it is
        """
        width = max(1.0, self.x(ended - begun))
        bar = markup.add(
            self._svg,
            'rect',
            x=f'{self.x(begun):.1f}',
            y=f'{y:.1f}',
            width=f'{width:.1f}',
            height=f'{height:.0f}',
            rx='2',
            **{'class': kind},
        )
        markup.add(bar, 'title', hint)
        return width

    def text(
        self,
        text: str,
        x: float,
        y: float,
        anchor: str = 'start',
        kind: str = '',
    ) -> None:
        """Write a text.

        :param y: of its base line
        :param anchor: which part of it is at x: start, middle or end
        :param kind: the class that says how it looks
        """
        looks = {'class': kind} if kind else {}
        markup.add(
            self._svg,
            'text',
            text,
            x=f'{x:.1f}',
            y=f'{y:.1f}',
            **{'text-anchor': anchor, **looks},
        )

    def text_within(
        self, text: str, begun: float, width: float, y: float, kind: str = ''
    ) -> None:
        """Write a text on what begins at some second, if it fits there."""
        if _CELL_WIDTH * (cells.cell_len(text) + 2) < width:
            self.text(text, self.x(begun) + _CELL_WIDTH, y, kind=kind)
