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

"""Images that a destination converts on import (image_conversion)."""

import os
import shutil
import subprocess
import unittest

from osc_glance_replicate.model import image_record
from osc_glance_replicate.sandbox import client
from osc_glance_replicate.tests.functional import base
from osc_glance_replicate.tests.functional import cluster
from osc_glance_replicate.tests.functional import tenants

IMPORT = ('--method', 'import')
ACCEPT = ('--accept-conversion',)
REFUSED = 'was converted from qcow2 to raw there'
ADVICE = 'give --accept-conversion, or --method upload'


class ConversionTest(tenants.TenantsTest):
    """A cloud, and a region whose Glance makes raw of all that it imports.

    Its plugin needs qemu-img (Debian: qemu-utils).
    """

    to = 'master:Converting'

    def setUp(self):
        if not shutil.which('qemu-img'):
            raise unittest.SkipTest('there is no qemu-img')
        super().setUp()
        self.region = self.cloud(self.to)
        self.raw = {}
        self.is_settled = True

    def qcow2(self, size=base.MIB, **fields):
        """Create an image of a random disk at the source."""
        disk = self.scratch / 'disk'
        # As it is in every sector, it is found again to the last byte.
        disk.write_bytes(client.as_raw(os.urandom(size)))
        subprocess.run(
            [
                *('qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2'),
                *(str(disk), str(disk.with_name('qcow2'))),
            ],
            check=True,
        )
        data = disk.with_name('qcow2').read_bytes()
        image = self.master.create(data, disk_format='qcow2', **fields)
        self.raw[image.id] = disk.read_bytes()
        self.is_settled = False
        return image

    def settle(self):
        """Let no replica be of the same second, as in the same service."""
        if not self.is_settled:
            base.pass_a_second()
        self.is_settled = True

    def several(self, *names):
        return [self.qcow2(name=name) for name in names]

    def there(self, images):
        return self.region.ids() & {image.id for image in images}

    def run_on(self, images, *words, **options):
        """Run a livecopy of images.

        :returns: what became of each, by its ID
        """
        self.settle()
        result = self.livecopy(
            '--show-all', *words, *(image.id for image in images),
            to=self.to, **options,
        )  # fmt: skip
        return {
            row['ID']: (row['Result'], row['Reason']) for row in result.rows
        }

    def differences(self, images, *words, expect=0):
        result = self.replicate(
            'compare', '--to', self.to, '--show-all', *words,
            *(image.id for image in images), expect=expect,
        )  # fmt: skip
        return [(row['Difference'], row['Detail']) for row in result.rows]

    def assertConverted(self, image, **changes):
        """The replica is of the other format, and as its source otherwise."""
        replica = self.region.get(image.id)
        self.assertEqual('active', replica.status)
        self.assertEqual(
            {**image.portable, 'disk_format': 'raw', **changes},
            replica.portable,
        )
        self.assertEqual(
            f'sha512:{image.record["os_hash_value"]}',
            replica.marks[image_record.SOURCE_HASH],
        )
        self.assertTrue(replica.marks[image_record.MARK].endswith(image.id))
        self.assertEqual(self.raw[image.id], self.region.data(image.id))


class TestRefused(ConversionTest):
    def test_one_of_a_format_is_used_up(self):
        images = self.several(*'abcdefgh')
        plain = self.master.create(b'raw')
        found = self.run_on(
            [*images, plain], *IMPORT, '--transfers', '32', expect=1
        )
        self.assertEqual(('copied', ''), found.pop(plain.id))
        there = self.there(images)
        (first,) = [image for image in images if image.id in there]
        result, reason = found.pop(first.id)
        self.assertEqual('failed', result)
        self.assertIn(REFUSED, reason)
        self.assertIn('left private and deactivated', reason)
        self.assertIn('purge_images_table', reason)
        self.assertIn(ADVICE, reason)
        replica = self.region.get(first.id)
        self.assertEqual(
            ('deactivated', 'private'), (replica.status, replica.visibility)
        )
        for result, reason in found.values():
            self.assertEqual('failed', result)
            self.assertIn(f'{first.id}, of the same format', reason)
            self.assertIn(ADVICE, reason)
        # What is known of one is known in the next run, if it comes first.
        images.sort(key=lambda image: image.id != first.id)
        found = self.run_on(images, *IMPORT, expect=1)
        result, reason = found.pop(first.id)
        self.assertEqual('conflict', result)
        self.assertIn('purge_images_table', reason)
        self.assertEqual({'failed'}, {result for result, _ in found.values()})
        self.assertEqual(there, self.there(images))
        # It is not adopted, and keeps no other from its destination.
        found = self.run_on(images, *IMPORT, *ACCEPT, expect=1)
        result, reason = found.pop(first.id)
        self.assertEqual('conflict', result)
        self.assertEqual({('copied', 'converted there')}, {*found.values()})

    def test_first_that_arrives_as_it_was_sent(self):
        images = [self.master.create(b'%d' % i) for i in range(8)]
        found = self.run_on(images, *IMPORT)
        self.assertEqual({('copied', '')}, {*found.values()})

    def test_first_that_fails_otherwise(self):
        """The next of its kind is the first then."""
        # The smallest is the first one.
        damaged = self.qcow2(64 * 1024)
        images = self.several(*'ab')
        stored = self.master.stored(damaged.id)
        stored.write_bytes(base.spoiled(stored.read_bytes()))
        found = self.run_on(
            [damaged, *images], *IMPORT, '--retries', '0', expect=1
        )
        self.assertEqual(1, len(self.there(images)))
        self.assertIn('damaged', found[damaged.id][1])

    def test_option_without_import(self):
        image = self.master.create()
        result = self.livecopy(*ACCEPT, image.id, to=self.to, expect=2)
        self.assertIn('give --method import', result.stderr)


class TestAccepted(ConversionTest):
    def test_replicas(self):
        public = self.qcow2(
            visibility='public', tags=['t'], os_distro='debian', protected=True
        )
        self.addCleanup(self.region.patch, public.id, protected=False)
        self.addCleanup(self.master.patch, public.id, protected=False)
        unhashed = self.qcow2(name='unhashed')
        self.unhash(self.master, unhashed)
        images = [public, unhashed]
        found = self.run_on(images, *IMPORT, *ACCEPT, '--mark', 'north')
        self.assertEqual(
            {
                public.id: ('copied', 'converted there'),
                unhashed.id: (
                    'copied',
                    'converted there, the source recorded no hash',
                ),
            },
            found,
        )
        for image in public, unhashed:
            self.assertConverted(image)
        again = self.run_on(images, *IMPORT, *ACCEPT)
        self.assertEqual(
            {
                public.id: ('unchanged', 'converted there'),
                unhashed.id: ('unchanged', 'converted there, not compared'),
            },
            again,
        )
        same = [('same', reason) for _, reason in again.values()]
        self.assertEqual(same, self.differences(images, *ACCEPT))
        held = 'converted there: held against the sha512 that '
        self.assertEqual(
            [('same', f'{held}{self.to} recorded')] * 2,
            self.differences(images, *ACCEPT, '--data'),
        )
        for found in (
            self.differences([public], expect=3),
            [self.run_on([public], expect=1)[public.id]],
        ):
            self.assertEqual(
                [
                    (
                        'conflict',
                        'converted to raw there: --accept-conversion makes it '
                        'a replica',
                    )
                ],
                found,
            )
        self.check_what_follows(public, unhashed)

    def check_what_follows(self, public, unhashed):
        """What changes at the source follows."""
        self.master.patch(public.id, name='new')
        self.master.patch(unhashed.id, name='new')
        found = self.run_on(
            [public, unhashed], *IMPORT, *ACCEPT, '--metadata-only', '--exact',
            expect=1,
        )  # fmt: skip
        self.assertEqual(('updated', 'name'), found[public.id])
        self.assertEqual('conflict', found[unhashed.id][0])
        found = self.run_on([unhashed], *IMPORT, *ACCEPT)
        self.assertEqual(
            ('updated', 'read to prove, name'), found[unhashed.id]
        )
        for image in public, unhashed:
            self.assertConverted(image, name='new')

    def test_damage(self):
        """What it was converted to is held against its own hash."""
        image = self.qcow2()
        self.run_on([image], *IMPORT, *ACCEPT)
        stored = self.region.stored(image.id)
        stored.write_bytes(base.spoiled(stored.read_bytes()))
        ((difference, _),) = self.differences(
            [image], *ACCEPT, '--data', expect=3
        )
        self.assertEqual('data', difference)


class TestTraps(ConversionTest):
    """What a tenant makes of the mark, who can set it on his own images."""

    def forge(self, image, **fields):
        """Have a tenant make an image that is marked to be a replica."""
        return self.region.create(
            b'trap',
            user='alt',
            id=image.id,
            replica_source_hash=f'sha512:{image.record["os_hash_value"]}',
            **fields,
        )

    def test_forged(self):
        image = self.qcow2(visibility='public', name='golden')
        self.settle()
        trap = self.forge(image)
        alt = self.master.project_id('alt')
        demo = self.master.project_id('demo')
        (found,) = self.run_on([image], *IMPORT, *ACCEPT, expect=1).values()
        self.assertEqual(
            (
                'conflict',
                f'belongs to project {alt} there: run as it, or --owner as '
                'before',
            ),
            found,
        )
        # What the tenant is to have, he may have made himself.
        theirs = self.qcow2(user='demo', name='theirs')
        self.settle()
        other = self.region.create(
            b'trap', user='demo', id=theirs.id, replica_source_hash='sha512:'
            + theirs.record['os_hash_value'],
        )  # fmt: skip
        words = (*IMPORT, *ACCEPT, '--owner', 'same')
        (found,) = self.run_on([theirs], *words, expect=1).values()
        self.assertEqual('conflict', found[0])
        self.assertIn('other data under this ID', found[1])
        self.assertEqual(demo, theirs.owner)
        for record in trap, other:
            self.assertLeftAlone(record, b'trap', self.region)

    def test_mark_of_other_data(self):
        """Nor is one's own image a replica that was made of another one."""
        image, other = self.several('image', 'other')
        self.settle()
        made = self.region.create(
            b'made', id=image.id, replica_source_hash='sha512:'
            + other.record['os_hash_value'],
        )  # fmt: skip
        # What Nova makes of a replica has the marks of that.
        snapshot = self.region.create(
            b'mine',
            id=other.id,
            replica_source_hash=f'sha512:{other.record["os_hash_value"]}',
            replica_of=image.id,
        )
        found = self.run_on([image, other], *IMPORT, *ACCEPT, expect=1)
        self.assertEqual(
            ['conflict'] * 2, [result for result, _ in found.values()]
        )
        self.assertLeftAlone(made, b'made', self.region)
        self.assertLeftAlone(snapshot, b'mine', self.region)

    def test_replicas_of_others(self):
        """Who owns one could set its mark: it cannot be told again."""
        images = [
            self.qcow2(user='demo', name=name) for name in ('a', 'b', 'c')
        ]
        words = (*IMPORT, *ACCEPT, '--owner', 'same')
        found = self.run_on(images, *words, expect=1)
        self.assertEqual(1, len(self.there(images)))
        for result, reason in found.values():
            self.assertEqual('failed', result)
            self.assertIn('give --method upload, which converts', reason)

    def test_never_copied(self):
        image = self.qcow2(replica_source_hash='sha512:00')
        self.run_on([image], *IMPORT, *ACCEPT)
        self.assertConverted(image)
        result = self.livecopy(
            '--set-property', 'replica_source_hash=sha512:00', image.id,
            to=self.to, expect=2,
        )  # fmt: skip
        self.assertIn('replica_source_hash', result.stderr)
        self.run_on([image], *IMPORT, *ACCEPT, '--exact')
        self.assertConverted(image)


class TestOtherWays(ConversionTest):
    """A dump, the destination itself, and runs that were killed."""

    def test_dump_and_load(self):
        image = self.qcow2(name='image', tags=['t'], visibility='public')
        self.dump(image.id)
        self.settle()
        words = (image.id, *IMPORT, *ACCEPT, '--show-all')
        environment = {'OS_REGION_NAME': 'Converting'}

        def load():
            (row,) = self.load(
                *words, source='master', environment=environment
            ).rows
            return row['Result'], row['Reason']

        self.assertEqual(('copied', 'converted there'), load())
        self.assertConverted(image)
        self.assertEqual(('unchanged', 'converted there'), load())
        self.master.patch(image.id, name='new')
        self.dump(image.id)
        self.assertEqual('updated', load()[0])
        self.assertConverted(self.master.get(image.id))
        self.assertEqual(
            [('same', 'converted there')], self.differences([image], *ACCEPT)
        )
        # A dump of the replica is what is there, and nobody's replica.
        path = self.scratch / 'converted'
        self.dump(image.id, path=path, environment=environment)
        self.path = path
        self.assertEqual({image.id: 'ok'}, self.verify().results)
        self.assertEqual(
            self.raw[image.id], self.data_file(image).read_bytes()
        )
        result = self.load(image.id)
        self.assertEqual({image.id: 'copied'}, result.results)
        self.assertEqual({}, self.slave.get(image.id).marks)
        self.assertEqual(self.raw[image.id], self.slave.data(image.id))

    def test_download(self):
        image = self.qcow2(name='image', tags=['t'])
        unhashed = self.qcow2(name='unhashed')
        self.unhash(self.master, unhashed)
        images = [image, unhashed]
        words = ('--method', 'glance-download')
        found = self.run_on(images, *words, *ACCEPT, expect=1)
        self.assertEqual(('copied', 'converted there'), found[image.id])
        self.assertConverted(image)
        self.assertIn('give --method import', found[unhashed.id][1])
        self.assertEqual({image.id}, self.there(images))

    def test_cluster(self):
        """Workers tell what has come back converted."""
        images = self.several(*'abc')
        hired = self.useFixture(cluster.Cluster())
        words = (*IMPORT, '--scheduler', hired.address)
        self.run_on(images, *words, expect=1)
        (first,) = self.there(images)
        rest = [image for image in images if image.id != first]
        found = self.run_on(rest, *words, *ACCEPT)
        self.assertEqual({('copied', 'converted there')}, {*found.values()})

    def test_staged_before(self):
        """An interrupted run has staged it, and the next one imports that."""
        image, short, bare = self.several('image', 'short', 'bare')
        self.unhash(self.master, bare)
        self.settle()
        for each, left_out in (image, 0), (short, 1), (bare, 0):
            self.region.create(None, id=each.id, disk_format='qcow2')
            data = self.master.data(each.id)
            self.region.request(
                'PUT',
                f'/images/{each.id}/stage',
                data=data[: len(data) - left_out],
                headers={'Content-Type': 'application/octet-stream'},
            )
        found = self.run_on([image, short, bare], *IMPORT, *ACCEPT, expect=1)
        self.assertEqual(
            (
                'copied',
                'converted there, verified by size only: no hash recorded',
            ),
            found[image.id],
        )
        self.assertConverted(image)
        self.assertIn('bytes are staged there', found[short.id][1])
        self.assertIn(
            "administrator set it back to 'queued'", found[bare.id][1]
        )
        self.assertEqual('uploading', self.region.get(bare.id).status)
