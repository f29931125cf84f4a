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

"""The members of a shared image, as they are listed."""

import re

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
