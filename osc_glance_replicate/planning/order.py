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

"""The plan of all images: what an image needs to boot lands first."""

from collections.abc import (
    Callable,
    Container,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
import dataclasses
import functools
import itertools
import logging

from osc_glance_replicate import errors
from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import plan
from osc_glance_replicate.planning import alignment
from osc_glance_replicate.planning import company
from osc_glance_replicate.planning import decisions
from osc_glance_replicate.planning import differences
from osc_glance_replicate.planning import withdrawal

LOG = logging.getLogger(__name__)

#: How far references are followed: a kernel has none in the real world.
_DEEPEST = 4


#: What to do about a kernel that cannot be had.
_ADVICE = 'mend that first, or leave the property out by --dont-replicate'


class Order:
    """Plans all images that are selected, and those that they need.

    Images that need others are kept until all others have been planned.

    :param planner: decides what is to be done with one image
    :param to: names of the destinations, in the order of the rows
    :param look_up: returns the row of the image of an ID
    :param members: returns the members of an image of the source
    :param lost: names of the destinations that cannot be asked any more, for
        which nothing more is planned; it may change
    :param lose: told of one that gives no answer; where there is none, what
        went wrong is raised
    """

    def __init__(
        self,
        planner: decisions.Planner,
        to: Sequence[str],
        look_up: Callable[[str], alignment.Row],
        members: company.Members = company.nobody,
        lost: Container[str] = (),
        lose: Callable[[str, errors.ReplicateError], None] | None = None,
    ) -> None:
        self._planner = planner
        self._to = to
        self._look_up = functools.cache(look_up)
        self._company = company.Company(planner, members)
        self._lost = lost
        self._lose = lose
        self._named: set[str] = set()
        #: The rows of selected images that need others, by ID.
        self._kept: dict[str, alignment.Row] = {}
        #: What was planned after the listing, by ID.
        self._planned: dict[str, list[plan.Action]] = {}

    def actions(self, rows: Iterable[alignment.Row]) -> Iterator[plan.Action]:
        """Plan, reading the rows one by one.

        :param rows: as ``alignment`` yields them
        """
        for row in rows:
            image = row[0]
            if not image:
                yield from self._extras(row)
            elif self._planner.selection.takes(image):
                if self._planner.selection.images:
                    self._named.add(image.id)
                if self._references(image):
                    self._kept[image.id] = row
                else:
                    yield from self._decide(row)
        for row in self._kept.values():
            image = row[0]
            # What is not copied needs nothing, and vouches for nothing.
            if image and not self._planner.selection.reason_not_to_copy(image):
                needs = self._references(image).values()
                self._company.note(image, needs)
        for row in self._kept.values():
            yield from self._plan_with_references(row)

    def _row(self, image_id: str) -> alignment.Row:
        """Return the row of an image, as it was listed if it needs others.

        Its owner may change since then what it needs.
        """
        return self._kept.get(image_id) or self._look_up(image_id)

    def _pair(self, image_id: str, to: str) -> company.Pair:
        """Return what the source and a destination have of an image."""
        row = self._look_up(image_id)
        return row[0], row[1 + self._to.index(to)]

    def _is_copied_anyway(self, image: image_record.Image) -> bool:
        """Return whether the listing alone has an image copied."""
        selection = self._planner.selection
        if image.hidden and not selection.include_hidden:
            return False
        return (
            image.id in self._named
            if selection.images
            else selection.matches(image)
        )

    def _references(self, image: image_record.Image) -> dict[str, str]:
        """Return what an image needs at any destination: property → ID."""
        needed = [self._planner.at(to).references(image) for to in self._to]
        return {
            field: image_id
            for field, image_id in image.references.items()
            if any(field in each for each in needed)
        }

    def _extras(self, row: alignment.Row) -> Iterator[plan.Action]:
        for to, replica in zip(self._to, row[1:], strict=True):
            if (
                replica
                and to not in self._lost
                and self._planner.extra
                and self._planner.selection.matches(replica)
            ):
                yield self._planner.decide_extra(replica, to)

    def _decide(
        self,
        row: alignment.Row,
        standing: company.Standing = company.Standing(),
    ) -> Iterator[plan.Action]:
        image, *replicas = row
        if image:
            for to, replica in zip(self._to, replicas, strict=True):
                if to in self._lost:
                    continue
                try:
                    yield self._judge(image, replica, to, standing)
                except (errors.PlaceError, errors.CloudError) as exc:
                    if exc.place != to or not self._lose:
                        raise
                    self._lose(to, exc)

    def _judge(
        self,
        image: image_record.Image,
        replica: image_record.Image | None,
        to: str,
        standing: company.Standing,
    ) -> plan.Action:
        try:
            return self._planner.decide(
                image, replica, to, standing.referred, standing.capped
            )
        except errors.ReplicateError:
            raise
        except Exception as exc:
            # A record that nobody thought of keeps no other from its place.
            LOG.debug('defect while planning', exc_info=True)
            return plan.Action(
                image,
                to,
                plan.Verb.FAIL,
                replica,
                reason=errors.unexpected(exc),
            )

    def _plan_with_references(
        self,
        row: alignment.Row,
        standing: company.Standing = company.Standing(),
    ) -> Iterator[plan.Action]:
        """Plan what an image needs, then the image."""
        image = row[0]
        if not image or image.id in self._planned:
            return
        first: list[str] = []
        problems: dict[str, str] = {}
        for field, needed in self._references(image).items():
            if self._leads_too_far(needed, _DEEPEST - 1):
                problems[field] = (
                    f'{field} {needed} leads back to it, or too far'
                )
            elif problem := self._refusal(image, needed):
                problems[field] = f'{field} {needed} {problem}'
            else:
                yield from self._plan_needed(image, needed, standing, first)
                first.append(needed)
        actions = [
            self._wait_or_fail(action, problems, first)
            for action in self._decide(row, standing)
        ]
        self._planned[image.id] = actions
        yield from actions

    def _leads_too_far(self, image_id: str, most: int) -> bool:
        """Return whether an image needs others that need others without end.

        Those that need it have no say in that: anyone can refer to it.

        :param most: how often in a row others may be needed
        """
        image = self._row(image_id)[0]
        needs = self._references(image).values() if image else ()
        return any(
            not most or self._leads_too_far(needed, most - 1)
            for needed in needs
        )

    def _refusal(self, image: image_record.Image, image_id: str) -> str:
        """Return why an image that another one needs is of no use, or ''."""
        needed = self._row(image_id)[0]
        if needed is None:
            return 'is not there'
        if self._is_copied_anyway(needed):
            return ''
        return self._company.refusal(image, needed)

    def _plan_needed(
        self,
        image: image_record.Image,
        image_id: str,
        standing: company.Standing,
        first: Sequence[str],
    ) -> Iterator[plan.Action]:
        """Plan what an image needs, unless that was done.

        :param image_id: of what it needs, which is there
        :param standing: of the image
        :param first: IDs of the images that are to land before it
        """
        row = self._row(image_id)
        needed = row[0]
        if image_id in self._planned or not needed:
            return
        was_listed = self._is_copied_anyway(needed)
        as_needed = (
            company.Standing()
            if was_listed
            else self._company.standing(image, needed, standing.capped)
        )
        # What the listing alone has planned needed nothing then.
        is_planned = was_listed and image_id not in self._kept
        if self._references(needed) and not is_planned:
            yield from self._plan_with_references(row, as_needed)
            return
        self._planned[image_id] = [
            dataclasses.replace(action, after=tuple(first))
            for action in self._decide(row, as_needed)
        ]
        if not was_listed:
            yield from self._planned[image_id]

    def _wait_or_fail(
        self,
        action: plan.Action,
        problems: Mapping[str, str],
        first: Sequence[str],
    ) -> plan.Action:
        """Let an image wait for what it needs there, or fail without it.

        :param problems: what is wrong with what it needs, by property
        :param first: IDs of the images that are planned before it
        """
        rules = self._planner.at(action.to)
        needs = rules.references(action.image)
        if rules.at_rest:
            return action
        needs = {
            field: image_id
            for field, image_id in needs.items()
            if not self._company.has_already(
                action, field, image_id, self._pair
            )
        }
        told = [problems[field] for field in problems if field in needs]
        planned = {
            field: needed
            for field, image_id in needs.items()
            for needed in self._planned.get(image_id, ())
            if needed.to == action.to and field not in problems
        }
        told += filter(
            None,
            itertools.starmap(
                functools.partial(self._company.lack, action),
                planned.items(),
            ),
        )
        if told:
            lacks = f'{"; ".join(told)}; {_ADVICE}'
            action = dataclasses.replace(action, lacks=lacks)
            return withdrawal.within_needs(action, needs)
        late = [
            needed.image.id
            for needed in planned.values()
            if needed.verb is plan.Verb.COPY or needed.proof
        ]
        takes_away = any(differences.taking_away(action.changes))
        if late and takes_away and not action.adopts:
            # Nobody delays it by what he has it refer to.
            lacks = (
                f'{", ".join(late)}, which it needs, comes first: run again'
            )
            return withdrawal.within_needs(
                dataclasses.replace(action, lacks=lacks), needs
            )
        if not withdrawal.depends(action, needs):
            return action
        after = [image_id for image_id in first if image_id in needs.values()]
        return dataclasses.replace(action, after=tuple(after))
