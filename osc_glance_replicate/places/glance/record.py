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

"""The record of one image in a Glance: made, and changed."""

from collections.abc import Collection, Mapping
import json
from typing import Any
import uuid

import requests

from osc_glance_replicate import errors
from osc_glance_replicate.places.glance import image_api
from osc_glance_replicate.places.glance import patch


def create(
    api: image_api.ImageApi, image_id: str, wanted: Mapping[str, Any]
) -> None:
    """Make a record, without those fields that are None.

    :raises TakenError: the ID is in use, perhaps by a deleted image
    :raises RefusedError: it is not accepted as it should be
    """
    fields = {
        field: value for field, value in wanted.items() if value is not None
    }
    try:
        response = api.request(
            'POST',
            '/images',
            expect=(201, 409),
            json={'id': image_id, **fields},
        )
    except errors.RefusedError as exc:
        # Not accepted, protected, or too many.
        if exc.status not in (400, 403, 413):
            raise
        raise errors.RefusedError(
            api.name,
            f'{exc.problem}; --dont-replicate leaves properties out',
        ) from exc
    if response.status_code == 409:
        raise errors.TakenError(api.name, f'the ID {image_id} is taken there')
    _check_heeded(api, api.json(response), wanted)


def rehearse(
    api: image_api.ImageApi, image_id: str, changes: Mapping[str, Any]
) -> None:
    """Find out whether this user may make changes, and make none.

    :raises RefusedError: he may not
    """
    if not changes:
        return
    # To remove a property that is not there is refused with 409 after the
    # operations before it were found to be allowed (FACTS.md, "Also").
    nowhere = f'osc_glance_replicate_{uuid.uuid4().hex}'
    response = _patch(
        api,
        image_id,
        {**changes, nowhere: None},
        expect=(403, 409),
    )
    if response.status_code == 403:
        asked = ', '.join(f'{k}={v}' for k, v in changes.items())
        raise errors.RefusedError(
            api.name,
            f'this user may not set {asked} (HTTP 403); no data was sent',
        )


def change(
    api: image_api.ImageApi, image_id: str, changes: Mapping[str, Any]
) -> None:
    """Change fields, all of them or none; None removes a property.

    :raises RefusedError: they are not accepted, or ignored
    """
    if not changes:
        return
    response = _patch(api, image_id, changes, expect=(200,))
    _check_heeded(api, api.json(response), changes)


def change_what_is_possible(
    api: image_api.ImageApi, image_id: str, changes: Mapping[str, Any]
) -> list[str]:
    """Change all fields at once or, if refused, one by one.

    :returns: what was refused, and how
    """
    try:
        change(api, image_id, changes)
        return []
    except errors.RefusedError:
        refused = []
    for field, value in changes.items():
        try:
            change(api, image_id, {field: value})
        except errors.RefusedError as exc:
            refused.append(f'{field}: {exc.problem}')
    return refused


def set_status(api: image_api.ImageApi, image_id: str, status: str) -> None:
    """Withdraw an image, or give it back: deactivated, or active."""
    act = 'reactivate' if status == 'active' else 'deactivate'
    api.request(
        'POST', f'{image_api.path(image_id)}/actions/{act}', expect=(204,)
    )


def set_status_if_possible(
    api: image_api.ImageApi, image_id: str, status: str
) -> list[str]:
    """Change the status.

    :returns: how it was refused, if it was
    """
    try:
        set_status(api, image_id, status)
        return []
    except errors.RefusedError as exc:
        return [f'status: {exc.problem}']


def _patch(
    api: image_api.ImageApi,
    image_id: str,
    changes: Mapping[str, Any],
    expect: Collection[int],
) -> requests.Response:
    return api.request(
        'PATCH',
        image_api.path(image_id),
        expect=expect,
        headers={'Content-Type': patch.MEDIA_TYPE},
        data=json.dumps(patch.operations(changes)),
    )


def _check_heeded(
    api: image_api.ImageApi,
    answer: Mapping[str, Any],
    asked: Mapping[str, Any],
) -> None:
    """Hold what Glance says that it stored against what was asked."""
    if ignored := patch.ignored(answer, asked):
        raise errors.RefusedError(
            api.name, f'does not change {", ".join(ignored)}'
        )
