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

"""The clouds of a sandbox, as their admin and their users see them."""

from collections.abc import Iterator
import contextlib
import json
import os
import pathlib
from typing import Any
import unittest
import uuid

from keystoneauth1 import exceptions
import openstack
import psycopg2

from osc_glance_replicate.model import image_record
from osc_glance_replicate.sandbox import fixture

#: Names the sandbox that the process runs in, and others that it may use.
DIRECTORIES = 'OSC_GLANCE_REPLICATE_SANDBOX'

#: The stores of each Glance, the default one first.
STORES = ('fast', 'slow')

#: What is imported lies there before.
_STAGING = 'os_glance_staging_store'


class Mebibytes:
    """Data to upload that needs no memory.

    :param count: how many there are, all of them alike
    """

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count * 1024**2

    def __iter__(self) -> Iterator[bytes]:
        block = as_raw(os.urandom(1024**2))
        return (block for _ in range(self._count))


def as_raw(data: bytes) -> bytes:
    """Return data that no Glance takes for a disk with partitions.

    Its mark has two bytes, so that one image of random bytes in 65,536 bears
    it, and is refused as one that is not raw.
    """
    return data[:510] + bytes(len(data[510:512])) + data[512:]


class _Connections(dict[str, openstack.connection.Connection]):
    """The connections to a cloud, made when they are asked for.

    By what follows the cloud's name in that of its entry.
    """

    def __init__(self, cloud: str, region: str) -> None:
        super().__init__()
        self._cloud = cloud
        self._region = region or None

    def __missing__(self, suffix: str) -> openstack.connection.Connection:
        connection = openstack.connect(
            cloud=self._cloud + suffix, region_name=self._region
        )
        with contextlib.suppress(exceptions.ConnectFailure):
            # uWSGI has once closed its connection without an answer. Another
            # login follows by itself.
            connection.session.get_token()
        self[suffix] = connection
        return connection


class Cloud:
    """One cloud of the sandbox, looked at behind the plugin's back.

    :param name: as in clouds.yaml, of its admin; NAME:REGION for a region
        that is not its first
    """

    def __init__(self, name: str) -> None:
        self.name = name
        cloud, _, region = name.partition(':')
        directory = pathlib.Path(os.environ[DIRECTORIES])
        glances = fixture.load(directory)[cloud]
        self.glance = glances[region or next(iter(glances))]
        self.connections = _Connections(cloud, region)

    def close(self) -> None:
        for connection in self.connections.values():
            connection.close()

    def request(
        self, method: str, path: str, user: str = '', **options: Any
    ) -> Any:
        connection = self.connections[user and f'-{user}']
        return connection.image.request(
            path, method, raise_exc=True, **options
        )

    def project_id(self, user: str = '') -> str | None:
        project: str | None = self.connections[
            user and f'-{user}'
        ].current_project_id
        return project

    def wipe(self) -> None:
        """Forget all images, deleted ones too, as nobody can by the API."""
        self.sql('TRUNCATE images CASCADE')
        for store in (*STORES, _STAGING):
            for file in self.glance.store.with_name(store).glob('*'):
                file.unlink()

    def sql(
        self, statement: str, *parameters: object
    ) -> list[tuple[Any, ...]]:
        """Execute SQL and give the rows that it finds."""
        connection = psycopg2.connect(self.glance.database)
        with connection, connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            rows = cursor.fetchall() if cursor.description else []
        connection.close()
        return rows

    def create(
        self, data: Any = b'data', user: str = '', **fields: Any
    ) -> image_record.Image:
        """Create an image.

        :param data: bytes, or what requests takes for them; None to leave
            it queued
        """
        fields = {
            'id': str(uuid.uuid4()),
            'name': 'image',
            'container_format': 'bare',
            'disk_format': 'raw',
            'visibility': 'private',
            **fields,
        }
        image_id = fields['id']
        self.request('POST', '/images', user, json=fields)
        if data is not None:
            self.upload(image_id, data, user)
        return self.get(image_id)

    def upload(self, image_id: str, data: Any, user: str = '') -> None:
        self.request(
            'PUT',
            f'/images/{image_id}/file',
            user,
            data=data,
            headers={'Content-Type': 'application/octet-stream'},
        )

    def patch(self, image_id: str, user: str = '', **fields: Any) -> None:
        self.request(
            'PATCH',
            f'/images/{image_id}',
            user,
            headers={
                'Content-Type': 'application/openstack-images-v2.1-json-patch'
            },
            data=json.dumps(
                [
                    {'op': 'add', 'path': f'/{field}', 'value': value}
                    for field, value in fields.items()
                ]
            ),
        )

    def get(self, image_id: str) -> image_record.Image:
        return image_record.Image(
            self.request('GET', f'/images/{image_id}').json()
        )

    def ids(self) -> set[str]:
        """Give the IDs of all images, in whatever state."""
        rows = self.sql('SELECT id FROM images WHERE NOT deleted')
        return {str(image_id) for (image_id,) in rows}

    def data(self, image_id: str) -> bytes:
        response = self.request('GET', f'/images/{image_id}/file')
        data: bytes = response.content
        return data

    @property
    def has_files(self) -> bool:
        """Whether images are in files, by default."""
        return self.glance.driver == 'file'

    def stored(self, image_id: str, store: str = '') -> pathlib.Path:
        """Give the file in which a store keeps an image.

        :param store: its ID; the default one's if none is given
        :raises SkipTest: it keeps them elsewhere
        """
        if store in ('', STORES[0]) and not self.has_files:
            raise unittest.SkipTest(f'no files: {self.glance.driver}')
        stores = self.glance.store
        return (stores.with_name(store) if store else stores) / image_id
