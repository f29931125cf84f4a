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

"""Images that their source never hashed: what is sent is what arrives.

Nova's snapshots on Ceph are such, and images that were added by location.
"""

import os

from osc_glance_replicate.sandbox import client
from osc_glance_replicate.tests.functional import base
from osc_glance_replicate.tests.functional import dumps
from osc_glance_replicate.tests.functional import faults
from osc_glance_replicate.tests.functional import links
from osc_glance_replicate.tests.functional import proxy
from osc_glance_replicate.tests.functional import test_imports

_UNHASHED = 'the source recorded no hash'

_SIZE = 3 * base.MIB


def unhash(cloud, image):
    """Let a Glance have computed no hash of an image."""
    cloud.sql(
        'UPDATE images SET os_hash_algo = NULL, os_hash_value = NULL, '
        'checksum = NULL WHERE id = %s',
        image.id,
    )


def flipped(data, at):
    """Return data of which one byte is another."""
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


class TestLivecopy(links.BrokenLinksTest):
    alone = False

    def setUp(self):
        super().setUp()
        self.secure = self.cloud('secure')

    def unhashed(self, size=_SIZE, **fields):
        image = self.image(size, **fields)
        unhash(self.master, image)
        return image

    def test_two_destinations_with_two_algorithms(self):
        small = self.unhashed(10, name='small')
        up, down = self.unhashed(name='up'), self.unhashed(name='down')
        # Its Glance is still about it, or never will be.
        late = self.unhashed(name='late')
        self.master.sql(
            "UPDATE images SET os_hash_algo = 'sha512' WHERE id = %s", late.id
        )
        self.master.sql(
            'INSERT INTO image_properties '
            '(image_id, name, value, created_at, deleted) '
            "VALUES (%s, 'os_glance_hash_op_host', 'host', now(), false)",
            late.id,
        )
        half = _SIZE // 2
        self.destination.on(
            'PUT',
            f'{up.id}/file$',
            faults.Fault(upload=faults.corrupt(half)),
        )
        self.source.on(
            'GET',
            f'{down.id}/file$',
            faults.Fault(download=faults.corrupt(half)),
        )
        result = self.copy('--to', 'secure', expect=1)
        told = {(row['ID'], row['To']): row['Reason'] for row in result.rows}
        damage = told.pop((up.id, 'slave'))
        self.assertIn('arrived damaged: sha512 differs', damage)
        self.assertIn('private and deactivated', damage)
        self.assertEqual({_UNHASHED}, set(told.values()))
        self.assertEqual(7, len(told))
        replica = self.slave.get(up.id)
        self.assertEqual(
            ('deactivated', 'private'), (replica.status, replica.visibility)
        )
        # What came so from the source is what arrived.
        self.data[down.id] = flipped(self.data[down.id], half)
        for image in small, up, down, late:
            record = self.master.get(image.id)
            for cloud in self.slave, self.secure:
                if (image, cloud) != (up, self.slave):
                    self.assertReplica(record, self.data[image.id], cloud)
            self.assertEqual(1, len(self.gets(image)))
        self._run_again(small, up, late)

    def _run_again(self, small, up, late):
        """See that a hash that is there by now is no surprise."""
        digests = self.slave.get(late.id).digests
        self.master.sql(
            'UPDATE images SET os_hash_value = %s, checksum = %s '
            'WHERE id = %s',
            digests['sha512'],
            digests['md5'],
            late.id,
        )
        again = self.copy(small.id, up.id, late.id, '--show-all', expect=1)
        reasons = {row['ID']: row['Reason'] for row in again.rows}
        self.assertEqual(
            {small.id: 'unchanged', late.id: 'unchanged', up.id: 'conflict'},
            again.results,
        )
        self.assertEqual('', reasons[late.id])
        self.assertIn('sha512 differs', reasons[up.id])
        self.assertEqual('deactivated', self.slave.get(up.id).status)

    def test_what_nobody_could_judge_is_judged_by_the_next_run(self):
        """It is private and of the same length, or nobody looked at it."""
        damaged, cut = (
            self.unhashed(name='damaged', protected=True),
            self.unhashed(name='cut'),
        )
        for image in damaged, cut:
            self.destination.on(
                'PUT',
                f'{image.id}/file$',
                faults.Fault(upload=faults.corrupt(7)),
            )
        self.destination.on(
            'POST',
            f'{damaged.id}/actions/deactivate$',
            faults.Fault(answer=faults.Answer(403)),
        )
        self.destination.on(
            'GET',
            f'{cut.id}$',
            faults.Fault(answer=faults.Answer(400)),
            # It is looked for by its ID before it is copied.
            first=2,
        )
        result = self.copy(expect=1)
        self.assertReasons(
            result, damaged='private; have it deactivated', cut='HTTP 400'
        )
        again = self.copy(expect=1)
        self.assertReasons(
            again, damaged='sha512 differs', cut='sha512 differs'
        )
        self.assertEqual({'conflict'}, {*again.results.values()})
        for image in damaged, cut:
            replica = self.slave.get(image.id)
            self.assertEqual('private', replica.visibility)


class TestImport(test_imports.ImportTest):
    alone = False

    def test_what_is_staged_is_held_against_what_was_sent(self):
        good, bad, left = (
            self.image(_SIZE, name=name) for name in ('good', 'bad', 'left')
        )
        for image in good, bad, left:
            unhash(self.master, image)
        self.stage(left, os.urandom(_SIZE))
        self.destination.on(
            'PUT', f'{bad.id}/stage$', faults.Fault(upload=faults.corrupt(7))
        )
        result = self.copy('--method', 'import', expect=1)
        reasons = {row['ID']: row['Reason'] for row in result.rows}
        self.assertEqual(
            {good.id: 'copied', bad.id: 'conflict', left.id: 'conflict'},
            result.results,
        )
        self.assertEqual(_UNHASHED, reasons[good.id])
        self.assertReplica(self.master.get(good.id), self.data[good.id])
        for image in bad, left:
            self.assertIn(
                'imported with other data: sha512', reasons[image.id]
            )
            self.assertEqual('deactivated', self.slave.get(image.id).status)


class TestDump(dumps.DumpTest):
    alone = False

    def test_it_is_hashed_when_it_is_dumped(self):
        data = client.as_raw(os.urandom(_SIZE))
        image = self.master.create(data)
        unhash(self.master, image)
        link = self.useFixture(proxy.Proxy(self.master.glance.url))
        link.on(
            'GET',
            f'{image.id}/file$',
            faults.Fault(download=faults.corrupt(7)),
        )
        result = self.dump(
            image.id,
            environment=self.clouds_yaml(master=links.behind(link)),
        )
        self.assertEqual({image.id: _UNHASHED}, self.reasons(result))
        # That a byte was another before nobody can know.
        data = flipped(data, 7)
        self.assertSums('sha512', 1)
        self.assertEqual({image.id: 'ok'}, self.verify().results)
        self._let_it_rot(image, data)
        self.assertEqual({image.id: 'copied'}, self.load(image.id).results)
        self.assertReplica(self.master.get(image.id), data)
        self.assertEqual({image.id: 'unchanged'}, self._dump_again(image))

    def _let_it_rot(self, image, data):
        """Damage the last block, and mend it when that was found."""
        self.data_file(image).write_bytes(flipped(data, _SIZE - 1))
        self.assertEqual({image.id: 'damaged'}, self.verify(expect=1).results)
        result = self.load(image.id, expect=1)
        self.assertIn('is damaged', self.reasons(result)[image.id])
        # A store may take its time to remove what it had.
        self.wait_for(lambda: self.slave.get(image.id).status == 'queued')
        if self.slave.has_files:
            self.assertFalse(self.slave.stored(image.id).exists())
        self.data_file(image).write_bytes(data)

    def _dump_again(self, image):
        return self.dump(image.id, '--show-all').results

    def test_dump_that_holds_no_hash_is_loaded_as_a_cloud_is_copied(self):
        nothing = {'os_hash_algo': None, 'os_hash_value': None}
        data = client.as_raw(os.urandom(_SIZE))
        good, bad = (self.put(data, checksum=None, **nothing) for _ in 'gb')
        link = self.useFixture(proxy.Proxy(self.slave.glance.url))
        link.on(
            'PUT', f'{bad.id}/file$', faults.Fault(upload=faults.corrupt(7))
        )
        result = self.load(
            good.id,
            bad.id,
            environment=self.clouds_yaml(slave=links.behind(link)),
            expect=1,
        )
        reasons = self.reasons(result)
        self.assertEqual(_UNHASHED, reasons[good.id])
        self.assertReplica(good, data)
        self.assertIn('arrived damaged: sha512 differs', reasons[bad.id])
        replica = self.slave.get(bad.id)
        self.assertEqual(
            ('deactivated', 'private'), (replica.status, replica.visibility)
        )
