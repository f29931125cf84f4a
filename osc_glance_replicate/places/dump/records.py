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

"""The file of a dump that holds an image's record, as Glance gave it."""

from collections.abc import Mapping, Sequence
import json
from typing import Any, NoReturn

from osc_glance_replicate.model import bounded_json
from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import reception
from osc_glance_replicate.model import record_defects

#: Bytes that a record may have: 128 properties of 64 KiB each, and half as
#: much again (see fact-property-limits).
MAX_SIZE = 12 * 1024 * 1024

#: Bytes that a record does not have, as a rule.
_ORDINARY = 64 * 1024

#: Characters of the longest word of JSON that may be cut in the middle, which
#: is an escape.
_LAST_WORD = 6

#: Fields that a record may have: Glance's default quota is 128 properties.
_MAX_FIELDS = 10_000

#: Parts of JSON that a record may have: three for each field and tag.
_MAX_PARTS = 100_000

#: Fields that can hold the credentials of a store.
_SECRET = frozenset(('locations', 'direct_url'))

#: Fields that v1 and v2 have in common (see fact-v1-record).
_V1_FIELDS = frozenset(
    (
        'checksum',
        'container_format',
        'created_at',
        'disk_format',
        'id',
        'min_disk',
        'min_ram',
        'name',
        'owner',
        'protected',
        'size',
        'status',
        'updated_at',
    )
)


def serialize(image: image_record.Image) -> bytes:
    """Return the content of the file, without fields that hold secrets."""
    record = {
        field: value
        for field, value in image.record.items()
        if field not in _SECRET
    }
    return json.dumps(record, sort_keys=True).encode() + b'\n'


def parse(content: bytes, image_id: str) -> image_record.Image:
    """Return the record in a file that may have been made by anyone.

    :param image_id: the ID that it has to have
    :returns: the record in the shape of Images API v2, whichever it was
        dumped in; one that cannot be used has a flaw
    """

    def flawed(flaw: str) -> image_record.Image:
        return image_record.Image({'id': image_id}, flaw)

    try:
        record = bounded_json.loads(
            content,
            _MAX_PARTS,
            object_pairs_hook=_unique,
            parse_constant=_refuse,
        )
    except bounded_json.TooManyError as exc:
        return flawed(f'it has {exc}')
    except (ValueError, RecursionError) as exc:
        return flawed(f'it is not JSON: {exc}')
    if not isinstance(record, dict):
        return flawed('it is not a JSON object')
    if len(record) > _MAX_FIELDS:
        return flawed(f'it has {len(record)} fields')
    if record.get('id') != image_id:
        other = record_defects.shown(record.get('id'))
        return flawed(f'it is the record of {other}')
    if type(record.get('is_public')) is bool and 'visibility' not in record:
        try:
            record = _modern(record)
        except ValueError as exc:
            return flawed(str(exc))
    return reception.receive(record)


def is_torn(content: bytes) -> bool:
    """Return whether a file is the beginning of a record, and no more.

    Whoever wrote it was ended while he did, or his machine was, which leaves
    zeros in the place of what was not on the disk yet: see fact-v1-order.
    """
    there = content.rstrip(b'\0 \t\r\n').decode(errors='replace')
    if not there:
        # More than that were no record.
        return len(content) < _ORDINARY
    if not there.startswith('{'):
        return False
    try:
        json.loads(there)
    except json.JSONDecodeError as exc:
        if exc.msg.startswith('Unterminated string'):
            return True
        is_whole = exc.msg == 'Extra data'
        return not is_whole and exc.pos >= len(there) - _LAST_WORD
    except (ValueError, RecursionError):
        pass
    return False


def is_without_data(image: image_record.Image) -> bool:
    """Return whether a record was dumped by a tool that left its data out.

    glance-replicator did so for what was deactivated: see fact-v1-order. Its
    records are the only ones that name no schema.
    """
    return image.status == 'deactivated' and 'schema' not in image.record


def _modern(record: Mapping[str, Any]) -> dict[str, Any]:
    """Turn a v1 record into a v2 one.

    :raises ValueError: v2 cannot express it
    """
    properties = record.get('properties')
    if not isinstance(properties, dict) or len(properties) > _MAX_FIELDS:
        raise ValueError(f'properties is {record_defects.shown(properties)}')
    for name in properties:
        if not image_record.is_property(name):
            raise ValueError(f'{name!r:.40} can be no property any more')
    return {
        **{key: record[key] for key in _V1_FIELDS & record.keys()},
        'visibility': 'public' if record['is_public'] else 'private',
        # v2 has no property that is null.
        **{
            name: value
            for name, value in properties.items()
            if value is not None
        },
    }


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError('a key is there twice')
    return found


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f'{constant} is no number')
