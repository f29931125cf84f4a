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

"""What can be asked for."""

from collections.abc import Mapping
import dataclasses
import pathlib
import re

from osc_glance_replicate.sandbox import errors

# Names become directories, databases and parts of URIs.
_NAME = re.compile(r'[A-Za-z][A-Za-z0-9_-]{0,29}')


@dataclasses.dataclass(frozen=True)
class CloudSpec:
    """What a cloud is to be like.

    :param name: its name in clouds.yaml.
    :param regions: their names; each has a Glance, all share the Keystone.
    :param tls: whether its endpoints are https, with a private authority.
    :param glance_options: section → option → value, put over the defaults in
        every Glance of it.
    :param keystone_options: likewise, in its Keystone.
    :param region_options: as glance_options, over those, by the name of a
        region.
    :param socket_timeout: seconds of a peer's silence its Glances put up
        with.
    :param glance: the virtual environment that has its Glance, if that is
        not the one of this Python.
    :param files: copied to where its Glances have their configuration.
    :param store: what kind of store its Glances keep images in by default.
    """

    name: str
    regions: tuple[str, ...] = ('RegionOne',)
    tls: bool = False
    glance_options: Mapping[str, Mapping[str, str]] = dataclasses.field(
        default_factory=dict
    )
    keystone_options: Mapping[str, Mapping[str, str]] = dataclasses.field(
        default_factory=dict
    )
    region_options: Mapping[str, Mapping[str, Mapping[str, str]]] = (
        dataclasses.field(default_factory=dict)
    )
    socket_timeout: int = 60
    glance: pathlib.Path | None = None
    files: tuple[pathlib.Path, ...] = ()
    store: str = 'file'

    def __post_init__(self) -> None:
        for name in (self.name, *self.regions):
            if not _NAME.fullmatch(name):
                raise errors.SandboxError(
                    f"'{name}' cannot name a cloud or region: letters, "
                    'digits, _ and -, 30 at most'
                )
        if unknown := self.region_options.keys() - set(self.regions):
            raise errors.SandboxError(
                f"Cloud '{self.name}' has no region {', '.join(unknown)}"
            )
        if not self.regions or len(set(self.regions)) < len(self.regions):
            raise errors.SandboxError(
                f"Cloud '{self.name}' needs regions of different names"
            )
