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

"""From a name in clouds.yaml to a connection whose image service is known."""

from collections.abc import Callable, Iterator, Mapping, Sequence
import contextlib
import dataclasses
import functools
import importlib.metadata
import logging
from typing import Any
import urllib.parse

import openstack
import openstack.config
import openstack.connection
from openstack import exceptions as sdk_exceptions

from osc_glance_replicate import errors
from osc_glance_replicate import limits
from osc_glance_replicate import owners
from osc_glance_replicate import workers

LOG = logging.getLogger(__name__)

#: Seconds that a service may be silent where clouds.yaml gives no api_timeout.
TIMEOUT = 60.0

_APP = 'osc-glance-replicate'

#: What to do about a problem, by what is found in its message.
_HINTS = {
    'CERTIFICATE_VERIFY_FAILED': "give the file of its authority as 'cacert' "
    'in clouds.yaml',
    'HTTP 401': "check its 'auth' in clouds.yaml, and the environment for "
    'OS_* variables',
    ' was not found.': 'its name has to be one in clouds.yaml, which is '
    'looked for here, in ~/.config/openstack and in /etc/openstack, or is the '
    'file that OS_CLIENT_CONFIG_FILE names',
    'is a required attribute': "it belongs into its 'auth' in clouds.yaml",
    'auth-url required': 'name a cloud of clouds.yaml with --os-cloud',
}
_DEFAULT_PORTS = {'http': 80, 'https': 443}


def hush() -> None:
    """Keep keystoneauth from warning of what an error is about to say.

    It does when it cannot discover the versions of a Keystone that it then
    cannot log in to either.
    """
    logging.getLogger('keystoneauth.identity').setLevel(logging.ERROR)


@contextlib.contextmanager
def named_in_errors(cloud: str) -> Iterator[None]:
    """Turn whatever goes wrong with a cloud into a CloudError that names it.

    What a bad entry or a bad password raises comes from unrelated trees of
    exceptions, and names no cloud (FACTS.md, "openstackclient").

    :raises CloudError: for every Exception
    """
    try:
        yield
    except errors.CloudError:
        raise
    except Exception as exc:
        problem = errors.explain(exc)
        hints = [hint for sign, hint in _HINTS.items() if sign in problem]
        told = '; '.join([problem.rstrip('.'), *hints]) if hints else problem
        raise errors.CloudError(cloud, told) from exc


def connect(
    own: Callable[[], openstack.connection.Connection], to: Sequence[str]
) -> list[openstack.connection.Connection]:
    """Connect to all clouds of a run, side by side.

    Nothing of the source's settings reaches a destination: it is made from
    its entry in clouds.yaml alone.

    :param own: connects to the command's own cloud
    :param to: the destinations, CLOUD or CLOUD:REGION
    :returns: the connections, the command's own first
    :raises CloudError: one of them cannot be used
    """
    others = [workers.start(connect_to, name) for name in to]
    return [own(), *(other.result() for other in others)]


def connect_to(name: str) -> openstack.connection.Connection:
    """Connect to a cloud of clouds.yaml.

    :param name: CLOUD or CLOUD:REGION
    :raises CloudError: it cannot be used
    """
    cloud, _, region = name.partition(':')
    with named_in_errors(name):
        connection = openstack.connect(
            cloud=cloud,
            region_name=region or None,
            app_name=_APP,
            app_version=importlib.metadata.version(_APP),
        )
        if connection.session.timeout is None:
            connection.session.timeout = TIMEOUT
        limit(connection)
        endpoint(connection)
    return connection


def endpoint(connection: openstack.connection.Connection) -> str:
    """Resolve the URL of a cloud's image service; logs in to find it.

    :raises LookupError: the cloud's catalogue has none
    """
    url = connection.image.get_endpoint()
    if not url:
        region = connection.config.get_region_name('image')
        raise LookupError(
            'its catalogue has no image service'
            + (f' in region {region}' if region else '')
        )
    return str(url)


def project_id(
    connection: openstack.connection.Connection, project: str
) -> str:
    """Find a project by its name or ID.

    An ordinary user can look up no project but his own (FACTS.md, "Also");
    what looks like an ID is taken for one then.

    :raises CloudError: it cannot be found
    """
    with named_in_errors(connection.config.name):
        own = connection.current_project
        if project in (own.id, own.name):
            return str(own.id)
        identity: Any = connection.identity
        try:
            found = identity.find_project(project)
        except sdk_exceptions.ForbiddenException as exc:
            if owners.ID.fullmatch(project):
                return project
            raise LookupError(
                f"this user may not look up the project '{project}': give "
                'its ID'
            ) from exc
        if found is None:
            raise LookupError(f"it has no project '{project}'")
        return str(found.id)


def warn_of_environment(connection: openstack.connection.Connection) -> None:
    """Say so where OS_AUTH_URL has won over the entry in clouds.yaml.

    It does for the command's own cloud (FACTS.md, "openstackclient"), which
    may then be a third one.
    """
    name = connection.config.name
    used = connection.config.auth.get('auth_url')
    clouds = openstack.config.OpenStackConfig().cloud_config['clouds']
    auth = clouds.get(name, {}).get('auth', {})
    if auth.get('auth_url') not in (None, used):
        LOG.warning(
            "The cloud '%s' is taken to be at %s: OS_AUTH_URL in the "
            'environment wins over clouds.yaml; unset it to use the entry',
            errors.printable(name),
            errors.printable(used),
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Identity:
    """What tells two entries of the same name apart, on two machines.

    :param project: ID of the project that it is for
    :param region: its region, where it has one
    """

    project: str | None
    region: str

    def __str__(self) -> str:
        return f'project {self.project} in region {self.region or "(none)"}'


def identity(connection: openstack.connection.Connection) -> Identity:
    """Tell which cloud this is, whatever it is called."""
    return Identity(
        connection.current_project_id,
        connection.config.get_region_name('image') or '',
    )


def entry(connection: openstack.connection.Connection) -> str:
    """Name a cloud so that another machine finds it in its clouds.yaml.

    :returns: CLOUD or CLOUD:REGION
    :raises CloudError: it is from the environment or the command line
    """
    name = connection.config.name
    clouds = openstack.config.OpenStackConfig().cloud_config['clouds']
    if name not in clouds or name == 'envvars':
        raise errors.CloudError(
            name,
            '--scheduler has workers find it in their own clouds.yaml: give '
            'it an entry there, and here, and name it with --os-cloud',
        )
    region = connection.config.get_region_name('image')
    return f'{name}:{region}' if region else str(name)


class Projects:
    """The projects of a cloud that its user can know of.

    :param name: of the cloud, as the user named it
    """

    def __init__(
        self, name: str, connection: openstack.connection.Connection
    ) -> None:
        self.name = name
        self._connection = connection

    @functools.cached_property
    def _known(self) -> Mapping[str, owners.Project]:
        with named_in_errors(self.name):
            domains = self._domains()
            return {
                project['id']: owners.Project(
                    project['name'],
                    domains.get(project['domain_id'], project['domain_id']),
                )
                for project in self._list('projects')
            }

    def known(self) -> Mapping[str, owners.Project]:
        """Give the projects by ID; asks Keystone, once.

        :raises CloudError: it does not answer
        """
        return self._known

    def _domains(self) -> dict[str, str]:
        """Give the names of the domains by ID."""
        found = {
            domain['id']: domain['name'] for domain in self._list('domains')
        }
        auth: Any = self._connection.session.auth
        access = auth.get_access(self._connection.session)
        if access.project_domain_id:
            found[access.project_domain_id] = access.project_domain_name
        return found

    def _list(self, what: str) -> list[Any]:
        """List all there are, or those that this user has a role in.

        An ordinary user may not list all (FACTS.md, "Also").
        """
        identity: Any = self._connection.identity
        for path in f'/{what}', f'/auth/{what}':
            response = identity.get(path)
            if response.status_code != 403:
                break
        sdk_exceptions.raise_from_response(response)
        listed = response.json()[what]
        return list(listed)


def limit(
    connection: openstack.connection.Connection, transfers: int = 1
) -> None:
    """Set limits to what a cloud may take.

    :param transfers: each of them keeps a connection of its own; beyond
        ten, urllib3 would warn the user of every one that it discards
    """
    session = connection.session.session
    for scheme in _DEFAULT_PORTS:
        adapter = limits.Adapter(pool_maxsize=transfers + 1)
        session.mount(f'{scheme}://', adapter)


def refuse_same(
    names: Sequence[str],
    connections: Sequence[openstack.connection.Connection],
) -> None:
    """Refuse two clouds whose image endpoints are the same.

    :param names: of the clouds, the source first
    :raises CloudError: names the endpoint
    """
    seen: dict[tuple[object, ...], str] = {}
    for name, connection in zip(names, connections, strict=True):
        url = endpoint(connection)
        service = _service(url)
        if service in seen:
            raise errors.CloudError(
                name,
                f"it is the same image service as '{seen[service]}': both "
                f'resolve to {url}; name another cloud, or unset OS_* '
                'variables left in the environment',
            )
        seen[service] = name


def shared_region(
    source: openstack.connection.Connection,
    to: str,
    destination: openstack.connection.Connection,
) -> str:
    """Find the region of a source in the catalogue of a destination.

    Clouds that have nothing to do with each other may well call their regions
    the same: so the endpoints have to be the same, too.

    :param to: name of the destination
    :raises CloudError: the destination's Glance could not find it there
    """
    name = source.config.name
    region = source.config.get_region_name('image')
    if not region:
        raise errors.CloudError(
            name,
            '--method glance-download needs to know its region: give '
            "'region_name' in clouds.yaml",
        )
    here, there = (
        _catalogued(cloud, connection, region)
        for cloud, connection in ((name, source), (to, destination))
    )
    if not here:
        raise errors.CloudError(
            name,
            '--method glance-download needs a public endpoint of its image '
            f'service in region {region}, and its catalogue has none',
        )
    if not there or _service(here) != _service(there):
        raise errors.CloudError(
            to,
            '--method glance-download needs one Keystone for both clouds, and '
            f"the catalogue here does not have '{name}' in region {region}; "
            'give --method import or upload',
        )
    return str(region)


def _catalogued(
    name: str, connection: openstack.connection.Connection, region: str
) -> str:
    """Give the public endpoint of a region's image service, or nothing."""
    with named_in_errors(name):
        url = connection.session.get_endpoint(
            service_type='image', interface='public', region_name=region
        )
    return str(url or '')


def _service(url: str) -> tuple[object, ...]:
    """Reduce an endpoint to what tells one service from another."""
    parts = urllib.parse.urlsplit(url)
    path = parts.path.rstrip('/')
    head, _, version = path.rpartition('/')
    if version[:1] == 'v' and version[1:].replace('.', '').isdigit():
        path = head
    port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    return parts.hostname, port, path
