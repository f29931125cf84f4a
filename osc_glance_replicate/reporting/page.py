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

"""A run as one HTML page that needs no other file, for a ticket, say."""

import collections
from collections.abc import Collection, Iterator, Mapping
import datetime
import importlib.metadata
import pathlib
import platform
import threading
import time
from xml.etree import ElementTree

from rich import filesize

from osc_glance_replicate import errors
from osc_glance_replicate.execution import events
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan
from osc_glance_replicate.reporting import legible
from osc_glance_replicate.reporting import markup
from osc_glance_replicate.reporting import output_file
from osc_glance_replicate.reporting import throughput
from osc_glance_replicate.reporting import timeline

#: The style sheet, for a light and a dark screen.
_STYLE_SHEET = pathlib.Path(__file__).with_suffix('.css')

_PROGRAM = 'osc-glance-replicate'

#: Whatever is in a name, nothing is run and nothing is fetched.
_CONTENT_POLICY = {
    'http-equiv': 'Content-Security-Policy',
    'content': "default-src 'none'; style-src 'unsafe-inline'",
}


class Page(events.Listener):
    """Listens to a run, and writes a page about it at the end.

    :param path: of the file that is to be written
    :param title: of the page; it may change
    :param command: that was given, without secrets
    :param show_all: show the images that need no attention, too
    :raises ReplicateError: the file cannot be written
    """

    def __init__(
        self, path: str, title: str, command: str, show_all: bool = False
    ) -> None:
        self._path = path
        # To fail now is better than after the work is done.
        with output_file.named_in_errors('report', self._path):
            self._file = output_file.OutputFile(path)
        self.title = title
        self._command = command
        self._show_all = show_all
        self._counts: collections.Counter[str] = collections.Counter()
        self._copied = 0
        self._lock = threading.Lock()
        self._begun: dict[plan.Key, float] = {}
        self._images: list[timeline.TimedOutcome] = []
        self._throughput = throughput.Throughput()
        #: Those of which bytes were heard of.
        self._heard: set[plan.Key] = set()
        self._start = datetime.datetime.now(datetime.UTC)
        self._zero = time.monotonic()

    def begun(self, action: plan.Action) -> None:
        with self._lock:
            self._begun.setdefault(action.key, self._now())

    def put_off(self, action: plan.Action) -> None:
        with self._lock:
            # What it takes is told from when it is begun again.
            self._begun.pop(action.key, None)
            self._heard.discard(action.key)

    def sent(self, action: plan.Action, count: int) -> None:
        with self._lock:
            self._heard.add(action.key)
            self._throughput.sent(action.to, count, self._now())

    def down(self, to: str, since: float) -> None:
        with self._lock:
            # The clock may have been set since.
            ago = max(0.0, time.time() - since)
            self._throughput.down(to, max(0.0, self._now() - ago))

    def up(self, to: str) -> None:
        with self._lock:
            self._throughput.up(to, self._now())

    def ended(self, outcome: outcomes.Outcome) -> None:
        with self._lock:
            now = self._now()
            action = outcome.action
            begun = self._begun.pop(action.key, now)
            self._counts[outcome.result] += 1
            is_heard = action.key in self._heard
            self._heard.discard(action.key)
            if outcome.result.has_arrived:
                size = action.image.size or 0
                self._copied += size
                if not is_heard:
                    # Another machine or a Glance has moved it.
                    self._throughput.moved(action.to, size, begun, now)
            if self._show_all or not action.routine:
                self._images.append(timeline.TimedOutcome(outcome, begun, now))

    def _now(self) -> float:
        return time.monotonic() - self._zero

    def write(self, summary: str, unusable: Mapping[str, str] = {}) -> None:
        """Write the file.

        :param summary: of the run, in one line
        :param unusable: why destinations could not be used, by name
        :raises ReplicateError: it cannot be written
        """
        # What was interrupted may still be heard of.
        with self._lock:
            html = self._html(summary, unusable)
        with output_file.named_in_errors('report', self._path):
            self._file.write(html)

    def _html(self, summary: str, unusable: Mapping[str, str]) -> bytes:
        html = ElementTree.Element('html', lang='en')
        head = markup.add(html, 'head')
        markup.add(head, 'meta', charset='utf-8')
        markup.add(head, 'meta', **_CONTENT_POLICY)
        markup.add(head, 'meta', name='viewport', content='width=device-width')
        markup.add(head, 'title', f'{self.title}, {self._clock(0)}')
        markup.add(head, 'style', _STYLE_SHEET.read_text())
        body = markup.add(html, 'body')
        markup.add(body, 'h1', self.title)
        markup.add(body, 'p', summary)
        markup.add(body, 'code', self._command)
        seconds = self._now()
        self._add_totals(body, seconds)
        _add_troubles(body, [*self._outages(), *unusable.values()])
        failures = [i for i in self._images if i.outcome.result.is_failure]
        _add_table(body, 'Failed or in conflict', failures)
        if not self._throughput.is_empty:
            markup.add(body, 'h2', 'Throughput')
            self._throughput.draw(body, seconds, unusable)
        moved = [image for image in self._images if image.seconds]
        if moved:
            markup.add(body, 'h2', 'When')
            timeline.draw(body, moved, seconds)
        others = [i for i in self._images if not i.outcome.result.is_failure]
        title = 'The other images' if failures else 'The images'
        _add_table(body, title, others)
        written: bytes = ElementTree.tostring(html, 'utf-8', method='html')
        return b'<!DOCTYPE html>\n' + written + b'\n'

    def _clock(self, seconds: float) -> str:
        """Say when some second of the run was."""
        when = self._start + datetime.timedelta(seconds=seconds)
        return when.strftime('%Y-%m-%d %H:%M:%S UTC')

    def _outages(self) -> Iterator[str]:
        """Say which destination was down, and when."""
        for to, outages in self._throughput.outages.items():
            yield '; '.join(
                f'{to} is down since {self._clock(outage.begun)}'
                if outage.ended is None
                else f'{to} was down from {self._clock(outage.begun)} to '
                f'{self._clock(outage.ended)}'
                for outage in outages
            )

    def _add_totals(self, body: ElementTree.Element, seconds: float) -> None:
        totals = markup.add(body, 'dl')
        for title, text in (
            ('begun', self._clock(0)),
            ('on', platform.node()),
            ('by', f'{_PROGRAM} {importlib.metadata.version(_PROGRAM)}'),
            ('took', f'{seconds:.0f} s'),
            ('sent', filesize.decimal(self._copied)),
            *(
                (result, str(count))
                for result, count in sorted(self._counts.items())
            ),
        ):
            entry = markup.add(totals, 'div')
            markup.add(entry, 'dt', title)
            markup.add(entry, 'dd', text)


def _add_troubles(
    parent: ElementTree.Element, troubles: Collection[str]
) -> None:
    if not troubles:
        return
    markup.add(parent, 'h2', 'Destinations in trouble')
    listed = markup.add(parent, 'ul')
    for words in troubles:
        markup.add(listed, 'li', errors.printable(words))


def _add_table(
    parent: ElementTree.Element,
    title: str,
    images: Collection[timeline.TimedOutcome],
) -> None:
    if not images:
        return
    markup.add(parent, 'h2', title)
    table = markup.add(parent, 'table')
    titles = markup.add(markup.add(table, 'thead'), 'tr')
    for column in 'Name, ID', 'Size', 'To', 'Result', 'Took', 'Reason':
        kind = {'class': 'number'} if column in ('Size', 'Took') else {}
        markup.add(titles, 'th', column, **kind)
    rows = markup.add(table, 'tbody')
    text = {'class': 'text'}
    for timed in images:
        outcome, image = timed.outcome, timed.outcome.action.image
        row = markup.add(rows, 'tr')
        name, image_id = legible.name(image.name), legible.name(image.id)
        markup.add(markup.add(row, 'td', name, **text), 'code', image_id)
        size = '' if image.size is None else filesize.decimal(image.size)
        markup.add(row, 'td', size, **{'class': 'number'})
        markup.add(row, 'td', outcome.action.to)
        markup.add(row, 'td', outcome.result, **{'class': outcome.result})
        took = f'{timed.seconds:.1f} s' if timed.seconds else ''
        markup.add(row, 'td', took, **{'class': 'number'})
        markup.add(row, 'td', outcome.reason, **text)
