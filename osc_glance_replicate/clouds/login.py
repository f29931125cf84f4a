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

from collections.abc import Callable, Iterator
import concurrent.futures
import contextlib
import importlib.metadata
import json
import logging
import threading
from typing import Any, NamedTuple
import uuid
import weakref

from keystoneauth1 import exceptions as ksa_exceptions
from keystoneauth1 import session as ksa_session
import openstack
import openstack.connection
from openstack import exceptions as sdk_exceptions

from osc_glance_replicate import background
from osc_glance_replicate.clouds import hints
from osc_glance_replicate.clouds import http_session
from osc_glance_replicate.clouds import limits
from osc_glance_replicate.clouds import login_adapter
from osc_glance_replicate.clouds import redirects
from osc_glance_replicate import errors

#: Seconds that a login may take in all, and that a service may be silent
#: afterwards, where clouds.yaml has no api_timeout.
API_TIMEOUT = 60.0

_APP = 'osc-glance-replicate'

#: The path of an image that no Glance has; its database is asked for it.
NOBODYS = f'/images/{uuid.UUID(int=0)}'

#: How each cloud was logged in to, with the time that is left of that.
_ADAPTERS: weakref.WeakKeyDictionary[
    openstack.connection.Connection, login_adapter.LoginAdapter
] = weakref.WeakKeyDictionary()

#: openstacksdk's words for a catalogue without an image service, by version.
_NO_ENDPOINT = (
    ksa_exceptions.EndpointNotFound,
    sdk_exceptions.ServiceDisabledException,
)

#: Answers of a service that may well be able to do other things.
_ITS_OWN = (500, 501)


def hush() -> None:
    """Keep keystoneauth from warning of what an error is about to say.

    It warns when it cannot discover the versions of a service, which then
    cannot be used either.
    """
    for name in 'identity', 'discover':
        logging.getLogger(f'keystoneauth.{name}').setLevel(logging.ERROR)


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
        found = hints.about(problem)
        told = '; '.join([problem.rstrip('.'), *found]) if found else problem
        raise errors.CloudError(cloud, told) from exc


class Logins:
    """The logins of one run, which regions of one Keystone share.

    They do where their entries say the same of how to log in: they have one
    plugin of keystoneauth then, and with it each token: see fact-shared-login.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begun: dict[str, concurrent.futures.Future[_Login]] = {}

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
            session = connection.session
            if session.timeout is None:
                session.timeout = API_TIMEOUT
            adapter = login_adapter.LoginAdapter(session.timeout)
            _limit_login(session, adapter)
            login = self._login(connection, adapter)
            session.auth = login.auth
            adapter.left = login.left
            return _with_images(connection, adapter)

    def _login(
        self,
        connection: openstack.connection.Connection,
        adapter: login_adapter.LoginAdapter,
    ) -> '_Login':
        """Return a login; wait for one that is shared and has begun."""
        key = _key(connection)
        with self._lock:
            if key not in self._begun:
                self._begun[key] = background.start(
                    _authenticate, connection.session, adapter
                )
            begun = self._begun[key]
        return begun.result()


class _Login(NamedTuple):
    """A login that has succeeded.

    :param auth: has the token
    :param left: seconds that are left for what comes after it
    """

    auth: Any
    left: float


def _key(connection: openstack.connection.Connection) -> str:
    """Return all that a login depends on."""
    session = connection.session
    config = connection.config.config
    return json.dumps(
        [
            config.get('auth_type'),
            config.get('auth'),
            session.verify,
            session.cert,
            session.timeout,
        ],
        sort_keys=True,
        default=repr,
    )


def _authenticate(
    session: ksa_session.Session, adapter: login_adapter.LoginAdapter
) -> _Login:
    """Get a token, where there is a Keystone."""
    auth: Any = session.auth
    if hasattr(auth, 'get_access'):
        adapter.persist(lambda: auth.get_access(session))
    return _Login(auth, adapter.left)


def connect_to(name: str) -> openstack.connection.Connection:
    """Connect to a cloud of clouds.yaml, with a login of its own.

    :param name: CLOUD or CLOUD:REGION
    :raises CloudError: it cannot be used
    """
    return Logins().connect(name)


def log_in(
    connect: Callable[[], openstack.connection.Connection],
    adapter: login_adapter.LoginAdapter,
) -> openstack.connection.Connection:
    """Log in to a cloud and find its image service, in several tries.

    :param connect: returns the connection; logs in already
    :param adapter: of its session
    :raises Exception: whatever went wrong the last time
    """
    return _with_images(adapter.persist(connect), adapter)


def _with_images(
    connection: openstack.connection.Connection,
    adapter: login_adapter.LoginAdapter,
) -> openstack.connection.Connection:
    """Find the image service of a cloud, and see that somebody is there.

    :returns: the connection, with the limits of what comes now
    """

    def find() -> None:
        count = adapter.count
        url = endpoint(connection)
        if adapter.count != count:
            return
        # Where its URL tells the version, nobody has asked it anything.
        try:
            connection.session.get(url, authenticated=False, raise_exc=False)
        except login_adapter.ServiceError as exc:
            if exc.status not in _ITS_OWN:
                raise

    adapter.service = 'image service'
    adapter.persist(find)
    limit(connection)
    _ADAPTERS[connection] = adapter
    return connection


def greet(name: str, connection: openstack.connection.Connection) -> None:
    """See that an image service does more than tell its versions.

    That is part of the login, as far as time goes.

    :raises CloudError: it gives no usable answer
    """
    adapter = _ADAPTERS.get(connection)
    if not adapter:
        adapter = login_adapter.LoginAdapter(API_TIMEOUT)
    adapter.service = 'image service'
    with named_in_errors(name):
        _mount(connection.session, adapter)
        try:
            adapter.persist(lambda: _ask(connection))
        except login_adapter.ServiceError as exc:
            if exc.status not in _ITS_OWN:
                raise
        finally:
            limit(connection)


def _ask(connection: openstack.connection.Connection) -> None:
    """Ask once, and for nothing that is there."""
    response = connection.image.get(
        NOBODYS,
        redirect=False,
        skip_cache=True,
        log=False,
        connect_retries=0,
        status_code_retries=0,
    )
    if response.status_code == 401:
        raise ksa_exceptions.from_response(
            response, 'GET', str(connection.image.get_endpoint())
        )


def endpoint(connection: openstack.connection.Connection) -> str:
    """Return the URL of a cloud's image service; log in to find it.

    :raises LookupError: the cloud's catalogue has none
    """
    try:
        url = str(connection.image.get_endpoint())
    except _NO_ENDPOINT:
        if not connection.config.has_service('image'):
            raise
        url = None
    if not url:
        raise LookupError(_no_service(connection.config))
    return str(url)


def _no_service(config: Any) -> str:
    """Return that there is no image service, as an entry describes it.

    :param config: of a cloud, as openstacksdk has it
    """
    if override := config.get_endpoint('image'):
        return f'its image_endpoint_override is no URL: {override}'
    told = 'its catalogue has no image service'
    interface = config.get_interface('image')
    if interface not in (None, 'public'):
        told += f' with interface {interface}'
    region = config.get_region_name('image')
    return f'{told} in region {region}' if region else told


def limited_session(
    adapter: login_adapter.LoginAdapter, **options: Any
) -> ksa_session.Session:
    """Return a session that is within the limits from its first request on.

    :param options: of keystoneauth's session
    """
    session = ksa_session.Session(**options)
    _limit_login(session, adapter)
    return session


def _limit_login(
    session: ksa_session.Session, adapter: login_adapter.LoginAdapter
) -> None:
    http_session.install(session)
    redirects.limit(session)
    _mount(session, adapter)


def limit(
    connection: openstack.connection.Connection, transfers: int = 1
) -> None:
    """Limit what a cloud may take of this process.

    :param transfers: how many run at a time, beside as many that are looked
        at and published, and twice as many updates; each keeps a connection
        of its own, and beyond ten, urllib3 would warn of every one that it
        discards (see fact-connection-pool)
    """
    http_session.install(connection.session)
    redirects.limit(connection.session)
    adapter = limits.Adapter(pool_maxsize=4 * transfers + 1)
    _mount(connection.session, adapter)


def _mount(session: ksa_session.Session, adapter: limits.Adapter) -> None:
    for scheme in 'http', 'https':
        session.session.mount(f'{scheme}://', adapter)
