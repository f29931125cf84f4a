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

"""All verbs between two clouds, of whatever release and with whatever stores.

tools/matrix runs these between one pair of clouds after the other.
"""

import os
import signal

from osc_glance_replicate.sandbox import client
from osc_glance_replicate.tests.functional import base
from osc_glance_replicate.tests.functional import dumps
from osc_glance_replicate.tests.functional import faults
from osc_glance_replicate.tests.functional import links

_ROOT = client.as_raw(os.urandom(3 * base.MIB))

#: Images of a listing that has two pages.
_MANY = 1500


class TestVerbs(dumps.DumpTest):
    """What an operator does between two clouds, and that it is all there."""

    def setUp(self):
        super().setUp()
        self.hides = [
            'os_hidden' in cloud.get(cloud.create(b'x').id).record
            for cloud in (self.master, self.slave)
        ]
        self.master.wipe()
        self.slave.wipe()
        self.hidden = {'os_hidden': True} if all(self.hides) else {}

    def compare(self, *words, expect=0):
        return self.replicate(
            'compare', '--to', 'slave', *words, expect=expect
        )

    def create_all(self):
        """Create an image of each kind, and return their data by ID."""
        made = {}

        def create(data, **fields):
            image = self.master.create(data, **fields)
            made[image.id] = data
            return image

        kernel = create(b'kernel', disk_format='aki', container_format='aki')
        create(
            _ROOT,
            name='Übung 日本語',
            tags=['b', 'ü'],
            kernel_id=kernel.id,
            os_distro='debian',
            visibility='public',
            protected=True,
            min_ram=64,
        )
        create(b'', name='empty')
        create(b'c', name='in:c', user='alt', visibility='community')
        create(b'own', user='demo', visibility='community')
        create(b'h', name='hidden', **self.hidden)
        create(b's', name='shared', visibility='shared', tags=['s'])
        return made

    def assertReplicas(self, made, place=None):
        """All is there as at its source, with the very bytes."""
        place = place or self.slave
        for image_id, data in made.items():
            image, replica = self.master.get(image_id), place.get(image_id)
            self.assertEqual(image.portable, replica.portable)
            self.assertEqual('active', replica.status)
            self.assertEqual(data, place.data(image_id))
            # It is where the store is said to be.
            if not place.has_files:
                self.assertFalse((place.glance.store / image_id).exists())
            self.assertEqual(place.project_id(), replica.owner)

    def test_livecopy_compare_and_again(self):
        made = self.create_all()
        words = ['--include-hidden', *self.loud()]
        missing = self.compare('--include-hidden', expect=3)
        self.assertEqual(
            dict.fromkeys(made, 'missing'),
            {row['ID']: row['Difference'] for row in missing.rows},
        )
        result = self.livecopy(*words)
        self.assertEqual(dict.fromkeys(made, 'copied'), result.results)
        self.assertReplicas(made)
        self.assertEqual([], self.compare('--include-hidden').rows)
        self.assertEqual([], self.compare('--data').rows)
        again = self.livecopy(*words, '--show-all')
        self.assertEqual(dict.fromkeys(made, 'unchanged'), again.results)

    def test_what_changes_follows(self):
        golden = self.master.create(b'golden', visibility='public')
        self.livecopy()
        self.master.patch(
            golden.id, name='ü', tags=['t'], os_version='12', protected=True
        )
        if self.hidden:
            self.master.patch(golden.id, os_hidden=True)
        (row,) = self.compare(expect=3).rows
        self.assertEqual('metadata', row['Difference'])
        self.assertEqual({golden.id: 'updated'}, self.livecopy().results)
        self.assertReplicas({golden.id: b'golden'})
        for act, status in (
            ('deactivate', 'deactivated'),
            ('reactivate', 'active'),
        ):
            self.master.request('POST', f'/images/{golden.id}/actions/{act}')
            self.assertEqual({golden.id: 'updated'}, self.livecopy().results)
            self.assertEqual(status, self.slave.get(golden.id).status)
        self.assertEqual([], self.compare().rows)

    def test_what_is_hidden_where_none_can_be(self):
        master, slave = self.hides
        if slave or not master:
            self.skipTest('both hide images, or the source hides none')
        self.master.create(b'h', os_hidden=True)
        (row,) = self.livecopy('--include-hidden', expect=1).rows
        self.assertIn('hides no image', row['Reason'])
        self.assertEqual(set(), self.slave.ids())
        self.master.wipe()
        image = self.master.create(b'i')
        self.livecopy()
        self.master.patch(image.id, os_hidden=True)
        (row,) = self.livecopy(expect=1).rows
        self.assertIn('hides no image', row['Reason'])
        deactivate = f'/images/{image.id}/actions/deactivate'
        self.slave.request('POST', deactivate)
        self.assertEqual(
            {image.id: 'unchanged'}, self.livecopy('--show-all').results
        )
        self.master.patch(image.id, os_hidden=False)
        self.assertEqual({image.id: 'updated'}, self.livecopy().results)
        self.assertEqual('active', self.slave.get(image.id).status)

    def test_property_that_is_a_field_by_now(self):
        master, _ = self.hides
        if master:
            self.skipTest('the source hides images')
        image = self.master.create(b'p', os_hidden='true')
        for result in 'copied', 'unchanged':
            rows = self.livecopy('--show-all').results
            self.assertEqual({image.id: result}, rows)
        self.assertIsNot(
            True, self.slave.get(image.id).record.get('os_hidden')
        )

    def test_dump_verify_and_load(self):
        made = self.create_all()
        dumped = self.dump('--include-hidden')
        self.assertEqual(dict.fromkeys(made, 'copied'), dumped.results)
        self.assertEqual(
            dict.fromkeys(made, 'unchanged'),
            self.dump('--include-hidden', '--show-all').results,
        )
        self.assertEqual(dict.fromkeys(made, 'ok'), self.verify().results)
        loaded = self.load('--include-hidden')
        self.assertEqual(dict.fromkeys(made, 'copied'), loaded.results)
        self.assertReplicas(made)
        again = self.load('--include-hidden', '--show-all')
        self.assertEqual(dict.fromkeys(made, 'unchanged'), again.results)
        self.assertEqual([], self.compare('--include-hidden').rows)

    def test_selection(self):
        made = self.create_all()
        ids = {self.master.get(i).name: i for i in made}
        root = ids['Übung 日本語']
        for words, expected in (
            (['Übung 日本語'], {root}),
            (['in:c'], {ids['in:c']}),
            (['--name', 'Üb*'], {root}),
            (['--tag', 'ü', '--tag', 'b'], {root}),
            (['--tag', 's'], {ids['shared']}),
            (['--property', 'os_distro=debian'], {root}),
            (['--public'], {root}),
            (['--community'], {ids['in:c'], ids['image']}),
            (['--min-size', '1M'], {root}),
            (['--max-size', '0'], {ids['empty']}),
            (['--shared', '--public'], {root, ids['shared']}),
            (['--updated-since', '1h'], {*made}),
            (['--updated-since', '2999-01-01'], set()),
        ):
            if self.hidden:
                expected = expected - {ids['hidden']}
            found = self.livecopy('--dry-run', *words).results
            kernel = {
                self.master.get(image_id).record.get('kernel_id')
                for image_id in expected
            } - {None}
            self.assertEqual(expected | kernel, {*found}, words)

    def test_size_and_ec2ids(self):
        image = self.master.create(b'12345')
        (row,) = self.replicate('size').rows
        self.assertEqual((1, 5), (row['Images'], row['Bytes']))
        (row,) = self.replicate('size', '--to', 'slave').rows
        self.assertEqual((1, 5), (row['Images'], row['Bytes']))
        (row,) = self.replicate('ec2ids').rows
        self.assertEqual(image.id, row['ID'])

    def test_many_come_in_pages(self):
        image = self.master.create(b'x')
        self.copy_rows(image, _MANY)
        result = self.livecopy()
        self.assertEqual({image.id: 'copied'}, result.results)
        self.assertIn(f'{_MANY} skipped', result.stderr)
        self.assertEqual(
            {image.id: 'unchanged'},
            self.livecopy(image.id, '--show-all').results,
        )

    def copy_rows(self, image, count):
        """Make queued images by the hundreds, straight into the database."""
        columns = [
            name
            for (name,) in self.master.sql(
                'SELECT column_name FROM information_schema.columns '
                "WHERE table_name = 'images'"
            )
            if name not in ('id', 'status')
        ]
        names = ', '.join(columns)
        self.master.sql(
            f'INSERT INTO images (id, status, {names}) '
            f"SELECT gen_random_uuid(), 'queued', {names} FROM images, "
            'generate_series(1, %s) WHERE id = %s',
            count,
            image.id,
        )


class TestInterrupted(links.BrokenLinksTest):
    """A run that is ended in the middle, and the next one."""

    def test_the_next_run_completes(self):
        image = self.image()
        for number in signal.SIGINT, signal.SIGKILL:
            stall = faults.Fault(download=self.hold(2 * base.MIB))
            self.source.on('GET', f'{image.id}/file$', stall)
            process = self.start_copy()
            self.await_upload(image)
            process.send_signal(number)
            self.finish(process, expect=None)
            self.wait_for(lambda: self.slave.get(image.id).status == 'queued')
            self.destination.calls.clear()
        result = self.copy()
        self.assertEqual({image.id: 'copied'}, result.results)
        self.assertEqual(self.data[image.id], self.slave.data(image.id))

    def test_source_that_breaks_is_picked_up(self):
        image = self.image()
        broken = faults.Fault(
            download=faults.after(2 * base.MIB, faults.reset)
        )
        self.source.on('GET', f'{image.id}/file$', broken)
        self.assertEqual({image.id: 'copied'}, self.copy().results)
        self.assertEqual(self.data[image.id], self.slave.data(image.id))
        self.assertEqual(1, len(self.puts(image)))
