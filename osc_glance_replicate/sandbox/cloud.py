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

"""One cloud: a Keystone, a Glance for each region, and who may use them."""

import pathlib
from typing import Any

from osc_glance_replicate.sandbox import ceph
from osc_glance_replicate.sandbox import glance
from osc_glance_replicate.sandbox import keystone
from osc_glance_replicate.sandbox import postgres
from osc_glance_replicate.sandbox import process
from osc_glance_replicate.sandbox import specs
from osc_glance_replicate.sandbox import stores
from osc_glance_replicate.sandbox import swift
from osc_glance_replicate.sandbox import tls

# suffix of the clouds.yaml entry → (user, project)
_ENTRIES = {
    '': ('admin', 'admin'),
    '-demo': ('demo', 'demo'),
    '-alt': ('alt', 'alt'),
}


class Cloud:
    """A cloud that runs.

    :param spec: what it is to be like.
    :param processes: the sandbox's.
    """

    def __init__(
        self, spec: specs.CloudSpec, processes: process.Processes
    ) -> None:
        self.spec = spec
        self.glances: dict[str, glance.Glance] = {}
        directory = processes.directory / 'clouds' / spec.name
        directory.mkdir(mode=0o700, parents=True)
        self._authority = (
            tls.Authority(directory / 'ca.pem') if spec.tls else None
        )
        self._keystone = keystone.Keystone(
            spec.name,
            directory / 'keystone',
            processes,
            self._authority,
            spec.keystone_options,
        )
        self._swift = (
            swift.Swift(directory / 'swift', processes)
            if spec.store == stores.SWIFT
            else None
        )
        self._servers = {
            region: glance.Server(
                spec.name,
                region,
                directory / f'glance-{region}',
                processes,
                self._authority,
                spec.glance,
            )
            for region in spec.regions
        }

    def start_glances(
        self, server: postgres.Postgres, running: ceph.Ceph | None
    ) -> None:
        """Start the Glances; they are not waited for.

        :param server: where glance.create_schema was called.
        :param running: a Ceph, where one is needed.
        """
        credentials = self._keystone.credentials('glance', 'service')
        for region, starting in self._servers.items():
            store = stores.Store()
            if running:
                name = f'{self.spec.name}-{region}'.lower()
                store = stores.on_ceph(self.spec.store, running, name)
            elif self._swift:
                options = self._swift.options(credentials)
                store = stores.Store('swift', options)
            self.glances[region] = starting.start(
                server,
                credentials,
                [
                    self.spec.glance_options,
                    self.spec.region_options.get(region, {}),
                ],
                self.spec.socket_timeout,
                self.spec.files,
                store,
            )

    def start_keystone(self, schema: pathlib.Path) -> None:
        """Start the Keystone; it is not waited for.

        :param schema: what keystone.create_schema made.
        """
        # An impatient one would drop who logs in from a busy machine.
        self._keystone.start(
            schema, self.spec.regions[0], specs.CloudSpec.socket_timeout
        )
        if self._swift:
            self._swift.start(self._keystone.credentials('glance', 'service'))

    def finish(self) -> None:
        """Wait until everything answers, and make its users."""
        for server in self._servers.values():
            server.wait()
        self._keystone.provision(
            {region: server.url for region, server in self._servers.items()},
            self._swift.url if self._swift else '',
        )
        if self._swift:
            self._swift.wait()

    def entries(self) -> dict[str, dict[str, Any]]:
        """Return its entries of clouds.yaml, by name."""
        common: dict[str, Any] = {
            'region_name': self.spec.regions[0],
            'interface': 'public',
            'identity_api_version': 3,
        }
        if len(self.spec.regions) > 1:
            common['regions'] = list(self.spec.regions)
        if self._authority:
            common['cacert'] = str(self._authority.certificate)
        return {
            self.spec.name + suffix: {
                'auth': self._keystone.credentials(user, project),
                **common,
            }
            for suffix, (user, project) in _ENTRIES.items()
        }

    @staticmethod
    def names(spec: specs.CloudSpec) -> list[str]:
        """Return the names that such a cloud takes in clouds.yaml."""
        return [spec.name + suffix for suffix in _ENTRIES]

    def descriptions(self) -> dict[str, str]:
        """Say for people what its entries of clouds.yaml are, by name."""
        regions = ', '.join(self.spec.regions)
        return {
            self.spec.name + suffix: f'user {user} of project {project}, '
            f'{regions}{", TLS" if self.spec.tls else ""}'
            for suffix, (user, project) in _ENTRIES.items()
        }
