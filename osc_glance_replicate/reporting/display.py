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

"""A run on a terminal: a line for all of it, and one for each transfer."""

import collections
from collections.abc import Iterable
import contextlib
from typing import Any

from rich import console
from rich import progress
from rich import table
from rich import text

from osc_glance_replicate import errors
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan
from osc_glance_replicate.reporting import counts
from osc_glance_replicate.reporting import legible

#: Times per second that the display is drawn.
_REFRESH_RATE = 4

#: Shown instead of the destination, while all of an image is read beforehand.
_CHECKING = 'checking'

#: Troubles that are shown while rows are to come that tell of all of them.
_TROUBLES = 3

#: Lines of a terminal that one of them may take.
_TROUBLE_LINES = 3

#: Columns of a terminal below which less is shown.
_NARROW, _NORMAL = 36, 68


class _Lines(progress.Progress):
    """A table of lines; the first, without a destination, is one of its own.

    :param terminal: that they are on
    :ivar troubles: the latest, shown above them
    """

    def __init__(self, terminal: console.Console) -> None:
        self._terminal = terminal
        self.troubles: collections.deque[str] = collections.deque(
            maxlen=_TROUBLES
        )
        super().__init__(
            console=terminal,
            refresh_per_second=_REFRESH_RATE,
            transient=True,
            redirect_stdout=False,
            expand=True,
        )

    def get_renderables(self) -> Iterable[console.RenderableType]:
        # The terminal may have another width by now.
        self.columns = _columns(self._terminal.width)
        for trouble in tuple(self.troubles):
            line = text.Text(trouble)
            most = _TROUBLE_LINES * self._terminal.width
            line.truncate(most, overflow='ellipsis')
            yield line
        yield self.make_tasks_table(self.tasks[:1])
        yield self.make_tasks_table(self.tasks[1:])

    def refresh(self) -> None:
        # The work is worth doing even if nobody can be shown it.
        with contextlib.suppress(OSError):
            super().refresh()


def _columns(width: int) -> tuple[progress.ProgressColumn, ...]:
    """Return the columns that fit, beside names long enough to read.

    Each is as wide as it will be for most of the time.
    """

    def words(name: str, **options: Any) -> progress.ProgressColumn:
        column = table.Column(no_wrap=True, overflow='ellipsis', **options)
        return progress.TextColumn(name, table_column=column, markup=False)

    def number(width: int) -> table.Column:
        return table.Column(no_wrap=True, justify='right', min_width=width)

    name = words('{task.description}', ratio=1)
    to = words('{task.fields[to]}', max_width=20)
    share = progress.TaskProgressColumn(table_column=number(4))
    sizes = progress.DownloadColumn(table_column=number(11))
    rate = progress.TransferSpeedColumn(table_column=number(10))
    rest = progress.TimeRemainingColumn(compact=True, table_column=number(5))
    if width < _NARROW:
        return name, share
    if width < _NORMAL:
        return name, share, sizes
    return name, to, share, sizes, rate, rest


class Display(counts.CountingListener):
    """Shows how far a run is.

    :param terminal: that it is shown on
    :param rows_follow: whether rows are printed there at its end, so that
        nothing has to be told for good before
    """

    def __init__(
        self, terminal: console.Console, rows_follow: bool = False
    ) -> None:
        super().__init__()
        self._rows_follow = rows_follow
        self._lines: dict[plan.Key, progress.TaskID] = {}
        self._checking: set[plan.Key] = set()
        self._sent: collections.Counter[plan.Key] = collections.Counter()
        self._progress = _Lines(terminal)
        self._total = self._progress.add_task('planning', to='', total=None)

    def start(self) -> None:
        self._progress.start()

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._progress.stop()

    def begun(self, action: plan.Action) -> None:
        key = action.key
        with self._lock:
            if key not in self._lines:
                self._lines[key] = self._progress.add_task(
                    legible.name(action.image.name or action.image.id),
                    to=action.to,
                    total=action.to_read or action.image.size or None,
                )

    def checked(self, action: plan.Action, count: int) -> None:
        key = action.key
        with self._lock:
            line = self._lines.get(key)
            if line is None:
                return
            if key not in self._checking:
                self._checking.add(key)
                self._progress.reset(line, to=_CHECKING)
            self._progress.advance(line, count)

    def sent(self, action: plan.Action, count: int) -> None:
        key = action.key
        with self._lock:
            self._end_check(action)
            if (line := self._lines.get(key)) is not None:
                self._progress.advance(line, count)
                self._sent[key] += count
                self._progress.advance(self._total, count)

    def _end_check(self, action: plan.Action) -> None:
        """Reset the line: what was checked was not sent."""
        key = action.key
        if key in self._checking:
            self._checking.remove(key)
            self._progress.reset(self._lines[key], to=action.to)

    def retried(self, action: plan.Action, trouble: errors.PlaceError) -> None:
        key = action.key
        with self._lock:
            self.retries += 1
            self._end_check(action)
            self._advance(-self._sent.pop(key, 0))
            if (line := self._lines.get(key)) is not None:
                self._progress.reset(line, to=action.to)
            self._show_counts()
        self._tell(f'trying again: {counts.told(action, trouble)}')

    def put_off(self, action: plan.Action) -> None:
        key = action.key
        with self._lock:
            self._advance(-self._sent.pop(key, 0))
            self._checking.discard(key)
            if (line := self._lines.pop(key, None)) is not None:
                self._progress.remove_task(line)

    def ended(self, outcome: outcomes.Outcome) -> None:
        key = outcome.action.key
        with self._lock:
            size = self.count(outcome)
            if size is None:
                return
            # What others have sent counts, too; what was in vain does not.
            arrived = size if outcome.result.has_arrived else 0
            self.size += arrived - size
            sent = self._sent.pop(key, 0)
            self._advance(arrived - sent)
            self._checking.discard(key)
            if (line := self._lines.pop(key, None)) is not None:
                self._progress.remove_task(line)
            self._show_counts()
        if outcome.result.needs_attention:
            words = counts.told(outcome.action, outcome.reason)
            self._tell(f'{outcome.result}: {words}')

    def _advance(self, count: int) -> None:
        """Count bytes of all images; a decrease leaves the rate alone."""
        if count < 0:
            self._progress.tasks[0].completed += count
        else:
            self._progress.advance(self._total, count)

    def _show_counts(self) -> None:
        # Not by update(), which forgets the rate when the total changes.
        total = self._progress.tasks[0]
        total.description = self.words
        known = self.size or self.complete
        total.total = self.size if known else None
        total.finished_time = total.finished_speed = None

    def _tell(self, trouble: str) -> None:
        if self._rows_follow:
            self._progress.troubles.append(trouble)
            return
        with contextlib.suppress(OSError):
            # As it is: rich would take parts of a name for its own.
            self._progress.console.print(text.Text(trouble))
