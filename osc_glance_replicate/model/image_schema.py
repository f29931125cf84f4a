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

"""What a Glance says of the records that it takes: its schema of an image."""

from collections.abc import Collection, Mapping
import dataclasses
import re
from typing import Any

#: A name that a property may have, and nobody need quote.
_NAME = re.compile(r'[\w.:-]{1,255}')

#: Properties that are required, at the most: nobody has as many.
_MAX_REQUIRED = 128

#: Fields of which the schema says what values they may have.
_FORMATS = 'disk_format', 'container_format'


@dataclasses.dataclass(frozen=True, slots=True)
class ImageSchema:
    """What is known of the records that a place takes.

    :param formats: that it knows, by field; a field of which it does not say
        any is missing: see fact-formats
    :param required: fields and properties that every image must have:
        see fact-required
    :param hides: whether images can be hidden: see fact-os-hidden
    """

    formats: Mapping[str, Collection[str]] = dataclasses.field(
        default_factory=dict
    )
    required: Collection[str] = ()
    hides: bool = True


def of(document: Mapping[str, Any]) -> ImageSchema:
    """Return what the schema says that a Glance gives.

    :param document: untrusted
    """
    fields = document.get('properties')
    fields = fields if isinstance(fields, dict) else {}
    formats = {}
    for field in _FORMATS:
        said = fields.get(field)
        known = said.get('enum') if isinstance(said, dict) else None
        names = frozenset(
            value
            for value in (known if isinstance(known, list) else ())
            if isinstance(value, str)
        )
        if names:
            formats[field] = names
    required = document.get('required')
    return ImageSchema(
        formats,
        sorted(
            name
            for name in (required if isinstance(required, list) else ())
            if isinstance(name, str) and _NAME.fullmatch(name)
        )[:_MAX_REQUIRED],
        hides='os_hidden' in fields or not fields,
    )
