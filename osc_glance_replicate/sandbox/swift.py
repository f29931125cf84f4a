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

"""A Swift of one node, which knows the users of a cloud's Keystone."""

from collections.abc import Mapping
import getpass
import pathlib
import time

import requests

from osc_glance_replicate.sandbox import errors
from osc_glance_replicate.sandbox import ini
from osc_glance_replicate.sandbox import installed
from osc_glance_replicate.sandbox import ports
from osc_glance_replicate.sandbox import process

_MODULES = ('swift', 'swiftclient')
_UP_WITHIN = 120.0  # seconds
_RINGS = ('account', 'container', 'object')

#: What the proxy passes a request through, the last one first.
_PIPELINE = (
    'catch_errors gatekeeper healthcheck proxy-logging listing_formats '
    's3api s3token authtoken keystoneauth bulk slo dlo versioned_writes '
    'symlink proxy-server'
)
_FILTERS = {
    'catch_errors': 'catch_errors',
    'gatekeeper': 'gatekeeper',
    'healthcheck': 'healthcheck',
    'proxy-logging': 'proxy_logging',
    'listing_formats': 'listing_formats',
    's3api': 's3api',
    's3token': 's3token',
    'keystoneauth': 'keystoneauth',
    'bulk': 'bulk',
    'slo': 'slo',
    'dlo': 'dlo',
    'versioned_writes': 'versioned_writes',
    'symlink': 'symlink',
}


def check() -> None:
    """Tell the user what to install, before anything is started."""
    if missing := installed.missing(_MODULES):
        raise errors.SandboxError(
            f'A Swift needs {", ".join(missing)}: pip install swift '
            'python-swiftclient, after apt-get install liberasurecode1'
        )


class Swift:
    """Servers of accounts, containers and objects, and a proxy.

    :param directory: where it keeps everything.
    :param processes: the sandbox's.
    """

    def __init__(
        self, directory: pathlib.Path, processes: process.Processes
    ) -> None:
        self._directory = directory
        self._log = directory / 'swift.log'
        self._processes = processes
        self._ports = {name: ports.free() for name in (*_RINGS, 'proxy')}
        directory.mkdir(mode=0o700)

    @property
    def url(self) -> str:
        """Its endpoint, in which Keystone puts the project."""
        return f'{self._base}/v1/AUTH_%(project_id)s'

    @property
    def _base(self) -> str:
        return f'http://{process.LOOPBACK}:{self._ports["proxy"]}'

    def options(self, credentials: Mapping[str, str]) -> dict[str, str]:
        """Return the options of a store of Glance's in it.

        :param credentials: what that Glance authenticates with.
        """
        path = self._directory / 'swift-store.conf'
        user = f'{credentials["project_name"]}:{credentials["username"]}'
        ini.write(
            path,
            {
                'sandbox': {
                    'auth_version': '3',
                    'auth_address': credentials['auth_url'],
                    'user': user,
                    'key': credentials['password'],
                    'user_domain_id': 'default',
                    'project_domain_id': 'default',
                }
            },
        )
        return {
            'swift_store_config_file': str(path),
            'default_swift_reference': 'sandbox',
            'swift_store_create_container_on_put': 'true',
        }

    def start(self, credentials: Mapping[str, str]) -> None:
        """Start it, without waiting for it.

        :param credentials: what its proxy authenticates with at Keystone.
        """
        (self._directory / 'node' / 'disk').mkdir(mode=0o700, parents=True)
        ini.write(
            self._directory / 'swift.conf',
            {
                'swift-hash': {
                    'swift_hash_path_prefix': 'a',
                    'swift_hash_path_suffix': 'b',
                },
                'storage-policy:0': {'name': 'one', 'default': 'yes'},
            },
        )
        for name in _RINGS:
            self._make_ring(name)
            self._start(
                name,
                {
                    'DEFAULT': {
                        'devices': str(self._directory / 'node'),
                        'mount_check': 'false',
                        'disable_fallocate': 'true',
                        'workers': '1',
                    },
                    'pipeline:main': {'pipeline': f'{name}-server'},
                    f'app:{name}-server': {'use': f'egg:swift#{name}'},
                },
            )
        self._start('proxy', self._proxy(credentials))

    def wait(self) -> None:
        """Wait until it answers."""
        deadline = time.monotonic() + _UP_WITHIN
        with requests.Session() as http:
            http.trust_env = False  # no proxy, no netrc
            while time.monotonic() < deadline:
                try:
                    if http.get(f'{self._base}/healthcheck', timeout=1.0).ok:
                        return
                except requests.RequestException:
                    pass
                time.sleep(0.1)
        raise errors.SandboxError(
            f'Swift is not ready after {_UP_WITHIN:.0f} s', self._log
        )

    def _make_ring(self, name: str) -> None:
        address = f'r1z1-{process.LOOPBACK}:{self._ports[name]}/disk'
        for words in (
            ('create', '6', '1', '1'),
            ('add', address, '1'),
            ('rebalance',),
        ):
            self._processes.run(
                f'swift-ring-builder for {name}s',
                [
                    installed.script('swift-ring-builder'),
                    str(self._directory / f'{name}.builder'),
                    *words,
                ],
                self._log,
            )

    def _proxy(
        self, credentials: Mapping[str, str]
    ) -> dict[str, dict[str, str]]:
        keystone = credentials['auth_url']
        filters = {
            f'filter:{name}': {'use': f'egg:swift#{egg}'}
            for name, egg in _FILTERS.items()
        }
        filters['filter:keystoneauth']['operator_roles'] = 'admin, service'
        filters['filter:s3token']['auth_uri'] = keystone
        filters['filter:versioned_writes']['allow_versioned_writes'] = 'true'
        return {
            'DEFAULT': {'workers': '2'},
            'pipeline:main': {'pipeline': _PIPELINE},
            'app:proxy-server': {
                'use': 'egg:swift#proxy',
                'account_autocreate': 'true',
            },
            'filter:authtoken': {
                'paste.filter_factory': (
                    'keystonemiddleware.auth_token:filter_factory'
                ),
                **credentials,
                'auth_type': 'password',
                'www_authenticate_uri': keystone,
                'delay_auth_decision': 'true',
                'service_token_roles_required': 'false',
            },
            **filters,
        }

    def _start(
        self, name: str, configuration: Mapping[str, Mapping[str, str]]
    ) -> None:
        path = self._directory / f'{name}-server.conf'
        common = {
            'bind_ip': process.LOOPBACK,
            'bind_port': str(self._ports[name]),
            'user': getpass.getuser(),
            'swift_dir': str(self._directory),
        }
        default = {**configuration['DEFAULT'], **common}
        ini.write(path, {**configuration, 'DEFAULT': default})
        self._processes.start(
            [installed.script(f'swift-{name}-server'), str(path), '-v'],
            self._log,
        )
