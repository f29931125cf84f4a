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

"""The file of a dump that holds the names of projects and their domains."""

from collections.abc import Mapping
import dataclasses
import json

from osc_glance_replicate.model import bounded_json
from osc_glance_replicate.model import ownership

#: Bytes that the file may have, enough for a hundred thousand projects.
MAX_SIZE = 12 * 1024 * 1024

#: Parts of JSON that it may have: a dozen for each project.
_MAX_PARTS = 2_000_000


def serialize(projects: Mapping[str, ownership.Project]) -> bytes:
    """Return the content of the file.

    :param projects: the projects by ID
    """
    document = {
        project_id: dataclasses.asdict(project)
        for project_id, project in projects.items()
    }
    return json.dumps(document, sort_keys=True, indent=1).encode() + b'\n'


def parse(content: bytes) -> dict[str, ownership.Project]:
    """Return the projects in a file that may have been made by anyone.

    :returns: the projects by ID
    :raises ValueError: it does not list projects
    :raises RecursionError: it is nested too deeply
    """
    document = bounded_json.loads(content, _MAX_PARTS)
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
