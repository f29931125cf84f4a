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

"""Outcomes made into rows, one line of summary and an exit code."""

import collections
from collections.abc import Iterable, Iterator
import signal
import time
from typing import Any

from rich import filesize

from osc_glance_replicate import errors
from osc_glance_replicate import run

#: The exit code of a run that Ctrl-C ended, as a shell would give it.
INTERRUPTED = 128 + signal.SIGINT

_FAILURES = ('conflict', 'failed')


class Report:
    """What a run tells: on stdout, on stderr and to the shell.

    :param show_all: show the rows that need no eye, too
    :param rehearsal: nothing was done (``--dry-run``)
    :param escape: write texts so that they are safe on a terminal
    """

    columns = ('ID', 'Name', 'Size', 'To', 'Result', 'Reason')

    def __init__(
        self, *, show_all: bool, rehearsal: bool, escape: bool
    ) -> None:
        self._show_all = show_all
        self._rehearsal = rehearsal
        self._text = errors.printable if escape else str
        self._counts: collections.Counter[str] = collections.Counter()
        self._bytes = 0
        self._start = time.monotonic()
        #: What ended the run early.
        self.trouble: BaseException | None = None

    def rows(self, outcomes: Iterable[run.Outcome]) -> Iterator[Any]:
        """Give the rows to show, as the outcomes come in.

        What ends the run early is kept for later, so that what was done
        before is shown all the same.
        """
        try:
            for outcome in outcomes:
                self._count(outcome)
                if self._show_all or not outcome.action.routine:
                    yield self._row(outcome)
        except (errors.ReplicateError, KeyboardInterrupt) as exc:
            self.trouble = exc

    def _count(self, outcome: run.Outcome) -> None:
        self._counts[outcome.result] += 1
        if outcome.result in ('copied', 'copy'):
            self._bytes += outcome.action.image.size or 0

    def _row(self, outcome: run.Outcome) -> tuple[object, ...]:
        image = outcome.action.image
        return (
            self._text(image.id),
            self._text(image.name),
            image.size,
            outcome.action.to,
            outcome.result,
            self._text(outcome.reason),
        )

    @property
    def summary(self) -> str:
        """The whole run in one line."""
        counts = ', '.join(
            f'{number} {result}' for result, number in self._counts.items()
        )
        size = filesize.decimal(self._bytes)
        if self._rehearsal:
            return f'Dry run: {counts or "no images"}; {size} to copy'
        seconds = time.monotonic() - self._start
        end = ', interrupted' if self.exit_code == INTERRUPTED else ''
        return f'{counts or "no images"}; {size} in {seconds:.0f} s{end}'

    @property
    def exit_code(self) -> int:
        """0 done, 1 something failed or conflicted, 130 interrupted."""
        if isinstance(self.trouble, KeyboardInterrupt):
            return INTERRUPTED
        if self.trouble:
            return 1
        failed = any(self._counts[result] for result in _FAILURES)
        return int(failed and not self._rehearsal)
