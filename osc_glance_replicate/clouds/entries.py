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

"""What the entries of clouds.yaml say of the clouds that are connected to."""

from collections.abc import Mapping, Sequence
import dataclasses
import difflib
import logging
from typing import Any

import openstack.config
import openstack.connection

from osc_glance_replicate.clouds import login
from osc_glance_replicate import errors

LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class CloudId:
    """Tells apart the clouds that two machines call by the same name.

    :param project: ID of the project that is logged in to
    :param region: its region, where it has one
    """

    project: str | None
    region: str

    def __str__(self) -> str:
        return f'project {self.project} in region {self.region or "(none)"}'


def cloud_id(connection: openstack.connection.Connection) -> CloudId:
    """Return which cloud this is, whatever its name in clouds.yaml."""
    return CloudId(
        connection.current_project_id,
        connection.config.get_region_name('image') or '',
    )


def portable_name(connection: openstack.connection.Connection) -> str:
    """Return the name under which another machine finds the cloud.

    :returns: CLOUD or CLOUD:REGION
    :raises CloudError: it is from the environment or the command line
    """
    name = connection.config.name
    if name not in _entries() or name == 'envvars':
        raise errors.CloudError(
            name,
            '--scheduler has workers find it in their own clouds.yaml: give '
            'it an entry there, and here, and name it with --os-cloud',
        )
    region = connection.config.get_region_name('image')
    return f'{name}:{region}' if region else str(name)


def has(name: str) -> bool:
    """Return whether clouds.yaml has a cloud, given as CLOUD[:REGION]."""
    cloud, _, _ = name.partition(':')
    return cloud in _entries()


def in_full(names: Sequence[str]) -> list[str]:
    """Return names of clouds as they are shown.

    :param names: CLOUD or CLOUD:REGION
    :returns: likewise, with the region that is taken where nobody has said
        which: of an entry's ``regions`` it is the first, see fact-regions
    """
    entries = _entries()
    return [_in_full(name, entries.get(name, {})) for name in names]


def _in_full(name: str, entry: Mapping[str, Any]) -> str:
    regions = entry.get('regions')
    if not isinstance(regions, list) or len(regions) < 2:
        return name
    first = regions[0]
    region = first.get('name') if isinstance(first, dict) else first
    if region in (entry.get('region_name'), None):
        return name
    return f'{name}:{region}'


def refuse_unknown(names: Sequence[str]) -> None:
    """Refuse names that clouds.yaml does not have; ask nobody for it.

    An entry that is there and cannot be used, as one without a password, is
    no unknown one.

    :param names: of clouds, CLOUD or CLOUD:REGION
    :raises CloudError: names the cloud or the region that is not there
    """
    config = openstack.config.OpenStackConfig()
    for name in names:
        cloud, _, region = name.partition(':')
        with login.named_in_errors(name):
            try:
                config.get_one(
                    cloud, validate=False, region_name=region or None
                )
            except Exception as exc:
                if not _is_unknown(config, cloud, region):
                    continue
                known = list(map(str, config.get_cloud_names()))
                for close in difflib.get_close_matches(cloud, known, 1):
                    if close != cloud:
                        told = f'{str(exc).rstrip(".")}; did you mean {close}?'
                        raise errors.CloudError(name, told) from exc
                raise


def _is_unknown(
    config: openstack.config.OpenStackConfig, cloud: str, region: str
) -> bool:
    """Return whether it is its name that makes an entry unusable."""
    if cloud not in config.get_cloud_names():
        return True
    if not region:
        return False
    try:
        config.get_one(cloud, validate=False)
    except Exception:
        return False
    return True


def warn_of_environment(connection: openstack.connection.Connection) -> None:
    """Log a warning where OS_AUTH_URL wins over the entry in clouds.yaml.

    It does for the command's own cloud (see fact-os-auth-url), which may
    then be a third one.
    """
    name = connection.config.name
    used = connection.config.auth.get('auth_url')
    auth = _entries().get(name, {}).get('auth', {})
    if auth.get('auth_url') not in (None, used):
        LOG.warning(
            "The cloud '%s' is taken to be at %s: OS_AUTH_URL in the "
            'environment wins over clouds.yaml; unset it to use the entry',
            errors.printable(name),
            errors.printable(used),
        )


def _entries() -> dict[str, Any]:
    return dict(openstack.config.OpenStackConfig().cloud_config['clouds'])
