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

"""The image service of one region, with file stores."""

from collections.abc import Iterable, Mapping
import dataclasses
import json
import pathlib
import shutil

from osc_glance_replicate.sandbox import ini
from osc_glance_replicate.sandbox import installed
from osc_glance_replicate.sandbox import postgres
from osc_glance_replicate.sandbox import process
from osc_glance_replicate.sandbox import stores
from osc_glance_replicate.sandbox import tls
from osc_glance_replicate.sandbox import uwsgi

_CONFIGURATION = 'glance-api.conf'
_SCHEMA = 'glance_schema'
_DEFAULT_STORE = 'fast'
_STORES = (_DEFAULT_STORE, 'slow')
_RESERVED_STORES = ('os_glance_staging_store', 'os_glance_tasks_store')
# All the time of a start goes into them; they open and start nothing.
_MODULES = (
    'glance.common.wsgi_app',
    'glance.api.v2.router',
    'keystonemiddleware.auth_token',
)
_POOL = 5  # connections to the database that a process keeps
_OVERFLOW = 10  # and may open on top of these

# For those releases whose packages have none.
_PIPELINE = {
    'pipeline:glance-api-keystone': {
        'pipeline': 'versionnegotiation authtoken context rootapp'
    },
    'composite:rootapp': {
        'paste.composite_factory': 'glance.api:root_app_factory',
        '/': 'apiversions',
        '/v1': 'apiv1app',
        '/v2': 'apiv2app',
    },
    'app:apiversions': {
        'paste.app_factory': 'glance.api.versions:create_resource'
    },
    'app:apiv1app': {'paste.app_factory': 'glance.api.v1.router:API.factory'},
    'app:apiv2app': {'paste.app_factory': 'glance.api.v2.router:API.factory'},
    'filter:versionnegotiation': {
        'paste.filter_factory': 'glance.api.middleware.version_negotiation:'
        'VersionNegotiationFilter.factory'
    },
    'filter:context': {
        'paste.filter_factory': 'glance.api.middleware.context:'
        'ContextMiddleware.factory'
    },
    'filter:authtoken': {
        'paste.filter_factory': 'keystonemiddleware.auth_token:filter_factory',
        'delay_auth_decision': 'true',
    },
}

# The properties of which a packaged Glance says what they may be.
_SCHEMA_FILE = 'schema-image.json'
_UUID = {
    'type': ['null', 'string'],
    'pattern': '^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}'
    '-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$',
}
_TEXT = {'type': 'string'}
_PROPERTIES = {
    **dict.fromkeys(('kernel_id', 'ramdisk_id'), _UUID),
    **dict.fromkeys(
        ('architecture', 'instance_uuid', 'os_distro', 'os_version'), _TEXT
    ),
}

# What all processes of a Glance may use of PostgreSQL's max_connections.
CONNECTIONS = uwsgi.PROCESSES * (_POOL + _OVERFLOW)


@dataclasses.dataclass(frozen=True)
class Glance:
    """What a test needs to know of a Glance, to break it on purpose.

    :param url: its endpoint.
    :param store: the directory of the default store.
    :param database: the URI of its database, for psycopg2.
    :param log: what it writes to.
    :param driver: glance_store's name of what the default store is.
    """

    url: str
    store: pathlib.Path
    database: str
    log: pathlib.Path
    driver: str = stores.FILES


def create_schema(
    processes: process.Processes, server: postgres.Postgres
) -> None:
    """Make an empty database, that each Glance gets a copy of.

    :param processes: the sandbox's.
    :param server: where the databases are.
    """
    directory = processes.directory / 'glance-schema'
    directory.mkdir(mode=0o700)
    connection = _sqlalchemy(server.create(_SCHEMA))
    configuration = directory / _CONFIGURATION
    ini.write(configuration, {'database': {'connection': connection}})
    _create_tables(processes, configuration, None)


class Server:
    """A Glance of its own.

    :param cloud: the name of the cloud.
    :param region: the region that it serves.
    :param directory: where it keeps everything.
    :param processes: the sandbox's.
    :param authority: who vouches for it, where it is to speak TLS.
    :param installation: the virtual environment that has it, unless it is
        this one.
    """

    def __init__(
        self,
        cloud: str,
        region: str,
        directory: pathlib.Path,
        processes: process.Processes,
        authority: tls.Authority | None,
        installation: pathlib.Path | None = None,
    ) -> None:
        # No name of a cloud or a region has a dot.
        self._database = f'{cloud}.{region}'
        self._directory = directory
        self._log = directory / 'glance.log'
        self._processes = processes
        self._authority = authority
        self._installation = installation
        directory.mkdir(mode=0o700)
        self._service = uwsgi.Service(
            f"Glance of cloud '{cloud}', region '{region}'",
            processes,
            self._log,
            authority,
        )
        self.url = self._service.url

    def start(
        self,
        server: postgres.Postgres,
        credentials: Mapping[str, str],
        options: Iterable[Mapping[str, Mapping[str, str]]],
        timeout: int,
        files: Iterable[pathlib.Path] = (),
        store: stores.Store = stores.Store(),
    ) -> Glance:
        """Start it, without waiting for it.

        :param server: where create_schema was called.
        :param credentials: what it authenticates with at its Keystone.
        :param options: section → option → value, put over the defaults one
            after the other.
        :param timeout: seconds of a peer's silence it puts up with.
        :param files: that it finds beside its configuration.
        :param store: what it keeps images in by default.
        """
        # Another release has other tables.
        template = 'template1' if self._installation else _SCHEMA
        database = server.create(self._database, template)
        configuration = self._configuration(database, credentials, store)
        for given in options:
            for section, values in given.items():
                configuration.setdefault(section, {}).update(values)
        path = self._directory / _CONFIGURATION
        ini.write(path, configuration)
        (self._directory / _SCHEMA_FILE).write_text(json.dumps(_PROPERTIES))
        for file in files:
            shutil.copy(file, self._directory)
        if self._installation:
            _create_tables(self._processes, path, self._installation)
        self._service.start(
            self._application(),
            {
                'OS_GLANCE_CONFIG_DIR': str(self._directory),
                **store.environment,
            },
            timeout,
            self._installation,
            () if self._installation else _MODULES,
        )
        return Glance(
            self.url,
            self._directory / _DEFAULT_STORE,
            database,
            self._log,
            store.driver,
        )

    def wait(self) -> None:
        """Wait until it answers."""
        self._service.wait('/')

    def _application(self) -> str | pathlib.Path:
        if self._installation:
            # All that there was before the module, in 2025.1.
            path = self._installation / 'bin' / 'glance-wsgi-api'
            if path.exists():
                return path
        return 'glance.wsgi.api:application'

    def _configuration(
        self,
        database: str,
        credentials: Mapping[str, str],
        store: stores.Store,
    ) -> dict[str, dict[str, str]]:
        drivers = dict.fromkeys(_STORES, stores.FILES)
        drivers[_DEFAULT_STORE] = store.driver
        return {
            **self._store_sections(store),
            'DEFAULT': {
                'public_endpoint': self.url,
                'enabled_backends': ','.join(
                    f'{name}:{driver}' for name, driver in drivers.items()
                ),
                # Between its own processes: there is no TLS behind the front.
                'worker_self_reference_url': self._service.plain_url,
                'image_cache_dir': str(self._make('cache')),
            },
            'database': {
                'connection': _sqlalchemy(database),
                'max_pool_size': str(_POOL),
                'max_overflow': str(_OVERFLOW),
            },
            'glance_store': {
                'default_backend': _DEFAULT_STORE,
                # Before Stein there is only this one.
                'filesystem_store_datadir': str(
                    self._directory / _DEFAULT_STORE
                ),
            },
            'paste_deploy': {
                'flavor': 'keystone',
                'config_file': self._copy_paste_file(),
            },
            'keystone_authtoken': {
                **credentials,
                'auth_type': 'password',
                # Else it refuses whoever has access rules.
                'service_type': 'image',
                'www_authenticate_uri': credentials['auth_url'],
                'cafile': str(self._authority.certificate)
                if self._authority
                else '',
                'service_token_roles_required': 'true',
            },
            # Another region's Glance is on the loopback, on whatever port.
            'import_filtering_opts': {
                'allowed_hosts': f'[{process.LOOPBACK}]',
                'allowed_ports': '[]',
            },
            'oslo_concurrency': {'lock_path': str(self._make('locks'))},
            # Under uWSGI it is not the one of this process.
            'wsgi': {
                'python_interpreter': installed.script(
                    'python', self._installation
                )
            },
            'task': {'work_dir': str(self._make('work'))},
        }

    def _store_sections(
        self, store: stores.Store
    ) -> dict[str, dict[str, str]]:
        sections = {
            name: {'filesystem_store_datadir': str(self._make(name))}
            for name in (*_STORES, *_RESERVED_STORES)
        }
        if store.options is not None:
            sections[_DEFAULT_STORE] = dict(store.options)
        return sections

    def _copy_paste_file(self) -> str:
        # Old ones don't start unless it lies beside the configuration.
        if policy := installed.glance_policy(self._installation):
            shutil.copy(policy, self._directory)
        if pipelines := installed.glance_paste_file(self._installation):
            return str(shutil.copy(pipelines, self._directory))
        path = self._directory / 'glance-api-paste.ini'
        ini.write(path, _PIPELINE)
        return str(path)

    def _make(self, name: str) -> pathlib.Path:
        directory = self._directory / name
        directory.mkdir(mode=0o700)
        return directory


def _create_tables(
    processes: process.Processes,
    configuration: pathlib.Path,
    installation: pathlib.Path | None,
) -> None:
    processes.run(
        'glance-manage db_sync',
        [
            installed.script('glance-manage', installation),
            *('--config-file', str(configuration), 'db_sync'),
        ],
        configuration.with_name('glance.log'),
    )


def _sqlalchemy(uri: str) -> str:
    # Left to itself SQLAlchemy 2.1 looks for psycopg 3.
    return uri.replace('postgresql:', 'postgresql+psycopg2:', 1)
