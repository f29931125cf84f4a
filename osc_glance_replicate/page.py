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

"""A run as one HTML page that needs nothing else, for a ticket, say."""

import collections
from collections.abc import Iterable, Iterator, Sequence
import contextlib
import dataclasses
import datetime
import errno
import os
import pathlib
import tempfile
import threading
import time
from xml.etree import ElementTree

from rich import cells
from rich import filesize

from osc_glance_replicate import errors
from osc_glance_replicate import plan
from osc_glance_replicate import task
from osc_glance_replicate import watch

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #ffffff;
  --line: #d0d7de; --soft: #57606a; --good: #1a7f37; --bad: #cf222e;
  --other: #6e7781; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3;
  --paper: #0d1117; --line: #30363d; --soft: #9198a1; --good: #3fb950;
  --bad: #f85149; --other: #8b949e; } }
body { color: var(--ink); background: var(--paper); margin: 2rem auto;
  max-width: 75rem; padding: 0 1rem; font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
code { font: .85em ui-monospace, monospace; color: var(--soft);
  display: block; }
dl { display: flex; flex-wrap: wrap; gap: 1rem 2.5rem; }
dt { color: var(--soft); } dd { margin: 0; font-size: 1.25rem; }
table { border-collapse: collapse; width: 100%; }
tr { break-inside: avoid; }
th, td { border-bottom: 1px solid var(--line); padding: .35rem .6rem;
  text-align: left; vertical-align: top; overflow-wrap: break-word; }
th { color: var(--soft); font-weight: normal; white-space: nowrap; }
h1, p, .text { overflow-wrap: anywhere; }
td.text { min-width: 10rem; }
.number { text-align: right; white-space: nowrap; }
.copied, .updated { color: var(--good); fill: var(--good); }
.failed, .conflict { color: var(--bad); fill: var(--bad); }
.unchanged, .skipped { color: var(--other); fill: var(--other); }
figure { margin: 0; overflow-x: auto; }
svg { width: 100%; min-width: 40rem; height: auto; }
svg text { fill: var(--soft); font: 12px system-ui, sans-serif; }
svg .name { fill: var(--paper); font-size: 10px; }
svg line { stroke: var(--line); }
@media (max-width: 50rem) {
  thead { display: none; }
  tr { display: block; border-bottom: 1px solid var(--line); }
  td { display: inline-block; border: 0; padding: .1rem 1rem .1rem 0; }
  td.text { display: block; }
}
"""

#: Of the timeline, in its own units.
_WIDTH = 1000.0
_BAR = 14.0
_STEP = 18.0
_TICKS = 5

#: Of a cell of the name on a bar, likewise.
_CELL = 6.5

#: Seconds between ticks.
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800)

#: Whatever may be in a name, nothing is run and nothing is fetched.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"

_FAILED = ('failed', 'conflict')


@dataclasses.dataclass(frozen=True, slots=True)
class _Event:
    """What became of one image at one destination.

    :param begun: seconds since the run began
    :param ended: likewise
    """

    outcome: task.Outcome
    begun: float
    ended: float


class Page(watch.Nobody):
    """Listens to a run, to tell of it in the end.

    :param path: of the file that is to be written
    :param title: what it was about
    :param show_all: show the images that need no attention, too
    :raises ReplicateError: the file cannot be written
    """

    def __init__(self, path: str, title: str, show_all: bool = False) -> None:
        self._path = path
        # Better now than when the work has been done.
        with self._named_in_errors():
            self._part = _part(pathlib.Path(path).resolve())
        self._title = title
        self._show_all = show_all
        self._counts: collections.Counter[str] = collections.Counter()
        self._copied = 0
        self._lock = threading.Lock()
        self._begun: dict[tuple[str, str], float] = {}
        self._events: list[_Event] = []
        self._start = datetime.datetime.now(datetime.UTC)
        self._zero = time.monotonic()

    def begun(self, action: plan.Action) -> None:
        with self._lock:
            self._begun.setdefault(_key(action), self._now())

    def ended(self, outcome: task.Outcome) -> None:
        with self._lock:
            now = self._now()
            action = outcome.action
            begun = self._begun.pop(_key(action), now)
            self._counts[outcome.result] += 1
            if outcome.result == 'copied':
                self._copied += action.image.size or 0
            if self._show_all or not action.routine:
                self._events.append(_Event(outcome, begun, now))

    def _now(self) -> float:
        return time.monotonic() - self._zero

    def write(self, summary: str) -> None:
        """Write the file.

        :param summary: of the run, in one line
        :raises ReplicateError: it cannot be written
        """
        with self._named_in_errors():
            self._part.write_bytes(self._html(summary))
            self._part.replace(pathlib.Path(self._path).resolve())

    @contextlib.contextmanager
    def _named_in_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            raise errors.ReplicateError(
                f'Cannot write the report to {self._path}: {exc.strerror}'
            ) from exc

    def _html(self, summary: str) -> bytes:
        html = ElementTree.Element('html', lang='en')
        head = _add(html, 'head')
        _add(head, 'meta', charset='utf-8')
        policy = {'http-equiv': 'Content-Security-Policy', 'content': _POLICY}
        _add(head, 'meta', **policy)
        _add(head, 'meta', name='viewport', content='width=device-width')
        _add(head, 'title', f'{self._title}, {self._when}')
        _add(head, 'style', _STYLE)
        body = _add(html, 'body')
        _add(body, 'h1', self._title)
        _add(body, 'p', summary)
        self._add_totals(body)
        failures = [e for e in self._events if e.outcome.result in _FAILED]
        if failures:
            _add(body, 'h2', 'What failed')
            _add_rows(body, failures)
        moved = [e for e in self._events if e.ended > e.begun]
        if moved:
            _add(body, 'h2', 'When')
            _add_timeline(body, moved)
        others = [e for e in self._events if e.outcome.result not in _FAILED]
        if others:
            title = 'The other images' if failures else 'The images'
            _add(body, 'h2', title)
            _add_rows(body, others)
        written: bytes = ElementTree.tostring(html, 'utf-8', method='html')
        return b'<!DOCTYPE html>\n' + written + b'\n'

    @property
    def _when(self) -> str:
        return self._start.strftime('%Y-%m-%d %H:%M:%S UTC')

    def _add_totals(self, body: ElementTree.Element) -> None:
        totals = _add(body, 'dl')
        for title, text in (
            ('begun', self._when),
            ('took', f'{self._now():.0f} s'),
            ('sent', filesize.decimal(self._copied)),
            *(
                (result, str(count))
                for result, count in sorted(self._counts.items())
            ),
        ):
            entry = _add(totals, 'div')
            _add(entry, 'dt', title)
            _add(entry, 'dd', text)


def _part(path: pathlib.Path) -> pathlib.Path:
    """Make the file that becomes the page: for its owner alone, like a dump.

    :raises OSError: that is not possible
    """
    if path.exists() and not path.is_file():
        raise FileExistsError(errno.EEXIST, 'it is there, and no file')
    descriptor, name = tempfile.mkstemp('.part', f'{path.name}.', path.parent)
    os.close(descriptor)
    return pathlib.Path(name)


def _add_rows(parent: ElementTree.Element, events: Iterable[_Event]) -> None:
    table = _add(parent, 'table')
    titles = _add(_add(table, 'thead'), 'tr')
    for title in 'Name, ID', 'Size', 'To', 'Result', 'Took', 'Reason':
        kind = {'class': 'number'} if title in ('Size', 'Took') else {}
        _add(titles, 'th', title, **kind)
    rows = _add(table, 'tbody')
    text = {'class': 'text'}
    for event in events:
        image, result = event.outcome.action.image, event.outcome.result
        row = _add(rows, 'tr')
        _add(_add(row, 'td', image.name, **text), 'code', image.id)
        size = '' if image.size is None else filesize.decimal(image.size)
        _add(row, 'td', size, **{'class': 'number'})
        _add(row, 'td', event.outcome.action.to)
        _add(row, 'td', result, **{'class': result})
        seconds = event.ended - event.begun
        took = f'{seconds:.1f} s' if seconds else ''
        _add(row, 'td', took, **{'class': 'number'})
        _add(row, 'td', event.outcome.reason, **text)


def _add_timeline(
    parent: ElementTree.Element, events: Sequence[_Event]
) -> None:
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
    svg = _add(
        _add(parent, 'figure'),
        'svg',
        xmlns='http://www.w3.org/2000/svg',
        viewBox=f'0 0 {_WIDTH:.0f} {height:.0f}',
        role='img',
    )
    _add(svg, 'title', 'When each image was on its way')
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
        _add(svg, 'line', x1=x, x2=x, y1='0', y2=f'{height - 20:.1f}')
        label = f'{seconds:g} s'
        if end > 120:
            label = str(datetime.timedelta(seconds=seconds))
        # Halves of labels would be cut off.
        anchor = 'middle' if tick else 'start'
        if _WIDTH * (end - seconds) / end < 30:
            anchor = 'end'
        _add(svg, 'text', label, x=x, y=f'{height - 5:.1f}',
             **{'text-anchor': anchor})  # fmt: skip


def _add_bar(
    svg: ElementTree.Element, event: _Event, scale: float, y: float
) -> None:
    """Draw a bar, and on it the name of its image where that has room."""
    outcome, image = event.outcome, event.outcome.action.image
    seconds = event.ended - event.begun
    x, width = scale * event.begun, max(1.0, scale * seconds)
    bar = _add(
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
    _add(bar, 'title', told)
    if _CELL * (cells.cell_len(errors.printable(name)) + 2) < width:
        _add(svg, 'text', name, x=f'{x + _CELL:.1f}',
             y=f'{y + _BAR - 4:.1f}', **{'class': 'name'})  # fmt: skip


def _add(
    parent: ElementTree.Element, tag: str, text: str = '', **attributes: str
) -> ElementTree.Element:
    """Add an element; its text is escaped, and shows what is no character."""
    element = ElementTree.SubElement(parent, tag, attributes)
    element.text = text if tag == 'style' else errors.printable(text)
    return element


def _key(action: plan.Action) -> tuple[str, str]:
    return action.image.id, action.to
