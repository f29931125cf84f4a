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

"""What holds at one destination, and so may differ between two of them."""

from collections.abc import Callable, Collection, Mapping
import dataclasses

from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import options
from osc_glance_replicate.model import plan
from osc_glance_replicate.model import replica_template


@dataclasses.dataclass(frozen=True, slots=True)
class Rules:
    """How replicas at one destination are made and judged.

    :param template: how they differ from their sources
    :param exact: what only a replica has is removed
    :param at_rest: images only rest there: nothing is fixed, and nothing
        boots from there
    :param formats: returns the formats that it takes, by field; called only
        if anything is to be copied
    :param project: ID of the project that new replicas belong to; None where
        that is not known
    :param delivery: how data gets there
    """

    template: replica_template.Template = dataclasses.field(
        default_factory=replica_template.Template
    )
    exact: bool = False
    at_rest: bool = False
    formats: Callable[[], Mapping[str, Collection[str]]] = dict
    project: str | None = None
    delivery: options.Delivery = dataclasses.field(
        default_factory=options.Delivery
    )

    def references(self, image: image_record.Image) -> dict[str, str]:
        """Return the images that a replica needs to boot: property → ID."""
        return {
            field: image_id
            for field, image_id in image.references.items()
            if not self.template.leaves_out(field)
            and field not in self.template.properties
        }

    def can_change(self, change: plan.Change) -> bool:
        """Return whether a replica that has its data can get a change."""
        return self.at_rest or image_record.can_change(change.field)

    def unknown_format(self, wanted: image_record.Image) -> str:
        """Return which format would be refused, and what to do; else ''.

        :param wanted: the record that the replica is to have
        """
        fields = wanted.portable
        return '; '.join(
            f'{field} {fields[field]!r} is not known there: have it added to '
            f'{field}s of its Glance'
            for field, known in self.formats().items()
            if fields[field] not in (None, *known)
        )

    def is_anothers(self, replica: image_record.Image) -> bool:
        """Return whether a record without data is another project's.

        An administrator sees it, and could fill it; but whoever owns it
        would see the data before it is verified, or send other data:
        see fact-other-owner.
        """
        return (
            replica.status == 'queued'
            and None not in (self.project, replica.owner)
            and replica.owner != self.project
        )
