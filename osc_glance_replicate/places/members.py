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

"""The members of a shared image: read, and brought to what is wanted."""

from collections.abc import Mapping
import re
import urllib.parse

from osc_glance_replicate import errors
from osc_glance_replicate.places import api as image_api

#: What a member may think of an image (Images API v2, "Sharing").
_STATUSES = frozenset(('pending', 'accepted', 'rejected'))

#: What the ID of a project may be: it becomes a part of a path.
_PROJECT = re.compile(r'[0-9A-Za-z][0-9A-Za-z_.-]{0,254}')


def parse(listed: object) -> dict[str, str]:
    """Read what GET /v2/images/ID/members lists: project ID → status.

    :raises ValueError: it is no such list
    """
    found = {}
    for member in listed if isinstance(listed, list) else [None]:
        if not isinstance(member, dict):
            raise ValueError('answered no list of members')
        project, status = member.get('member_id'), member.get('status')
        if (
            not isinstance(project, str)
            or not _PROJECT.fullmatch(project)
            or status not in _STATUSES
        ):
            raise ValueError(f'a member is {project!r:.40}: {status!r:.40}')
        found[project] = status
    return found


def read(api: image_api.ImageApi, image_id: str) -> dict[str, str]:
    """Give the members that Glance has: project ID → status."""
    try:
        return parse(api.json(api.get(_path(image_id))).get('members'))
    except ValueError as exc:
        raise errors.PlaceError(api.name, exc) from exc


def write(
    api: image_api.ImageApi,
    image_id: str,
    wanted: Mapping[str, str],
    exact: bool,
) -> list[str]:
    """Remove, add, accept and reject members.

    Those that are there are looked at now: some may have been hidden
    while the image was not shared (FACTS.md, "Also").

    :param exact: remove those that are not wanted
    :returns: what was refused, and how
    """
    have = read(api, image_id)
    unwanted = have.keys() - wanted.keys() if exact else ()
    refused = []
    for project in (*unwanted, *wanted):
        try:
            _write_one(
                api,
                _path(image_id),
                project,
                have.get(project),
                wanted.get(project),
            )
        except errors.RefusedError as exc:
            refused.append(f'member {project}: {exc.problem}')
    return refused


def _write_one(
    api: image_api.ImageApi,
    path: str,
    project: str,
    have: str | None,
    wanted: str | None,
) -> None:
    """Give one project the status that is wanted; None for no member."""
    member = f'{path}/{urllib.parse.quote(project, safe="")}'
    if wanted is None:
        api.request('DELETE', member, expect=(204, 404))
        return
    if have is None:
        api.request('POST', path, json={'member': project})
        have = 'pending'
    if have != wanted:
        api.request('PUT', member, json={'status': wanted})


def _path(image_id: str) -> str:
    return f'{image_api.path(image_id)}/members'
