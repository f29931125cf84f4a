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

"""What was found in a dump, made into rows."""

from collections.abc import Iterable, Iterator
from typing import Any

from rich import filesize

from osc_glance_replicate.engine import verify
from osc_glance_replicate import errors
from osc_glance_replicate.model import results
from osc_glance_replicate.reporting import report


class VerifyReport(report.Report[verify.Finding]):
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
            yield (
                self._text(finding.id),
                self._text(finding.name),
                self._size(finding.size),
                finding.result.value,
                errors.printable(finding.reason),
            )

    def _summary(self) -> str:
        size = filesize.decimal(self._bytes)
        counts = self._counted() or 'no images'
        return f'{counts}; {size} verified in {self._seconds:.0f} s'

    def _advice(self) -> str:
        if self._interrupted:
            return 'interrupted: run the same command again for the rest'
        if self._counts[results.Result.DAMAGED]:
            return 'remove what is damaged, then dump or copy it again'
        unread = self._counts[results.Result.UNREAD]
        if self._failures > unread:
            return 'dump or copy it again'
        if unread:
            return 'run it as a user who may read what is unread'
        return ''
