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

"""A place as a plan asks it: patiently, and no more once it has failed."""

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from typing import TypeVar

from osc_glance_replicate import errors
from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import image_selection
from osc_glance_replicate import places
from osc_glance_replicate import retry

#: Told the name of a place, and what nothing more can be planned for it for.
Lose = Callable[[str, errors.PlaceError], None]

_Result = TypeVar('_Result')


class PatientPlace(places.Place):
    """A place whose answers are waited for, in several tries.

    :param place: the place
    :param lose: told of its failure, after which it has no image any more;
        where there is none, the failure is raised
    :param lost: names of the places that have failed, whoever found it; it
        may change
    """

    def __init__(
        self,
        place: places.Place,
        lose: Lose | None = None,
        lost: Container[str] = (),
    ) -> None:
        self.name = place.name
        self.dates = place.dates
        self._place = place
        self._lose = lose
        self._lost = lost
        self._has_failed = False

    @property
    def _is_lost(self) -> bool:
        return self._has_failed or self.name in self._lost

    def images(
        self, selection: image_selection.Selection | None = None
    ) -> Iterator[image_record.Image]:
        """Yield all images, as the place does; begun at once."""
        return self._until_lost(self._place.images(selection))

    def _until_lost(
        self, listed: Iterator[image_record.Image]
    ) -> Iterator[image_record.Image]:
        try:
            for image in listed:
                if self._is_lost:
                    return
                yield image
        except errors.PlaceError as exc:
            self._fail(exc)

    def find(self, image_id: str) -> image_record.Image | None:
        """Return the image with this ID; None where it cannot be seen.

        :raises UnreadableError: its record cannot be had
        """
        if self._is_lost:
            return None
        try:
            return self._ask(lambda: self._place.find(image_id))
        except errors.UnreadableError:
            raise
        except errors.PlaceError as exc:
            self._fail(exc)
        return None

    def members(self, image: image_record.Image) -> Mapping[str, str] | None:
        """Return the members of a shared image, as the place does.

        :raises PlaceError: it does not tell them of this image
        """
        if self._is_lost:
            return None
        try:
            return self._ask(lambda: self._place.members(image))
        except errors.PlaceError as exc:
            if not exc.unanswered:
                raise
            self._fail(exc)
        return None

    def _ask(self, ask: Callable[[], _Result]) -> _Result:
        """Ask patiently, unless others go on without this place."""
        if self._lose:
            return retry.hurriedly(lambda is_late: ask())
        return retry.patiently(ask)

    def _fail(self, trouble: errors.PlaceError) -> None:
        if not self._lose:
            raise trouble
        if not self._is_lost:
            self._lose(self.name, trouble)
            self._has_failed = True


class PatientSource(PatientPlace):
    """A source whose answers are waited for.

    :param source: the source
    """

    def __init__(self, source: places.Source) -> None:
        super().__init__(source)
        self._source = source

    def named(self, name: str) -> Sequence[image_record.Image]:
        """Return the images with this name."""
        return self._source.named(name)
