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

"""The data of one image, written to a Glance."""

import requests

from osc_glance_replicate import errors
from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import options
from osc_glance_replicate import places
from osc_glance_replicate.places.glance import failures
from osc_glance_replicate.places.glance import image_api

#: Seconds that a Glance may take to answer after the last byte, while its
#: store commits: at the most, and the bytes per second that it has to commit.
_COMMIT_TIMEOUT = 600.0
_COMMIT_RATE = 10e6


def send(
    api: image_api.ImageApi,
    image: image_record.Image,
    body: places.Body,
    delivery: options.Delivery,
) -> None:
    """Send data to a store, or have it staged for an import.

    The body is sent once: keystoneauth would otherwise react to a 401 or 503
    by sending what is left of it, that is nothing, and Glance would make an
    empty image active: see fact-consumed-body, fact-empty-upload.

    :raises BusyError: another upload of it is in progress
        (see fact-two-uploads)
    :raises TransientError: also where the token has expired: the next
        request gets a new one
    """
    try:
        response = _put(api, image, body, delivery)
    except errors.RefusedError as exc:
        if 'img_signature' not in image.record:
            raise
        raise errors.RefusedError(
            api.name,
            f"{exc.problem}; --dont-replicate 'img_signature*' leaves its "
            'signature out',
            exc.status,
        ) from exc
    if response.status_code == 404:
        raise errors.RefusedError(
            api.name,
            f'{image.id} was deleted there while it was copied; its ID '
            "is free after 'glance-manage db purge_images_table' there",
        )
    if 'has data on staging' in response.text:
        raise errors.RefusedError(
            api.name,
            f'data of {image.id} lies staged there, of an import that '
            'failed: --method upload does without, or its administrator '
            'has to remove it from the staging store',
        )
    if response.status_code != 204:
        raise errors.BusyError(
            api.name,
            f'{image.id} is being uploaded by someone else'
            + failures.foreign_words(response),
        )


def _put(
    api: image_api.ImageApi,
    image: image_record.Image,
    body: places.Body,
    delivery: options.Delivery,
) -> requests.Response:
    headers = {
        'Content-Type': 'application/octet-stream',
        # Besides Content-Length: see fact-upload-length.
        'X-OpenStack-Image-Size': str(len(body)),
    }
    if delivery.stores and not delivery.imports:
        headers['X-Image-Meta-Store'] = delivery.stores[0]
    end = 'stage' if delivery.imports else 'file'
    return api.request(
        'PUT',
        f'{image_api.path(image.id)}/{end}',
        expect=(204, 404, 409, 410),
        data=body if len(body) else b''.join(body),
        headers=headers,
        allow_reauth=False,
        # The first of the two is also urllib3's limit while it sends:
        # see fact-timeouts.
        timeout=(image_api.IDLE_TIMEOUT, _to_commit(len(body))),
    )


def _to_commit(size: int) -> float:
    """Return the seconds that a store may take to commit so many bytes."""
    return min(image_api.IDLE_TIMEOUT + size / _COMMIT_RATE, _COMMIT_TIMEOUT)
