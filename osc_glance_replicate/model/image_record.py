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

"""The image record: its identity, its data's identity, what is portable."""

from collections.abc import Mapping
import dataclasses
import datetime
import hashlib
import re
import time
from typing import Any

from osc_glance_replicate.model import record_defects

#: Fields of a v2 record that are Glance's own. They are never sent to a
#: destination and never compared: Glance refuses some, and stores others,
#: os_hash_value for one, as junk (see fact-own-fields).
BOOKKEEPING = frozenset(
    (
        'checksum',
        'created_at',
        'deleted',
        'deleted_at',
        'direct_url',
        'file',
        'id',
        'location',
        'locations',
        'os_hash_algo',
        'os_hash_value',
        'owner',
        'schema',
        'self',
        'size',
        'status',
        'store',
        'stores',
        'updated_at',
        'virtual_size',
    )
)

#: What Glance keeps to itself as properties of every imported image.
RESERVED_PREFIX = 'os_glance'

#: Properties that only we set, on a replica: whose it is, and what its source
#: has recorded of data that was converted.
MARK = 'replica_of'
SOURCE_HASH = 'replica_source_hash'
MARKS = frozenset((MARK, SOURCE_HASH))

#: Set only on a replica whose bytes are verified, in one request; the value
#: is what a replica has until then.
PUBLISHED: Mapping[str, Any] = {
    'visibility': 'private',
    'protected': False,
    'os_hidden': False,
}

#: What a record that lacks the field means: those of older Glances do,
#: see fact-os-hidden, and v1 records.
DEFAULTS: Mapping[str, Any] = {
    'name': None,
    'container_format': None,
    'disk_format': None,
    'min_disk': 0,
    'min_ram': 0,
    'tags': (),
    **PUBLISHED,
}

#: Fields that are no custom properties.
_NO_PROPERTIES = BOOKKEEPING | MARKS | DEFAULTS.keys()

#: Glance lets nobody change these once there is data: see fact-formats.
_FIXED_WITH_DATA = frozenset(('container_format', 'disk_format'))

#: Properties that a PATCH takes for others (see fact-mistaken-names).
_MISTAKEN = frozenset(('member', 'image_id', 'extra_properties', 'base'))

#: Statuses of an image whose data is whole and does not change any more.
SETTLED = frozenset(('active', 'deactivated'))

#: Statuses of a record that somebody is uploading to.
BUSY = frozenset(('saving', 'uploading', 'importing'))

#: Properties that name an image, in the order in which these are to land.
REFERENCES = ('ramdisk_id', 'kernel_id')

#: What hashlib can compute; the digest of a SHAKE has no length of its own.
_ALGORITHMS = frozenset(
    name
    for name in hashlib.algorithms_guaranteed
    if not name.startswith('shake')
)

_UUID = re.compile(r'[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}')


def is_property(field: str) -> bool:
    """Return whether a field is a custom property, not Glance's own."""
    return field not in _NO_PROPERTIES and not field.startswith(
        RESERVED_PREFIX
    )


def can_change(field: str) -> bool:
    """Return whether Glance lets a field of an image with data be changed.

    Nobody can name some of them in a PATCH.
    """
    return not is_mistaken(field) and field not in _FIXED_WITH_DATA


def is_mistaken(field: str) -> bool:
    """Return whether Glance would take a field in a PATCH for another.

    It strips the names: ``'visibility '`` would change the visibility
    (see fact-mistaken-names).
    """
    return field != field.strip() or field in _MISTAKEN


def is_id(text: str) -> bool:
    """Return whether a text is an image ID: a UUID as Glance takes it."""
    return _UUID.fullmatch(text) is not None


def rank(image_id: str) -> tuple[bool, str]:
    """Return what IDs are sorted by, capitals last: see fact-id-case."""
    return image_id != image_id.lower(), image_id.lower()


@dataclasses.dataclass(frozen=True, slots=True)
class Image:
    """One record as a place gave it: the raw v2 JSON, not the SDK's Image.

    The SDK's class renames and coerces (see fact-sdk-image), which would
    turn the property value '064' into a number.

    :param record: the decoded JSON object; untrusted, see :attr:`defect`
    :param flaw: why the place that gave it says that it cannot be used
    :param members: of a shared image: project ID → status of the membership;
        None where they were not looked at
    :param unread: why they could not be read
    :param noted: hashes of the data that are not in the record, by algorithm:
        whoever keeps it has computed them
    :param stored: what is there in truth, where this is what its Glance has
        converted that from
    :param read_at: when it was read, as of time.monotonic
    :ivar defect: why this record cannot be trusted, or None when it can
    """

    record: Mapping[str, Any]
    flaw: str = ''
    members: Mapping[str, str] | None = None
    unread: str = ''
    noted: Mapping[str, str] = dataclasses.field(default_factory=dict)
    stored: 'Image | None' = None
    read_at: float = dataclasses.field(
        default_factory=time.monotonic, compare=False, repr=False
    )
    defect: str | None = dataclasses.field(init=False, compare=False)

    def __post_init__(self) -> None:
        if is_id(self.id):
            properties = self.properties
            found = self.flaw or record_defects.of(self.record, properties)
        else:
            found = f'the ID {self.id!r:.40} is not a UUID'
        # It is asked for again and again, and no record changes.
        object.__setattr__(self, 'defect', found or None)

    @property
    def id(self) -> str:
        try:
            return str(self.record.get('id'))
        except RecursionError:
            return record_defects.TOO_DEEP

    @property
    def key(self) -> str:
        """What images are brought together by."""
        return self.id.lower()

    @property
    def name(self) -> str:
        return str(self.record.get('name') or '')

    @property
    def status(self) -> str:
        return str(self.record.get('status'))

    @property
    def size(self) -> int | None:
        """The data's length in bytes; None while there is none."""
        return self.record.get('size')

    @property
    def visibility(self) -> str:
        return str(self.record.get('visibility'))

    @property
    def owner(self) -> str | None:
        """ID of the project that it belongs to; None where nobody can tell."""
        return self.record.get('owner')

    @property
    def hidden(self) -> bool:
        return self.record.get('os_hidden') is True

    @property
    def created_at(self) -> datetime.datetime | None:
        """When the record was made; None where it does not tell."""
        return self._time('created_at')

    @property
    def updated_at(self) -> datetime.datetime | None:
        """When the record was changed last; None where it does not tell."""
        return self._time('updated_at')

    def _time(self, field: str) -> datetime.datetime | None:
        try:
            found = datetime.datetime.fromisoformat(
                str(self.record.get(field))
            )
        except ValueError:
            return None
        # Glance gives UTC; the v1 records of old dumps do not say so.
        return found if found.tzinfo else found.replace(tzinfo=datetime.UTC)

    @property
    def digests(self) -> dict[str, str]:
        """The data's hashes, recorded or noted, strongest first.

        :returns: algorithm → hexadecimal value
        """
        found = {}
        algorithm = self.record.get('os_hash_algo')
        value = self.record.get('os_hash_value')
        if algorithm and value:
            found[algorithm] = value.lower()
        if self.record.get('checksum'):
            found.setdefault('md5', self.record['checksum'].lower())
        return {**found, **self.noted}

    @property
    def recorded_hash(self) -> tuple[str, str] | None:
        """The strongest hash of the data that can be computed here.

        :returns: algorithm and hexadecimal value; None where there is none
        """
        for algorithm, value in self.digests.items():
            if algorithm in _ALGORITHMS:
                return algorithm, value
        return None

    @property
    def properties(self) -> dict[str, Any]:
        """The custom properties by name; one that is null counts as absent.

        Glance takes none that is null: see fact-property-limits. It keeps no
        order of them, and what is told of an image twice shall be the same.
        """
        return {
            field: value
            for field in sorted(self.record.keys() - _NO_PROPERTIES)
            if (value := self.record[field]) is not None
            and not field.startswith(RESERVED_PREFIX)
        }

    @property
    def marks(self) -> dict[str, Any]:
        """What marks it as a replica, by property; a text or absent."""
        return {
            field: value
            for field in sorted(MARKS)
            if isinstance(value := self.record.get(field), str)
        }

    @property
    def as_stored(self) -> 'Image':
        """The record of the data that is there in truth."""
        return self.stored or self

    @property
    def references(self) -> dict[str, str]:
        """The images that this one needs to boot: property → ID.

        What is no UUID is a relic of other times, and refers to no image.
        """
        return {
            field: value
            for field in REFERENCES
            if is_id(value := str(self.record.get(field)))
        }

    @property
    def staged(self) -> bool:
        """Whether there is data that has only to be imported.

        Glance notes the size when it has all of it: see fact-staged-size.
        """
        return self.status == 'uploading' and self.size is not None

    @property
    def empty(self) -> bool:
        """Whether it waits for data, or for what is staged to be imported."""
        return self.status == 'queued' or self.staged

    @property
    def busy(self) -> bool:
        """Whether something is going on that ends by itself."""
        return self.status in BUSY and not self.staged

    @property
    def portable(self) -> dict[str, Any]:
        """All that a replica shares with its source: field → value.

        Tags are a sorted list: Glance keeps no order of them.
        """
        fields = {
            field: self.record.get(field, default)
            for field, default in DEFAULTS.items()
        }
        fields['tags'] = sorted(set(fields['tags']))
        return {**fields, **self.properties}
