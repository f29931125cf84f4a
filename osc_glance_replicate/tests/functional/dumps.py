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

"""What the tests of dump, load and verify have in common."""

import hashlib
import json
import pathlib
import re
import subprocess
import uuid

import fixtures

from osc_glance_replicate.model import image_record
from osc_glance_replicate.tests.functional import base

MIB = 1024 * 1024

#: What a dump directory holds besides images.
_OTHERS = frozenset(('.lock', 'MD5SUMS', 'SHA256SUMS', 'SHA512SUMS'))


class DumpTest(base.FunctionalTest):
    """Two clouds, and a dump directory that is not there yet."""

    def setUp(self):
        super().setUp()
        self.scratch = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.path = self.scratch / 'dump'

    def words(self, verb, *words, source):
        return (
            '--os-cloud', source, 'image', 'replicate', verb, '-f', 'json',
            *words,
        )  # fmt: skip

    def replicate(self, verb, *words, source='master', **options):
        """Run a verb whose rows are read as JSON."""
        return self.openstack(
            *self.words(verb, *words, source=source), **options
        )

    def dump(self, *words, path=None, **options):
        return self.replicate(
            'dump', str(path or self.path), *words, **options
        )

    def load(self, *words, source='slave', **options):
        return self.replicate(
            'load', str(self.path), *words, source=source, **options
        )

    def verify(self, *words, **options):
        """Verify as where there is no cloud."""
        return self.openstack(
            'image', 'replicate', 'verify', '-f', 'json', str(self.path),
            *words, environment={'OS_CLIENT_CONFIG_FILE': '/dev/null'},
            **options,
        )  # fmt: skip

    def names(self, path=None):
        """Give the names of the files that are of images."""
        there = {file.name for file in (path or self.path).iterdir()}
        return there - _OTHERS

    def file(self, name):
        return self.path / str(getattr(name, 'id', name))

    def data_file(self, image):
        return self.file(f'{image.id}.img')

    def part_file(self, image):
        return self.file(f'{image.id}.img.part')

    def record(self, image):
        return json.loads(self.file(image).read_bytes())

    def reasons(self, result):
        return {row['ID']: row['Reason'] for row in result.rows}

    def reads(self, image, cloud=None):
        """Give how Glance answered requests for an image's data so far.

        That a store can give no part of it, and then all, counts as a part.
        """
        cloud = cloud or self.master
        log = cloud.glance.log.read_text(errors='replace')
        answers: list[str] = re.findall(
            rf'GET /v2/images/{image.id}/file .*\(HTTP/1.1 (\d+)\)', log
        )
        if cloud.has_files:
            return answers
        return ' '.join(answers).replace('400 200', '206').split()

    def put(self, data=b'data', image_id=None, **fields):
        """Lay an image into the directory as a dump would.

        :param data: None for no file
        :param fields: put over what would stand in its record
        """
        self.path.mkdir(mode=0o700, exist_ok=True)
        image_id = image_id or str(uuid.uuid4())
        record = {
            'id': image_id,
            'name': 'image',
            'status': 'active',
            'size': len(data or b''),
            'container_format': 'bare',
            'disk_format': 'raw',
            'visibility': 'private',
            'protected': False,
            'min_disk': 0,
            'min_ram': 0,
            'tags': [],
            'os_hidden': False,
            'os_hash_algo': 'sha512',
            'os_hash_value': hashlib.sha512(data or b'').hexdigest(),
            'checksum': hashlib.md5(data or b'').hexdigest(),
            **fields,
        }
        self.file(image_id).write_text(json.dumps(record))
        image = image_record.Image({**record, 'id': image_id})
        if data is not None:
            self.data_file(image).write_bytes(data)
        return image

    def put_v1(self, data=b'data', **fields):
        """Lay an image into the directory as glance-replicator did.

        For the format see fact-v1-record.

        :param data: None for no file
        :param fields: put over what would stand in its record
        """
        self.path.mkdir(exist_ok=True)
        record = {
            'id': str(uuid.uuid4()),
            'name': 'image',
            'status': 'active',
            'size': len(data or b''),
            'virtual_size': None,
            'disk_format': 'raw',
            'container_format': 'bare',
            'checksum': hashlib.md5(data or b'').hexdigest(),
            'owner': '3c2d1f0aa54d4a9d8f7e1b2c3d4e5f60',
            'is_public': False,
            'protected': False,
            'min_disk': 0,
            'min_ram': 0,
            'deleted': False,
            'created_at': '2012-05-21T09:30:00.123456',
            'updated_at': '2012-05-21T09:31:00.654321',
            'deleted_at': None,
            'properties': {},
            **fields,
        }
        self.file(record['id']).write_text(json.dumps(record))
        image = image_record.Image(record)
        if data is not None:
            self.data_file(image).write_bytes(data)
        return image

    def assertDumped(self, image, data):
        """Hold what is in the directory against Glance and the very bytes."""
        records = self.master.get(image.id).record, self.record(image)
        # Glance gives tags in an order that changes.
        one, other = (
            {**record, 'tags': sorted(record['tags'])} for record in records
        )
        self.assertEqual(one, other)
        self.assertEqual(data, self.data_file(image).read_bytes())
        self.assertFalse(self.part_file(image).exists())

    def assertAllDumped(self, images):
        """Find these images in the directory, whole, and no other.

        :param images: their data, by ID
        """
        self.assertEqual(
            {n for i in images for n in (i, f'{i}.img')}, self.names()
        )
        for image_id, data in images.items():
            self.assertDumped(self.master.get(image_id), data)
        self.assertSums('sha512', len(images))

    def assertSums(self, algorithm, count):
        """Let coreutils verify the data of so many images."""
        checked = subprocess.run(
            [f'{algorithm}sum', '-c', '--strict', f'{algorithm.upper()}SUMS'],
            cwd=self.path,
            capture_output=True,
            text=True,
        )
        self.assertEqual(0, checked.returncode, checked.stderr)
        self.assertEqual(count, checked.stdout.count('.img: OK\n'))

    def assertOneLine(self, result, *words):
        """Find words in the one line that an error is."""
        self.assertEqual([], result.rows)
        (line,) = result.stderr.splitlines()
        for word in words:
            self.assertIn(word, line)
