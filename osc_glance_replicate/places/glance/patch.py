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

"""Changes of a record: as Glance takes them, and what it made of them."""

from collections.abc import Mapping
from typing import Any

from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import plan

MEDIA_TYPE = 'application/openstack-images-v2.1-json-patch'


def operations(changes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Write changes as operations of a JSON patch (RFC 6902)."""
    found: list[dict[str, Any]] = []
    for field, value in changes.items():
        path = '/' + field.replace('~', '~0').replace('/', '~1')
        if image_record.is_property(field):
            if value is None:
                found.append({'op': 'remove', 'path': path})
            else:
                found.append({'op': 'add', 'path': path, 'value': value})
        else:
            found.append({'op': 'replace', 'path': path, 'value': value})
    return found


def ignored(answer: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    """Hold what Glance says that it stored against what was asked.

    :returns: the fields that are not as asked
    """
    stored = {
        **image_record.Image(answer).portable,
        'owner': answer.get('owner'),
    }
    return [
        field for field, value in asked.items() if stored.get(field) != value
    ]


def completion(
    action: plan.Action, replica: image_record.Image
) -> dict[str, Any]:
    """Give what a replica that nobody sees yet is to have otherwise."""
    wanted = {**action.wanted.portable, **image_record.PUBLISHED}
    have = replica.portable
    # As in an update, what only the replica has stays.
    if not action.exact:
        wanted['tags'] = sorted({*wanted['tags'], *have['tags']})
    # What an earlier run sent and this one leaves out, goes.
    for field in have.keys():
        if action.exact or field in action.image.properties:
            wanted.setdefault(field, None)
    return {
        field: value
        for field, value in wanted.items()
        if have.get(field) != value
    }
