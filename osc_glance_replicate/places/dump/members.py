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

"""The file of a dump that holds the members of an image, as Glance lists."""

from collections.abc import Mapping
import json

from osc_glance_replicate.model import image_members

#: Bytes that the file may have, enough for thousands of members.
MAX_SIZE = 1024 * 1024


def serialize(members: Mapping[str, str]) -> bytes:
    """Return the content of the file.

    :param members: project ID → status
    """
    listed = [
        {'member_id': project, 'status': status}
        for project, status in sorted(members.items())
    ]
    return json.dumps(listed).encode() + b'\n'


def parse(content: bytes) -> dict[str, str]:
    """Return the members in a file that may have been made by anyone.

    :returns: project ID → status
    :raises ValueError: it does not list members
    :raises RecursionError: it is nested too deeply
    """
    return image_members.parse(json.loads(content))
