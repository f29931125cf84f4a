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

from collections.abc import Callable, Iterator, Sequence
import contextlib
import dataclasses
import importlib.metadata
import logging
import time

from keystoneauth1 import exceptions as ksa_exceptions
import openstack
import openstack.config
import openstack.connection

from osc_glance_replicate import background as workers
from osc_glance_replicate.clouds import limits
from osc_glance_replicate import errors
from osc_glance_replicate import retry

LOG = logging.getLogger(__name__)

#: Seconds that a service may be silent where clouds.yaml gives no api_timeout.
TIMEOUT = 60.0

#: Further tries to log in.
_RETRIES = 2

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
        return log_in(lambda: connection)


def log_in(
    connect: Callable[[], openstack.connection.Connection],
) -> openstack.connection.Connection:
    """Log in to a cloud and find its image service, patiently.

    keystoneauth tries nothing again on the way to a token.

    :param connect: gives the connection to it; may itself log in already
    :raises Exception: whatever went wrong the last time
    """
    for _, delay in zip(range(_RETRIES), retry.delays(), strict=False):
        try:
            connection = connect()
            endpoint(connection)
        except Exception as exc:
            if not _may_pass(exc):
                raise
            LOG.info('Tries to log in again: %s', errors.explain(exc))
            time.sleep(delay)
        else:
            return connection
    connection = connect()
    endpoint(connection)
    return connection


def _may_pass(trouble: BaseException | None) -> bool:
    """Say whether a login may succeed in a moment.

    A host that does not answer at all has been waited for long enough.
    """
    if isinstance(trouble, ksa_exceptions.DiscoveryFailure):
        return _may_pass(trouble.__context__)
    return isinstance(
        trouble,
        (ksa_exceptions.ConnectFailure, ksa_exceptions.HttpServerError),
    )


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


def limit(
    connection: openstack.connection.Connection, transfers: int = 1
) -> None:
    """Set limits to what a cloud may take.

    :param transfers: each of them keeps a connection of its own; beyond
        ten, urllib3 would warn the user of every one that it discards
    """
    session = connection.session.session
    for scheme in 'http', 'https':
        adapter = limits.Adapter(pool_maxsize=transfers + 1)
        session.mount(f'{scheme}://', adapter)
