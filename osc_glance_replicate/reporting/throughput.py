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

"""How fast each destination got its data, and when it was down: one SVG."""

import collections
from collections.abc import Collection, Mapping, Sequence
import dataclasses
import math
from xml.etree import ElementTree

from rich import filesize

from osc_glance_replicate.reporting import chart
from osc_glance_replicate.reporting import legible

#: Seconds that bytes are counted for together, at first. Where there are too
#: many of these slots, two become one: a long run takes no more memory.
_SLOT = 0.5
_MAX_SLOTS = 100

#: In units of the drawing: of a destination, and of the line that names it.
_ROW_HEIGHT = 70.0
_LABEL_HEIGHT = 18.0
_GAP = 10.0
_AREA_HEIGHT = _ROW_HEIGHT - _LABEL_HEIGHT - _GAP

#: Characters of a name that leave room for what is said of it.
_MOST_NAME = 80


@dataclasses.dataclass
class Outage:
    """Some time for which a destination was down.

    :param begun: seconds since the run began
    :param ended: likewise; None: it is not over
    """

    begun: float
    ended: float | None = None


@dataclasses.dataclass(frozen=True)
class _Rate:
    """Bytes per second that a destination got, for some seconds."""

    begun: float
    ended: float
    value: float


class Throughput:
    """Counts what is sent, by destination; all times are of the run.

    :ivar outages: of each destination that was down
    """

    def __init__(self) -> None:
        self._slot = _SLOT
        #: Bytes in each slot.
        self._sent: dict[str, dict[int, float]] = {}
        self.outages: dict[str, list[Outage]] = {}

    @property
    def is_empty(self) -> bool:
        """Whether nothing was sent anywhere."""
        return not any(sum(slots.values()) for slots in self._sent.values())

    def sent(self, to: str, count: float, now: float) -> None:
        """Count bytes that were sent."""
        self._widen(now)
        slots = self._sent.setdefault(to, collections.defaultdict(float))
        slots[int(now / self._slot)] += count

    def _widen(self, now: float) -> None:
        """Make the slots as wide as it takes."""
        while now >= self._slot * _MAX_SLOTS:
            self._slot *= 2
            for name, slots in self._sent.items():
                wider = collections.defaultdict[int, float](float)
                for number, count in slots.items():
                    wider[number // 2] += count
                self._sent[name] = wider

    def moved(self, to: str, count: int, begun: float, ended: float) -> None:
        """Count bytes of which is known only in what time they were moved."""
        self._widen(ended)
        times = max(1, math.ceil((ended - begun) / self._slot))
        for number in range(times):
            now = begun + (ended - begun) * (number + 0.5) / times
            self.sent(to, count / times, now)

    def down(self, to: str, since: float) -> None:
        """Note that a destination is down."""
        self.outages.setdefault(to, []).append(Outage(since))

    def up(self, to: str, now: float) -> None:
        """Note that it is back."""
        self.outages[to][-1].ended = now

    def draw(
        self,
        parent: ElementTree.Element,
        seconds: float,
        unusable: Collection[str] = (),
    ) -> None:
        """Draw a row for each destination, all to the same scale.

        Something has to have been sent to one of them.

        :param seconds: that the run took
        :param unusable: destinations that could not be used, or not to the
            end
        """
        self._widen(seconds)
        names = sorted({*self._sent, *self.outages, *unusable})
        rates = {to: _rates(self._sent.get(to, {}), self._slot, seconds)
                 for to in names}  # fmt: skip
        most = max(rate.value for each in rates.values() for rate in each)
        drawn = chart.Chart(
            parent,
            'Bytes per second to each destination',
            len(names) * _ROW_HEIGHT,
            seconds,
        )
        labels = []
        for number, to in enumerate(names):
            base = (number + 1) * _ROW_HEIGHT - _GAP
            _add_rates(drawn, rates[to], base, most)
            name = _name(to)
            for outage in self.outages.get(to, []):
                ended = seconds if outage.ended is None else outage.ended
                _add_gap(drawn, name, 'down', outage.begun, ended, base)
            if to not in self._sent and to not in self.outages:
                _add_gap(drawn, name, 'not used', 0.0, seconds, base)
            drawn.line(0, base, drawn.x(seconds), base)
            labels.append(self._label(to, rates[to]))
            drawn.text(labels[-1], 0, base - _ROW_HEIGHT + _GAP + 12)
        drawn.describe('; '.join(labels))

    def _label(self, to: str, rates: Collection[_Rate]) -> str:
        """Say how much a destination got, and how fast."""
        count = sum(self._sent.get(to, {}).values())
        if not count:
            return f'{_name(to)}: nothing'
        most = max(rate.value for rate in rates)
        return (
            f'{_name(to)}: {filesize.decimal(round(count))}, '
            f'at most {filesize.decimal(round(most))}/s'
        )


def _name(to: str) -> str:
    name = legible.name(to)
    return name if len(name) <= _MOST_NAME else f'{name[:_MOST_NAME]}…'


def _rates(
    slots: Mapping[int, float], width: float, seconds: float
) -> Sequence[_Rate]:
    """Return how fast it was, from the beginning of the run to its end.

    :param slots: bytes by the number of the slot
    :param width: of a slot, in seconds
    :param seconds: that the run took
    """
    last = max(math.ceil(seconds / width) - 1, 0)
    # What is counted for next to no time looks as if it were fast.
    if last and seconds - last * width < width / 2:
        last -= 1
    rates = []
    for number in range(last + 1):
        begun = number * width
        ended = begun + width
        count = slots.get(number, 0.0)
        if number == last:
            ended = seconds
            count = sum(slots[n] for n in slots if n >= number)
        rates.append(_Rate(begun, ended, count / (ended - begun)))
    return rates


def _add_rates(
    drawn: chart.Chart, rates: Collection[_Rate], base: float, most: float
) -> None:
    """Draw how fast a destination was, as steps above a line."""
    edge = [(0.0, base)]
    for rate in rates:
        y = base - _AREA_HEIGHT * rate.value / most
        edge += [(drawn.x(rate.begun), y), (drawn.x(rate.ended), y)]
    edge.append((edge[-1][0], base))
    drawn.area(edge, 'rate')


def _add_gap(
    drawn: chart.Chart,
    name: str,
    state: str,
    begun: float,
    ended: float,
    base: float,
) -> None:
    """Mark a time in which a destination got nothing, and why."""
    top = base - _AREA_HEIGHT
    hint = f'{name} was {state} for {ended - begun:.0f} s'
    width = drawn.bar(begun, ended, top, _AREA_HEIGHT, 'down', hint)
    drawn.text_within(state, begun, width, top + 12)
