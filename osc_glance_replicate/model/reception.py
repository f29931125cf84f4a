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

"""Records as they come from places, before anyone keeps them."""

from collections.abc import Mapping
import dataclasses
from typing import Any

from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import record_defects

#: Characters of all values of an ordinary record.
_ORDINARY = 4096

#: Characters that are kept of a name that no Glance can have.
_KEPT = 200


def receive(record: Mapping[str, Any]) -> image_record.Image:
    """Return the image of a record, of which nothing is known yet.

    A property of Glances before Rocky that is called like a field of later
    ones is left out: these can have none of that name (see fact-os-hidden).
    So is a reference to no image, which they refuse.

    :returns: of one that cannot be used, no more than its row needs
    """
    if isinstance(record.get('os_hidden'), str):
        record = {k: v for k, v in record.items() if k != 'os_hidden'}
    empty = [k for k in image_record.REFERENCES if record.get(k) == '']
    if empty:
        record = {k: v for k, v in record.items() if k not in empty}
    image = image_record.Image(record)
    defect = image.defect
    return flawed(image, defect) if defect else image


def set_aside(image: image_record.Image, flaw: str) -> image_record.Image:
    """Return what is kept of an image that is told of at the end only.

    Any number of them may be kept. Options select by a record of ordinary
    length; one that is longer is told of whatever they select.

    :param flaw: why it cannot be used
    """
    length = sum(len(str(value)) for value in image.record.values())
    if image.defect or length > _ORDINARY:
        return flawed(image, flaw)
    return dataclasses.replace(image, flaw=flaw)


def flawed(image: image_record.Image, flaw: str) -> image_record.Image:
    """Return what a row needs of an image that cannot be used.

    Hundreds of records are held at a time, and any may have megabytes. Without
    a status, none is taken for sound but for its flaw.

    :param flaw: why it cannot be used
    """
    kept: dict[str, Any] = {'id': _cut(image.id)}
    if isinstance(name := image.record.get('name'), str):
        kept['name'] = _cut(name)
    if type(size := image.record.get('size')) is int:
        kept['size'] = size
    return dataclasses.replace(image, record=kept, flaw=flaw)


def _cut(text: str) -> str:
    if len(text) <= record_defects.MAX_TEXT:
        return text
    return f'{text[:_KEPT]}… ({len(text)} characters)'
