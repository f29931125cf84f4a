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

"""The image services that clouds lead to, compared by their URLs."""

from collections.abc import Sequence
import urllib.parse

import openstack.connection

from osc_glance_replicate.clouds import login
from osc_glance_replicate import errors

_DEFAULT_PORTS = {'http': 80, 'https': 443}


def refuse_same(
    names: Sequence[str],
    connections: Sequence[openstack.connection.Connection],
) -> None:
    """Refuse clouds of which two have the same image endpoint.

    :param names: of the clouds, the source first
    :raises CloudError: names the endpoint
    """
    seen: dict[tuple[object, ...], str] = {}
    for name, connection in zip(names, connections, strict=True):
        url = login.endpoint(connection)
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
    """Return the region of a source, as the destination's catalogue has it.

    Regions of unrelated clouds may well have the same name, so the endpoints
    have to be the same as well.

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
    """Return the public endpoint of a region's image service, if any."""
    with login.named_in_errors(name):
        url = connection.session.get_endpoint(
            service_type='image', interface='public', region_name=region
        )
    return str(url or '')


def _service(url: str) -> tuple[object, ...]:
    """Return the parts of an endpoint that tell services apart."""
    parts = urllib.parse.urlsplit(url)
    path = parts.path.rstrip('/')
    head, _, version = path.rpartition('/')
    if version[:1] == 'v' and version[1:].replace('.', '').isdigit():
        path = head
    port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    return parts.hostname, port, path
