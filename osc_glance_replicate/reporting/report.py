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

"""What a verb did, as rows, a line of summary and an exit code."""

import abc
import collections
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
import dataclasses
import re
import time
from typing import Any, Generic, TypeVar

from rich import filesize

from osc_glance_replicate.engine import verify
from osc_glance_replicate import errors
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan
from osc_glance_replicate.reporting import legible
from osc_glance_replicate import signals

_Item = TypeVar('_Item')

#: Results for which data may be read, and nothing is copied.
_READS = frozenset(
    (outcomes.Result.COPY, outcomes.Result.UPDATE, outcomes.Result.UPDATED)
)


#: By which administrators find a request in their logs.
_REQUEST_ID = re.compile(r' \(req-[^)]*\)')


@dataclasses.dataclass(frozen=True, slots=True)
class Alike:
    """What rows have in common that are folded into one.

    :param reason: of each of them
    :param project: to which all of it belongs at the destination, if to one
    """

    to: str
    reason: str
    project: str = ''

    def words(self, count: int) -> str:
        """Return what is told of so many images."""
        if self.project:
            return (
                f'{count} belong to project {self.project} there: '
                f'{plan.AS_BEFORE}'
            )
        head, sign, tail = self.reason.rpartition(outcomes.NOT_TRIED)
        if sign and not tail:
            return f'{head}{count} images {outcomes.NOT_TRIED}'
        return f'{count} images: {self.reason}'


def in_common(
    action: plan.Action, reason: str, unanswered: float = 0.0
) -> Alike | None:
    """Return what the row of an image has in common with others.

    :param unanswered: since when its destination has given no usable answer
    """
    if unanswered:
        return Alike(action.to, _REQUEST_ID.sub('', reason))
    if action.foreign and reason == plan.left_to(action.foreign):
        return Alike(action.to, reason, action.foreign)
    return None


class Report(abc.ABC, Generic[_Item]):
    """What a verb reports: on stdout, on stderr and to the shell.

    :param show_all: show the rows that need no attention, too
    :param for_people: write values so that people can read them and a
        terminal is safe; else as they are, and whole, for JSON and YAML
    :param fold: it is a table, which ends with what failed: write one row for
        all that is alike and nobody reads twice, as it belongs to the same
        other project, or got no answer
    :param tell_unusable: write a row for each destination that cannot be used
    :ivar to: names of the destinations, once they are known
    :ivar unusable: why such a destination cannot be used, by its name
    """

    columns: tuple[str, ...]

    def __init__(
        self,
        *,
        show_all: bool = False,
        for_people: bool = True,
        fold: bool = False,
        tell_unusable: bool = True,
    ) -> None:
        self._show_all = show_all
        self._fold = fold and not show_all
        self._is_table = fold
        self._tell_unusable = tell_unusable
        self.to: Sequence[str] = ()
        self.unusable: Mapping[str, str] = {}
        #: In a table, what needs attention: just above the summary.
        self._last: list[tuple[Any, ...]] = []
        #: By what is told of all of them, rows that are alike.
        self._folded: dict[Alike, list[tuple[Any, ...]]] = {}
        self._for_people = for_people
        self._counts: collections.Counter[str] = collections.Counter()
        self._failures = self._bytes = 0
        self._start = time.monotonic()
        #: What ended the run early.
        self.trouble: BaseException | None = None
        #: What else is wrong, in a line each.
        self.problems: Sequence[str] = ()
        #: What is told of a run in which there was no image.
        self.nothing = 'no images'

    def rows(
        self, items: Callable[[], Iterable[_Item]]
    ) -> Iterator[tuple[Any, ...]]:
        """Yield the rows to show, as the items come in.

        What ends the run early is kept for later, so that what was done
        before is shown all the same, and JSON is complete.

        :param items: called first of all
        """
        try:
            yield from self._rows(items())
        except (Exception, signals.Ended) as exc:
            self.trouble = exc
        yield from self._last
        for alike, rows in self._folded.items():
            if len(rows) > 1:
                # All of them have the same words about where, and what.
                where = rows[0][-3:-1]
                blank = [''] * (len(self.columns) - 3)
                told = alike.words(len(rows))
                rows = [(*blank, *where, self._text(told))]
            yield from rows
        if self._tell_unusable:
            empty = '' if self._for_people else None
            for row in self._unusable_rows():
                yield tuple(empty if cell is None else cell for cell in row)

    @property
    def untold(self) -> Iterable[str]:
        """Why destinations cannot be used of which no row tells."""
        return () if self._tell_unusable else self.unusable.values()

    def _unusable_rows(self) -> Iterable[tuple[Any, ...]]:
        """Return a row for each destination that cannot be used.

        :returns: its fields; None for one that does not apply
        """
        return ()

    def _shown(
        self, alike: Alike | None, row: tuple[Any, ...], is_failure: bool
    ) -> Iterator[tuple[Any, ...]]:
        """Yield a row, unless it comes at the end, or in one with others."""
        if self._fold and alike:
            self._folded.setdefault(alike, []).append(row)
        elif self._is_table and is_failure:
            self._last.append(row)
        else:
            yield row

    @abc.abstractmethod
    def _rows(self, items: Iterable[_Item]) -> Iterator[tuple[Any, ...]]:
        """Yield the rows to show; rows() handles errors."""

    @property
    def summary(self) -> str:
        """The whole run in one line; empty where an error says it all."""
        if isinstance(self.trouble, Exception) and not self._counts:
            return ''
        return '; '.join(filter(None, (self._summary(), self._advice())))

    @abc.abstractmethod
    def _summary(self) -> str:
        """Return the summary of a run that began."""

    def _advice(self) -> str:
        """Return what to do next; empty where all is well."""
        return ''

    @property
    def _interrupted(self) -> bool:
        return isinstance(self.trouble, signals.Ended)

    @property
    def _seconds(self) -> float:
        return time.monotonic() - self._start

    @property
    def exit_code(self) -> int:
        """0, or what tells the shell that the run needs attention."""
        if isinstance(self.trouble, signals.Ended):
            return self.trouble.exit_code
        return 1 if self.trouble else self._exit_code()

    def _exit_code(self) -> int:
        """Return the exit code of a run that came to its end."""
        return int(bool(self._failures or self.problems or self.unusable))

    def _text(self, value: object) -> str:
        return legible.text(value) if self._for_people else str(value)

    def _name(self, value: str) -> str:
        return legible.name(value) if self._for_people else value

    def _size(self, size: object) -> object:
        if type(size) is int:
            return size
        return '' if self._for_people else None

    def _counted(self) -> str:
        # In the same order each time, in whatever order images have ended.
        return ', '.join(
            f'{number} {what}' for what, number in sorted(self._counts.items())
        )


class CopyReport(Report[outcomes.Outcome]):
    """The report of livecopy, dump and load.

    :param dry_run: whether nothing was done
    """

    columns = ('ID', 'Name', 'Size', 'To', 'Result', 'Reason')

    def __init__(self, *, dry_run: bool = False, **options: bool) -> None:
        super().__init__(**options)
        self._dry_run = dry_run
        #: Names of the destinations that something was planned for.
        self._used: set[str] = set()

    def _rows(
        self, items: Iterable[outcomes.Outcome]
    ) -> Iterator[tuple[Any, ...]]:
        for outcome in items:
            image, result = outcome.action.image, outcome.result
            self._used.add(outcome.action.to)
            self._counts[result] += 1
            self._failures += result.is_failure
            if result.has_arrived:
                self._bytes += image.size or 0
            elif result in _READS:
                self._bytes += outcome.action.to_read
            if self._show_all or not outcome.action.routine:
                row = (
                    self._name(image.id),
                    self._name(image.name),
                    self._size(image.size),
                    outcome.action.to,
                    result.value,
                    self._text(outcome.reason),
                )
                alike = in_common(
                    outcome.action, outcome.reason, outcome.unanswered
                )
                yield from self._shown(alike, row, result.is_failure)

    def _unusable_rows(self) -> Iterable[tuple[Any, ...]]:
        failed = outcomes.Result.FAILED.value
        # More of them may come, where the run was broken off.
        return [
            (None, None, None, to, failed, self._text(problem))
            for to, problem in list(self.unusable.items())
        ]

    def _summary(self) -> str:
        counts = self._counted() or self.nothing
        size = filesize.decimal(self._bytes)
        told = f'{counts}; {size} in {self._seconds:.0f} s'
        if self._dry_run:
            told = f'Dry run: {counts}; {size} to copy'
        # More of them may come, where the run was broken off.
        unusable = list(self.unusable)
        for words, names in (
            ('not used', [to for to in unusable if to not in self._used]),
            ('not finished', [to for to in unusable if to in self._used]),
        ):
            if names:
                told += f'; {words}: {", ".join(names)}'
        return told

    def _advice(self) -> str:
        if self._interrupted:
            return 'interrupted: run the same command again for the rest'
        if self._failures or self.unusable:
            again = '' if self._dry_run else ' and run the same command again'
            return f'see Reason, mend it{again}'
        return ''

    def _exit_code(self) -> int:
        if self._dry_run and not self.unusable:
            return 0
        return super()._exit_code()


class VerifyReport(Report[verify.Finding]):
    """The report of verify."""

    columns = ('ID', 'Name', 'Size', 'Result', 'Reason')

    def _rows(
        self, items: Iterable[verify.Finding]
    ) -> Iterator[tuple[Any, ...]]:
        for finding in items:
            self._counts[finding.result] += 1
            self._failures += finding.result.is_failure
            if finding.result.has_arrived:
                self._bytes += finding.size or 0
            row = (
                self._name(finding.id),
                self._name(finding.name),
                self._size(finding.size),
                finding.result.value,
                self._text(errors.line(finding.reason)),
            )
            yield from self._shown(None, row, finding.result.is_failure)

    def _summary(self) -> str:
        size = filesize.decimal(self._bytes)
        counts = self._counted() or self.nothing
        return f'{counts}; {size} verified in {self._seconds:.0f} s'

    def _advice(self) -> str:
        if self._interrupted:
            return 'interrupted: run the same command again for the rest'
        if self._counts[outcomes.Result.DAMAGED]:
            return 'remove what is damaged, then dump or copy it again'
        unread = self._counts[outcomes.Result.UNREAD]
        if self._failures > unread:
            return 'dump or copy it again'
        if unread:
            return 'run it as a user who may read what is unread'
        return ''
