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

"""The record of an image in a dump: JSON as Glance gave it, v2 or v1."""

from collections.abc import Mapping, Sequence
import dataclasses
import json
from typing import Any, NoReturn

from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import ownership

#: Bytes that a record may have: 128 properties of 64 KiB each (Glance's
#: default quota, and its column), and half as much again.
MOST = 12 * 1024 * 1024

#: Fields that a record may have: Glance's default quota is 128 properties.
_MOST_FIELDS = 10_000

#: What can hold the credentials of a store.
_SECRET = frozenset(('locations', 'direct_url'))

#: What v1 and v2 have in common (FACTS.md, "The 2012 dump format").
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
    """Write a record, without what can hold credentials."""
    record = {
        field: value
        for field, value in image.record.items()
        if field not in _SECRET
    }
    return json.dumps(record, sort_keys=True).encode() + b'\n'


def serialize_members(members: Mapping[str, str]) -> bytes:
    """Write the members of an image, as Glance lists them."""
    listed = [
        {'member_id': project, 'status': status}
        for project, status in sorted(members.items())
    ]
    return json.dumps(listed).encode() + b'\n'


def serialize_projects(projects: Mapping[str, ownership.Project]) -> bytes:
    """Write the names of projects and of their domains."""
    document = {
        project_id: dataclasses.asdict(project)
        for project_id, project in projects.items()
    }
    return json.dumps(document, sort_keys=True, indent=1).encode() + b'\n'


def parse_projects(content: bytes) -> dict[str, ownership.Project]:
    """Read what ``serialize_projects`` wrote, or somebody else.

    :raises ValueError: it is nothing of the kind
    :raises RecursionError: it is a bomb
    """
    document = json.loads(content)
    if not isinstance(document, dict):
        raise ValueError('it is not a JSON object')
    found = {}
    for project_id, fields in document.items():
        if (
            not isinstance(fields, dict)
            or type(fields.get('name')) is not str
            or type(fields.get('domain')) is not str
        ):
            raise ValueError(f'project {project_id!r:.40} is {fields!r:.40}')
        found[project_id] = ownership.Project(fields['name'], fields['domain'])
    return found


def parse(content: bytes, image_id: str) -> image_record.Image:
    """Read a record that may have been made by anyone.

    :param image_id: which it has to be of
    :returns: the record as a Glance of today would give it; one that cannot
        be used has a flaw
    """

    def flawed(flaw: str) -> image_record.Image:
        return image_record.Image({'id': image_id}, flaw)

    try:
        record = json.loads(
            content, object_pairs_hook=_unique, parse_constant=_refuse
        )
    except (ValueError, RecursionError) as exc:
        return flawed(f'it is not JSON: {exc}')
    if not isinstance(record, dict):
        return flawed('it is not a JSON object')
    if len(record) > _MOST_FIELDS:
        return flawed(f'it has {len(record)} fields')
    if record.get('id') != image_id:
        return flawed(f'it is the record of {record.get("id")!r:.40}')
    if type(record.get('is_public')) is bool and 'visibility' not in record:
        try:
            record = _modern(record)
        except ValueError as exc:
            return flawed(str(exc))
    return image_record.Image(record)


def _modern(record: Mapping[str, Any]) -> dict[str, Any]:
    """Make a v2 record of a v1 one.

    :raises ValueError: it cannot be said in v2
    """
    properties = record.get('properties')
    if not isinstance(properties, dict) or len(properties) > _MOST_FIELDS:
        raise ValueError(f'properties is {properties!r:.40}')
    for name in properties:
        if not image_record.is_property(name):
            raise ValueError(f'{name!r:.40} can be no property any more')
    return {
        **{key: record[key] for key in _V1_FIELDS & record.keys()},
        'visibility': 'public' if record['is_public'] else 'private',
        **{
            name: '' if value is None else value
            for name, value in properties.items()
        },
    }


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError('a key is there twice')
    return found


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f'{constant} is no number')
