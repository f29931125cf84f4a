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

"""A cloud's Glance, as a source."""

from collections.abc import Iterator, Mapping, Sequence
import contextlib
import functools
import http
import itertools
import operator

from osc_glance_replicate import errors
from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import image_schema
from osc_glance_replicate.model import image_selection
from osc_glance_replicate import places
from osc_glance_replicate.places.glance import filters
from osc_glance_replicate.places.glance import image_api
from osc_glance_replicate.places.glance import listing
from osc_glance_replicate.places.glance import members
from osc_glance_replicate.places.glance import reader
from osc_glance_replicate.places.glance import records


class Source:
    """The images of one cloud, as one user of it sees them.

    :param api: the cloud's image API
    """

    dates = True

    def __init__(self, api: image_api.ImageApi) -> None:
        self.name = api.name
        self._api = api

    def greet(self) -> None:
        """Find out whether it answers.

        :raises PlaceError: it gives no usable answer
        """
        self._api.greet()

    @property
    def clock(self) -> float:
        """Seconds by which the cloud's clock is ahead of this machine's."""
        return self._api.clock.ahead

    def images(
        self, selection: image_selection.Selection | None = None
    ) -> Iterator[image_record.Image]:
        """Yield all images, hidden ones too, in ascending order of their IDs.

        Hidden ones have a listing of their own: see fact-listing-visible.

        :param selection: images that do not match it may be left out
        """
        return self._listed(filters.of(selection) if selection else {})

    def _listed(self, asked: listing.Filters) -> Iterator[image_record.Image]:
        """Yield the images that a query finds, hidden ones too."""
        # Begun at once, not when the first image is asked for.
        return self._once(
            listing.merged(
                listing.images(self._api, asked),
                listing.images(self._api, {**asked, 'os_hidden': 'true'}),
            )
        )

    def _once(
        self, listed: Iterator[image_record.Image]
    ) -> Iterator[image_record.Image]:
        """Yield each image once, and as it is, if it is in both listings.

        It was hidden, or shown, after the first of them was answered.
        """
        by_id = operator.attrgetter('id')
        for image_id, group in itertools.groupby(listed, by_id):
            found = list(group)
            if len(found) == 1 or any(image.defect for image in found):
                yield from found
            elif image := self._find(image_id):
                yield image

    def _find(self, image_id: str) -> image_record.Image | None:
        """Return an image, or one whose flaw is its record."""
        try:
            return self._api.patiently(lambda **options: self.find(image_id))
        except errors.UnreadableError as exc:
            return image_record.Image({'id': image_id}, str(exc.problem))

    def named(self, name: str) -> Sequence[image_record.Image]:
        """Return the images with this name, hidden ones too.

        One whose record cannot be had is among them: Glance has found it.
        """
        # Without the operator, Glance would take what stands before a colon in
        # the name for one: see fact-filters.
        found = self._listed({'name': f'eq:{name}'})
        try:
            return [
                image
                for image in found
                if image.record.get('name', name) == name
            ]
        except errors.TransientError as exc:
            # Pike's answer to a name that is not ASCII: see fact-filters.
            if (
                name.isascii()
                or exc.status != http.HTTPStatus.INTERNAL_SERVER_ERROR
            ):
                raise
        return [
            image
            for image in self._listed({})
            if image.record.get('name') == name
        ]

    def find(self, image_id: str) -> image_record.Image | None:
        """Return the image with this ID, or None where it cannot be seen."""
        return records.find(self._api, image_id)

    def members(self, image: image_record.Image) -> Mapping[str, str]:
        """Return the members of a shared image: project ID → status."""
        return members.read(self._api, image.id)

    def read(
        self, image: image_record.Image, start: int = 0
    ) -> contextlib.AbstractContextManager[places.Data]:
        """Open an image's data.

        :param start: number of bytes to leave out; fewer than there are
        :raises DataError: the record promises data, and there is none or its
            length differs
        """
        return reader.read(self._api, image, start)

    @functools.cached_property
    def schema(self) -> image_schema.ImageSchema:
        """What this Glance says of the records that it takes, if anything."""
        document = self._api.hint(
            '/schemas/image',
            'which formats and properties it takes is not foretold',
        )
        return image_schema.of(document or {})
