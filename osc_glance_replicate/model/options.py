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

"""What may be asked of a replication, as values; each default stands here.

Clouds, images and projects are named as the user names them.
"""

from collections.abc import Sequence
import dataclasses
import enum

from osc_glance_replicate.model import image_selection


class Owner(enum.Enum):
    """Whose the replicas are."""

    #: The project's that the runner is logged in to.
    MINE = 'mine'
    #: The project's that has the same ID.
    SAME = 'same'
    #: The project's that has the same name.
    BY_NAME = 'by-name'


@dataclasses.dataclass(frozen=True, slots=True)
class Replica:
    """How replicas differ from their sources.

    :param left_out: globs of the names of properties that are left out
    :param properties: (key, value) pairs that every replica gets
    :param visibility: of every replica; None for the source's
    :param owner: whose the replicas are
    :param map_owners: (source, destination) pairs of projects that are
        mapped by hand, by name or ID
    :param members: whether shared images get their members
    :param exact: whether what only the replica has is removed
    :param mark: name of which they are marked to be replicas; empty for none
    :param map_formats: (source, replica) pairs of disk formats, which are to
        be two names of what an image is
    :param accepts_conversion: one whose data its Glance has converted on
        import is a replica as well
    """

    left_out: Sequence[str] = ()
    properties: Sequence[tuple[str, str]] = ()
    visibility: str | None = None
    owner: Owner = Owner.MINE
    map_owners: Sequence[tuple[str, str]] = ()
    members: bool = False
    exact: bool = False
    mark: str = ''
    map_formats: Sequence[tuple[str, str]] = ()
    accepts_conversion: bool = False


class Method(enum.Enum):
    """How the data gets to a Glance."""

    UPLOAD = 'upload'
    IMPORT = 'import'
    DOWNLOAD = 'glance-download'


@dataclasses.dataclass(frozen=True, slots=True)
class Delivery:
    """How the data gets to a Glance, and where that keeps it.

    :param stores: the IDs of its stores; none for its default
    :param all_stores: all that it has
    :param region: of the source, where the Glance downloads from it
    """

    method: Method = Method.UPLOAD
    stores: Sequence[str] = ()
    all_stores: bool = False
    region: str = ''

    def __str__(self) -> str:
        """Return it in words; a plain upload goes without saying."""
        if self == Delivery():
            return ''
        words = f'by {self.method.value}'
        if self.region:
            words += f' from {self.region}'
        if self.all_stores:
            words += ' to all stores'
        elif self.stores:
            words += f' to {", ".join(self.stores)}'
        return words

    @property
    def imports(self) -> bool:
        """Whether the Glance does something of its own to the data."""
        return self.method is not Method.UPLOAD

    @property
    def of_staged(self) -> 'Delivery':
        """The same, for data that is staged already."""
        return dataclasses.replace(self, method=Method.IMPORT, region='')


@dataclasses.dataclass(frozen=True, slots=True)
class To:
    """One destination.

    :param name: CLOUD, CLOUD:REGION or the path of a dump; empty for the
        command's own cloud
    :param replica: how replicas there differ from their sources
    :param delivery: how data gets there
    :param is_dump: it is a dump rather than a cloud
    """

    name: str = ''
    replica: Replica = Replica()
    delivery: Delivery = Delivery()
    is_dump: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """How a plan is carried out.

    :param dry_run: it is only shown
    :param metadata_only: no data moves
    :param transfers: number of images at a time, to each destination
    :param bandwidth: bytes per second that are read by all transfers; None
        for no limit
    :param retries: further tries per image and destination
    :param fail_fast: nothing more begins after the first failure
    :param adopt: images that are another's there become replicas
    """

    dry_run: bool = False
    metadata_only: bool = False
    transfers: int = 4
    bandwidth: int | None = None
    retries: int = 3
    fail_fast: bool = False
    adopt: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Checks:
    """What the data of an image is held against on its way.

    :param checksum: the hash that its record has
    :param formats: the disk format that its record says, where the
        destination takes no other
    :param room: what a disk has left, before any of it is written to
    """

    checksum: bool = True
    formats: bool = True
    room: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """One replication.

    :param selection: which images
    :param to: where to; nowhere, to look at the source alone
    :param run: how it is carried out
    :param checks: what data is held against
    :param extra: whether images that only a destination has are told of
    """

    selection: image_selection.Selection = dataclasses.field(
        default_factory=image_selection.Selection
    )
    to: Sequence[To] = ()
    run: Run = Run()
    checks: Checks = Checks()
    extra: bool = False
