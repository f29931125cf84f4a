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

"""What tenants and an administrator do in clouds, and what they know by it."""

import dataclasses
import datetime
import json
from typing import Any

from keystoneauth1 import exceptions

from osc_glance_replicate.model import image_record

#: Whoever acts: the administrator, and two tenants.
ACTORS = ('', 'demo', 'alt')

#: Few enough for all to meet under the same ones.
IDS = tuple(f'0a1b2c3d-0000-4000-8000-00000000000{n}' for n in range(3))

#: From what the fewest can see to what everybody can.
WIDTHS = ('private', 'shared', 'community', 'public')

#: Tells what is worth to be known.
_SECRET = 'secret'

_IMAGES = """
SELECT row_to_json(i), i.created_at,
    (SELECT json_object_agg(name, value) FROM image_properties AS p
     WHERE p.image_id = i.id AND NOT p.deleted),
    (SELECT json_agg(member ORDER BY member) FROM image_members AS m
     WHERE m.image_id = i.id AND NOT m.deleted),
    (SELECT json_agg(value ORDER BY value) FROM image_tags AS t
     WHERE t.image_id = i.id AND NOT t.deleted)
FROM images AS i WHERE NOT i.deleted
"""


@dataclasses.dataclass(frozen=True)
class Seen:
    """An image as the database of its Glance has it."""

    row: dict[str, Any]
    created_at: datetime.datetime
    properties: dict[str, str]
    members: tuple[str, ...]
    tags: tuple[str, ...]
    data: bytes

    def __getattr__(self, name):
        return self.row[name]

    def __repr__(self):
        told = 'owner visibility os_hidden status name os_hash_algo checksum'
        row = {field: self.row[field] for field in told.split()}
        return (
            f'{row} {self.properties} {self.members} {self.data} '
            f'{self.created_at}'
        )

    @property
    def width(self):
        return WIDTHS.index(self.visibility)

    @property
    def texts(self):
        """What a reader learns from it."""
        values = {self.name, *self.properties.values()}
        texts = {value for value in values if value.startswith(_SECRET)}
        return texts | ({self.data} if self.status == 'active' else set())

    @property
    def portable_properties(self):
        """The properties, without those that only runs and Glance set."""
        return {
            field: value
            for field, value in self.properties.items()
            if image_record.is_property(field)
        }

    def may_read(self, project):
        return (
            self.visibility in ('community', 'public')
            or self.owner == project
            or (self.visibility == 'shared' and project in self.members)
        )


@dataclasses.dataclass(frozen=True)
class Act:
    """What somebody does to an image.

    :param what: name of a method of World
    :param values: what it is done with
    """

    actor: str
    cloud: str
    what: str
    image_id: str
    values: dict[str, Any]


class World:
    """Some clouds, and who knows what is in them.

    Time passes between what is done by moving all that was into the past.

    :param clouds: by name
    :ivar told: what each project may know: what it made, and what others
        have shown to it; nothing that only a run has
    """

    def __init__(self, clouds):
        self.clouds = clouds
        self.told = {actor: set() for actor in ACTORS}
        self.done = []
        self._made = 0

    def pass_time(self):
        for cloud in self.clouds.values():
            cloud.sql(
                "UPDATE images SET created_at = created_at - interval '10 s', "
                "updated_at = updated_at - interval '10 s'"
            )

    def look(self, name):
        """Return what there is in a cloud, by ID."""
        cloud = self.clouds[name]
        seen = {}
        for row, created_at, properties, members, tags in cloud.sql(_IMAGES):
            file = cloud.stored(row['id'])
            seen[row['id']] = Seen(
                row,
                created_at,
                properties or {},
                tuple(members or ()),
                tuple(tags or ()),
                file.read_bytes() if file.exists() else b'',
            )
        return seen

    def readers(self, name, image):
        """Return the tenants that may read an image."""
        cloud = self.clouds[name]
        return [a for a in ACTORS[1:] if image.may_read(cloud.project_id(a))]

    def tell_all(self):
        """Have everybody learn what he may read."""
        for name in self.clouds:
            for image in self.look(name).values():
                for actor in self.readers(name, image):
                    self.told[actor] |= image.texts

    def do(self, act, for_others=True):
        """Do what comes of an act: what Glance allows.

        :param for_others: who may not do it has who may
        """
        act = self._as_is_possible(act, for_others)
        try:
            getattr(self, f'_{act.what}')(
                self.clouds[act.cloud], act.actor, act.image_id, **act.values
            )
        except exceptions.HttpError as exc:
            told = exc.http_status
        else:
            told = ''
        self.done.append((act, told))
        # What was refused may have been done in part.
        self.tell_all()

    def _as_is_possible(self, act, for_others):
        """Return an act that Glance may allow.

        What is there is changed rather than made, and by who may do that.
        """
        there = self.look(act.cloud).get(act.image_id)
        if not there:
            if act.what == 'create':
                return act
            plain = {'clones': True, 'named': True, 'filled': True}
            return dataclasses.replace(act, what='create', values=plain)
        owners = {
            self.clouds[act.cloud].project_id(actor): actor for actor in ACTORS
        }
        if act.actor and for_others:
            act = dataclasses.replace(act, actor=owners[there.owner])
        if act.what != 'create':
            return act
        how = 'clones', 'named', 'filled'
        values = {k: v for k, v in act.values.items() if k not in how}
        return dataclasses.replace(act, what='change', values=values)

    def _new(self, actor, length=12):
        """Make up what nobody else knows; always of the same length."""
        self._made += 1
        text = f'{_SECRET}{self._made:0{length - len(_SECRET)}}'
        self.told[actor] |= {text, text.encode()}
        return text

    def _known(self, actor, image_id, kind):
        """Return what an actor knows of an image's, anywhere; or a new one.

        :param kind: data or name
        """
        for name in self.clouds:
            image = self.look(name).get(image_id)
            text = image and getattr(image, kind)
            if text and (not actor or text in self.told[actor]):
                return text
        return self._new(actor)

    def _create(self, cloud, actor, image_id, clones, named, filled, **fields):
        data = self._known(actor, image_id, 'data') if clones else None
        data = data or self._new(actor).encode()
        if isinstance(data, str):
            data = data.encode()
        name = self._known(actor, image_id, 'name') if named else None
        self.told[actor] |= {data, name} - {None}
        cloud.request(
            'POST',
            '/images',
            actor,
            json={
                'id': image_id,
                'name': name or self._new(actor),
                'container_format': 'bare',
                'disk_format': 'raw',
                **self._filled_in(actor, image_id, fields),
            },
        )
        if filled == 'staged':
            self._send(cloud, actor, f'/images/{image_id}/stage', data)
        elif filled:
            self._send(cloud, actor, f'/images/{image_id}/file', data)

    def _send(self, cloud, actor, path, data):
        headers = {'Content-Type': 'application/octet-stream'}
        cloud.request('PUT', path, actor, data=data, headers=headers)

    def _filled_in(self, actor, image_id, fields):
        """Return fields with what stands for something else."""
        filled = dict(fields)
        if actor and filled.get('visibility') == 'public':
            filled['visibility'] = 'community'
        if 'os_command_line' in filled:
            filled['os_command_line'] = self._new(actor)
        if 'replica_of' in filled:
            filled['replica_of'] += f'/{image_id}'
        return filled

    def _change(self, cloud, actor, image_id, **fields):
        fields = self._filled_in(actor, image_id, fields)
        if 'name' in fields:
            fields['name'] = self._new(actor)
        version = 'application/openstack-images-v2.1-json-patch'
        cloud.request(
            'PATCH',
            f'/images/{image_id}',
            actor,
            headers={'Content-Type': version},
            data=json.dumps(
                [
                    {'op': 'add', 'path': f'/{field}', 'value': value}
                    for field, value in fields.items()
                ]
            ),
        )

    def _show(self, cloud, actor, image_id, member):
        members = f'/images/{image_id}/members'
        json = {'member': cloud.project_id(member)}
        cloud.request('POST', members, actor, json=json)

    def _deactivate(self, cloud, actor, image_id):
        path = f'/images/{image_id}/actions/deactivate'
        cloud.request('POST', path, actor)

    def _reactivate(self, cloud, actor, image_id):
        path = f'/images/{image_id}/actions/reactivate'
        cloud.request('POST', path, actor)

    def _delete(self, cloud, actor, image_id):
        cloud.request('DELETE', f'/images/{image_id}', actor)

    def _unhash(self, cloud, actor, image_id, md5):
        """Have it as an old Glance has, or one whose nova is on Ceph."""
        columns = ['os_hash_algo', 'os_hash_value', 'checksum'][: 3 - md5]
        nothing = ', '.join(f'{column} = NULL' for column in columns)
        cloud.sql(f'UPDATE images SET {nothing} WHERE id = %s', image_id)
