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

"""Outcomes and plans made into rows, one line of summary and an exit code."""

import abc
import collections
from collections.abc import Callable, Iterable, Iterator, Sequence
import signal
import time
from typing import Any, Generic, TypeVar

from rich import filesize

from osc_glance_replicate import ec2
from osc_glance_replicate import errors
from osc_glance_replicate import plan
from osc_glance_replicate import task
from osc_glance_replicate import verify

#: The exit code of a run that Ctrl-C ended, as a shell would give it.
INTERRUPTED = 128 + signal.SIGINT

#: The exit code of a comparison that found any difference.
DIFFERENT = 3

_Item = TypeVar('_Item')


class Report(abc.ABC, Generic[_Item]):
    """What a verb tells: on stdout, on stderr and to the shell.

    :param show_all: show the rows that need no eye, too
    :param for_people: write values so that people can read them and a
        terminal is safe; else as they are, for JSON and YAML
    """

    columns: tuple[str, ...]

    def __init__(
        self, *, show_all: bool = False, for_people: bool = True
    ) -> None:
        self._show_all = show_all
        self._for_people = for_people
        self._counts: collections.Counter[str] = collections.Counter()
        #: What ended the run early.
        self.trouble: BaseException | None = None
        #: What else is wrong, in a line each.
        self.problems: Sequence[str] = ()

    def rows(
        self, items: Callable[[], Iterable[_Item]]
    ) -> Iterator[tuple[Any, ...]]:
        """Give the rows to show, as the items come in.

        What ends the run early is kept for later, so that what was done
        before is shown all the same, and JSON is complete.

        :param items: called first of all
        """
        try:
            yield from self._rows(items())
        except (Exception, KeyboardInterrupt) as exc:
            self.trouble = exc

    @abc.abstractmethod
    def _rows(self, items: Iterable[_Item]) -> Iterator[tuple[Any, ...]]:
        """Give the rows to show; errors are taken care of."""

    @property
    def summary(self) -> str:
        """The whole run in one line; none where an error says it all."""
        if isinstance(self.trouble, Exception) and not self._counts:
            return ''
        return self._summary()

    @abc.abstractmethod
    def _summary(self) -> str:
        """Give the summary of a run that began."""

    @property
    def exit_code(self) -> int:
        """0, or what tells the shell that the run needs an eye."""
        if isinstance(self.trouble, KeyboardInterrupt):
            return INTERRUPTED
        return 1 if self.trouble else self._exit_code()

    @abc.abstractmethod
    def _exit_code(self) -> int:
        """Give the exit code of a run that came to its end."""

    def _text(self, value: object) -> str:
        return errors.printable(value) if self._for_people else str(value)

    def _size(self, size: object) -> object:
        if type(size) is int:
            return size
        return '' if self._for_people else None

    def _counted(self) -> str:
        return ', '.join(
            f'{number} {result}' for result, number in self._counts.items()
        )


class Outcomes(Report[task.Outcome]):
    """What livecopy tells.

    :param rehearsal: nothing is done (``--dry-run``)
    """

    columns = ('ID', 'Name', 'Size', 'To', 'Result', 'Reason')

    def __init__(self, *, rehearsal: bool = False, **options: bool) -> None:
        super().__init__(**options)
        self._rehearsal = rehearsal
        self._bytes = 0
        self._start = time.monotonic()

    def _rows(
        self, items: Iterable[task.Outcome]
    ) -> Iterator[tuple[Any, ...]]:
        for outcome in items:
            image = outcome.action.image
            self._counts[outcome.result] += 1
            if outcome.result in ('copied', 'copy'):
                self._bytes += image.size or 0
            if self._show_all or not outcome.action.routine:
                yield (
                    self._text(image.id),
                    self._text(image.name),
                    self._size(image.size),
                    outcome.action.to,
                    outcome.result,
                    self._text(outcome.reason),
                )

    def _summary(self) -> str:
        counts = self._counted() or 'no images'
        size = filesize.decimal(self._bytes)
        if self._rehearsal:
            return f'Dry run: {counts}; {size} to copy'
        seconds = time.monotonic() - self._start
        end = ', interrupted' if self.exit_code == INTERRUPTED else ''
        return f'{counts}; {size} in {seconds:.0f} s{end}'

    def _exit_code(self) -> int:
        failed = self._counts['conflict'] + self._counts['failed']
        return int(failed > 0 and not self._rehearsal)


class Differences(Report[plan.Action]):
    """What compare tells."""

    columns = ('ID', 'Name', 'To', 'Difference', 'Detail')

    _left_out = 0

    def _rows(self, items: Iterable[plan.Action]) -> Iterator[tuple[Any, ...]]:
        for action in items:
            difference = _difference(action)
            if not difference:
                # Who names an image wants to know that it was left out.
                self._left_out += not action.routine
                continue
            self._counts[difference] += 1
            if self._show_all or difference != 'same':
                yield (
                    self._text(action.image.id),
                    self._text(action.image.name),
                    action.to,
                    difference,
                    self._detail(action),
                )

    def _detail(self, action: plan.Action) -> Any:
        """Tell the differences: as a text, or as data."""
        changes = (*action.changes, *action.fixed)
        if not changes:
            return self._text(action.reason)
        if self._for_people:
            return self._text(
                '; '.join(
                    f'{change.field}: {change.source!r} '
                    f'({action.to}: {change.destination!r})'
                    for change in changes
                )
            )
        return [
            {
                'field': change.field,
                'source': change.source,
                'destination': change.destination,
            }
            for change in changes
        ]

    def _summary(self) -> str:
        counts = self._counted() or 'no images'
        if not self._left_out:
            return counts
        return (
            f'{counts}; {self._left_out} not compared: livecopy --dry-run '
            'tells why'
        )

    def _exit_code(self) -> int:
        if self._counts['failed']:
            return 1
        return DIFFERENT if set(self._counts) - {'same'} else 0


def _difference(action: plan.Action) -> str:
    """Name what a plan says about an image, in compare's words."""
    match action.verb:
        case plan.Verb.COPY:
            return 'incomplete' if action.replica else 'missing'
        case plan.Verb.CONFLICT if action.incomplete:
            return 'incomplete'
        case plan.Verb.UPDATE:
            return 'metadata'
        case plan.Verb.FAIL if action.fixed:
            return 'metadata'
        case plan.Verb.UNCHANGED:
            return 'same'
        case plan.Verb.SKIP:
            return ''
        case verb:
            return str(verb.value)


class Sizes(Report[plan.Action]):
    """What size tells: how much would be copied to each destination."""

    columns = ('To', 'Images', 'Bytes', 'Size')

    def begin(self, to: Iterable[str]) -> None:
        """Take note of the names of the destinations, before any action."""
        self._bytes = dict.fromkeys(to, 0)
        self._images = dict.fromkeys(self._bytes, 0)

    def _rows(self, items: Iterable[plan.Action]) -> Iterator[tuple[Any, ...]]:
        for action in items:
            self._counts[action.verb.value] += 1
            if action.verb is plan.Verb.COPY:
                self._images[action.to] += 1
                self._bytes[action.to] += action.image.size or 0
        # Not before the plan has come to its end: half a sum is no sum.
        for to, size in self._bytes.items():
            yield to, self._images[to], size, filesize.decimal(size)

    def _summary(self) -> str:
        failed = self._counts['failed']
        return f'{failed} not counted; compare tells why' if failed else ''

    def _exit_code(self) -> int:
        return int(self._counts['failed'] > 0)


class Findings(Report[verify.Finding]):
    """What verify tells."""

    columns = ('ID', 'Name', 'Size', 'Result', 'Reason')

    def __init__(self, **options: bool) -> None:
        super().__init__(**options)
        self._bytes = 0
        self._start = time.monotonic()

    def _rows(
        self, items: Iterable[verify.Finding]
    ) -> Iterator[tuple[Any, ...]]:
        for finding in items:
            self._counts[finding.result] += 1
            if finding.result == 'ok':
                self._bytes += finding.size or 0
            yield (
                self._text(finding.id),
                self._text(finding.name),
                self._size(finding.size),
                finding.result,
                errors.printable(finding.reason),
            )

    def _summary(self) -> str:
        size = filesize.decimal(self._bytes)
        seconds = time.monotonic() - self._start
        end = ', interrupted' if self.exit_code == INTERRUPTED else ''
        counts = self._counted() or 'no images'
        return f'{counts}; {size} verified in {seconds:.0f} s{end}'

    def _exit_code(self) -> int:
        return int(any(self._counts[what] for what in verify.DAMAGE))


class Identities(Report[ec2.Identity]):
    """What ec2ids tells."""

    columns: tuple[str, ...] = ('EC2 ID', 'ID', 'Name')

    def _rows(
        self, items: Iterable[ec2.Identity]
    ) -> Iterator[tuple[Any, ...]]:
        for identity in items:
            self._counts['identified'] += 1
            yield (
                identity.ec2_id,
                identity.image_id,
                self._text(identity.name),
            )

    def _summary(self) -> str:
        if not self.problems:
            return self._counted() or 'no images'
        counts = self._counted() or 'nothing printed'
        return f'{counts}; problems: {len(self.problems)}'

    def _exit_code(self) -> int:
        return int(bool(self.problems))


class Statements(Identities):
    """What ec2ids --nova-sql tells: all of it, or nothing."""

    columns = ('SQL',)

    def _rows(
        self, items: Iterable[ec2.Identity]
    ) -> Iterator[tuple[Any, ...]]:
        identities = [] if self.problems else list(items)
        if identities:
            self._counts['identified'] = len(identities)
            yield from ((line,) for line in ec2.statements(identities))
