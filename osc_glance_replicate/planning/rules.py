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

"""How replicas at one destination are made, and how they are judged."""

from collections.abc import Callable
import dataclasses
import datetime

from osc_glance_replicate.model import conversions
from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import image_schema
from osc_glance_replicate.model import options
from osc_glance_replicate.model import ownership
from osc_glance_replicate.model import plan
from osc_glance_replicate.model import proof
from osc_glance_replicate.model import replica_template

#: Seconds by which the difference of two clocks may be mistaken: a Date
#: header tells whole seconds, and an answer takes its time.
_CLOCK_ERROR = 3.0

#: What else to do about a format that is not known, by field.
_OTHER_NAMES = {
    'disk_format': ', or give another name of it (--map-format)',
}


@dataclasses.dataclass(frozen=True, slots=True)
class Rules:
    """How replicas at one destination are made and judged.

    :param template: how they differ from their sources
    :param exact: what only a replica has is removed
    :param at_rest: images only rest there: nothing is fixed, and nothing
        boots from there
    :param schema: returns what it says of the records that it takes; called
        only if anything is to be copied, or hidden
    :param runner: who makes new replicas there
    :param ahead: returns by how many seconds its clock is ahead of the
        source's; called only if a record may have been there first
    :param delivery: how data gets there
    :param failed_import: returns how an import of a record has failed, or '';
        called only for one that is importing
    :param mark: name of which replicas are marked to be ones; empty for none
    :param accepts_conversion: one whose data its Glance has converted is a
        replica
    """

    template: replica_template.Template = dataclasses.field(
        default_factory=replica_template.Template
    )
    exact: bool = False
    at_rest: bool = False
    schema: Callable[[], image_schema.ImageSchema] = image_schema.ImageSchema
    runner: ownership.Runner = dataclasses.field(
        default_factory=ownership.Runner
    )
    ahead: Callable[[], float] = float
    delivery: options.Delivery = dataclasses.field(
        default_factory=options.Delivery
    )
    failed_import: Callable[[image_record.Image], str] = lambda image: ''
    mark: str = ''
    accepts_conversion: bool = False

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
        if self.at_rest:
            return True
        if change.field == 'os_hidden' and not self.schema().hides:
            return False
        return image_record.can_change(change.field)

    def refused(self, wanted: image_record.Image, to: str) -> str:
        """Return what of a record would be refused, and what to do; else ''.

        :param wanted: the record that the replica is to have
        :param to: name of the destination
        """
        schema, fields = self.schema(), wanted.portable
        found = [
            f'{field} {fields[field]!r} is not known there: have it added to '
            f'{field}s of its Glance{_OTHER_NAMES.get(field, "")}'
            for field, known in schema.formats.items()
            if fields[field] not in (None, *known)
        ]
        if missing := [
            name
            for name in schema.required
            if fields.get(name) is None
            and (name in fields or image_record.is_property(name))
        ]:
            options = ' '.join(
                f'--set-property {name}=...'
                for name in missing
                if image_record.is_property(name)
            )
            advice = f': give {options}' if options else ''
            found.append(f'{to} requires {", ".join(missing)}{advice}')
        if wanted.hidden and not schema.hides:
            found.append(f'{plan.UNHIDDEN}: leave it out')
        return '; '.join(found)

    def unprovable_format(self, image: image_record.Image) -> str:
        """Return why a replica cannot get another disk format; else ''.

        Nobody would see that the data is of that one as well.
        """
        if not (renamed := self.template.renamed(image)):
            return ''
        fields = image.portable
        if fields['container_format'] != 'bare':
            why = (
                f'what is in a container ({fields["container_format"]}) is '
                'not looked at: copy it without --map-format'
            )
        elif self.delivery.method is options.Method.DOWNLOAD:
            why = (
                'with --method glance-download it does not pass here: give '
                '--method upload or import'
            )
        else:
            return ''
        return (
            f'nothing tells whether its data is {fields["disk_format"]} and '
            f'{renamed}, as {why}'
        )

    def conversion(
        self, owner: str | None, is_staged: bool
    ) -> conversions.Conversion:
        """Return what becomes of a replica that its Glance converts.

        Whoever owns it can set the mark by which it is told again, and with
        that pass off whatever he likes.

        :param owner: whose the replica is to be, by its ID
        :param is_staged: its data is there, and only to be imported
        """
        if not self.delivery.imports:
            return (
                conversions.Conversion.STAGED
                if is_staged
                else conversions.Conversion.NONE
            )
        if not self.accepts_conversion:
            return conversions.Conversion.REFUSED
        if not self.runner.owns(owner):
            return conversions.Conversion.FOREIGN
        return conversions.Conversion.ACCEPTED

    def cannot_be_told(self, image: image_record.Image) -> str:
        """Return why nothing would tell a converted replica again; else ''."""
        downloads = self.delivery.method is options.Method.DOWNLOAD
        if self.accepts_conversion and downloads and not image.recorded_hash:
            return f'{conversions.UNTOLD}: give --method import'
        return ''

    def as_sent(
        self, image: image_record.Image, replica: image_record.Image
    ) -> image_record.Image:
        """Return a replica as it was sent, where what was made of it is one.

        Only what is the runner's own is taken by its word.
        """
        if not self.accepts_conversion or not self.runner.owns(replica.owner):
            return replica
        renamed = self.template.renamed(image)
        return conversions.as_sent(image, replica, renamed)

    def same_data(
        self, image: image_record.Image, replica: image_record.Image
    ) -> tuple[bool, str]:
        """Return whether two records are of the same bytes, and by what.

        What rests in a dump has nobody but its writer to vouch for it.
        """
        same, evidence = proof.same_data(image, replica)
        if same and self.at_rest and evidence == proof.SIZE:
            dates = {image.created_at, replica.created_at} - {None}
            if len(dates) > 1:
                return False, 'created_at'
        return same, evidence

    def is_hashed_since(
        self, image: image_record.Image, replica: image_record.Image
    ) -> bool:
        """Return whether a source has a hash by now that a dump has not.

        Where it has noted one of its own, that tells whether the data is the
        same.
        """
        return (
            self.at_rest
            and bool(replica.noted)
            and image.recorded_hash is not None
        )

    def mark_of(self, image: image_record.Image) -> str:
        """Return what marks a replica of an image; empty for nothing."""
        return f'{self.mark}/{image.id}' if self.mark else ''

    def is_marked(self, replica: image_record.Image) -> bool:
        """Return whether a record bears the mark that is asked for.

        Anybody can give it to what is his own.
        """
        return (
            bool(self.mark)
            and self.runner.owns(replica.owner)
            and replica.marks.get(image_record.MARK) == self.mark_of(replica)
        )

    def other_mark(self, replica: image_record.Image) -> str:
        """Return the other name of which a record is marked to be a replica.

        Nova copies a mark into what is made from the image, which has
        another ID.
        """
        mark = replica.marks.get(image_record.MARK, '')
        name, _, image_id = mark.rpartition('/')
        counts = self.mark and self.runner.owns(replica.owner)
        is_other = image_id == replica.id and name != self.mark
        return name if counts and is_other else ''

    def can_serve(self, replica: image_record.Image, evidence: str) -> bool:
        """Return whether what is another's is as good as a replica.

        An administrator sees what others do not.

        :param evidence: what tells that it has the same data
        """
        if replica.status != 'active':
            return False
        if not self.runner.is_admin:
            # Who sees what is private is one, whatever his role is called.
            return evidence != proof.SIZE and replica.visibility != 'private'
        return replica.visibility == 'public' and proof.is_strong(evidence)

    def is_usable(
        self,
        image: image_record.Image,
        replica: image_record.Image,
        owner: str | None,
    ) -> bool:
        """Return whether a record does for the images that need its source.

        :param owner: whose the replica is to be, by its ID
        """
        same, evidence = self.same_data(image, replica)
        if not same or evidence == proof.SIZE or replica.status != 'active':
            return False
        is_ours = self.runner.owns(replica.owner) or replica.owner == owner
        return is_ours or self.can_serve(replica, evidence)

    def can_prove(self, replica: image_record.Image, evidence: str) -> bool:
        """Return whether evidence proves what the data of a replica is.

        On the runner's own ones nobody else had a say.

        :param evidence: algorithm of a hash, size, or empty
        """
        if self.runner.owns(replica.owner):
            return evidence not in ('', proof.SIZE)
        return proof.is_strong(evidence)

    def was_first(
        self, image: image_record.Image, replica: image_record.Image
    ) -> bool:
        """Return whether a record was there before its source was made.

        Nobody can set created_at (see fact-created-at). What does not tell
        it was not.
        """
        made, theirs = image.created_at, replica.created_at
        if self.at_rest or not made or not theirs:
            return False
        if self.is_marked(replica):
            return False
        ahead = datetime.timedelta(seconds=self.ahead() - _CLOCK_ERROR)
        return theirs - ahead < made
