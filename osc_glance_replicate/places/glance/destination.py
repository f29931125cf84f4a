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

"""A cloud's Glance, as a destination."""

from collections.abc import Collection, Iterator, Mapping
import functools
from typing import Any

from osc_glance_replicate import errors
from osc_glance_replicate.model import conversions
from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import image_selection
from osc_glance_replicate.model import options
from osc_glance_replicate.model import ownership
from osc_glance_replicate.model import plan
from osc_glance_replicate import places
from osc_glance_replicate.places.glance import hashing
from osc_glance_replicate.places.glance import image_api
from osc_glance_replicate.places.glance import imports
from osc_glance_replicate.places.glance import members
from osc_glance_replicate.places.glance import others
from osc_glance_replicate.places.glance import permissions
from osc_glance_replicate.places.glance import records
from osc_glance_replicate.places.glance import refused
from osc_glance_replicate.places.glance import source
from osc_glance_replicate.places.glance import writer


class Destination(source.Source, places.Destination):
    """The images of one cloud, to which replicas are added.

    :param api: the cloud's image API
    :param runner: whose new images are
    :param delivery: how data gets there
    """

    inspects = True

    def __init__(
        self,
        api: image_api.ImageApi,
        runner: ownership.Runner = ownership.Runner(),
        delivery: options.Delivery = options.Delivery(),
    ) -> None:
        super().__init__(api)
        self.runner = runner
        self._delivery = delivery
        self.imports = delivery.imports
        downloads = delivery.method is options.Method.DOWNLOAD
        self.fetch = self._import if downloads else None
        self._hashing = hashing.Hashing(runner)
        #: IDs of the replicas whose data an interrupted run has staged.
        self._staged: set[str] = set()
        self._permissions = permissions.Permissions()

    @property
    def answered_at(self) -> float:  # type: ignore[override]
        """When it last gave a usable answer, as of time.monotonic."""
        return self._api.answered_at

    def images(
        self, selection: image_selection.Selection | None = None
    ) -> Iterator[image_record.Image]:
        """Yield all images, as a source does."""
        return map(self._hashing.noted, super().images(selection))

    def find(self, image_id: str) -> image_record.Image | None:
        """Return the image with this ID, or None where it cannot be seen."""
        found = super().find(image_id)
        return found and self._hashing.noted(found)

    def to_hash(self, image: image_record.Image) -> Collection[str]:
        """Return by which hashes it can be told whether data has arrived."""
        return () if self.fetch else self._hashing.needed(image)

    def stage(self, action: plan.Action) -> None:
        """Create a private record without data, or complete one.

        :raises TakenError: the ID is in use, perhaps by a deleted image
        :raises RefusedError: the record is not accepted as it should be, or
            the replica could not be published
        """
        image, replica = action.wanted, action.replica
        staged = self._staged_fields(image)
        wanted = {**image.portable, **staged}
        if replica is None:
            records.create(self._api, image.id, wanted)
        else:
            self._note_staged(image, replica)
            imports.refuse_locked(self._api, replica, self._delivery_of(image))
            changes = _completion(action, replica, staged)
            records.change(self._api, replica.id, changes)
        self._require_rights(action, staged)

    def _staged_fields(self, image: image_record.Image) -> Mapping[str, Any]:
        """Return what a replica has until it is published.

        One without a hash to hold it against always differs from what it is
        to be: if nobody comes to compare it, the next run does not take it
        for unchanged. What it has then is no more and no less for anybody.
        """
        if not self.to_hash(image):
            return image_record.PUBLISHED
        protected = not image.portable['protected']
        return {**image_record.PUBLISHED, 'protected': protected}

    def _require_rights(
        self, action: plan.Action, staged: Mapping[str, Any]
    ) -> None:
        """See whether a staged replica may be published as it is to be.

        What holds for one that was just made holds for the next such. The
        mark tells the one image.

        :raises RefusedError: this user may not
        """
        publication = self._publication(action, staged)
        if action.conversion is conversions.Conversion.ACCEPTED:
            # It may come to that; which hash it tells makes no difference.
            publication[image_record.SOURCE_HASH] = 'sha512:'
            publication.setdefault(image_record.MARK, action.image.id)
        ask = functools.partial(
            records.probe, self._api, action.image.id, publication
        )
        if action.replica:
            ask()
        elif publication:
            kind = {**publication, image_record.MARK: bool(action.mark)}
            self._permissions.require(frozenset(kind.items()), ask)

    def _note_staged(
        self, image: image_record.Image, replica: image_record.Image
    ) -> None:
        """Remember whether data is staged, which has only to be imported."""
        self._staged.discard(image.id)
        if replica.staged:
            self._require_staged_size(image, replica)
            self._staged.add(image.id)

    def _require_staged_size(
        self, image: image_record.Image, replica: image_record.Image | None
    ) -> None:
        """Refuse to have imported what is not all of the data."""
        if replica and replica.staged and replica.size != image.size:
            raise errors.RefusedError(
                self.name,
                f'{replica.size} bytes are staged there for {image.id}, which '
                f'has {image.size}: its administrator has to remove them from '
                "the staging store and set it back to 'queued' in Glance's "
                'database',
            )

    def _delivery_of(self, image: image_record.Image) -> options.Delivery:
        staged = image.id in self._staged
        return self._delivery.of_staged if staged else self._delivery

    def write(self, image: image_record.Image, body: places.Body) -> None:
        """Send the data of a staged replica, unless it is there already.

        :raises BusyError: another upload or import of it is in progress
        :raises TransientError: it may be tried again
        """
        if image.id not in self._staged:
            writer.send(self._api, image, body, self._delivery)

    def failed_import(self, image: image_record.Image) -> str:
        """Return how the import of a record has failed that stays importing.

        :returns: '' where it has not, as far as can be seen
        """
        return imports.failed(self._api, image, self._delivery)

    def importer(self, image: image_record.Image) -> places.Fetch | None:
        """Return how what was sent is imported, where that is to be done."""
        is_to_be = self.imports or image.id in self._staged
        return self._import if is_to_be else None

    def _import(self, image: image_record.Image) -> None:
        """Import what is staged, or what Glance downloads.

        What comes of it may be converted, so that its size tells nothing.
        """
        if not self.fetch:
            self._require_staged_size(image, super().find(image.id))
        imports.run(self._api, image, self._delivery_of(image))
        self._staged.discard(image.id)

    def publish(
        self, action: plan.Action, verified: image_record.Image
    ) -> None:
        """Set owner, visibility, protected and os_hidden, in one request.

        Members come after it: an image that is not shared yet can have none.

        :raises RefusedError: the replica was changed meanwhile, and is
            private again; or not all is accepted
        """
        image_id = action.image.id
        changes = self._publication(action, verified.portable)
        replica = self.find(image_id) if self.imports else None
        if replica:
            # What its Glance likes to bring: see fact-download-properties.
            marks = dict.fromkeys(replica.marks)
            completed = _completion(action, replica, image_record.PUBLISHED)
            for field in conversions.FORMATS:
                # They are what its Glance has made of it.
                completed.pop(field, None)
            changes = {**completed, **marks, **changes}
        try:
            answer = records.change(self._api, image_id, changes)
        except errors.RefusedError:
            self._permissions.forget()
            raise
        if answer:
            others.hold_against(
                self._api, self.runner, action, verified, answer
            )
        wanted = action.wanted.members
        # What is completed may have some that an earlier run has set.
        if wanted or (wanted is not None and action.exact):
            refusals = refused.Refusals()
            members.write(self._api, image_id, wanted, action.exact, refusals)
            refusals.tell(self._api)

    def _publication(
        self, action: plan.Action, have: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the fields in which a published replica differs.

        :param have: what it has before
        """
        wanted = action.wanted.portable
        changes = {
            field: wanted[field]
            for field in image_record.PUBLISHED
            if wanted[field] != have[field]
        }
        if action.owner not in (None, self.runner.project):
            changes['owner'] = action.owner
        if action.mark:
            changes[image_record.MARK] = action.mark
        if action.source_hash:
            changes[image_record.SOURCE_HASH] = action.source_hash
            # What inherits the marks has another ID.
            changes.setdefault(image_record.MARK, action.image.id)
        return changes

    def update(self, action: plan.Action) -> None:
        """Change fields of a replica that has its data.

        :raises RefusedError: names the fields that could not be changed; the
            others were
        :raises TransientError: likewise, where another try may succeed
        """
        image_id = action.image.id
        asked, wanted = {}, None
        for change in action.changes:
            if change.is_of_members:
                wanted = change.wanted
            else:
                asked[change.field] = change.wanted
        status = asked.pop('status', None)
        refusals = refused.Refusals()
        # What is withdrawn is withdrawn before it is, perhaps, published.
        if status == 'deactivated':
            with refusals.noting('status'):
                records.set_status(self._api, image_id, status)
        gives = [change.field for change in action.changes if change.gives]
        answer = records.change_what_is_possible(
            self._api, image_id, asked, refusals, gives
        )
        judged = action.replica
        theirs = judged and not self.runner.owns(judged.owner)
        if judged and theirs and gives and answer:
            others.hold_against(
                self._api, self.runner, action, judged, answer, status
            )
        if wanted is not None and refusals.allow('members'):
            members.write(self._api, image_id, wanted, action.exact, refusals)
        if status == 'active' and refusals.allow('status'):
            with refusals.noting('status'):
                records.set_status(self._api, image_id, status)
        if not judged or not theirs:
            refusals.tell(self._api)
            return
        refusals.tell(self._api, f'it belongs to project {judged.owner} there')
        others.look_again(
            self._api, image_id, {**asked, 'status': status or judged.status}
        )

    def adopt(self, action: plan.Action) -> image_record.Image:
        """Make another's image the runner's own, private and unprotected.

        :returns: the image as it is then
        :raises RefusedError: this user may not, or it is gone
        :raises TransientError: it is the other's still, who changes it
        """
        return others.adopt(self._api, self.runner, action)

    def quarantine(self, image: image_record.Image) -> None:
        """Deactivate a replica."""
        records.set_status(self._api, image.id, 'deactivated')


def _completion(
    action: plan.Action,
    replica: image_record.Image,
    staged: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the changes that an unpublished replica needs.

    :param staged: what it has until it is published
    """
    wanted = {**action.wanted.portable, **staged}
    have = replica.portable
    # As in an update, what only the replica has is kept.
    if not action.exact:
        wanted['tags'] = sorted({*wanted['tags'], *have['tags']})
    # What an earlier run has sent and this one leaves out is removed.
    for field in have.keys():
        if action.exact or field in action.image.properties:
            wanted.setdefault(field, None)
    return {
        field: value
        for field, value in wanted.items()
        if have.get(field) != value
    }
