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

from collections.abc import Iterator, Sequence
import dataclasses
from xml.etree import ElementTree

from osc_glance_replicate.model import outcomes
from osc_glance_replicate.reporting import chart
from osc_glance_replicate.reporting import legible

#: In units of the drawing.
_BAR_HEIGHT = 14.0
_ROW_HEIGHT = 18.0
_BASE_LINE = _BAR_HEIGHT - 4

#: What is done before the first image is on its way.
_BEGINNING = 'login, listing'


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


def draw(
    parent: ElementTree.Element,
    images: Sequence[TimedOutcome],
    seconds: float,
) -> None:
    """Draw a bar for each image, in as few rows as there is room for.

    Each of several destinations has rows of its own, below its name.

    :param seconds: that the run took
    """
    names = sorted({timed.outcome.action.to for timed in images})
    several = len(names) > 1
    height = 0.0
    titles: list[tuple[float, str]] = []
    bars: list[tuple[float, TimedOutcome]] = []
    for to in names:
        if several:
            titles.append((height, to))
            height += _ROW_HEIGHT
        there = [each for each in images if each.outcome.action.to == to]
        rows = 0
        for row, timed in _in_rows(there):
            bars.append((height + row * _ROW_HEIGHT, timed))
            rows = max(rows, row + 1)
        height += rows * _ROW_HEIGHT
    drawn = chart.Chart(
        parent, 'When each image was on its way', height, seconds
    )
    for y, to in titles:
        drawn.text(legible.name(to), 0, y + _BASE_LINE)
    before = drawn.x(min(timed.begun for timed in images))
    first = several * _ROW_HEIGHT
    drawn.text_within(_BEGINNING, 0, before, first + _BASE_LINE)
    for y, timed in bars:
        _add_bar(drawn, timed, y)


def _in_rows(
    images: Sequence[TimedOutcome],
) -> Iterator[tuple[int, TimedOutcome]]:
    """Yield images, each with the number of a row that has room for it."""
    rows: list[float] = []
    for timed in sorted(images, key=lambda timed: timed.begun):
        free = (i for i, until in enumerate(rows) if until <= timed.begun)
        row = next(free, len(rows))
        rows[row : row + 1] = [timed.ended]
        yield row, timed


def _add_bar(drawn: chart.Chart, timed: TimedOutcome, y: float) -> None:
    """Draw a bar, and on it the name of its image where that has room."""
    outcome, image = timed.outcome, timed.outcome.action.image
    name = legible.name(image.name or image.id)
    width = drawn.bar(
        timed.begun,
        timed.ended,
        y,
        _BAR_HEIGHT,
        outcome.result,
        f'{name} to {outcome.action.to}: {outcome.result}, '
        f'{timed.seconds:.1f} s',
    )
    drawn.text_within(name, timed.begun, width, y + _BASE_LINE, 'name')
