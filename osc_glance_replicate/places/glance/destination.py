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

"""A cloud's Glance as a source or a destination of images."""

from collections.abc import Collection, Iterator, Mapping, Sequence
import contextlib
import functools
import heapq
import operator
from typing import Any

from osc_glance_replicate import errors
from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import image_selection
from osc_glance_replicate.model import options
from osc_glance_replicate.model import plan
from osc_glance_replicate import places
from osc_glance_replicate.places.glance import filters
from osc_glance_replicate.places.glance import image_api
from osc_glance_replicate.places.glance import imports
from osc_glance_replicate.places.glance import listing
from osc_glance_replicate.places.glance import members as image_members
from osc_glance_replicate.places.glance import patch
from osc_glance_replicate.places.glance import reader as download
from osc_glance_replicate.places.glance import record
from osc_glance_replicate.places.glance import writer as upload


class Glance:
    """The images of one cloud, as one user of it sees them.

    :param api: the cloud's image API
    :param project: ID of the user's project, whose new images are; None where
        there is none
    :param delivery: how data gets there
    """

    dates = True
    inspects = True

    def __init__(
        self,
        api: image_api.ImageApi,
        project: str | None = None,
        delivery: options.Delivery = options.Delivery(),
    ) -> None:
        self.name = api.name
        self._api = api
        self._project = project
        self._delivery = delivery
        #: IDs of the replicas whose data an interrupted run has staged.
        self._staged: set[str] = set()

    @property
    def imports(self) -> bool:
        """Whether it does something of its own to the data."""
        return self._delivery.imports

    @property
    def fetch(self) -> places.Fetch | None:
        """Have it download from the source's region, if it is to."""
        downloads = self._delivery.method is options.Method.DOWNLOAD
        return self._import if downloads else None

    def images(
        self, selection: image_selection.Selection | None = None
    ) -> Iterator[image_record.Image]:
        """Give all images, hidden ones too, in ascending order of their IDs.

        :param selection: images that it does not match may be left out
        """
        asked = filters.of(selection) if selection else {}
        return heapq.merge(
            listing.images(self._api, asked),
            listing.images(self._api, {**asked, 'os_hidden': 'true'}),
            key=operator.attrgetter('key'),
        )

    def named(self, name: str) -> Sequence[image_record.Image]:
        """Give the images that bear this name, hidden ones too."""
        return [
            image
            for hidden in ('false', 'true')
            # Without the operator, Glance would take what stands before a
            # colon in the name for one.
            for image in listing.images(
                self._api, {'name': f'eq:{name}', 'os_hidden': hidden}
            )
            if image.name == name
        ]

    def find(self, image_id: str) -> image_record.Image | None:
        """Give the image of this ID, or None where it cannot be seen."""
        response = self._api.get(image_api.path(image_id), expect=(200, 404))
        if response.status_code == 404:
            return None
        return image_record.Image(self._api.json(response))

    def read(
        self, image: image_record.Image, start: int = 0
    ) -> contextlib.AbstractContextManager[places.Data]:
        """Open an image's data.

        :param start: number of bytes to leave out; fewer than there are
        :raises DataError: the record promises data and there is none, or
            of another length
        """
        return download.read(self._api, image, start)

    @functools.cached_property
    def formats(self) -> Mapping[str, Collection[str]]:
        """The formats that this Glance knows, by field.

        None are given where its schema does not say.
        """
        document = self._api.json(self._api.get('/schemas/image'))
        found = {}
        for field in 'disk_format', 'container_format':
            try:
                known = document['properties'][field]['enum']
                found[field] = frozenset(filter(None, known))
            except (KeyError, TypeError):
                continue
        return found

    def stage(self, action: plan.Action) -> None:
        """Make a private record without data, or complete one that is there.

        :raises TakenError: the ID is in use, perhaps by a deleted image
        :raises RefusedError: the record is not accepted as it should be, or
            the replica could not be published
        """
        image, replica = action.wanted, action.replica
        wanted = {**image.portable, **image_record.PUBLISHED}
        if replica is None:
            record.create(self._api, image.id, wanted)
        else:
            self._note_staged(image, replica)
            imports.refuse_locked(self._api, replica, self._delivery_of(image))
            changes = patch.completion(action, replica)
            # Glance would take '/visibility ' for the visibility itself.
            mistaken = [
                field
                for field in changes
                if field not in image_record.DEFAULTS
                and not image_record.can_change(field)
            ]
            if mistaken:
                raise errors.RefusedError(
                    self.name,
                    f'{image.id} is queued there, and Glance lets nobody set '
                    f'{", ".join(map(repr, mistaken))} of it any more',
                )
            record.change(self._api, replica.id, changes)
        record.rehearse(self._api, image.id, self._publication(action))

    def _note_staged(
        self, image: image_record.Image, replica: image_record.Image
    ) -> None:
        """Remember that data is staged, and has only to be imported."""
        self._staged.discard(image.id)
        if not replica.staged:
            return
        if replica.size != image.size:
            raise errors.RefusedError(
                self.name,
                f'{replica.size} bytes are staged there for {image.id}, which '
                f'has {image.size}: its administrator has to remove them from '
                "the staging store and set it back to 'queued' in Glance's "
                'database',
            )
        self._staged.add(image.id)

    def _delivery_of(self, image: image_record.Image) -> options.Delivery:
        staged = image.id in self._staged
        return self._delivery.of_staged if staged else self._delivery

    def kept(
        self, image: image_record.Image
    ) -> contextlib.AbstractContextManager[tuple[places.Data, int]]:
        """Give nothing: Glance drops what an interrupted upload has sent."""
        return contextlib.nullcontext((places.Nothing(), 0))

    def write(self, image: image_record.Image, body: places.Body) -> None:
        """Send the data of a staged replica, and have it imported.

        :raises BusyError: another upload or import of it is going on
        :raises TransientError: it may be tried again
        """
        if image.id not in self._staged:
            upload.send(self._api, image, body, self._delivery)
        if self.imports or image.id in self._staged:
            self._import(image)

    def _import(self, image: image_record.Image) -> None:
        """Have an image made of what is staged, or of what it fetches."""
        imports.run(self._api, image, self._delivery_of(image))
        self._staged.discard(image.id)

    def publish(self, action: plan.Action) -> None:
        """Set owner, visibility, protected and os_hidden, in one request.

        Members come after it: what is not shared yet can have none.
        """
        image_id = action.image.id
        changes = self._publication(action)
        replica = self.find(image_id) if self.imports else None
        if replica:
            # Its Glance has brought along what it likes to (FACTS.md).
            changes = {**patch.completion(action, replica), **changes}
        record.change(self._api, image_id, changes)
        members = action.wanted.members
        # What is completed may have some that an earlier run has set.
        if members or (members is not None and action.exact):
            refused = image_members.write(
                self._api, image_id, members, action.exact
            )
            if refused:
                raise errors.RefusedError(self.name, '; '.join(refused))

    def _publication(self, action: plan.Action) -> dict[str, Any]:
        """Give what distinguishes a published replica from a staged one."""
        wanted = action.wanted.portable
        changes = {
            field: wanted[field]
            for field, staged in image_record.PUBLISHED.items()
            if wanted[field] != staged
        }
        if action.owner not in (None, self._project):
            changes['owner'] = action.owner
        return changes

    def update(self, action: plan.Action) -> None:
        """Change fields of a replica that has its data.

        :raises RefusedError: names what could not be changed; all else was
        """
        image_id = action.image.id
        asked, members = {}, None
        for change in action.changes:
            if change.is_of_members:
                members = change.wanted
            else:
                asked[change.field] = change.wanted
        status = asked.pop('status', None)
        refused: list[str] = []
        # What is withdrawn is withdrawn before it is, perhaps, published.
        if status == 'deactivated':
            refused += record.set_status_if_possible(
                self._api, image_id, status
            )
        refused += record.change_what_is_possible(self._api, image_id, asked)
        if members is not None:
            refused += image_members.write(
                self._api, image_id, members, action.exact
            )
        if status == 'active':
            refused += record.set_status_if_possible(
                self._api, image_id, status
            )
        if refused:
            owner = action.replica.owner if action.replica else None
            if self._project and owner not in (None, self._project):
                refused.append(f'it belongs to project {owner} there')
            raise errors.RefusedError(self.name, '; '.join(refused))

    def members(self, image: image_record.Image) -> Mapping[str, str]:
        """Give the members of a shared image: project ID → status."""
        return image_members.read(self._api, image.id)

    def quarantine(self, image: image_record.Image) -> None:
        """Deactivate a replica."""
        record.set_status(self._api, image.id, 'deactivated')
