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
import functools
import heapq
import http
import itertools
import logging
import re
from typing import Any
import urllib.parse

import requests

from osc_glance_replicate import background
from osc_glance_replicate.clouds import limits
from osc_glance_replicate import errors
from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import reception
from osc_glance_replicate.places.glance import image_api
from osc_glance_replicate.places.glance import records

LOG = logging.getLogger(__name__)

#: Maximum number of records in one answer (see fact-listing-page).
PAGE = 1000

#: Parameters of GET /v2/images; a list is a parameter that is repeated.
Filters = Mapping[str, str | list[str]]

#: How often a listing starts again because its marker was deleted:
#: see fact-listing-page.
_RESTARTS = 10

#: Images that a listing may have: one that has more has no end. No cloud has a
#: tenth of them, and they take time, but no memory.
_MAX_IMAGES = 10_000_000

#: Images after which it is told that there are still more.
_MANY_IMAGES = 1_000_000

#: Images that may come out of order: they are kept until the end.
_MAX_ASIDE = 1_000_000

#: A page that is too long, or takes too long, is asked for again with so many
#: times fewer images.
_SMALLER = 4

#: Images of a page that is small enough for any gateway.
_SMALL = 25

#: Answers of a Glance, or of a gateway before it, for which a page may be too
#: large. Others of 5xx and broken connections may come of other things, and
#: once is no sign.
_TOO_MUCH = frozenset((408, 500, 504, 522, 524, 598, 599))

#: Refusals that are about the number of images of a page, besides those that
#: say so.
_TOO_MANY = frozenset((413, 414))

#: Pages in a row after which it may have been something else that has passed.
_GOOD = 8

#: How often one page is asked for: until one image is left, and then some
#: more, as that may change meanwhile.
_TRIES = 20

#: Where the next page is, at the end of a page: nothing but Glance's own
#: words can be there, as all that an owner writes is deeper inside.
_NEXT = re.compile(rb'"next"\s*:\s*"([^"\\]*)"\s*}\s*\Z')

#: Such an image cannot be aligned with those of other places.
_OUT_OF_ORDER = 'it is not listed in the order of the IDs: give its ID'


@dataclasses.dataclass(frozen=True, slots=True)
class _Page:
    """One answer.

    :param more: whether there are more images after these
    :param size: how many to ask for next
    :param most: how many may be asked for at all
    :param again: whether the listing has started again with this page
    """

    images: list[image_record.Image]
    more: bool
    size: int
    most: int = PAGE
    again: bool = False


def images(
    api: image_api.ImageApi, filters: Filters
) -> Iterator[image_record.Image]:
    """List images in ascending order of their IDs.

    The first page is requested at once, and each further one while the images
    before it are consumed.

    :param filters: of GET /v2/images; without a visibility images of any are
        listed
    :returns: the images; one that comes out of order, as an ID with capital
        letters may, has a defect that says so
    :raises PlaceError: while iterating
    """
    if 'visibility' in filters:
        return _listed(api, filters)
    # Others' community images are left out without it:
    # see fact-listing-visible.
    coming = _listed(api, {**filters, 'visibility': 'all'})

    def listing() -> Iterator[image_record.Image]:
        try:
            first = next(coming, None)
        except errors.RefusedError as exc:
            if exc.status != http.HTTPStatus.BAD_REQUEST:
                raise
            # It may be older than Stein; else it refuses this as well.
            yield from merged(
                _listed(api, filters),
                _listed(api, {**filters, 'visibility': 'community'}),
            )
            return
        if first:
            yield first
            yield from coming

    return listing()


def merged(
    *listings: Iterator[image_record.Image],
) -> Iterator[image_record.Image]:
    """Merge listings into one that is in ascending order of IDs as well.

    An image that is in several comes once if its records are the same.
    """
    images = heapq.merge(
        *listings, key=lambda image: image_record.rank(image.id)
    )
    for _, alike in itertools.groupby(
        images, key=lambda image: image_record.rank(image.id)
    ):
        # Some may differ in nothing but capital letters.
        found: dict[str, list[image_record.Image]] = {}
        for image in alike:
            same = found.setdefault(image.id, [])
            if not same or image != same[-1]:
                same.append(image)
        for same in found.values():
            yield from same


def _listed(
    api: image_api.ImageApi, filters: Filters
) -> Iterator[image_record.Image]:
    """List the images that one query finds, as ``images`` does."""
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
                    aside.append(reception.set_aside(image, _OUT_OF_ORDER))
            if len(aside) > _MAX_ASIDE:
                raise _without_end(api, f'{_MAX_ASIDE} images out of order')
        # At the end, as listings can only be merged in order.
        yield from sorted(aside, key=lambda image: image_record.rank(image.id))

    return listing()


def _pages(api: image_api.ImageApi, filters: Filters) -> Iterator[_Page]:
    """Yield the pages one after the other."""
    size = most = PAGE
    shrunk = good = 0
    for restart in range(1 + _RESTARTS):
        again = restart > 0
        marker = ''
        count = 0
        while page := _page(api, marker, filters, size, most):
            shrunk, good = (
                (shrunk + 1, 0) if page.most < most else (shrunk, good + 1)
            )
            size, most = page.size, page.most
            if shrunk == 1 and good == _GOOD:
                most = PAGE
            before, count = count, count + len(page.images)
            if count > _MAX_IMAGES:
                raise _without_end(api, f'{_MAX_IMAGES} images')
            if before <= _MANY_IMAGES < count:
                LOG.warning(
                    '%s has listed %d images and goes on; it is given up '
                    'after %d',
                    api.name,
                    count,
                    _MAX_IMAGES,
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


def _without_end(api: image_api.ImageApi, number: str) -> errors.PlaceError:
    return errors.PlaceError(
        api.name, f'lists more than {number}; is it a Glance?'
    )


def _page(
    api: image_api.ImageApi,
    marker: str,
    filters: Filters,
    size: int,
    most: int,
) -> _Page | None:
    """Return the images after a marker; None where it has been deleted.

    :param size: how many of them, or fewer where that is too long
    :param most: how many may be asked for later
    """
    params: dict[str, Any] = {
        'sort_key': 'id',
        'sort_dir': 'asc',
        **filters,
        **({'marker': marker} if marker else {}),
    }
    for _ in range(_TRIES):
        params['limit'] = size
        try:
            return _read(api, params, most)
        except errors.TooLongError:
            if size == 1 and (page := _without_record(api, params)):
                return page
            size = max(params['limit'] // _SMALLER, 1)
        except errors.RefusedError as exc:
            if size > _SMALL and (
                exc.status in _TOO_MANY or 'limit' in str(exc.problem)
            ):
                size = most = _SMALL
                continue
            if marker:
                answer = api.patiently(
                    functools.partial(
                        api.request,
                        'GET',
                        image_api.path(marker),
                        expect=(200, 404),
                    )
                )
                if answer.status_code == 404:
                    return None
            raise
    raise errors.TransientError(
        api.name, 'images change faster than they can be listed'
    )


def _read(api: image_api.ImageApi, params: dict[str, Any], most: int) -> _Page:
    """Ask for one page, and for a smaller one with each try.

    :param params: of the query; their limit becomes what was answered
    :param most: how many images may be asked for later
    :raises TooLongError: it is longer than any document may be
    """
    asked = params['limit']
    met: set[int] = set()

    def ask(**options: Any) -> requests.Response:
        if 'timeout' in options:
            # Others have waited for long: there is one try more.
            params['limit'] = min(params['limit'], _SMALL)
        try:
            return api.request('GET', '/images', params=params, **options)
        except errors.SilentError:
            # Who has waited in vain is not to wait long again.
            params['limit'] = min(params['limit'], _SMALL)
            raise
        except errors.TransientError as exc:
            if exc.status in _TOO_MUCH or exc.status in met:
                params['limit'] = _smaller(params['limit'])
            if exc.status == 0 or exc.status >= 500:
                met.add(exc.status)
            raise

    answer = api.patiently(ask)
    if params['limit'] < asked:
        most = params['limit']
    document = api.json(answer)
    listed = document.get('images')
    if not isinstance(listed, list) or not all(
        isinstance(record, dict) for record in listed
    ):
        raise errors.PlaceError(api.name, 'answered no list of images')
    found = [reception.receive(record) for record in listed]
    size = params['limit']
    # Twice as many may be longer by more, but not again and again too long.
    if 4 * len(answer.content) < limits.MAX_DOCUMENT:
        size = min(2 * size, most)
    # A Glance may be configured to give fewer than asked for, so the number
    # of images does not tell whether there are more.
    more = bool(found) and bool(document.get('next'))
    return _Page(found, more, size, most)


def _smaller(size: int) -> int:
    """Return how many images to ask for, where so many were too many."""
    return min(size, max(size // _SMALLER, _SMALL))


def _without_record(
    api: image_api.ImageApi, params: dict[str, Any]
) -> _Page | None:
    """Return a page with one image that has no record but its ID.

    A Glance tells it once more after the record: see fact-listing-long.

    :param params: that ask for one image
    :returns: None where the answer is not too long any more
    :raises PlaceError: the ID cannot be found
    """
    after = params.get('marker', '')
    try:
        end = api.patiently(functools.partial(api.end, '/images', params))
    except errors.TooLongError:
        end = b' '
    if not end:
        return None
    link = _NEXT.search(end)
    url = link[1].decode('ascii', 'replace') if link else ''
    query = urllib.parse.parse_qs(url.partition('?')[2])
    image_id = query.get('marker', [''])[0]
    if not image_record.is_id(image_id):
        raise errors.PlaceError(
            api.name,
            f'answers with more than {limits.MAX_DOCUMENT} bytes for the '
            f'first image{after and f" after {after}"}, and does not tell '
            'its ID; is it a Glance? If so, have the properties of that image '
            'shortened',
        )
    image = image_record.Image({'id': image_id}, records.too_long())
    return _Page([image], more=True, size=1)
