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

"""A sandbox of several clouds, as a fixture."""

from collections.abc import Sequence
from concurrent import futures
import dataclasses
import json
import logging
import pathlib
from typing import Any

import fixtures
import yaml

from osc_glance_replicate.sandbox import ceph
from osc_glance_replicate.sandbox import cloud
from osc_glance_replicate.sandbox import errors
from osc_glance_replicate.sandbox import glance
from osc_glance_replicate.sandbox import installed
from osc_glance_replicate.sandbox import keystone
from osc_glance_replicate.sandbox import postgres
from osc_glance_replicate.sandbox import process
from osc_glance_replicate.sandbox import specs
from osc_glance_replicate.sandbox import stores

LOG = logging.getLogger(__name__)

_INVENTORY = 'sandbox.json'
_SPARE_CONNECTIONS = 30  # for tests, psql and the sandbox itself


class Sandbox(fixtures.Fixture):
    """Real clouds on this machine, for as long as the fixture is in use.

    :param clouds: what they are to be like.
    :ivar directory: the temporary directory that holds everything.
    :ivar clouds_yaml: the file for OS_CLIENT_CONFIG_FILE.
    :ivar clouds: the clouds by name.
    """

    directory: pathlib.Path
    clouds_yaml: pathlib.Path
    clouds: dict[str, cloud.Cloud]

    def __init__(self, clouds: Sequence[specs.CloudSpec]) -> None:
        super().__init__()
        self._specs = clouds

    def setUp(self) -> None:
        """Start everything, side by side."""
        try:
            super().setUp()
        except fixtures.MultipleExceptions as several:
            # The first is the cause, and what callers want to catch.
            raise several.args[0][1] from None

    def _setUp(self) -> None:
        names = [n for spec in self._specs for n in cloud.Cloud.names(spec)]
        if len(set(names)) < len(names):
            raise errors.SandboxError(
                'Two clouds have the same name in clouds.yaml, where each has '
                'one that ends in -demo and one in -alt, too'
            )
        installed.check()
        stores.check({spec.store for spec in self._specs})
        processes = process.Processes()
        self.addCleanup(processes.close)
        self.directory = processes.directory
        self.clouds = {
            spec.name: cloud.Cloud(spec, processes) for spec in self._specs
        }
        with futures.ThreadPoolExecutor(len(self._specs) + 3) as pool:
            try:
                self._start(processes, pool)
            except BaseException:
                # Otherwise the pool would wait for what has become useless.
                processes.end()
                raise
        self._write()

    def _start(
        self, processes: process.Processes, pool: futures.Executor
    ) -> None:
        server = postgres.Postgres(processes, self._connections())
        tables = pool.submit(_start_postgres, processes, server)
        schema = pool.submit(keystone.create_schema, processes)
        pending: list[futures.Future[Any]] = [tables, schema]
        on_ceph = {
            spec.name for spec in self._specs if spec.store in stores.ON_CEPH
        }
        running = pool.submit(_start_ceph, processes) if on_ceph else None
        for name, starting in self.clouds.items():
            needed = running if name in on_ceph else None
            pending.append(
                pool.submit(
                    _start_cloud, starting, server, tables, schema, needed
                )
            )
        for done in futures.as_completed(pending):
            done.result()

    def _connections(self) -> int:
        glances = sum(len(spec.regions) for spec in self._specs)
        return glances * glance.CONNECTIONS + _SPARE_CONNECTIONS

    def _write(self) -> None:
        entries = {}
        inventory = {}
        for name, started in self.clouds.items():
            entries.update(started.entries())
            inventory[name] = {
                region: dataclasses.asdict(server)
                for region, server in started.glances.items()
            }
        self.clouds_yaml = self.directory / 'clouds.yaml'
        self.clouds_yaml.touch(mode=0o600)
        self.clouds_yaml.write_text(yaml.safe_dump({'clouds': entries}))
        (self.directory / _INVENTORY).write_text(
            json.dumps(inventory, default=str, indent=2)
        )


def load(directory: pathlib.Path) -> dict[str, dict[str, glance.Glance]]:
    """Return the Glances of a running sandbox, by cloud and region.

    :param directory: that of the sandbox.
    """
    return {
        name: {
            region: glance.Glance(
                values['url'],
                pathlib.Path(values['store']),
                values['database'],
                pathlib.Path(values['log']),
                values['driver'],
            )
            for region, values in regions.items()
        }
        for name, regions in json.loads(
            (directory / _INVENTORY).read_text()
        ).items()
    }


def _start_postgres(
    processes: process.Processes, server: postgres.Postgres
) -> None:
    server.start()
    LOG.info('PostgreSQL is up.')
    glance.create_schema(processes, server)


def _start_ceph(processes: process.Processes) -> ceph.Ceph:
    running = ceph.Ceph(processes)
    running.start()
    LOG.info('Ceph is up.')
    return running


def _start_cloud(
    starting: cloud.Cloud,
    server: postgres.Postgres,
    tables: futures.Future[None],
    schema: futures.Future[pathlib.Path],
    running: futures.Future[ceph.Ceph] | None,
) -> None:
    name = starting.spec.name
    LOG.info("Cloud '%s' is being started ...", name)
    tables.result()
    starting.start_glances(server, running.result() if running else None)
    starting.start_keystone(schema.result())
    starting.finish()
    LOG.info("Cloud '%s' is up.", name)
