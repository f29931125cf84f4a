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

"""A plan made into the differences of places, or into sizes."""

import collections
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich import filesize

from osc_glance_replicate.engine import comparison
from osc_glance_replicate.model import difference
from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan
from osc_glance_replicate.reporting import legible
from osc_glance_replicate.reporting import report

#: The exit code of compare where anything differs.
DIFFERENT = 3

_Difference = difference.Difference

#: What is not mended by a livecopy alone.
_TROUBLES = (
    _Difference.CONFLICT,
    _Difference.DATA,
    _Difference.FAILED,
    _Difference.UNREAD,
)


class CompareReport(report.Report[comparison.Finding]):
    """The report of compare.

    For programs it has one more column: the differences as data.

    :param completed_by: the verb that would remove the differences
    """

    columns: tuple[str, ...] = ('ID', 'Name', 'To', 'Difference', 'Detail')

    _left_out = 0
    _is_read = False

    def __init__(
        self, *, completed_by: str = 'livecopy', **options: bool
    ) -> None:
        super().__init__(**options)
        self._completed_by = completed_by
        if not self._for_people:
            self.columns = (*type(self).columns, 'Fields')
        #: What was not read as it is deactivated, by destination.
        self._closed: collections.Counter[str] = collections.Counter()

    def _rows(
        self, items: Iterable[comparison.Finding]
    ) -> Iterator[tuple[Any, ...]]:
        for finding in items:
            action, found = finding.action, finding.difference
            self._count_data(finding)
            if not found:
                # Who names an image wants to know that it was left out.
                self._left_out += not (action.routine or finding.data)
                continue
            self._counts[found] += 1
            if self._show_all or found is not _Difference.SAME:
                row = (
                    self._name(action.image.id),
                    self._name(action.image.name),
                    action.to,
                    found.value,
                    self._detail(finding),
                    *self._fields(finding),
                )
                yield from self._shown(
                    _alike(finding), row, found in _TROUBLES
                )

    def _count_data(self, finding: comparison.Finding) -> None:
        self._is_read = self._is_read or finding.data is not None
        if finding.data is outcomes.Result.OK:
            replica = finding.action.replica or finding.action.image
            self._bytes += replica.as_stored.size or 0
        elif finding.data is outcomes.Result.SKIPPED:
            self._closed[finding.action.to] += 1
            self.problems = [_closed(self._closed)]

    def _unusable_rows(self) -> Iterable[tuple[Any, ...]]:
        unknown = _Difference.UNKNOWN.value
        fields: list[list[Any]] = [] if self._for_people else [[]]
        return [
            (None, None, to, unknown, self._text(problem), *fields)
            for to, problem in list(self.unusable.items())
        ]

    def _detail(self, finding: comparison.Finding) -> str:
        """Return the differences as a text."""
        if finding.data:
            return self._text(finding.detail)
        action = finding.action
        changes = _changes(action)
        waits = [action.waiting] if action.waiting else []
        if not changes:
            told = [action.reason]
            if finding.difference is _Difference.INCOMPLETE:
                told = [self._incomplete(action)]
            return self._text('; '.join(filter(None, [*told, *waits])))
        told = [
            f'{self._name(change.field)}: {self._value(change.source)} '
            f'({action.to}: {self._value(change.destination)})'
            for change in changes
        ]
        return self._text('; '.join([*told, *waits]))

    def _incomplete(self, action: plan.Action) -> str:
        """Return what is told of a record that has no data, or too little."""
        if action.verb is not plan.Verb.COPY or not action.replica:
            return action.reason
        status = action.replica.status
        is_empty = status not in image_record.SETTLED
        what = f'{status} there, no data' if is_empty else 'not whole there'
        return f'{what}; {self._completed_by} completes it'

    def _value(self, content: object) -> str:
        return legible.value(content) if self._for_people else repr(content)

    def _fields(self, finding: comparison.Finding) -> list[list[Any]]:
        """Return the differences as data, for programs."""
        if self._for_people:
            return []
        changes = () if finding.data else _changes(finding.action)
        return [
            [
                {
                    'field': change.field,
                    'source': change.source,
                    'destination': change.destination,
                }
                for change in changes
            ]
        ]

    def _summary(self) -> str:
        nothing = 'no images' if self._left_out else self.nothing
        counts = self._counted() or nothing
        if self._is_read:
            size = filesize.decimal(self._bytes)
            counts += f'; {size} verified in {self._seconds:.0f} s'
        if self.unusable:
            unknown = ', '.join(self.unusable)
            counts += f'; {_Difference.UNKNOWN}: {unknown}'
        if not self._left_out:
            return counts
        return (
            f'{counts}; {self._left_out} not compared: livecopy --dry-run '
            'tells why'
        )

    def _advice(self) -> str:
        if self._interrupted and self._is_read:
            return 'interrupted: run the same command again for the rest'
        if self._is_unknown:
            return 'see Detail, mend it and run the same command again'
        return ''

    @property
    def _is_unknown(self) -> bool:
        """Whether anything could not be compared, or not be read."""
        return bool(
            self._counts[_Difference.FAILED]
            or self._counts[_Difference.UNREAD]
            or self.unusable
        )

    def _exit_code(self) -> int:
        if self._is_unknown:
            return 1
        return DIFFERENT if set(self._counts) - {_Difference.SAME} else 0


def _changes(action: plan.Action) -> Sequence[plan.Change]:
    """Return the fields that differ, as far as that is what is told."""
    return () if action.told_as else (*action.changes, *action.fixed)


def _alike(finding: comparison.Finding) -> report.Alike | None:
    """Return what its row has in common with others."""
    return report.in_common(
        finding.action,
        finding.detail if finding.data else finding.action.reason,
        finding.unanswered,
    )


def _closed(counts: collections.Counter[str]) -> str:
    """Return what is told of what is deactivated, of all of it at once."""
    where = ', '.join(f'{count} in {to}' for to, count in counts.items())
    return (
        'Not read, as they are deactivated, and only an administrator may '
        f'read them: {where}'
    )


class SizeReport(report.Report[plan.Action]):
    """The report of size: how much would be copied to each destination."""

    columns = ('To', 'Images', 'Bytes', 'Size')

    def begin(self, to: Iterable[str]) -> None:
        """Set the names of the destinations, before any action comes."""
        self._sizes = dict.fromkeys(to, 0)
        self._images = dict.fromkeys(self._sizes, 0)

    def _rows(self, items: Iterable[plan.Action]) -> Iterator[tuple[Any, ...]]:
        for action in items:
            self._counts[action.verb.value] += 1
            self._failures += action.verb is plan.Verb.FAIL
            self._images[action.to] += action.verb is plan.Verb.COPY
            self._sizes[action.to] += action.to_read
        # Not before the plan has come to its end: half a sum is no sum.
        for to, size in self._sizes.items():
            if to not in self.unusable:
                yield to, self._images[to], size, filesize.decimal(size)

    def _unusable_rows(self) -> Iterable[tuple[Any, ...]]:
        return [(to, None, None, None) for to in list(self.unusable)]

    def _summary(self) -> str:
        told = []
        if self._failures:
            told.append(f'{self._failures} not counted; compare tells why')
        if self.unusable:
            told.append(f'not known: {", ".join(self.unusable)}')
        return '; '.join(told)
