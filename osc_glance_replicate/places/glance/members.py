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

"""The members of a shared image in a Glance: read, and changed."""

from collections.abc import Mapping
import urllib.parse

from osc_glance_replicate import errors
from osc_glance_replicate.model import image_members
from osc_glance_replicate.places.glance import image_api
from osc_glance_replicate.places.glance import refused


def read(api: image_api.ImageApi, image_id: str) -> dict[str, str]:
    """Return the members that Glance has: project ID → status.

    :raises PlaceError: it does not list them, or lists those of another image
    """
    listed = api.get(_path(image_id)).get('members')
    for member in image_api.objects(listed):
        if (other := member.get('image_id', image_id)) != image_id:
            raise errors.PlaceError(
                api.name,
                f'asked for the members of {image_id}, it answers with one '
                f'of {other!r:.40}',
            )
    try:
        return image_members.parse(listed)
    except ValueError as exc:
        raise errors.PlaceError(api.name, exc) from exc


def write(
    api: image_api.ImageApi,
    image_id: str,
    wanted: Mapping[str, str],
    exact: bool,
    refusals: refused.Refusals,
) -> None:
    """Remove, add, accept and reject members.

    The present ones are read anew: some may have been hidden while the image
    was not shared (see fact-hidden-members).

    :param wanted: project ID → status
    :param exact: remove those that are not wanted
    :param refusals: what is not changed is noted there
    """
    have = read(api, image_id)
    unwanted = have.keys() - wanted.keys() if exact else ()
    for project in (*unwanted, *wanted):
        with refusals.noting(f'member {project}'):
            _write_one(
                api,
                _path(image_id),
                project,
                have.get(project),
                wanted.get(project),
            )


def _write_one(
    api: image_api.ImageApi,
    path: str,
    project: str,
    have: str | None,
    wanted: str | None,
) -> None:
    """Set the status of one project; None stands for no member."""
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
