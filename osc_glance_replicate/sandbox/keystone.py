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

"""The identity service of a cloud, on SQLite."""

from collections.abc import Mapping
import pathlib
import secrets
import shutil
from typing import Any

from cryptography import fernet
from keystoneauth1.identity import v3
from keystoneauth1 import session
import openstack.connection
import requests

from osc_glance_replicate.sandbox import ini
from osc_glance_replicate.sandbox import installed
from osc_glance_replicate.sandbox import process
from osc_glance_replicate.sandbox import tls
from osc_glance_replicate.sandbox import uwsgi

_DOMAIN = 'Default'
_CONFIGURATION = 'keystone.conf'
_DATABASE = 'keystone.db'
_APPLICATION = pathlib.Path(__file__).with_name('keystone_wsgi.py')

#: The file, in the sandbox's directory, of all tokens that were issued.
TOKENS = 'tokens'

# user → (project, roles)
_USERS = {
    'demo': ('demo', ('member',)),
    'alt': ('alt', ('member',)),
    'glance': ('service', ('admin', 'service')),
}


def create_schema(processes: process.Processes) -> pathlib.Path:
    """Make an empty database, that each Keystone gets a copy of.

    :param processes: the sandbox's.
    """
    directory = processes.directory / 'keystone-schema'
    directory.mkdir(mode=0o700)
    _write_configuration(directory, '', {})
    processes.run(
        'keystone-manage db_sync',
        _manage(directory, 'db_sync'),
        directory / 'keystone.log',
    )
    return directory / _DATABASE


class Keystone:
    """A Keystone of its own.

    :param cloud: the name of the cloud.
    :param directory: where it keeps everything.
    :param processes: the sandbox's.
    :param authority: who vouches for it, where it is to speak TLS.
    :param options: section → option → value, put over the defaults.
    """

    def __init__(
        self,
        cloud: str,
        directory: pathlib.Path,
        processes: process.Processes,
        authority: tls.Authority | None,
        options: Mapping[str, Mapping[str, str]],
    ) -> None:
        self._name = f"Keystone of cloud '{cloud}'"
        self._directory = directory
        self._log = directory / 'keystone.log'
        self._processes = processes
        self._authority = authority
        self._options = options
        directory.mkdir(mode=0o700)
        # Several processes would each cache for itself.
        self._service = uwsgi.Service(
            self._name, processes, self._log, authority, workers=1
        )
        self.url = f'{self._service.url}/v3'
        self.passwords = {
            user: secrets.token_urlsafe() for user in ('admin', *_USERS)
        }

    def start(self, schema: pathlib.Path, region: str, timeout: int) -> None:
        """Start it, with the user `admin` in it, without waiting for it.

        :param schema: the database that create_schema made.
        :param region: the first region.
        :param timeout: seconds of a peer's silence it puts up with.
        """
        shutil.copyfile(schema, self._directory / _DATABASE)
        _write_configuration(self._directory, self._service.url, self._options)
        self._processes.run(
            f'{self._name}: keystone-manage bootstrap',
            _manage(self._directory, 'bootstrap'),
            self._log,
            {
                'OS_BOOTSTRAP_PASSWORD': self.passwords['admin'],
                'OS_BOOTSTRAP_REGION_ID': region,
                'OS_BOOTSTRAP_PUBLIC_URL': self.url,
                'OS_BOOTSTRAP_INTERNAL_URL': self.url,
                'OS_BOOTSTRAP_ADMIN_URL': self.url,
            },
        )
        self._service.start(
            _APPLICATION,
            {
                'OS_KEYSTONE_CONFIG_DIR': str(self._directory),
                'OSC_GLANCE_REPLICATE_TOKENS': str(
                    self._processes.directory / TOKENS
                ),
            },
            timeout,
        )

    def provision(self, images: dict[str, str], objects: str = '') -> None:
        """Wait for it, and make the users, projects and the catalogue.

        :param images: region → URL of its Glance.
        :param objects: URL of a Swift, if there is one.
        """
        self._service.wait('/v3')
        with requests.Session() as http, self._connect(http) as admin:
            identity: Any = admin.identity  # typed as v2's or v3's
            self._create_users(identity)
            _create_catalogue(identity, self.url, images, objects)

    def credentials(self, user: str, project: str) -> dict[str, str]:
        """Return what the `auth` of a clouds.yaml entry says.

        :param user: its name.
        :param project: the name of the project.
        """
        return {
            'auth_url': self.url,
            'username': user,
            'password': self.passwords[user],
            'project_name': project,
            'user_domain_name': _DOMAIN,
            'project_domain_name': _DOMAIN,
        }

    def _connect(
        self, http: requests.Session
    ) -> openstack.connection.Connection:
        http.trust_env = False  # no proxy, no netrc
        auth: dict[str, Any] = self.credentials('admin', 'admin')
        return openstack.connection.Connection(
            session=session.Session(
                auth=v3.Password(**auth),
                session=http,
                verify=str(self._authority.certificate)
                if self._authority
                else True,
            ),
            identity_api_version='3',
        )

    def _create_users(self, identity: Any) -> None:
        roles = {role.name: role for role in identity.roles()}
        for name, (project_name, role_names) in _USERS.items():
            project = identity.create_project(
                name=project_name, domain_id='default'
            )
            user = identity.create_user(
                name=name, password=self.passwords[name], domain_id='default'
            )
            for role in role_names:
                identity.assign_project_role_to_user(
                    project, user, roles[role]
                )


def _create_catalogue(
    identity: Any, url: str, images: dict[str, str], objects: str
) -> None:
    (keystone,) = identity.services(type='identity')
    glance = identity.create_service(name='glance', type='image')
    # keystone-manage bootstrap has registered itself in the first region.
    first, *others = images
    for region in others:
        identity.create_region(id=region)
        _create_endpoint(identity, keystone.id, region, url)
    for region in (first, *others):
        _create_endpoint(identity, glance.id, region, images[region])
    if objects:
        swift = identity.create_service(name='swift', type='object-store')
        _create_endpoint(identity, swift.id, first, objects)


def _create_endpoint(
    identity: Any, service: str, region: str, url: str
) -> None:
    identity.create_endpoint(
        service_id=service, region_id=region, interface='public', url=url
    )


def _manage(directory: pathlib.Path, action: str) -> list[str]:
    configuration = directory / _CONFIGURATION
    return [
        installed.script('keystone-manage'),
        *('--config-file', str(configuration), action),
    ]


def _write_configuration(
    directory: pathlib.Path,
    url: str,
    options: Mapping[str, Mapping[str, str]],
) -> None:
    keys = {
        section: _write_keys(directory / f'{section}-keys')
        for section in ('fernet_tokens', 'fernet_receipts', 'credential')
    }
    database = f'sqlite:///{directory / _DATABASE}'
    configuration = {
        'DEFAULT': {'public_endpoint': url},
        'database': {'connection': database},
        # Nobody attacks these hashes, and everyone waits for them.
        'identity': {'password_hash_rounds': '4'},
        # Without, each token that is checked takes a dozen queries.
        'cache': {'backend': 'dogpile.cache.memory'},
        **keys,
    }
    for section, values in options.items():
        configuration.setdefault(section, {}).update(values)
    ini.write(directory / _CONFIGURATION, configuration)


def _write_keys(repository: pathlib.Path) -> dict[str, str]:
    # What fernet_setup and credential_setup do, at three seconds each: 0 is
    # the next key, the highest number the one that signs.
    repository.mkdir(mode=0o700)
    for number in ('0', '1'):
        key = repository / number
        key.touch(mode=0o600)
        key.write_bytes(fernet.Fernet.generate_key())
    return {'key_repository': str(repository)}
