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

"""Data that a destination imports or downloads, and the stores it is in."""

import os
import pathlib
import uuid

import yaml

from osc_glance_replicate.sandbox import client
from osc_glance_replicate.tests.functional import base
from osc_glance_replicate.tests.functional import dumps
from osc_glance_replicate.tests.functional import faults
from osc_glance_replicate.tests.functional import links


class ImportTest(links.BrokenLinksTest):
    def stage(self, image, data, cloud=None):
        """Leave what a run leaves that is killed before it imports."""
        cloud = cloud or self.slave
        fields = {'disk_format': 'raw', 'container_format': 'bare'}
        cloud.create(None, id=image.id, **fields)
        cloud.request(
            'PUT',
            f'/images/{image.id}/stage',
            data=data,
            headers={'Content-Type': 'application/octet-stream'},
        )
        self.assertEqual('uploading', cloud.get(image.id).status)

    def assertStored(self, image, stores, cloud=None):
        """Say which stores have an image's data, and no other has it."""
        cloud = cloud or self.slave
        found = {
            store: path.read_bytes()
            for store in client.STORES
            if (path := cloud.stored(image.id, store)).exists()
        }
        data = self.data[image.id]
        self.assertEqual(set(stores), set(found), image.name)
        self.assertTrue(all(each == data for each in found.values()))


class TestImport(ImportTest):
    """Staged, then imported by the destination (--method import)."""

    alone = False

    def test_stores(self):
        uploaded = self.image(10, name='uploaded', visibility='public')
        self.copy('--store', 'slow', uploaded.id)
        self.assertStored(uploaded, ['slow'])
        images = {
            name: self.image(size, name=name, tags=['a'])
            for name, size in (('empty', 0), ('full', 3 * base.MIB))
        }
        several = ('--method', 'import', '--store', 'slow', '--store', 'fast')
        self.assertReasons(self.copy(*several, '--show-all'), uploaded='')
        for image in images.values():
            self.assertCopied(image, puts=0)
            self.assertStored(image, client.STORES)

    def test_what_passes(self):
        """Links that break, and answers that are lost."""
        broken = self.image(name='broken')
        self.destination.on(
            'PUT',
            f'{broken.id}/stage',
            faults.Fault(upload=faults.after(base.MIB, faults.reset)),
        )
        staged = self.image(name='staged')
        begun = self.image(name='begun')
        for path in f'{staged.id}/stage', f'{begun.id}/import':
            self.destination.on('PUT|POST', path, faults.Fault(lose=True))
        self.assertReasons(self.copy('--method', 'import'))
        for image, count in ((broken, 2), (staged, 1), (begun, 1)):
            self.assertCopied(image)
            sent = self.destination.seen('PUT', f'{image.id}/stage')
            self.assertEqual(count, len(sent), image.name)

    def test_what_an_interrupted_run_has_staged(self):
        whole = self.image(10, name='whole')
        wrong = self.image(10, name='wrong', visibility='public')
        longer = self.image(10, name='longer')
        self.stage(whole, self.data[whole.id])
        self.stage(wrong, os.urandom(10))
        self.stage(longer, os.urandom(11))
        result = self.copy('--method', 'import', expect=1)
        self.assertReasons(
            result,
            wrong='imported with other data: sha512 differs; it was left '
            'private and deactivated',
            longer='11 bytes are staged there',
        )
        self.assertEqual('conflict', result.results[wrong.id])
        self.assertEqual([], self.destination.seen('PUT'))
        self.assertCopied(whole)
        replica = self.slave.get(wrong.id)
        self.assertEqual('deactivated', replica.status)
        self.assertEqual('private', replica.visibility)

    def test_what_is_not_there(self):
        image = self.image(10)
        for arguments, words in (
            (('--store', 'ghost'), ('no store ghost:', 'fast, slow')),
            (
                ('--method', 'glance-download'),
                # Though the regions are called the same.
                ('one Keystone', "'master' in region RegionOne"),
            ),
        ):
            result = self.livecopy(*arguments, image.id, expect=1)
            self.assertIn(result.stdout.strip(), ('', '[]'))
            (line,) = result.stderr.splitlines()
            for word in ("Cannot use cloud 'slave':", *words):
                self.assertIn(word, line)
        self.assertEqual(set(), self.there())


class TestStoreThatBreaks(ImportTest):
    def test_import_that_fails(self):
        """A store breaks: the record is completed when it is freed."""
        slow = self.slave.stored('', 'slow')
        away = slow.with_name('away')
        slow.rename(away)
        self.addCleanup(away.rename, slow)
        stores = {
            'all': ['--all-stores'],
            'alone': ['--store', 'slow'],
            # The other one is not begun.
            'first': ['--store', 'slow', '--store', 'fast'],
            'last': ['--store', 'fast', '--store', 'slow'],
        }
        images = {name: self.image(10, name=name) for name in stores}
        for name, words in stores.items():
            (row,) = self.copy(
                images[name].id, '--method', 'import', *words,
                '--retries', '0', expect=1,
            ).rows  # fmt: skip
            self.assertEqual('failed', row['Result'])
            for words in 'slave: the import of', 'to slow failed', '(req-':
                self.assertIn(words, row['Reason'])
            self.assertEqual(
                'importing', self.slave.get(images[name].id).status
            )
            self._assert_same_advice(images[name], row['Reason'])
        self.slave.sql("UPDATE images SET status = 'queued'")
        self.copy()
        for image in images.values():
            self.assertCopied(image, puts=1)

    def _assert_same_advice(self, image, reason):
        """Whatever is run next says what the first run has said."""
        self.assertIn("set it back to 'queued'", reason)
        for method in 'upload', 'import':
            result = self.copy(image.id, '--method', method, expect=1)
            self.assertEqual({image.id: 'conflict'}, result.results)
            self.assertReason(reason, result)
        self.assertReason(reason, self.copy(image.id, '--dry-run'))
        compared = self.openstack(
            '--os-cloud', 'master', 'image', 'replicate', 'compare', '-f',
            'json', '--to', 'slave', image.id, environment=self.environment,
            expect=3,
        )  # fmt: skip
        (row,) = compared.rows
        self.assertEqual('incomplete', row['Difference'])
        self.assertIn(row['Detail'], reason)

    def assertReason(self, reason, result):
        (row,) = result.rows
        self.assertIn(row['Reason'], reason)


class TestLoad(dumps.DumpTest):
    def test_into_all_stores(self):
        image = self.put(b'data', tags=['a'])
        self.load('--method', 'import', '--all-stores')
        self.assertReplica(image, b'data')
        for store in client.STORES:
            path = self.slave.stored(image.id, store)
            self.assertEqual(b'data', path.read_bytes())


class TestDownload(ImportTest):
    """Between two regions of one Keystone (--method glance-download)."""

    def setUp(self):
        super().setUp()
        self.other = self.cloud('master:RegionTwo')
        # What stands in the entry for master would count for both regions.
        self.environment = self.clouds_yaml(
            first={**self.entry(), **links.behind(self.source)}
        )

    def entry(self):
        path = pathlib.Path(os.environ['OS_CLIENT_CONFIG_FILE'])
        return yaml.safe_load(path.read_text())['clouds']['master']

    def download(self, *arguments, **options):
        return self.livecopy(
            '--method',
            'glance-download',
            *arguments,
            source='first',
            to='master:RegionTwo',
            environment=self.environment,
            **options,
        )

    def test_download(self):
        demo = self.master.project_id('demo')
        image = self.image(
            name='image', visibility='shared', owner=demo, tags=['a'],
            hw_old='1', hw_site='a', own='x',
        )  # fmt: skip
        alt = self.master.project_id('alt')
        members = f'/images/{image.id}/members'
        self.master.request('POST', members, json={'member': alt})
        damaged = self.image(10, name='damaged', visibility='public')
        self.master.stored(damaged.id).write_bytes(os.urandom(10))
        short = self.image(10, name='short')
        self.master.stored(short.id).write_bytes(b'')
        # Else a replica could be of the same second, as in the same service.
        base.pass_a_second()
        asked = (
            '--owner', 'same', '--members', '--dont-replicate', 'hw_old',
            '--set-property', 'hw_site=b',
        )  # fmt: skip
        stores = ('--store', 'slow', '--store', 'fast')
        (row,) = self.download(*asked, *stores, '--dry-run', image.id).rows
        self.assertEqual(
            'by glance-download from RegionOne to slow, fast', row['Reason']
        )
        result = self.download(*asked, *stores, expect=1)
        self.assertEqual([], self.source.seen('GET', '/file$'))
        self.assertReasons(
            result,
            damaged='was imported with other data, or its record was made '
            'with a wrong hash: sha512 differs; it was '
            'left private and deactivated',
            short='--method upload completes it',
        )
        self.assertEqual('conflict', result.results[damaged.id])
        self.assertEqual('failed', result.results[short.id])
        self.assertStored(image, client.STORES, self.other)
        replica = self.other.get(image.id)
        self.assertEqual({'hw_site': 'b', 'own': 'x'}, replica.properties)
        self.assertEqual(demo, replica.owner)
        self.assertEqual(
            ('shared', ['a']), (replica.visibility, replica.portable['tags'])
        )
        (member,) = self.other.request('GET', members).json()['members']
        self.assertEqual(alt, member['member_id'])
        replica = self.other.get(damaged.id)
        self.assertEqual(
            ('deactivated', 'private'), (replica.status, replica.visibility)
        )
        self.master.stored(short.id).write_bytes(self.data[short.id])
        self.livecopy(short.id, to='master:RegionTwo')
        self.assertStored(short, ['fast'], self.other)
        self.assertEqual('active', self.other.get(short.id).status)

    def test_filtered(self):
        """The source's catalogue has it where no Glance may fetch from."""
        image = self.image(10, name='image')
        third = self.region(
            self.master.glance.url.replace('127.0.0.1', 'localhost')
        )
        original = pathlib.Path(os.environ['OS_CLIENT_CONFIG_FILE'])
        entry = yaml.safe_load(original.read_text())['clouds']['master']
        entry.pop('regions')
        environment = self.clouds_yaml(third={**entry, 'region_name': third})
        result = self.livecopy(
            '--method', 'glance-download', '--retries', '0',
            source='third', to='master:RegionTwo', expect=1,
            environment=environment,
        )  # fmt: skip
        self.assertReasons(result, image='[import_filtering_opts]')
        replica = self.other.get(image.id)
        self.assertEqual(
            ('queued', 'private'), (replica.status, replica.visibility)
        )

    def region(self, url):
        """Make a region that has an image service.

        :returns: its name
        """
        identity = self.master.connections[''].identity
        region = identity.create_region(id=f'R{uuid.uuid4().hex[:8]}')
        self.addCleanup(identity.delete_region, region)
        (service,) = identity.services(type='image')
        endpoint = identity.create_endpoint(
            service_id=service.id,
            region_id=region.id,
            interface='public',
            url=url,
        )
        self.addCleanup(identity.delete_endpoint, endpoint)
        return region.id
