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

"""Which images come along with others that refer to them, and how.

Whoever makes an image can have it refer to any other: it is no reason to give
him, or anybody else, what he may not see.
"""

from collections.abc import Callable, Iterable, Mapping
import dataclasses

from osc_glance_replicate import errors
from osc_glance_replicate.model import audience
from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import plan
from osc_glance_replicate.planning import decisions

#: Returns the members of a shared image: project ID → status.
Members = Callable[[image_record.Image], Mapping[str, str] | None]

#: What the source and a destination have of one image.
Pair = tuple[image_record.Image | None, image_record.Image | None]


def nobody(image: image_record.Image) -> None:
    """Know no members."""


@dataclasses.dataclass(frozen=True, slots=True)
class Standing:
    """For whose sake an image is planned.

    :param referred: for that of others, which are selected while it is not
    :param capped: none of them is of its owner
    """

    referred: bool = False
    capped: bool = False


class Company:
    """Judges the images that those of a plan refer to.

    :param planner: knows what is selected, and who reads the source
    :param members: of images of the source
    """

    def __init__(
        self, planner: decisions.Planner, members: Members = nobody
    ) -> None:
        self._planner = planner
        self._members = members
        #: The owners of the selected images that refer to one, by its ID.
        self._owners: dict[str, set[str | None]] = {}

    def note(self, image: image_record.Image, needs: Iterable[str]) -> None:
        """Note what an image refers to that is selected.

        All of them are noted before any image is judged: it does not depend
        on the order of the IDs, which anyone can choose, what becomes of one.

        :param needs: IDs of the images
        """
        for image_id in needs:
            self._owners.setdefault(image_id, set()).add(image.owner)

    def refusal(
        self, image: image_record.Image, needed: image_record.Image
    ) -> str:
        """Return why one that is not selected does not come along, or ''.

        :param image: the one that refers to it
        """
        if self._planner.dumped or needed.defect:
            return ''
        readers = {image.owner}
        if self._planner.reader is not None:
            # Who is no administrator was shown all that he sees.
            readers.add(self._planner.reader)
        try:
            needed = self._with_members(needed, readers)
        except errors.PlaceError as exc:
            return f'is shared, and its members cannot be read: {exc}'
        if any(audience.may_see(project, needed) for project in readers):
            return ''
        return (
            f'is {needed.visibility}, and project {image.owner}, to which the '
            'image belongs, may not see it'
        )

    def _with_members(
        self, needed: image_record.Image, readers: set[str | None]
    ) -> image_record.Image:
        if needed.visibility != 'shared' or needed.owner in readers:
            return needed
        if needed.members is None:
            members = self._members(needed)
            return dataclasses.replace(needed, members=members)
        return needed

    def standing(
        self,
        image: image_record.Image,
        needed: image_record.Image,
        capped: bool,
    ) -> Standing:
        """Return how one that is not selected comes along.

        :param image: the one that refers to it
        :param capped: whether that one is
        """
        if self._planner.selection.excludes_image(needed):
            return Standing()
        owners = self._owners.get(needed.id, set()) | (
            set() if capped else {image.owner}
        )
        return Standing(
            referred=True,
            capped=self._planner.dumped or needed.owner not in owners,
        )

    def lack(
        self, action: plan.Action, field: str, needed: plan.Action
    ) -> str:
        """Return why what an image needs is of no use to it there, or ''.

        :param field: the property that refers to it
        :param needed: the action of what it needs, at the same destination
        """
        if needed.fails:
            return (
                f'{needed.image.id}, which it needs, is '
                f'{(needed.told_as or needed.verb).value}: {needed.reason}'
            )
        if hidden := self.hidden_from(action, needed):
            kind = field.removesuffix('_id')
            return f'its {kind} {hidden}: {needed.image.id}'
        return ''

    def has_already(
        self,
        action: plan.Action,
        field: str,
        image_id: str,
        look_up: Callable[[str, str], Pair],
    ) -> bool:
        """Return whether a replica refers to an image of the runner's own.

        It may be gone from the source.

        :param field: the property that may refer to it
        :param image_id: of that image
        :param look_up: returns what the source and a destination have of it
        """
        replica = action.replica
        if not replica or replica.references.get(field) != image_id:
            return False
        image, there = look_up(image_id, action.to)
        if image:
            return False
        owns = self._planner.at(action.to).runner.owns
        return bool(there and there.status == 'active' and owns(there.owner))

    def hidden_from(self, action: plan.Action, needed: plan.Action) -> str:
        """Return why users of a replica could not use what it needs, or ''.

        What is selected itself is as the options have it, and one of the same
        owner as the image that needs it.

        :param needed: the action of what it needs, at the same destination
        """
        asked = self._planner.at(action.to).template.visibility
        narrowed = asked and needed.wanted.visibility != asked
        is_anothers = needed.image.owner != action.image.owner
        if not needed.referred or not (is_anothers or narrowed):
            return ''
        replica = self._replica(needed)
        if audience.may_all_see(self._replica(action), replica):
            return ''
        return f'stays {replica.visibility}'

    def _replica(self, action: plan.Action) -> image_record.Image:
        """Return a replica as it will be there."""
        if action.replica and action.verb is not plan.Verb.COPY:
            return _changed(action.replica, action.changes)
        owner = action.owner or self._planner.at(action.to).runner.project
        return dataclasses.replace(
            action.wanted, record={**action.wanted.record, 'owner': owner}
        )


def _changed(
    replica: image_record.Image, changes: Iterable[plan.Change]
) -> image_record.Image:
    """Return a replica as changes make it, as far as they tell who sees it."""
    record, members = {**replica.record}, replica.members
    for change in changes:
        if change.is_of_members:
            members = change.wanted
        elif change.field in ('visibility', 'owner'):
            record[change.field] = change.wanted
    return dataclasses.replace(replica, record=record, members=members)
