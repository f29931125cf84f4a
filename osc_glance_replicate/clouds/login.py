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
import concurrent.futures
import contextlib
import importlib.metadata
import logging
import threading
import time
from typing import Any

from keystoneauth1 import exceptions as ksa_exceptions
from keystoneauth1 import session as ksa_session
import openstack
import openstack.connection

from osc_glance_replicate import background
from osc_glance_replicate.clouds import limits
from osc_glance_replicate.clouds import redirects
from osc_glance_replicate import errors
from osc_glance_replicate import retry

LOG = logging.getLogger(__name__)

#: Seconds that a service may be silent where clouds.yaml has no api_timeout.
API_TIMEOUT = 60.0

#: Further tries to log in.
_RETRIES = 2

_APP = 'osc-glance-replicate'

#: What to do about a problem, by a part of its message.
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

    It warns when it cannot discover the versions of a Keystone, to which it
    then cannot log in either.
    """
    logging.getLogger('keystoneauth.identity').setLevel(logging.ERROR)


@contextlib.contextmanager
def named_in_errors(cloud: str) -> Iterator[None]:
    """Turn whatever goes wrong with a cloud into a CloudError that names it.

    The exceptions for a bad entry or a bad password are unrelated, and name
    no cloud (see fact-cloud-errors).

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
    """Connect to all clouds of a run, in parallel.

    No setting of the source reaches a destination, which depends on its entry
    in clouds.yaml alone (see fact-os-auth-url).

    :param own: connects to the command's own cloud
    :param to: the destinations, CLOUD or CLOUD:REGION
    :returns: the connections, the command's own first
    :raises CloudError: one of them cannot be used
    """
    logins = Logins()
    others = [background.start(logins.connect, name) for name in to]
    return [own(), *(other.result() for other in others)]


class Logins:
    """The logins of one run, which regions of one Keystone share.

    They do where their entries say the same of how to log in: one plugin of
    keystoneauth has one token for all of them then, and gets the next one,
    under a lock of its own.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begun: dict[str, concurrent.futures.Future[Any]] = {}

    def connect(self, name: str) -> openstack.connection.Connection:
        """Connect to a cloud of clouds.yaml; threads may do so side by side.

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
                connection.session.timeout = API_TIMEOUT
            limit(connection)
            return log_in(lambda: connection)


def connect_to(name: str) -> openstack.connection.Connection:
    """Connect to a cloud of clouds.yaml, with a login of its own.

    :param name: CLOUD or CLOUD:REGION
    :raises CloudError: it cannot be used
    """
    return Logins().connect(name)


def log_in(
    connect: Callable[[], openstack.connection.Connection],
) -> openstack.connection.Connection:
    """Log in to a cloud and find its image service, in several tries.

    keystoneauth tries nothing again on the way to a token.

    :param connect: returns the connection; may itself log in already
    :raises Exception: whatever went wrong the last time
    """
    retries = retry.Retries(_RETRIES)
    while True:
        try:
            connection = connect()
            endpoint(connection)
        except Exception as exc:
            if not _may_pass(exc):
                raise
            retries = retries.after(exc)
            LOG.info('Tries to log in again: %s', errors.explain(exc))
            time.sleep(retries.delay)
        else:
            return connection


def _may_pass(trouble: BaseException | None) -> bool:
    """Return whether a login may succeed in a moment.

    A host that does not answer at all has been waited for long enough.
    """
    if isinstance(trouble, ksa_exceptions.DiscoveryFailure):
        return _may_pass(trouble.__context__)
    return isinstance(
        trouble,
        (ksa_exceptions.ConnectFailure, ksa_exceptions.HttpServerError),
    )


def endpoint(connection: openstack.connection.Connection) -> str:
    """Return the URL of a cloud's image service; log in to find it.

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


def limited_session(**options: Any) -> ksa_session.Session:
    """Return a session that is within the limits from its first request on.

    :param options: of keystoneauth's session
    """
    session = ksa_session.Session(**options)
    redirects.limit(session)
    _mount(session, 1)
    return session


def limit(
    connection: openstack.connection.Connection, transfers: int = 1
) -> None:
    """Limit what a cloud may take of this process.

    :param transfers: how many run at a time, beside as many updates; each
        keeps a connection of its own, and beyond ten, urllib3 would warn of
        every one that it discards (see fact-connection-pool)
    """
    redirects.limit(connection.session)
    _mount(connection.session, transfers)


def _mount(session: ksa_session.Session, transfers: int) -> None:
    for scheme in 'http', 'https':
        adapter = limits.Adapter(pool_maxsize=2 * transfers + 1)
        session.session.mount(f'{scheme}://', adapter)
