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

from collections.abc import Iterable, Iterator
import enum
from typing import Any

from rich import filesize

from osc_glance_replicate.model import plan
from osc_glance_replicate.reporting import legible
from osc_glance_replicate.reporting import report

#: The exit code of compare where anything differs.
DIFFERENT = 3


class _Difference(enum.StrEnum):
    """How a replica differs from its source, in the words of compare."""

    SAME = 'same'
    MISSING = 'missing'
    INCOMPLETE = 'incomplete'
    METADATA = 'metadata'
    CONFLICT = 'conflict'
    EXTRA = 'extra'
    #: It cannot be told.
    FAILED = 'failed'
    #: The destination could not be asked.
    UNKNOWN = 'unknown'


class CompareReport(report.Report[plan.Action]):
    """The report of compare."""

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
            if self._show_all or difference is not _Difference.SAME:
                row = (
                    self._name(action.image.id),
                    self._name(action.image.name),
                    action.to,
                    difference.value,
                    self._detail(action),
                )
                yield from self._shown(
                    report.others(action, action.reason), row
                )

    def _unusable_rows(self) -> Iterable[tuple[Any, ...]]:
        unknown = _Difference.UNKNOWN.value
        return [
            (None, None, to, unknown, self._text(problem))
            for to, problem in list(self.unusable.items())
        ]

    def _detail(self, action: plan.Action) -> Any:
        """Return the differences: as a text, or as data."""
        changes = (*action.changes, *action.fixed)
        waits = [action.waiting] if action.waiting else []
        if not changes or action.told_as:
            reasons = filter(None, [action.reason, *waits])
            return self._text('; '.join(reasons))
        if self._for_people:
            told = (
                f'{legible.name(change.field)}: '
                f'{legible.value(change.source)} '
                f'({action.to}: {legible.value(change.destination)})'
                for change in changes
            )
            return self._text('; '.join([*told, *waits]))
        return [
            {
                'field': change.field,
                'source': change.source,
                'destination': change.destination,
                **{'reason': reason for reason in waits},
            }
            for change in changes
        ]

    def _summary(self) -> str:
        counts = self._counted() or 'no images'
        if self.unusable:
            counts += f'; {_Difference.UNKNOWN}: {", ".join(self.unusable)}'
        if not self._left_out:
            return counts
        return (
            f'{counts}; {self._left_out} not compared: livecopy --dry-run '
            'tells why'
        )

    def _advice(self) -> str:
        if self._counts[_Difference.FAILED] or self.unusable:
            return 'see Detail, mend it and run the same command again'
        return ''

    def _exit_code(self) -> int:
        if self._counts[_Difference.FAILED] or self.unusable:
            return 1
        return DIFFERENT if set(self._counts) - {_Difference.SAME} else 0


def _difference(action: plan.Action) -> _Difference | None:
    """Return the difference that an action is for; None: not compared."""
    match action.verb:
        case plan.Verb.COPY if not action.replica:
            return _Difference.MISSING
        case plan.Verb.COPY:
            return _Difference.INCOMPLETE
        case plan.Verb.CONFLICT if action.incomplete:
            return _Difference.INCOMPLETE
        case plan.Verb.UPDATE if action.told_as:
            return _Difference(action.told_as.value)
        case plan.Verb.UPDATE:
            return _Difference.METADATA
        case plan.Verb.FAIL if action.fixed:
            return _Difference.METADATA
        case plan.Verb.UNCHANGED:
            return _Difference.SAME
        case plan.Verb.SKIP:
            return _Difference.SAME if action.serves else None
        case verb:
            return _Difference(verb.value)


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
