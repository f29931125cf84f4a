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

"""How far a run is, shown to who waits for it: on stderr, never on stdout."""

from collections.abc import Iterator
import contextlib
import logging
import sys
import threading
import time
from typing import IO

from rich import console
from rich import filesize
from rich import progress
from rich import table

from osc_glance_replicate import backlog
from osc_glance_replicate import errors
from osc_glance_replicate import plan
from osc_glance_replicate import task
from osc_glance_replicate import watch

#: Times per second that the display is drawn.
_RATE = 4


class _Counts:
    """How much there is to do, and how much of it is done.

    :ivar images: to be done, as far as it is known; each destination counts
    :ivar done: of them, whatever has become of them
    :ivar size: bytes to be sent, as far as it is known
    :ivar complete: all is known
    """

    def __init__(self) -> None:
        self.images = self.done = self.size = 0
        self.failed = self.retried = 0
        self.complete = False
        self._to_do: dict[tuple[str, str], int] = {}

    def plan(self, group: backlog.Group) -> None:
        for action in group:
            size = action.image.size or 0
            moved = size if action.verb is plan.Verb.COPY else 0
            self._to_do[_key(action)] = moved
            self.images += 1
            self.size += moved

    def end(self, outcome: task.Outcome) -> int | None:
        """Give the bytes that were to be sent; None if nothing was."""
        size = self._to_do.pop(_key(outcome.action), None)
        if size is not None:
            self.done += 1
            self.failed += outcome.result in ('failed', 'conflict')
        return size

    @property
    def words(self) -> str:
        """The images, in words."""
        more = '' if self.complete else '+'
        parts = [f'{self.done} of {self.images}{more} images']
        if self.failed:
            parts.append(f'{self.failed} failed')
        if self.retried:
            parts.append(f'{self.retried} retried')
        return ', '.join(parts)


class Lines(watch.Nobody):
    """A line for each image that has ended, for logs and pipes.

    :param stream: where they go
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._counts = _Counts()
        self._begun: dict[tuple[str, str], float] = {}

    def planned(self, group: backlog.Group) -> None:
        with self._lock:
            self._counts.plan(group)

    def all_planned(self) -> None:
        with self._lock:
            self._counts.complete = True

    def begun(self, action: plan.Action) -> None:
        with self._lock:
            self._begun.setdefault(_key(action), time.monotonic())

    def retried(self, action: plan.Action, trouble: errors.PlaceError) -> None:
        self._write(f'trying again: {_title(action)}: {trouble}')

    def ended(self, outcome: task.Outcome) -> None:
        action = outcome.action
        with self._lock:
            size = self._counts.end(outcome)
            begun = self._begun.pop(_key(action), time.monotonic())
            words = self._counts.words
        if size is None:
            return
        seconds = time.monotonic() - begun
        told = f'{outcome.result}: {_title(action)}'
        if outcome.result == 'copied':
            told += f', {filesize.decimal(size)} in {seconds:.0f} s'
        elif outcome.reason:
            told += f': {errors.printable(outcome.reason)}'
        self._write(f'{told} ({words})')

    def _write(self, line: str) -> None:
        # The work is worth doing where nobody can be told of it.
        with contextlib.suppress(OSError):
            self._stream.write(f'{line}\n')
            self._stream.flush()


class Display(watch.Nobody):
    """A line for each transfer, and one for all of them, on a terminal.

    :param terminal: that it is on
    """

    def __init__(self, terminal: console.Console) -> None:
        self._lock = threading.Lock()
        self._counts = _Counts()
        self._lines: dict[tuple[str, str], progress.TaskID] = {}
        name = table.Column(ratio=1, no_wrap=True, overflow='ellipsis')
        where = table.Column(max_width=20, no_wrap=True, overflow='ellipsis')
        text = progress.TextColumn
        self._progress = progress.Progress(
            text('{task.description}', table_column=name, markup=False),
            text('{task.fields[to]}', table_column=where, markup=False),
            progress.TaskProgressColumn(),
            progress.DownloadColumn(),
            progress.TransferSpeedColumn(),
            progress.TimeRemainingColumn(compact=True),
            console=terminal,
            refresh_per_second=_RATE,
            transient=True,
            redirect_stdout=False,
            expand=True,
        )
        self._total = self._progress.add_task('', to='', total=None)

    def start(self) -> None:
        self._progress.start()

    def stop(self) -> None:
        self._progress.stop()

    def planned(self, group: backlog.Group) -> None:
        with self._lock:
            self._counts.plan(group)
            self._sum_up()

    def all_planned(self) -> None:
        with self._lock:
            self._counts.complete = True
            self._sum_up()

    def begun(self, action: plan.Action) -> None:
        key = _key(action)
        with self._lock:
            if key in self._lines:
                self._progress.reset(self._lines[key])
                return
            self._lines[key] = self._progress.add_task(
                errors.printable(action.image.name or action.image.id),
                to=action.to,
                total=action.image.size or None,
            )

    def sent(self, action: plan.Action, count: int) -> None:
        line = self._lines.get(_key(action))
        if line is not None:
            self._progress.advance(line, count)
        self._progress.advance(self._total, count)

    def retried(self, action: plan.Action, trouble: errors.PlaceError) -> None:
        with self._lock:
            self._counts.retried += 1
            self._progress.advance(self._total, -self._shown(action))
            self._sum_up()
        self._print(f'trying again: {_title(action)}: {trouble}')

    def _shown(self, action: plan.Action) -> float:
        """Give the bytes of an action that were counted so far."""
        line = self._lines.get(_key(action))
        return sum(
            shown.completed
            for shown in self._progress.tasks
            if shown.id == line
        )

    def ended(self, outcome: task.Outcome) -> None:
        action = outcome.action
        with self._lock:
            size = self._counts.end(outcome)
            if size is None:
                return
            # What was not sent by us was done, too; or it was in vain.
            arrived = size if outcome.result == 'copied' else 0
            self._counts.size += arrived - size
            self._progress.advance(self._total, arrived - self._shown(action))
            line = self._lines.pop(_key(action), None)
            if line is not None:
                self._progress.remove_task(line)
            self._sum_up()
        if outcome.result in ('failed', 'conflict'):
            reason = errors.printable(outcome.reason)
            self._print(f'{outcome.result}: {_title(action)}: {reason}')

    def _sum_up(self) -> None:
        self._progress.update(
            self._total,
            description=self._counts.words,
            total=self._counts.size or None,
        )

    def _print(self, line: str) -> None:
        # The work is worth doing where nobody can be told of it.
        with contextlib.suppress(OSError):
            self._progress.console.print(
                line, markup=False, highlight=False, soft_wrap=True
            )


@contextlib.contextmanager
def watching(
    stream: IO[str], wanted: bool | None, verbose: bool
) -> Iterator[watch.Watcher]:
    """Show how far a run is, as it is wanted and as the stream allows.

    :param stream: stderr
    :param wanted: whether it was asked for; None if nothing was said
    :param verbose: tell of each image where there is no terminal, too
    """
    terminal = console.Console(file=stream)
    moves = terminal.is_terminal and not terminal.is_dumb_terminal
    if wanted is False or not (wanted or verbose or moves):
        yield watch.Nobody()
    elif not moves:
        yield Lines(stream)
    else:
        display = Display(terminal)
        display.start()
        try:
            with _warnings_above(stream):
                yield display
        finally:
            display.stop()


@contextlib.contextmanager
def _warnings_above(stream: IO[str]) -> Iterator[None]:
    """Have what is logged appear above the display, not in it."""
    moved = [
        handler
        for handler in logging.getLogger().handlers
        if isinstance(handler, logging.StreamHandler)
        and handler.stream in (stream, sys.__stderr__)
    ]
    before = [handler.setStream(sys.stderr) for handler in moved]
    try:
        yield
    finally:
        for handler, original in zip(moved, before, strict=True):
            handler.setStream(original or stream)


def _key(action: plan.Action) -> tuple[str, str]:
    return action.image.id, action.to


def _title(action: plan.Action) -> str:
    name = f' {action.image.name}' if action.image.name else ''
    return errors.printable(f'{action.image.id}{name} to {action.to}')
