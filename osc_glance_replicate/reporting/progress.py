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

"""How far a run is, shown while it goes on: on stderr, never on stdout."""

from collections.abc import Iterator
import contextlib
import logging
import sys
import time
from typing import IO

from rich import console
from rich import filesize

from osc_glance_replicate import errors
from osc_glance_replicate.execution import events
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan
from osc_glance_replicate.reporting import counts
from osc_glance_replicate.reporting import display


class ProgressLog(counts.CountingListener):
    """Writes a line for each image that has ended, for logs and pipes.

    :param stream: where it is written
    """

    def __init__(self, stream: IO[str]) -> None:
        super().__init__()
        self._stream = stream
        self._begun: dict[plan.Key, float] = {}

    def begun(self, action: plan.Action) -> None:
        with self._lock:
            self._begun.setdefault(action.key, time.monotonic())

    def retried(self, action: plan.Action, trouble: errors.PlaceError) -> None:
        self._write(f'trying again: {counts.told(action, trouble)}')

    def ended(self, outcome: outcomes.Outcome) -> None:
        action = outcome.action
        with self._lock:
            size = self.count(outcome)
            begun = self._begun.pop(action.key, time.monotonic())
            words = self.words
        if size is None:
            return
        seconds = time.monotonic() - begun
        line = counts.title(action)
        if outcome.result.has_arrived:
            line += f', {filesize.decimal(size)} in {seconds:.0f} s'
        elif outcome.reason:
            line = counts.told(action, outcome.reason)
        self._write(f'{outcome.result}: {line} ({words})')

    def _write(self, line: str) -> None:
        # The work is worth doing even if nobody can be told of it.
        with contextlib.suppress(OSError):
            self._stream.write(f'{line}\n')
            self._stream.flush()


@contextlib.contextmanager
def listening(
    stream: IO[str],
    wanted: bool | None,
    verbosity: int,
    rows_follow: bool = False,
) -> Iterator[events.Listener]:
    """Yield a listener that shows how far a run is, if that is wanted.

    :param stream: stderr
    :param wanted: whether it was asked for; None if nothing was said
    :param verbosity: 0 to show nothing; above 1 to write a line for each
        image where there is no terminal
    :param rows_follow: whether the terminal shows the rows at the end
    """
    terminal = console.Console(file=stream)
    # FORCE_COLOR and the like make a terminal of a pipe.
    moves = stream.isatty() and terminal.is_interactive
    if wanted is None:
        wanted = verbosity > 1 or moves
    if not wanted or not verbosity:
        yield events.Listener()
    elif not moves:
        yield ProgressLog(stream)
    else:
        shown = display.Display(terminal, rows_follow)
        shown.start()
        try:
            with _warnings_above(stream):
                yield shown
        finally:
            shown.stop()


@contextlib.contextmanager
def _warnings_above(stream: IO[str]) -> Iterator[None]:
    """Have log messages appear above the display, not in it."""
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
