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

"""The record of one image in a Glance: found, created and changed."""

from collections.abc import Collection, Mapping
import http
import json
import re
from typing import Any
import uuid

import requests

from osc_glance_replicate.clouds import limits
from osc_glance_replicate import errors
from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import reception
from osc_glance_replicate.places.glance import failures
from osc_glance_replicate.places.glance import image_api
from osc_glance_replicate.places.glance import refused

#: What a Glance answers where its schema requires more: see fact-required.
_REQUIRED = 'is a required property'

#: Answers after which what was asked for may have been done: 0 is none.
_LOST = frozenset((0, 500, 502, 504))

#: Where in its schema the name of a field stands, in the same answers.
_IN_SCHEMA = re.compile(r"schema(\['properties'\])")

#: The type of a JSON patch that Glance accepts.
_MEDIA_TYPE = 'application/openstack-images-v2.1-json-patch'


def find(api: image_api.ImageApi, image_id: str) -> image_record.Image | None:
    """Return the image with this ID, or None where it cannot be seen.

    :raises UnreadableError: its record cannot be had
    :raises PlaceError: another image is answered with
    """
    try:
        record = api.find(image_api.path(image_id))
    except errors.TooLongError as exc:
        raise errors.TooLongError(api.name, too_long()) from exc
    if record is None:
        return None
    _check_id(api, image_id, record)
    return reception.receive(record)


def too_long() -> str:
    """Return what is wrong with an image whose record is too long."""
    problem = f'the record has more than {limits.MAX_DOCUMENT} bytes'
    return f"{problem}: have the image's properties shortened"


def create(
    api: image_api.ImageApi, image_id: str, wanted: Mapping[str, Any]
) -> None:
    """Create a record, without those fields that are None.

    :raises TakenError: the ID is in use, perhaps by a deleted image
        (see fact-id-taken)
    :raises RefusedError: it is not accepted as it should be
    """
    fields = {
        field: value
        for field, value in wanted.items()
        # Those of before Rocky refuse what is understood anyway:
        # see fact-os-hidden.
        if value is not None and (field, value) != ('os_hidden', False)
    }
    try:
        response = api.request(
            'POST',
            '/images',
            expect=(201, 409),
            json={'id': image_id, **fields},
        )
    except errors.TransientError as exc:
        if exc.status in _LOST:
            # It may be there all the same.
            api.made(image_api.path(image_id))
        raise
    except errors.RefusedError as exc:
        if not _is_about_properties(str(exc.problem), wanted):
            raise
        raise errors.RefusedError(
            api.name,
            f'{exc.problem}; --dont-replicate leaves properties out',
            exc.status,
        ) from exc
    if response.status_code == 409:
        words = failures.foreign_words(response)
        raise errors.TakenError(
            api.name, f'the ID {image_id} is taken there{words}'
        )
    api.made(image_api.path(image_id))
    _check_heeded(api, image_id, api.json(response), wanted)


def _is_about_properties(problem: str, wanted: Mapping[str, Any]) -> bool:
    """Return whether a record is refused for properties that it has.

    They are not accepted, protected, or too many: see fact-property-limits.
    """
    if _REQUIRED in problem:
        return False
    # Where in the schema a field stands is told by this word, too.
    problem = _IN_SCHEMA.sub('', problem)
    names = filter(image_record.is_property, wanted)
    return 'properties' in problem or any(
        re.search(rf'\b{re.escape(name)}\b', problem) for name in names
    )


def probe(
    api: image_api.ImageApi, image_id: str, changes: Mapping[str, Any]
) -> None:
    """Check that this user may make changes, without making any.

    :raises RefusedError: the user may not
    """
    if not changes:
        return
    # The removal of a property that does not exist is refused with 409, after
    # the operations before it were found to be allowed: see fact-probe.
    nowhere = f'osc_glance_replicate_{uuid.uuid4().hex}'
    response = _patch(
        api,
        image_id,
        {**changes, nowhere: None},
        expect=(403, 409),
    )
    if response.status_code == 403:
        asked = ', '.join(f'{k}={v}' for k, v in changes.items())
        told = failures.foreign_words(response) or ' (HTTP 403)'
        raise errors.RefusedError(
            api.name, f'this user may not set {asked}{told}; no data was sent'
        )


def change(
    api: image_api.ImageApi, image_id: str, changes: Mapping[str, Any]
) -> image_record.Image | None:
    """Change fields, all of them or none; None removes a property.

    Glance guarantees that for one request: see fact-whole-patch.

    :returns: the image as it is then; None where there was nothing to change
    :raises RefusedError: the changes are not accepted, or are ignored
    """
    if not changes:
        return None
    response = _patch(api, image_id, changes, expect=(200,))
    answer = api.json(response)
    _check_heeded(api, image_id, answer, changes)
    return image_record.Image(answer)


def change_what_is_possible(
    api: image_api.ImageApi,
    image_id: str,
    changes: Mapping[str, Any],
    refusals: refused.Refusals,
    last: Collection[str] = (),
) -> image_record.Image | None:
    """Change all fields at once or, if that is refused, one by one.

    Glance answers 500 where its database will not have a value
    (see fact-refused-with-500).

    :param refusals: what is not changed is noted there
    :param last: fields that are changed together, after the others, and not
        at all where a property stays that was to go
    :returns: the image after the last of the changes; None where none was made
    """
    try:
        return change(api, image_id, changes)
    except errors.TransientError as exc:
        if exc.status != http.HTTPStatus.INTERNAL_SERVER_ERROR:
            raise
    except errors.RefusedError:
        pass
    answer = None
    for field, value in changes.items():
        if field in last:
            continue
        goes = value is None and image_record.is_property(field)
        with refusals.noting(field, stays=goes):
            answer = change(api, image_id, {field: value})
    together = {field: changes[field] for field in last if field in changes}
    told = ', '.join(together)
    if together and refusals.allow(told):
        with refusals.noting(told):
            answer = change(api, image_id, together) or answer
    return answer


def set_status(api: image_api.ImageApi, image_id: str, status: str) -> None:
    """Deactivate or reactivate an image.

    :param status: the new one: deactivated, or active
    """
    act = 'reactivate' if status == 'active' else 'deactivate'
    api.request(
        'POST', f'{image_api.path(image_id)}/actions/{act}', expect=(204,)
    )


def _patch(
    api: image_api.ImageApi,
    image_id: str,
    changes: Mapping[str, Any],
    expect: Collection[int],
) -> requests.Response:
    """Send changes.

    :raises RefusedError: Glance would take some for changes of other fields
    :raises PlaceError: it refuses whatever change
    """
    if mistaken := [*filter(image_record.is_mistaken, changes)]:
        raise errors.RefusedError(
            api.name,
            f'{image_id} is there, and Glance lets nobody set '
            f'{", ".join(map(repr, mistaken))} of it any more',
        )
    try:
        return api.request(
            'PATCH',
            image_api.path(image_id),
            expect=expect,
            headers={'Content-Type': _MEDIA_TYPE},
            data=json.dumps(_operations(changes)),
        )
    except errors.RefusedError as exc:
        if _REQUIRED not in str(exc.problem):
            raise
        raise errors.PlaceError(
            api.name,
            'its schema-image.json requires properties, with which its Glance '
            'refuses every change of an image, so that none can be published '
            "or brought up to date: have 'required' taken out of it",
        ) from exc


def _operations(changes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return changes as the operations of a JSON patch (RFC 6902)."""
    found: list[dict[str, Any]] = []
    for field, value in changes.items():
        path = '/' + field.replace('~', '~0').replace('/', '~1')
        if image_record.is_property(field) or field in image_record.MARKS:
            if value is None:
                found.append({'op': 'remove', 'path': path})
            else:
                found.append({'op': 'add', 'path': path, 'value': value})
        else:
            found.append({'op': 'replace', 'path': path, 'value': value})
    return found


def _check_id(
    api: image_api.ImageApi, image_id: str, answer: Mapping[str, Any]
) -> None:
    """Refuse the record of another image than the one that was asked for.

    :raises OtherCaseError: their IDs differ in case only: see fact-id-case
    :raises PlaceError: they differ altogether
    """
    if (found := answer.get('id')) == image_id:
        return
    problem = f'asked for {image_id}, it answers with {found!r:.40}'
    if isinstance(found, str) and found.lower() == image_id.lower():
        raise errors.OtherCaseError(
            api.name, f'{problem}, and takes the two for one'
        )
    raise errors.PlaceError(api.name, f'{problem}; is it a Glance?')


def _check_heeded(
    api: image_api.ImageApi,
    image_id: str,
    answer: Mapping[str, Any],
    asked: Mapping[str, Any],
) -> None:
    """Raise RefusedError where Glance has stored other than was asked."""
    _check_id(api, image_id, answer)
    image = image_record.Image(answer)
    stored = {
        **image.portable,
        **image.marks,
        'owner': answer.get('owner'),
    }
    if ignored := [
        field for field, value in asked.items() if stored.get(field) != value
    ]:
        raise errors.RefusedError(
            api.name, f'does not change {", ".join(ignored)}'
        )
