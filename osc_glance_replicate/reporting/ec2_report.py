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

"""EC2-style IDs made into rows, or into statements for a database."""

from collections.abc import Iterable, Iterator
from typing import Any

from osc_glance_replicate.ec2 import ec2_id
from osc_glance_replicate.ec2 import nova_table
from osc_glance_replicate.reporting import report


class Ec2IdReport(report.Report[ec2_id.Ec2Id]):
    """The report of ec2ids."""

    columns: tuple[str, ...] = ('EC2 ID', 'ID', 'Name')

    def _rows(
        self, items: Iterable[ec2_id.Ec2Id]
    ) -> Iterator[tuple[Any, ...]]:
        for item in items:
            self._counts['identified'] += 1
            yield item.ec2_id, item.image_id, self._name(item.name)

    def _summary(self) -> str:
        if not self.problems:
            return self._counted() or self.nothing
        counts = self._counted() or 'nothing printed'
        return f'{counts}; problems: {len(self.problems)}'


class NovaSqlReport(Ec2IdReport):
    """The report of ec2ids --nova-sql: all of it, or nothing."""

    columns = ('SQL',)

    def _rows(
        self, items: Iterable[ec2_id.Ec2Id]
    ) -> Iterator[tuple[Any, ...]]:
        ec2_ids = [] if self.problems else list(items)
        if ec2_ids:
            self._counts['identified'] = len(ec2_ids)
            yield from ((line,) for line in nova_table.statements(ec2_ids))
