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

"""Records put straight into the database of a Glance, as many as wanted."""

from collections.abc import Sequence
import datetime
import json

import psycopg2

from osc_glance_replicate.sandbox import client

PROPERTIES = {
    'architecture': 'x86_64',
    'hw_disk_bus': 'scsi',
    'hw_qemu_guest_agent': 'yes',
    'hw_rng_model': 'virtio',
    'hw_scsi_model': 'virtio-scsi',
    'image_build_date': '2026-11-01',
    'image_description': 'Standard image, built and tested every week',
    'image_original_user': 'debian',
    'image_source': 'https://cloud.debian.org/images/cloud/trixie/latest/',
    'os_admin_user': 'debian',
    'os_distro': 'debian',
    'os_version': '13',
    'replace_frequency': 'monthly',
    'uuid_validity': 'last-3',
}
TAGS = ('os:debian', 'managed', 'bench')

_PLANT = (
    """
    INSERT INTO images (id, name, size, virtual_size, status, created_at,
        updated_at, deleted, disk_format, container_format, checksum, owner,
        min_disk, min_ram, protected, visibility, os_hidden, os_hash_algo,
        os_hash_value)
    SELECT md5('image ' || n)::uuid::text, 'Debian 13 build ' || n,
        2000000000 + n, 21474836480, 'active', %(time)s, %(time)s, false,
        'qcow2', 'bare', md5('data' || n), %(owner)s, 20, 512, true,
        'public', false, 'sha512', repeat(md5('data' || n), 4)
    FROM generate_series(0, %(images)s - 1) AS n
    WHERE n %% 100 <> ALL(%(missing)s::int[])
    """,
    """
    INSERT INTO image_properties (image_id, name, value, created_at,
        updated_at, deleted)
    SELECT id, key, CASE WHEN key = 'os_version'
            AND substr(name, 17)::int %% 100 = ANY(%(different)s::int[])
            THEN 'another' ELSE value END, %(time)s, %(time)s, false
    FROM images CROSS JOIN jsonb_each_text(%(properties)s::jsonb)
    """,
    """
    INSERT INTO image_tags (image_id, value, created_at, updated_at, deleted)
    SELECT id, tag, %(time)s, %(time)s, false
    FROM images CROSS JOIN unnest(%(tags)s) AS tag
    """,
    """
    INSERT INTO image_locations (image_id, value, created_at, updated_at,
        deleted, meta_data, status)
    SELECT id, 'file:///nowhere/' || id, %(time)s, %(time)s, false,
        '{"store": "fast"}', 'active' FROM images
    """,
)


def plant(
    cloud: client.Cloud,
    images: int,
    missing: Sequence[int] = (),
    different: Sequence[int] = (),
) -> None:
    """Fill a cloud with records that have no data.

    :param missing: those of every hundred that are left out
    :param different: those of every hundred that have another property
    """
    cloud.wipe()
    # No two services made an image at the same time.
    age = datetime.timedelta(days=len(cloud.name))
    time_of_birth = datetime.datetime.now(datetime.UTC) - age
    connection = psycopg2.connect(cloud.glance.database)
    with connection, connection.cursor() as cursor:
        for statement in _PLANT:
            cursor.execute(
                statement,
                {
                    'images': images,
                    'missing': list(missing),
                    'different': list(different),
                    'owner': cloud.project_id(),
                    'properties': json.dumps(PROPERTIES),
                    'tags': list(TAGS),
                    'time': time_of_birth,
                },
            )
    connection.close()
