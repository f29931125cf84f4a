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

"""The records of one image at all places, side by side."""

from collections.abc import Collection, Iterable, Iterator, Sequence
import dataclasses
import heapq
import itertools
from typing import TypeGuard

from osc_glance_replicate import errors
from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import image_selection
from osc_glance_replicate import places

#: The records of one ID: the source's, then each destination's.
Row = Sequence[image_record.Image | None]

#: Rows that are looked at to tell whether two places are the same: fewer than
#: a page has, so that nothing waits for the second one.
_COMPARED_ROWS = 500

#: Images that two destinations must have in common to be found the same.
_COMMON_IMAGES = 10

#: What one image bears at one service, by whatever URL it is reached.
_EVIDENCE = ('created_at', 'updated_at', 'owner')


def rows(
    source: places.NamingPlace,
    destinations: Sequence[places.Place],
    selection: image_selection.Selection,
    whole: bool = False,
    members: bool = False,
    own: Collection[str] = (),
) -> Iterator[Row]:
    """Return the records of each image of the source at every place.

    :param selection: images that it does not match may come as well
    :param whole: list all images of the source, whatever is selected
    :param members: with the members of shared images
    :param own: IDs of the projects of the runner, at whichever place
    :raises SelectionError: a name is not found or fits several images
    :raises CloudError: two places are the same image service
    """
    everywhere = [source, *destinations]
    if selection.images and not whole:
        all_rows: Iterator[Row] = (
            [
                image,
                *(
                    None if image.defect else _find(place, image.id)
                    for place in destinations
                ),
            ]
            for image in _look_up(source, selection.images)
        )
    else:
        listings = [place.images() for place in destinations]
        all_rows = align(
            [source.images(None if whole else selection), *listings]
        )
    if members:
        all_rows = (
            _with_members(row, everywhere)
            if row[0] and selection.takes(row[0])
            else row
            for row in all_rows
        )
    if sum(place.dates for place in everywhere) < 2:
        return all_rows
    head = list(itertools.islice(all_rows, _COMPARED_ROWS))
    listed = image_selection.Selection() if whole else selection
    _refuse_aliases(head, everywhere, listed, own)
    return itertools.chain(head, all_rows)


def find(
    place: places.Place, image_id: str, members: bool = False
) -> image_record.Image | None:
    """Return the record of one image at one place.

    :param members: with its members, if it is shared
    """
    found = [_find(place, image_id)]
    if members:
        found = list(_with_members(found, [place], passing=True))
    return found[0]


def row(
    source: places.Place,
    destinations: Sequence[places.Place],
    image_id: str,
    members: bool = False,
) -> Row:
    """Return the records of one image at every place.

    :param members: with its members, if it is shared
    """
    return [
        find(place, image_id, members) for place in (source, *destinations)
    ]


def align(
    listings: Sequence[Iterable[image_record.Image]],
) -> Iterator[Row]:
    """Yield the records of each ID together.

    :param listings: one per place, each in the order of the ranks; they are
        read as the rows are asked for and never held
    :returns: one row per ID, with as many fields as there are listings
    """

    def key(listed: tuple[int, image_record.Image]) -> tuple[bool, str]:
        return image_record.rank(listed[1].id)

    # Of images with one rank, those of the first listing come first.
    merged = heapq.merge(
        *(
            zip(itertools.repeat(index), listing)
            for index, listing in enumerate(listings)
        ),
        key=key,
    )
    for _, group in itertools.groupby(merged, key):
        # IDs that differ in case only are two images to most Glances, and
        # perhaps of two owners: see fact-id-case.
        by_id: dict[str, list[image_record.Image | None]] = {}
        for index, image in group:
            row = by_id.setdefault(image.id, [None] * len(listings))
            if row[index]:
                yield row
                row = by_id[image.id] = [None] * len(listings)
            row[index] = image
        yield from by_id.values()


def _with_members(
    row: Row, everywhere: Sequence[places.Place], passing: bool = False
) -> Row:
    """Ask each place for the members of an image that is shared there.

    :param passing: whether what may succeed another time is raised
    """
    found = list(row)
    for index, (image, place) in enumerate(zip(row, everywhere, strict=True)):
        if image and not image.defect and image.visibility == 'shared':
            try:
                found[index] = dataclasses.replace(
                    image, members=place.members(image)
                )
            except errors.PlaceError as exc:
                if passing and isinstance(exc, errors.TransientError):
                    raise
                found[index] = dataclasses.replace(
                    image, unread=f'its members cannot be read: {exc}'
                )
    return found


def _find(place: places.Place, image_id: str) -> image_record.Image | None:
    """Return an image as the place does, or one whose flaw is its record.

    Anyone can make an image of an ID in other letters, or one of a record
    without end: that is the trouble of this row alone.
    """
    try:
        return place.find(image_id)
    except errors.UnreadableError as exc:
        return image_record.Image({'id': image_id}, str(exc.problem))


def _look_up(
    source: places.NamingPlace, names: Sequence[str]
) -> list[image_record.Image]:
    """Find the images that the user named, each once."""
    found = {}
    for name in names:
        if image_record.is_id(name):
            # Whoever owns an image can call it like another one that is gone.
            image = _find(source, name)
            images: Sequence[image_record.Image] = [image] if image else []
        else:
            images = source.named(name)
        if not images:
            raise errors.NoImageError(name, source.name)
        if len(images) > 1:
            ids = ', '.join(image.id for image in images)
            raise errors.SelectionError(
                f"Several images in {source.name} are named '{name}': give "
                f'the ID of one ({ids})'
            )
        found[images[0].id] = images[0]
    return list(found.values())


def _refuse_aliases(
    head: Sequence[Row],
    everywhere: Sequence[places.Place],
    listed: image_selection.Selection,
    own: Collection[str],
) -> None:
    """Refuse two places that are one service, reached by different URLs.

    :param listed: what is listed of the first of them
    :param own: IDs of the projects of the runner
    """
    dating = [i for i, place in enumerate(everywhere) if place.dates]
    for one, other in itertools.combinations(dating, 2):
        pairs = [(row[one], row[other]) for row in head]
        of_source = one == 0
        common = _common(pairs, listed if of_source else None, own)
        if common >= (1 if of_source else _COMMON_IMAGES):
            raise errors.CloudError(
                everywhere[other].name,
                f"it is the same image service as '{everywhere[one].name}': "
                f'{common} of the images looked at were created at the same '
                'times at both; unset OS_* variables left in the environment '
                'or name another cloud',
            )


def _common(
    pairs: Iterable[
        tuple[image_record.Image | None, image_record.Image | None]
    ],
    listed: image_selection.Selection | None,
    own: Collection[str],
) -> int:
    """Count the images that show two places to be one service.

    Nobody can set created_at (see fact-created-at), so two services do not
    bear the same one on all the images that both have: unless one run made the
    replicas at both, in the same seconds. The owners, which two Keystones do
    not share, and updated_at tell then; and of two destinations it takes many
    images, as no harm is done until then.

    But whoever has a project in two regions of one Keystone can make any
    number of images at both in the same seconds. So it takes images that are
    not of his making, and he can hide none that shows the two to be two.

    :param pairs: the records of each image at the two places
    :param listed: what is listed of the first of them; None for all
    :returns: 0 where any image shows them to be two
    """
    count = 0
    for one, other in pairs:
        if (one and one.defect) or (other and other.defect):
            continue
        if one and other:
            if one.record.get('created_at') is None or any(
                one.record.get(field) != other.record.get(field)
                for field in _EVIDENCE
            ):
                return 0
            count += _is_public(one) or one.owner in own
        elif _is_public(one) or (
            _is_public(other) and (not listed or listed.matches(other))
        ):
            # Everybody sees it wherever it is.
            return 0
    return count


def _is_public(
    image: image_record.Image | None,
) -> TypeGuard[image_record.Image]:
    """Return whether it takes an administrator to make such an image."""
    return image is not None and image.visibility == 'public'
