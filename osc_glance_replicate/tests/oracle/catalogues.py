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

"""Catalogues and selections for hypothesis to make."""

from collections.abc import Mapping
import dataclasses
import datetime
from typing import Any
import uuid

from hypothesis import strategies

from osc_glance_replicate.model import image_selection
from osc_glance_replicate.tests.oracle import model

_IDS = [str(uuid.UUID(int=number << 120 | number)) for number in range(1, 5)]
_STATUSES = (
    'active',
    'deactivated',
    'queued',
    'saving',
    'uploading',
    'importing',
    'killed',
    'deleted',
    'pending_delete',
)
_TIMES = ('2026-01-01T00:00:00Z', '2026-06-01T00:00:00Z')
_NAMES = ('', 'image', 'other image', 'a\x1b[31m\n\u202eb', '\u5b57' * 255)
_PROPERTIES = {
    'hw_qemu_guest_agent': ('yes', 'True', '064'),
    'os_distro': ('debian', 'Debian', ''),
    'a/b~c~1 d': ('value', ' value '),
    'Os_Distro': ('debian', 'a\nb'),
    # No UUIDs: tests/unit/planning/test_order.py is about references.
    'kernel_id': ('aki-12345678', ''),
    '\u00fc': ('\u202e', '0'),
    # As is called what is compared with --members.
    'members': ('a', 'b'),
}
_TAGS = ('a', 'A', ' a ', '\u00fc\x1b')

#: Format and container, such as take any bytes.
_FORMATS = (('raw', 'bare'), ('raw', 'docker'), ('aki', 'aki'))

#: What no Glance may give.
_BROKEN: tuple[dict[str, Any], ...] = (
    {'size': 'big'},
    {'size': -1},
    {'tags': [1]},
    {'odd': 5},
    {'visibility': 'odd'},
)

#: Properties that a POST can make and that no PATCH can.
UNPATCHABLE = (
    'member', 'image_id', 'extra_properties', 'base', 'x ', 'visibility ',
)  # fmt: skip

#: Whose an image may be.
OWNERS = ('runner', 'another')


@dataclasses.dataclass(frozen=True)
class Case:
    """What a plan is made of.

    :param source: where images come from
    :param destinations: where they go
    :param selection: which of them
    :param metadata_only: no data is to move
    :param extra: what only a destination has is looked at, too
    """

    source: model.Glance
    destinations: tuple[model.Glance, ...]
    selection: image_selection.Selection
    metadata_only: bool
    extra: bool


@dataclasses.dataclass(frozen=True)
class Kind:
    """Which catalogues are to be made.

    :param real: only such as a current Glance can be made to hold
    :param formats: replicas may be of other formats than their sources
    :param unpatchable: images may have properties that no PATCH can set
    :param alike: replicas have the data of their sources
    """

    real: bool = False
    formats: bool = False
    unpatchable: bool = False
    alike: bool = False


@strategies.composite
def cases(
    draw: strategies.DrawFn, kind: Kind, most_destinations: int = 2
) -> Case:
    """Make catalogues that have much in common."""
    source = model.Glance('source', filters=draw(strategies.booleans()))
    destinations = tuple(
        model.Glance(
            f'destination {number}',
            'sha512' if kind.real else draw(_any_of('sha512', 'sha256')),
        )
        for number in range(draw(strategies.integers(1, most_destinations)))
    )
    for image_id in _IDS[:1] if kind.alike else draw(_subset(_IDS, 2)):
        original = draw(_images(kind, image_id, source.name))
        if kind.alike or draw(_mostly):
            source.stored[image_id] = original
        for destination in destinations:
            if not kind.alike and not draw(_mostly):
                continue
            if not kind.alike and draw(_seldom):
                destination.taken.add(image_id)
            else:
                destination.stored[image_id] = draw(
                    _replicas(kind, original, destination.name)
                )
    selection = draw(_selections(sorted(source.stored)))
    # Compare refuses --extra where images are named.
    may_be_extra = not kind.real and not selection.images
    return Case(
        source,
        destinations,
        selection,
        metadata_only=draw(_seldom),
        extra=may_be_extra and draw(_seldom),
    )


def _any_of(*values: Any) -> strategies.SearchStrategy[Any]:
    return strategies.sampled_from(values)


def _subset(
    values: Any, least: int = 0
) -> strategies.SearchStrategy[list[Any]]:
    return strategies.lists(
        strategies.sampled_from(values), min_size=least, unique=True
    )


_seldom = _any_of(False, False, False, False, True)
_mostly = _any_of(True, True, False)


@strategies.composite
def _images(
    draw: strategies.DrawFn, kind: Kind, image_id: str, where: str
) -> model.Stored:
    """Make an image as it may be found anywhere."""
    disk_format, container_format = draw(_any_of(*_FORMATS))
    record = {
        'id': image_id,
        'name': draw(_any_of(None, *_NAMES)),
        'container_format': container_format,
        'disk_format': disk_format,
        'min_disk': draw(_any_of(0, 0, 1, 2**31 - 1)),
        'min_ram': draw(_any_of(0, 0, 512)),
        'tags': draw(_subset(_TAGS)),
        'visibility': draw(
            _any_of('private', 'shared', 'community', 'public')
        ),
        'protected': draw(_seldom),
        'os_hidden': draw(_seldom),
        'owner': draw(_any_of(*OWNERS)),
        'created_at': where,
        'updated_at': draw(_any_of(*_TIMES)),
        'virtual_size': None,
        **draw(_properties(kind)),
    }
    image = model.Stored(record)
    _give_status(draw, kind, image, draw(_any_of(b'data', b'tada', b'')))
    if not kind.real:
        _disturb(draw, record)
    return image


@strategies.composite
def _replicas(
    draw: strategies.DrawFn, kind: Kind, original: model.Stored, where: str
) -> model.Stored:
    """Make what a destination has under an ID that the source has, too."""
    replica = draw(_images(kind, original.record['id'], where))
    # Formats belong to the data, so that only the odd replica has others.
    if not kind.formats:
        for field in model.FIXED:
            replica.record[field] = original.record[field]
    if draw(_mostly):
        shared = {
            field: original.record[field]
            for field in draw(_subset(sorted(model.SHARED)))
            if field in original.record and field not in model.FIXED
        }
        replica.record |= shared
        for field, value in model.properties(original.record).items():
            if draw(_mostly):
                replica.record[field] = value
    if original.data is not None and (kind.alike or draw(_mostly)):
        _give_status(draw, kind, replica, original.data)
    if kind.real and replica.record['status'] == 'queued':
        replica.record['owner'] = 'runner'
    return replica


def _give_status(
    draw: strategies.DrawFn, kind: Kind, image: model.Stored, data: bytes
) -> None:
    """Put an image into a status, with the data that goes with it."""
    status = draw(_any_of('active', 'active', 'active', 'deactivated'))
    if not kind.alike and not draw(_mostly):
        status = draw(_any_of(*_STATUSES))
    if kind.real and status in ('deleted', 'pending_delete'):
        status = 'killed'
    image.record['status'] = status
    algorithm = draw(_any_of('sha512', 'sha512', 'sha256', None))
    fields = model.hashes(data, algorithm)
    if draw(_seldom):
        fields['checksum'] = None
    if status not in model.HAS_DATA:
        fields = dict.fromkeys(fields)
        image.data = None
    else:
        image.data = data
    image.record |= fields


@strategies.composite
def _properties(draw: strategies.DrawFn, kind: Kind) -> dict[str, Any]:
    found = {
        key: draw(_any_of(*_PROPERTIES[key]))
        for key in draw(_subset(sorted(_PROPERTIES)))
    }
    if kind.real:
        # A packaged Glance takes UUIDs only: see its schema-image.json.
        found.pop('kernel_id', None)
    if kind.unpatchable:
        found[draw(_any_of(*UNPATCHABLE))] = 'public'
    if draw(_seldom):
        found['block_device_mapping'] = '[{}]'
    if draw(_seldom) and draw(_seldom):
        found['cinder_encryption_key_id'] = 'key'
    if not kind.real:
        # Other clouds have made these.
        if draw(_seldom):
            found['os_glance_failed_import'] = draw(_any_of('', 'slow'))
        if draw(_seldom):
            found['gone'] = None
        if draw(_seldom):
            found['stores'] = draw(_any_of('fast', 'slow'))
        if draw(_seldom):
            found['direct_url'] = draw(_any_of('rbd://a', 'rbd://b'))
    return found


def _disturb(draw: strategies.DrawFn, record: dict[str, Any]) -> None:
    """Make a record as other Glances, or broken ones, may give it."""
    if draw(_seldom):
        for field in draw(_subset(('min_disk', 'protected', 'tags'))):
            del record[field]
    if draw(_seldom) and not record['os_hidden']:
        del record['os_hidden']
    if draw(_seldom) and draw(_seldom):
        record |= draw(_any_of(*_BROKEN))


def is_broken(record: Mapping[str, Any]) -> bool:
    """Say whether a record has been made such as no Glance may give."""
    return any(fields.items() <= record.items() for fields in _BROKEN)


@strategies.composite
def _selections(
    draw: strategies.DrawFn, ids: list[str]
) -> image_selection.Selection:
    """Make a selection; most of them mean all images."""
    chosen: dict[str, Any] = {}
    for field, choice in {
        'names': _any_of(['*image'], ['image', '?*'], ['']),
        'excludes': _any_of(['*b'], [_IDS[0]], ['0[23]*']),
        'properties': _any_of(
            [('os_distro', 'debian')], [('hw_qemu_guest_agent', 'yes')]
        ),
        'tags': _any_of(['a'], ['a', 'A'], [' a ']),
        'visibilities': _any_of(['public'], ['private', 'shared'], ['shared']),
        'owner': _any_of(*OWNERS),
        'disk_format': _any_of('raw'),
        'min_size': _any_of(0, 1, 4),
        'max_size': _any_of(0, 1, 4),
        'updated_since': _any_of(
            *map(datetime.datetime.fromisoformat, _TIMES)
        ),
    }.items():
        if draw(_seldom) and draw(_seldom):
            chosen[field] = draw(choice)
    if ids and draw(_seldom):
        chosen['images'] = draw(
            strategies.lists(
                strategies.sampled_from(ids), min_size=1, unique=True
            )
        )
    return image_selection.Selection(
        include_hidden=draw(strategies.booleans()), **chosen
    )
