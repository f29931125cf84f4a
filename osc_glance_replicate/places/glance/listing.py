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

"""Images as a Glance lists them, page by page, in the order of their IDs."""

from collections.abc import Iterator, Mapping
import dataclasses
from typing import Any

from osc_glance_replicate import background
from osc_glance_replicate import errors
from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import reception
from osc_glance_replicate.places.glance import image_api

#: Maximum number of records in one answer (see fact-listing-page).
PAGE = 1000

#: Parameters of GET /v2/images; a list is a parameter that is repeated.
Filters = Mapping[str, str | list[str]]

#: How often a listing starts again because its marker was deleted:
#: see fact-listing-page.
_RESTARTS = 10

#: Images that a listing may have: one that has more has no end.
_MAX_IMAGES = 1_000_000

#: Such an image cannot be aligned with those of other places.
_OUT_OF_ORDER = 'it is not listed in the order of the IDs: give its ID'


@dataclasses.dataclass(frozen=True, slots=True)
class _Page:
    """One answer.

    :param more: whether there are more images after these
    :param again: whether the listing has started again with this page
    """

    images: list[image_record.Image]
    more: bool
    again: bool = False


def images(
    api: image_api.ImageApi, filters: Filters
) -> Iterator[image_record.Image]:
    """List images in ascending order of their IDs.

    The first page is requested at once, and each further one while the images
    before it are consumed.

    :param filters: of GET /v2/images
    :returns: the images; one that comes out of order, as an ID with capital
        letters may, has a defect that says so
    :raises PlaceError: while iterating
    """
    pages = _pages(api, filters)
    coming = background.start(next, pages, None)

    def listing() -> Iterator[image_record.Image]:
        nonlocal coming
        last = done = ''
        aside = []
        while page := coming.result():
            coming = background.start(next, pages, None)
            if page.again:
                done = last
            for image in page.images:
                # Databases do not agree on where capital letters belong:
                # see fact-id-case.
                if image.key > last and image.id == image.key:
                    last = image.key
                    yield image
                elif image.key > done:
                    aside.append(reception.flawed(image, _OUT_OF_ORDER))
        # At the end, as listings can only be merged in order.
        yield from aside

    return listing()


def _pages(api: image_api.ImageApi, filters: Filters) -> Iterator[_Page]:
    """Yield the pages one after the other."""
    for restart in range(1 + _RESTARTS):
        again = restart > 0
        marker = ''
        count = 0
        while page := _page(api, marker, filters):
            count += len(page.images)
            if count > _MAX_IMAGES:
                raise errors.PlaceError(
                    api.name,
                    f'lists more than {_MAX_IMAGES} images; is it a Glance?',
                )
            if page.more:
                last = page.images[-1].id
                # Databases sort capital letters before others, or among them.
                if last <= marker and last.lower() <= marker.lower():
                    raise errors.PlaceError(
                        api.name,
                        f'lists the images up to {last} again and again',
                    )
                marker = last
            yield dataclasses.replace(page, again=again)
            if not page.more:
                return
            again = False
    raise errors.TransientError(
        api.name, 'images vanish faster than they can be listed'
    )


def _page(
    api: image_api.ImageApi, marker: str, filters: Filters
) -> _Page | None:
    """Return the images after a marker; None where it has been deleted."""
    params: dict[str, Any] = {
        'limit': PAGE,
        'sort_key': 'id',
        'sort_dir': 'asc',
        # Others' community images are left out without it:
        # see fact-listing-visible.
        'visibility': 'all',
        **filters,
        **({'marker': marker} if marker else {}),
    }
    try:
        document = api.get('/images', **params)
    except errors.RefusedError:
        if marker:
            answer = api.ask(image_api.path(marker), (200, 404))
            if answer.status_code == 404:
                return None
        raise
    records = document.get('images')
    if not isinstance(records, list) or not all(
        isinstance(record, dict) for record in records
    ):
        raise errors.PlaceError(api.name, 'answered no list of images')
    found = [reception.receive(record) for record in records]
    # A Glance may be configured to give fewer than asked for, so the number
    # of images does not tell whether there are more.
    return _Page(found, bool(found) and bool(document.get('next')))
