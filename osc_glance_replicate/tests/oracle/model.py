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

"""A model of what Glance does when a plan is carried out.

It is written from what doc/source/user/replica.rst promises and from the
facts in doc/source/contributor/facts.rst, and shares no code with the engine;
tests/functional/test_model.py holds it against real Glances.
"""

from collections.abc import Iterable, Iterator, Mapping
import copy
import dataclasses
import hashlib
from typing import Any

from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import image_selection
from osc_glance_replicate.model import plan

#: Statuses of a record whose data is there for good.
HAS_DATA = frozenset(('active', 'deactivated'))

#: Statuses of a record that another upload is going on to.
BUSY = frozenset(('saving', 'uploading', 'importing'))

#: What a replica shares with its source, next to its custom properties.
SHARED = {
    'name': None,
    'container_format': None,
    'disk_format': None,
    'min_disk': 0,
    'min_ram': 0,
    'visibility': 'private',
    'protected': False,
    'os_hidden': False,
}

#: Glance's own: nobody may send these.
OWN = frozenset(
    'checksum created_at deleted deleted_at direct_url file id location '
    'locations os_hash_algo os_hash_value owner schema self size status '
    'store stores updated_at virtual_size'.split()
)

#: What Glance refuses to change once a record has data.
FIXED = frozenset(('container_format', 'disk_format'))

#: Properties that a POST stores and no PATCH can set: 404, 500, or a 200
#: that changed nothing (see fact-mistaken-names).
UNPATCHABLE = frozenset(('member', 'image_id', 'extra_properties', 'base'))


class Forbidden(AssertionError):
    """A plan names what no plan may."""


@dataclasses.dataclass
class Stored:
    """An image in a Glance.

    :param record: as GET /v2/images/ID gives it
    :param data: None where there is none
    """

    record: dict[str, Any]
    data: bytes | None = None


def properties(record: Mapping[str, Any]) -> dict[str, str]:
    """Give the custom properties that a replica gets, too."""
    return {
        field: value
        for field, value in record.items()
        if field not in OWN
        and field not in SHARED
        and field != 'tags'
        and not field.startswith('os_glance')
        and value is not None
    }


def hashes(data: bytes, algorithm: str | None) -> dict[str, Any]:
    """Give the fields that Glance fills from data: see fact-hashes.

    :param algorithm: that it is configured for; None before Rocky
    """
    value = hashlib.new(algorithm, data).hexdigest() if algorithm else None
    return {
        'size': len(data),
        'checksum': hashlib.md5(data).hexdigest(),
        'os_hash_algo': algorithm,
        'os_hash_value': value,
    }


def patchable(field: str) -> bool:
    """Say whether a PATCH of this field changes it, and no other one.

    Glance strips a name: 'visibility ' would set the visibility.
    """
    return field == field.strip() and field not in UNPATCHABLE


def takes_away(change: plan.Change) -> bool:
    """Say whether nobody sees more of an image by a change of it."""
    order = 'private', 'shared', 'community', 'public'
    if change.field == 'visibility':
        return order.index(change.wanted) < order.index(change.destination)
    return (change.field, change.wanted) in (
        ('os_hidden', True),
        ('status', 'deactivated'),
    )


class Glance:
    """The images of one cloud; a source for plans, and where they end.

    :param name: of the cloud
    :param algorithm: of the hashes that it makes
    :param owner: ID of the runner's project
    :param filters: leaves out what a selection does not match
    :ivar taken: IDs of images that cannot be seen, deleted ones for one
    """

    dates = True

    def __init__(
        self,
        name: str,
        algorithm: str = 'sha512',
        owner: str = 'runner',
        filters: bool = False,
    ) -> None:
        self.name = name
        self.stored: dict[str, Stored] = {}
        self.taken: set[str] = set()
        self._algorithm = algorithm
        self._owner = owner
        self._filters = filters

    def __repr__(self) -> str:
        return f'<{self.name}: {self.stored}, taken: {self.taken}>'

    def images(
        self, selection: image_selection.Selection | None = None
    ) -> Iterator[image_record.Image]:
        for image_id in sorted(self.stored):
            image = self._image(image_id)
            # GET /v2/images/ID gives it all the same.
            if image.status == 'killed':
                continue
            if not (selection and self._filters) or selection.matches(image):
                yield image

    def find(self, image_id: str) -> image_record.Image | None:
        return self._image(image_id) if image_id in self.stored else None

    def _image(self, image_id: str) -> image_record.Image:
        # What a cloud has answered does not change with the cloud.
        return image_record.Image(copy.deepcopy(self.stored[image_id].record))

    def settle(self) -> None:
        """Let the other uploads end, as they do when clients die."""
        for image in self.stored.values():
            record = image.record
            stuck = (
                record.get('status') == 'importing'
                and record.get('os_glance_failed_import')
                and not record.get('os_glance_importing_to_stores')
            )
            if record.get('status') in BUSY and not stuck:
                record['status'] = 'queued'

    def apply(self, action: plan.Action, source: 'Glance') -> str:
        """Do what an action says.

        :returns: what livecopy reports
        :raises Forbidden: it says to delete, or to overwrite
        """
        if action.verb is plan.Verb.COPY:
            return self._copy(action, source.stored[action.image.id])
        if action.verb is plan.Verb.UPDATE:
            return self._update(action, source.stored[action.image.id])
        return str(action.verb.value)

    def occupied(self, image_id: str) -> bool:
        """Say whether a listing keeps back what has this ID."""
        replica = self.stored.get(image_id)
        killed = replica is not None and replica.record['status'] == 'killed'
        return killed or image_id in self.taken

    def _copy(self, action: plan.Action, image: Stored) -> str:
        image_id = image.record['id']
        if not action.replica and self.occupied(image_id):
            return 'conflict'
        replica = self.stored.get(image_id)
        if replica and replica.record['status'] in BUSY:
            return 'failed'
        if replica and replica.record['status'] != 'queued':
            raise Forbidden(f'{image_id} has been {replica.record["status"]}')
        if image.record['status'] != 'active' or image.data is None:
            raise Forbidden(f'{image_id} has no data to copy')
        if replica is None:
            replica = Stored({'id': image_id, 'owner': self._owner})
            self.stored[image_id] = replica
        shared = {
            field: image.record.get(field, default)
            for field, default in SHARED.items()
        }
        custom = properties(image.record)
        if any(
            not patchable(field) and replica.record.get(field) != value
            for field, value in custom.items()
            if 'status' in replica.record
        ):
            return 'failed'
        replica.record |= shared | custom
        replica.record['tags'] = sorted(
            {*image.record.get('tags', ()), *replica.record.get('tags', ())}
        )
        replica.record |= hashes(image.data, self._algorithm)
        replica.record['status'] = 'active'
        # Nobody can set it, so that two Glances never bear the same.
        replica.record['created_at'] = f'by {self.name}'
        replica.data = image.data
        return 'copied'

    def _update(self, action: plan.Action, image: Stored) -> str:
        replica = self.stored[action.image.id]
        if replica.record['status'] not in HAS_DATA:
            raise Forbidden(f'{action} of a record without data')
        if not action.changes:
            raise Forbidden(f'{action} changes nothing')
        changes = action.changes
        if action.proof and replica.data != image.data:
            # It is found out, and only what takes away was done before.
            changes = tuple(filter(takes_away, changes))
        elif replica.data != image.data and not all(map(takes_away, changes)):
            raise Forbidden(f'{action} of other data')
        if self._make(changes, replica):
            return 'failed'
        doubted = action.told_as or changes != action.changes
        return 'conflict' if doubted else 'updated'

    def _make(self, changes: Iterable[plan.Change], replica: Stored) -> bool:
        """Make changes.

        :returns: whether Glance refuses one
        """
        refused = False
        for change in changes:
            self._check(change, replica)
            if change.field in FIXED or not patchable(change.field):
                refused = True
            elif change.field == 'tags':
                replica.record['tags'] = sorted(change.wanted)
            else:
                replica.record[change.field] = change.wanted
        return refused

    def _check(self, change: plan.Change, replica: Stored) -> None:
        field, value = change.field, change.wanted
        if field == 'status':
            if {value, replica.record['status']} != HAS_DATA:
                raise Forbidden(f'{change}: no such transition')
        elif field in OWN or field.startswith('os_glance'):
            raise Forbidden(f"{change}: it is Glance's own")
        elif field == 'tags':
            if lost := set(replica.record.get('tags', ())) - set(value):
                raise Forbidden(f'{change} deletes {lost}')
        elif value is None and field not in ('name', *FIXED):
            raise Forbidden(f'{change} deletes a property')
