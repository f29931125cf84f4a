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

"""An action as it is planned by now: what was read may be hours old."""

from collections.abc import Callable
import dataclasses
import time

from osc_glance_replicate import errors
from osc_glance_replicate.model import conversions
from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import plan
from osc_glance_replicate import places
from osc_glance_replicate.planning import alignment
from osc_glance_replicate.planning import decisions
from osc_glance_replicate.planning import succession
from osc_glance_replicate.planning import withdrawal

#: Seconds after which what a record says is asked for again before anything
#: is made of it.
_MAX_AGE = 60.0


class Planned:
    """What is to be done with one image at one destination.

    :param action: as planned first
    :param source: where the image is
    :param destination: where it goes
    :param planner: asked again
    :ivar action: as planned by now
    """

    def __init__(
        self,
        action: plan.Action,
        source: places.Place,
        destination: places.Destination,
        planner: decisions.Planner,
    ) -> None:
        self.action = action
        self._source = source
        self._destination = destination
        self._planner = planner

    @property
    def is_old(self) -> bool:
        """Whether the records may have changed since they were read."""
        records = self.action.image, self.action.replica
        read_at = min(record.read_at for record in records if record)
        return time.monotonic() - read_at > _MAX_AGE

    @property
    def renamed(self) -> str:
        """The other disk format that the replica is to have, or ''."""
        there = self._planner.at(self.action.to)
        return there.template.renamed(self.action.image)

    def renew(self, but_not: Callable[[image_record.Image], bool]) -> bool:
        """Plan anew, from what there is by now.

        :param but_not: told the replica, says whether all stays as planned
        :returns: whether it was planned anew
        :raises PlaceError: the image is gone
        """
        image = self._image() if self.is_old else self.action.image
        replica = alignment.find(
            self._destination, image.id, self._planner.members
        )
        if replica and but_not(replica):
            return False
        self.action = self._decide(image, replica)
        return True

    def narrow(self) -> None:
        """Have no more published than the source shows by now.

        :raises PlaceError: the image is not to be published any more
        """
        if not self.is_old:
            return
        action = self.action
        by_now = self._decide(self._image(), None)
        if by_now.verb is not plan.Verb.COPY:
            raise errors.PlaceError(
                action.to,
                f'{action.image.id} is left private, as by now its source is '
                f'not to be copied: {by_now.reason}; run again',
            )
        self.action = dataclasses.replace(
            action,
            image=by_now.image,
            shaped=by_now.shaped,
            owner=by_now.owner,
        )
        if by_now.conversion is conversions.Conversion.FOREIGN:
            self.action = dataclasses.replace(
                self.action, conversion=by_now.conversion
            )

    def _image(self) -> image_record.Image:
        """Return the source's record as it is by now.

        :raises PlaceError: it is gone
        """
        image_id = self.action.image.id
        image = alignment.find(self._source, image_id, self._planner.members)
        if image is None:
            raise errors.PlaceError(
                self._source.name, f'{image_id} is not there any more'
            )
        return image

    def _decide(
        self, image: image_record.Image, replica: image_record.Image | None
    ) -> plan.Action:
        action = self.action
        decided = self._planner.decide(
            image, replica, action.to, action.referred, action.capped
        )
        needs = self._planner.at(action.to).references(image)
        lacks = action.lacks
        if needs and self._sees(image) != self._sees(action.image):
            # Nobody has looked at what it refers to by now.
            lacks = 'it refers to other images, or others see it, by now'
        decided = withdrawal.within_needs(
            dataclasses.replace(decided, lacks=lacks), needs
        )
        return succession.without(
            dataclasses.replace(decided, successor=action.successor)
        )

    def _sees(self, image: image_record.Image) -> object:
        """Return what was decided by that an image may have what it needs."""
        needs = self._planner.at(self.action.to).references(image)
        return needs, image.visibility, image.owner, image.members
