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

from collections.abc import Iterable, Iterator, Mapping
import contextlib
import functools
import threading
import time
from typing import Any
import urllib.parse

import openstack.connection
from openstack import exceptions as sdk_exceptions

from osc_glance_replicate.clouds import login
from osc_glance_replicate.clouds import throttling
from osc_glance_replicate import errors
from osc_glance_replicate.model import ownership

#: Answers of a Keystone, or of a gateway before it, to who may not ask.
_REFUSED = frozenset((401, 403, 404, 405, 410, 501))

#: Further tries to ask Keystone.
_RETRIES = 3

#: Seconds between two of them where Keystone says that it is asked too often,
#: and at most, if it asks for more.
_PAUSE, _MAX_PAUSE = 1.0, 60.0


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
        except sdk_exceptions.HttpException as exc:
            if exc.status_code not in _REFUSED:
                raise
            if ownership.ID.fullmatch(project):
                return project
            raise LookupError(
                f"this user may not look up the project '{project}': give "
                'its ID'
            ) from exc
        if found is None:
            raise LookupError(f"it has no project '{project}'")
        return str(found.id)


class KeystoneProjects(ownership.Projects):
    """The projects of a cloud that its user may see, by Keystone.

    All are listed at once; where Keystone lists but some of them (list_limit),
    those that are asked for are looked up one by one.

    :param name: of the cloud, as the user named it
    """

    def __init__(
        self, name: str, connection: openstack.connection.Connection
    ) -> None:
        self.name = name
        self._connection = connection
        self._lock = threading.Lock()
        #: Whether Keystone has listed all projects.
        self._is_whole = True
        #: Whether Keystone tells this user names of domains.
        self._tells_domains = True
        #: What was looked up, by the query.
        self._looked_up: dict[str, Mapping[str, ownership.Project]] = {}
        #: Queries of which Keystone has answered but some projects.
        self._cut_off: set[str] = set()

    @functools.cached_property
    def _known(self) -> Mapping[str, ownership.Project]:
        with login.named_in_errors(self.name):
            listed, self._is_whole = self._list('projects')
            return self._named(listed)

    @functools.cached_property
    def _domains(self) -> dict[str, str]:
        """Names of domains by ID, of those that were listed or looked up."""
        listed, _ = self._list('domains')
        found = {domain['id']: domain['name'] for domain in listed}
        auth: Any = self._connection.session.auth
        access = auth.get_access(self._connection.session)
        if access.project_domain_id:
            found[access.project_domain_id] = access.project_domain_name
        return found

    def known(self) -> Mapping[str, ownership.Project]:
        """Return the projects that are listed, by ID; ask Keystone once.

        :raises CloudError: it does not answer
        """
        with self._lock:
            return self._known

    def project(self, project_id: str) -> ownership.Project | None:
        """Return the project with this ID, if it can be known."""
        found = self.known().get(project_id)
        if found or self._is_whole or not ownership.ID.fullmatch(project_id):
            return found
        return self._look_up(f'/projects/{project_id}').get(project_id)

    def of_name(self, name: str) -> Mapping[str, ownership.Project]:
        """Return the projects of this name, in whatever domain, by ID.

        :raises LookupError: Keystone does not list all of them
        """
        found = super().of_name(name)
        if self._is_whole:
            return found
        query = f'/projects?{urllib.parse.urlencode({"name": name})}'
        looked_up = self._look_up(query).items()
        if query in self._cut_off:
            raise LookupError(
                f'{self.name}: Keystone lists but some of the projects '
                f"'{name}' (list_limit): give IDs, by --map-owner"
            )
        return {
            **found,
            **{each: known for each, known in looked_up if known.name == name},
        }

    def is_owner(self, project: str) -> bool:
        """Return False: what images say is not looked at."""
        return False

    def _look_up(self, path: str) -> Mapping[str, ownership.Project]:
        """Return the projects that Keystone has at a path, by ID.

        :returns: none where this user may not ask
        :raises LookupError: Keystone does not answer
        """
        with self._lock:
            if path not in self._looked_up:
                with self._failing_alone():
                    document = self._get(path) or {}
                    one = document.get('project')
                    listed = [one] if one else document.get('projects')
                    self._looked_up[path] = self._named(_objects(listed) or ())
                if document.get('truncated'):
                    self._cut_off.add(path)
            return self._looked_up[path]

    @contextlib.contextmanager
    def _failing_alone(self) -> Iterator[None]:
        """Have an error concern what is looked up, and not the cloud.

        :raises LookupError: says what Keystone does
        """
        try:
            with login.named_in_errors(self.name):
                yield
        except errors.CloudError as exc:
            raise LookupError(f'{exc}; run again') from exc

    def _named(
        self, listed: Iterable[Mapping[str, Any]]
    ) -> dict[str, ownership.Project]:
        """Return projects by ID, with the names of their domains."""
        return {
            project['id']: ownership.Project(
                project['name'], self._domain(str(project.get('domain_id')))
            )
            for project in listed
        }

    def _domain(self, domain_id: str) -> str:
        """Return the name of a domain, or its ID where nobody tells."""
        if domain_id not in self._domains and self._tells_domains:
            path = f'/domains/{urllib.parse.quote(domain_id, safe="")}'
            document = self._get(path)
            # Who is refused one is refused all.
            self._tells_domains = document is not None
            found = _objects([(document or {}).get('domain')])
            name = found[0]['name'] if found else domain_id
            self._domains[domain_id] = name
        return self._domains.get(domain_id, domain_id)

    def _list(self, what: str) -> tuple[list[Any], bool]:
        """Return all projects or domains, or those where the user has a role.

        An ordinary user may not list all (see fact-other-projects).

        :param what: 'projects' or 'domains'
        :returns: what is listed, and whether that is all of it
        """
        document = self._get(f'/{what}')
        if document is None:
            # Names of domains are for people; a project has its ID.
            needed = what == 'projects'
            document = self._get(f'/auth/{what}', needed) or {}
        listed = _objects(document.get(what))
        if listed is None and what == 'projects':
            raise LookupError(
                'what Keystone answers to GET /v3/projects is no list of '
                'projects'
            )
        return listed or [], not document.get('truncated')

    def _get(self, path: str, needed: bool = False) -> Any:
        """Return what Keystone answers, or None where it refuses.

        :param needed: whether it must not refuse
        """
        for _ in range(_RETRIES):
            response = _identity(self._connection).get(path)
            if not throttling.is_limited(response):
                break
            waited = throttling.retry_after(response) or _PAUSE
            time.sleep(min(waited, _MAX_PAUSE))
        is_limited = throttling.is_limited(response)
        if response.status_code in _REFUSED and not (needed or is_limited):
            return None
        sdk_exceptions.raise_from_response(response)
        try:
            document = response.json()
        except ValueError:
            document = None
        return document if isinstance(document, dict) else {}


def _objects(listed: object) -> list[dict[str, Any]] | None:
    """Return projects or domains as a list; None where they are none.

    What of them cannot be used is left out.
    """
    if not isinstance(listed, list):
        return None
    return [
        each
        for each in listed
        if isinstance(each, dict)
        and all(isinstance(each.get(key), str) for key in ('id', 'name'))
    ]


def _know_keystone(connection: openstack.connection.Connection) -> None:
    """Have a Keystone asked that the catalogue has in another region only.

    Some do, where several regions share it. It is where one logs in.
    """
    config = connection.config
    url = getattr(connection.session.auth, 'auth_url', None)
    if not url or config.get_endpoint('identity'):
        return
    if not config.get_endpoint_from_catalog('identity'):
        url = url.rstrip('/')
        override = url if url.endswith('/v3') else f'{url}/v3'
        config.config['identity_endpoint_override'] = override
        config.config['identity_api_version'] = '3'


def _identity(connection: openstack.connection.Connection) -> Any:
    """Return the proxy of Keystone, set to try failed requests again."""
    _know_keystone(connection)
    identity: Any = connection.identity
    identity.connect_retries = _RETRIES
    identity.status_code_retries = _RETRIES
    return identity
