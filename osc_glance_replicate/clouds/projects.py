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

"""The projects of a cloud that its user may see."""

from collections.abc import Mapping
import functools
from typing import Any

import openstack.connection
from openstack import exceptions as sdk_exceptions

from osc_glance_replicate.clouds import login
from osc_glance_replicate.model import ownership

#: Further tries to ask Keystone.
_RETRIES = 3


def find_id(connection: openstack.connection.Connection, project: str) -> str:
    """Return the ID of a project that is given by name or ID.

    An ordinary user can look up no project but their own; what looks like an
    ID is taken for one then (see fact-other-projects).

    :raises CloudError: it cannot be found
    """
    with login.named_in_errors(connection.config.name):
        own = connection.current_project
        if project in (own.id, own.name):
            return str(own.id)
        try:
            found = _identity(connection).find_project(project)
        except sdk_exceptions.ForbiddenException as exc:
            if ownership.ID.fullmatch(project):
                return project
            raise LookupError(
                f"this user may not look up the project '{project}': give "
                'its ID'
            ) from exc
        if found is None:
            raise LookupError(f"it has no project '{project}'")
        return str(found.id)


class KeystoneProjects:
    """The projects of a cloud that its user may see, by Keystone.

    :param name: of the cloud, as the user named it
    """

    def __init__(
        self, name: str, connection: openstack.connection.Connection
    ) -> None:
        self.name = name
        self._connection = connection

    @functools.cached_property
    def _known(self) -> Mapping[str, ownership.Project]:
        with login.named_in_errors(self.name):
            domains = self._domains()
            return {
                project['id']: ownership.Project(
                    project['name'],
                    domains.get(project['domain_id'], project['domain_id']),
                )
                for project in self._list('projects')
            }

    def known(self) -> Mapping[str, ownership.Project]:
        """Return the projects by ID; ask Keystone once.

        :raises CloudError: it does not answer
        """
        return self._known

    def is_owner(self, project: str) -> bool:
        """Return False: what images say is not looked at."""
        return False

    def _domains(self) -> dict[str, str]:
        """Return the names of the domains by ID."""
        found = {
            domain['id']: domain['name'] for domain in self._list('domains')
        }
        auth: Any = self._connection.session.auth
        access = auth.get_access(self._connection.session)
        if access.project_domain_id:
            found[access.project_domain_id] = access.project_domain_name
        return found

    def _list(self, what: str) -> list[Any]:
        """Return all projects or domains, or those where the user has a role.

        An ordinary user may not list all (see fact-other-projects).

        :param what: 'projects' or 'domains'
        """
        identity = _identity(self._connection)
        for path in f'/{what}', f'/auth/{what}':
            response = identity.get(path)
            if response.status_code != 403:
                break
        sdk_exceptions.raise_from_response(response)
        return list(response.json()[what])


def _identity(connection: openstack.connection.Connection) -> Any:
    """Return the proxy of Keystone, set to try failed requests again."""
    identity: Any = connection.identity
    identity.connect_retries = _RETRIES
    identity.status_code_retries = _RETRIES
    return identity
