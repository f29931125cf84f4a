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

"""What makes a record one that no Glance can have, and nobody can use."""

from collections.abc import Collection, Mapping
from typing import Any

#: Bytes that an image may have: more than any store, and any integer, holds.
_MAX_SIZE = 2**63 - 1

#: Characters of a text that Glance keeps in a column, of a tag and of the
#: name of a property: see fact-text-limits.
MAX_TEXT = 255

#: What is told of a value that cannot be told.
TOO_DEEP = 'nested too deeply'

#: Fields of a text, of which a replica gets the same.
_TEXTS = ('name', 'container_format', 'disk_format')

_VISIBILITIES = frozenset(('private', 'shared', 'community', 'public'))

_TYPES: Mapping[str, tuple[type, ...]] = {
    'status': (str,),
    'size': (int, type(None)),
    'checksum': (str, type(None)),
    'os_hash_algo': (str, type(None)),
    'os_hash_value': (str, type(None)),
    'owner': (str, type(None)),
    'created_at': (str, type(None)),
    'name': (str, type(None)),
    'container_format': (str, type(None)),
    'disk_format': (str, type(None)),
    'min_disk': (int,),
    'min_ram': (int,),
    'tags': (list,),
    'visibility': (str,),
    'protected': (bool,),
    'os_hidden': (bool,),
}


def shown(value: object) -> str:
    """Return the beginning of a value, which may be nested without end."""
    try:
        return f'{value!r:.40}'
    except RecursionError:
        return TOO_DEEP


def of(record: Mapping[str, Any], properties: Mapping[str, Any]) -> str:
    """Return what is wrong with a record; empty: nothing.

    :param record: the decoded JSON object
    :param properties: the custom ones in it
    """
    return (
        of_fields(record)
        or of_properties(properties)
        or of_text(record, properties)
    )


def of_fields(record: Mapping[str, Any]) -> str:
    """Return what is wrong with Glance's own fields; empty: nothing.

    :param record: the decoded JSON object
    """
    if 'status' not in record:
        return 'status is None'
    for field, kinds in _TYPES.items():
        if field not in record:
            continue
        value = record[field]
        if type(value) not in kinds:
            return f'{field} is {shown(value)}'
        if type(value) is str and len(value) > MAX_TEXT:
            return f'{field} has {len(value)} characters'
    if not 0 <= (record.get('size') or 0) <= _MAX_SIZE:
        return f'size is {record["size"]!r:.40}'
    if record.get('visibility', 'private') not in _VISIBILITIES:
        return f'visibility is {record["visibility"]!r:.40}'
    return _of_tags(record.get('tags', ()))


def _of_tags(tags: Collection[Any]) -> str:
    for tag in tags:
        if not isinstance(tag, str):
            return 'a tag is not a string'
        if len(tag) > MAX_TEXT:
            return f'a tag has {len(tag)} characters'
    return ''


def of_properties(properties: Mapping[str, Any]) -> str:
    """Return what is wrong with custom properties; empty: nothing.

    How long a value may be differs from one database to another.
    """
    for field, value in properties.items():
        if len(field) > MAX_TEXT:
            return f'the name of a property has {len(field)} characters'
        if not isinstance(value, str):
            return f'property {field} is {shown(value)}'
    return ''


def of_text(record: Mapping[str, Any], properties: Mapping[str, str]) -> str:
    """Return what is wrong with the text of a record; empty: nothing.

    Nothing else may be wrong with it.
    """
    texts = [record.get(field) or '' for field in _TEXTS]
    texts += record.get('tags', ())
    try:
        ''.join([*texts, *properties, *properties.values()]).encode()
    except UnicodeEncodeError:
        return 'it holds text that is not Unicode'
    return ''
