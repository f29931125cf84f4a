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

"""What becomes of images that are copied from cloud to cloud."""

import signal
import time
import uuid

from osc_glance_replicate.sandbox import client
from osc_glance_replicate.tests.functional import base
from osc_glance_replicate.tests.functional import faults
from osc_glance_replicate.tests.functional import links
from osc_glance_replicate.tests.functional import proxy

#: MiB of an image that is larger than the memory that a run may take.
_LARGE = base.often(256, 4096)


class TestFaithful(base.FunctionalTest):
    """A replica is its source, to the last field and byte."""

    def test_every_field_round_trips(self):
        images = {
            image.id: (image, data)
            for image, data in (
                self._create(b'plain'),
                self._create(b'', name='zero bytes'),
                self._create(b'u', name='Zürich 東京 עברית'),
                self._create(b'n', name=None),
                self._create(b'l', name='東' * 255),
                self._create(b'c', name='esc \x1b[2J bell \x07 del \x7f'),
                self._create(b'op', name='in:a,b "quoted"'),
                self._create(
                    b'props',
                    **{
                        'num': '064',
                        'bool': 'yes',
                        'empty': '',
                        'a/b~c': 'slash and tilde',
                        '~1 odd': 'tilde one',
                        'metadata': 'not the SDK',
                        'ключ': 'значение',
                        'spaces in it': ' kept ',
                        'os_distro': 'debian',
                        'hw_qemu_guest_agent': 'True',
                        'owner_specified.openstack.md5': 'x',
                        'long': 'x' * 5000,
                        'osc_glance_replicate_probe': 'x',
                    },
                ),
                self._create(b't', tags=['b', 'a', 'ü', 'with space']),
                self._create(b'm', min_disk=7, min_ram=512),
                self._create(
                    b'aki', disk_format='aki', container_format='aki'
                ),
                self._create(b'p', protected=True),
                self._create(b'pub', visibility='public'),
                self._create(b'com', visibility='community'),
                self._create(b'sha', visibility='shared'),
                self._create(b'pri', visibility='private'),
                self._create(
                    b'all', visibility='public', protected=True, tags=['x']
                ),
            )
        }
        result = self.livecopy(*self.loud())
        self.assertEqual(dict.fromkeys(images, 'copied'), result.results)
        for image, data in images.values():
            self.assertReplica(image, data)
            self.assertNotIn('os_glance', str(self.slave.get(image.id).record))
            self.assertEqual(
                self.slave.project_id(),
                self.slave.get(image.id).record['owner'],
            )
        self._assert_nothing_left_to_do(images)

    def _create(self, data, **fields):
        return self.master.create(data, **fields), data

    def _assert_nothing_left_to_do(self, images):
        before = {image_id: self.slave.get(image_id) for image_id in images}
        second = self.livecopy()
        self.assertEqual([], second.rows)
        self.assertIn(f'{len(images)} unchanged', second.stderr)
        self.assertEqual(
            dict.fromkeys(images, 'unchanged'),
            self.livecopy('--show-all').results,
        )
        after = {image_id: self.slave.get(image_id) for image_id in images}
        self.assertEqual(before, after)

    def test_row_says_what_was_copied(self):
        image = self.master.create(b'12345', name='cirros')
        (row,) = self.livecopy().rows
        self.assertEqual(
            {
                'ID': image.id,
                'Name': 'cirros',
                'Size': 5,
                'To': 'slave',
                'Result': 'copied',
                'Reason': '',
            },
            row,
        )

    def test_ordinary_user_copies_what_he_sees(self):
        own = self.master.create(b'own', user='demo')
        community = self.master.create(
            b'com', user='alt', visibility='community'
        )
        foreign = self.master.create(b'foreign', user='alt')
        result = self.livecopy(own.id, source='master-demo', to='slave-demo')
        self.assertEqual({own.id: 'copied'}, result.results)
        self.assertReplica(own, b'own')
        self.assertEqual(
            self.slave.project_id('demo'),
            self.slave.get(own.id).record['owner'],
        )
        dry = self.livecopy('--dry-run', source='master-demo', to='slave-demo')
        self.assertEqual({community.id: 'copy'}, dry.results)
        self.assertNotIn(foreign.id, self.slave.ids())

    def test_hidden_image_is_not_copied_and_said_when_asked_for(self):
        image = self.master.create(os_hidden=True)
        self.assertEqual([], self.livecopy().rows)
        (row,) = self.livecopy(image.id).rows
        self.assertEqual('skipped', row['Result'])
        self.assertIn('hidden', row['Reason'])
        self.assertEqual(set(), self.slave.ids())

    def test_many_images_come_in_pages(self):
        from osc_glance_replicate.places.glance import listing

        image = self.master.create(b'x')
        # As many records as two pages hold, straight into the database.
        self.master.sql(
            'INSERT INTO images (id, name, size, status, created_at, '
            'updated_at, deleted, min_disk, min_ram, owner, visibility, '
            'os_hidden, protected, disk_format, container_format) '
            "SELECT gen_random_uuid(), 'bulk', 1, 'queued', now(), now(), "
            "false, 0, 0, 'x', 'community', false, false, 'raw', 'bare' "
            'FROM generate_series(1, %s)',
            listing.PAGE * 2 + 1,
        )
        result = self.livecopy()
        self.assertEqual({image.id: 'copied'}, result.results)
        self.assertIn(f'{listing.PAGE * 2 + 1} skipped', result.stderr)


class TestUpToDate(base.FunctionalTest):
    """A replica that is there follows its source."""

    def setUp(self):
        super().setUp()
        self.image = self.master.create(b'golden', visibility='public')
        self.livecopy()

    def test_metadata_follows(self):
        self.slave.patch(self.image.id, only_here='kept', tags=['here'])
        self.master.patch(
            self.image.id,
            name='renamed',
            tags=['new'],
            os_version='12',
            min_disk=3,
            visibility='community',
            protected=True,
        )
        (row,) = self.livecopy('--metadata-only', '-vv').rows
        self.assertEqual('updated', row['Result'])
        for field in ('name', 'tags', 'os_version', 'visibility'):
            self.assertIn(field, row['Reason'])
        replica = self.slave.get(self.image.id)
        self.assertEqual(
            {
                **self.master.get(self.image.id).portable,
                'tags': ['here', 'new'],
                'only_here': 'kept',
            },
            replica.portable,
        )
        self.assertEqual([], self.livecopy().rows)

    def test_withdrawn_images_are_followed_and_come_back(self):
        for act, status in (
            ('deactivate', 'deactivated'),
            ('reactivate', 'active'),
        ):
            self.master.request(
                'POST', f'/images/{self.image.id}/actions/{act}'
            )
            self.assertEqual(
                {self.image.id: 'updated'}, self.livecopy().results
            )
            self.assertEqual(status, self.slave.get(self.image.id).status)
            self.assertEqual([], self.livecopy().rows)
        for hidden in (True, False):
            self.master.patch(self.image.id, os_hidden=hidden)
            self.assertEqual(
                {self.image.id: 'updated'}, self.livecopy().results
            )
            self.assertIs(hidden, self.slave.get(self.image.id).hidden)

    def test_what_cannot_change_is_named_and_the_rest_is_changed(self):
        self.slave.sql("UPDATE images SET disk_format = 'iso'")
        self.master.patch(self.image.id, name='renamed')
        for _ in range(2):
            (row,) = self.livecopy(expect=1).rows
            self.assertEqual('failed', row['Result'])
            self.assertIn('disk_format', row['Reason'])
            self.assertEqual('renamed', self.slave.get(self.image.id).name)

    def test_other_data_is_a_conflict_and_stays(self):
        other = str(uuid.uuid4())
        self.master.create(b'one', id=other)
        base.pass_a_second()
        theirs = self.slave.create(b'two', id=other, name='theirs')
        (row,) = self.livecopy(expect=1).rows
        self.assertEqual((other, 'conflict'), (row['ID'], row['Result']))
        self.assertReplica(theirs, b'two')

    def test_metadata_only_copies_nothing(self):
        self.master.create(b'new')
        result = self.livecopy('--metadata-only')
        self.assertEqual([], result.rows)
        self.assertEqual({self.image.id}, self.slave.ids())


class TestIds(base.FunctionalTest):
    """An ID is never burnt, and one that is taken is said to be."""

    def test_queued_replica_is_completed(self):
        image = self.master.create(
            b'data', name='new', visibility='public', note='x', tags=['t']
        )
        base.pass_a_second()
        self.slave.create(None, id=image.id, name='old', disk_format='iso')
        self.assertEqual({image.id: 'copied'}, self.livecopy().results)
        self.assertReplica(image, b'data')

    def test_queued_record_of_another_project_is_left_alone(self):
        image = self.master.create(b'secret')
        base.pass_a_second()
        self.slave.create(None, id=image.id, user='alt')
        (row,) = self.livecopy(image.id, expect=1).rows
        self.assertEqual('conflict', row['Result'])
        self.assertIn(str(self.slave.project_id('alt')), row['Reason'])
        self.assertEqual('queued', self.slave.get(image.id).status)

    def test_deleted_id_is_a_conflict(self):
        image = self.master.create()
        self.slave.create(id=image.id)
        self.slave.request('DELETE', f'/images/{image.id}')
        self._assert_taken(image, to='slave')

    def test_foreign_id_is_a_conflict(self):
        image = self.master.create()
        base.pass_a_second()
        theirs = self.slave.create(b'theirs', id=image.id, user='alt')
        self._assert_taken(image, to='slave-demo')
        self.assertReplica(theirs, b'theirs')

    def _assert_taken(self, image, to):
        result = self.livecopy(*self.loud(), image.id, to=to, expect=1)
        (row,) = result.rows
        self.assertEqual('conflict', row['Result'])
        self.assertIn('taken', row['Reason'])
        self.assertIn('deleted', row['Reason'])


class TestBrokenData(base.FunctionalTest):
    """Wrong bytes never become an active image."""

    def setUp(self):
        super().setUp()
        self.good = self.master.create(b'good')
        # The first MiB is checked before there is a record.
        self.data = b'precious bytes' * 100_000
        self.image = self.master.create(self.data, visibility='public')

    def _assert_failed_then_mended(self, word, begun=False):
        """Have a livecopy fail, and the next one do it.

        :param begun: the damage shows so late that there is a record
        """
        stored = self.master.stored(self.image.id)
        result = self.livecopy(*self.loud(), '--retries', '0', expect=1)
        self.assertEqual(
            {self.good.id: 'copied', self.image.id: 'failed'}, result.results
        )
        (row,) = (r for r in result.rows if r['Result'] == 'failed')
        self.assertIn(word, row['Reason'])
        self.assertIn('master', row['Reason'])
        if begun:
            replica = self.slave.get(self.image.id)
            self.assertEqual(
                ('queued', 'private'), (replica.status, replica.visibility)
            )
        else:
            self.assertEqual({self.good.id}, self.slave.ids())
        self.assertFalse(self.slave.stored(self.image.id).exists())
        stored.write_bytes(self.data)
        self.assertEqual({self.image.id: 'copied'}, self.livecopy().results)
        self.assertReplica(self.image, self.data)

    def test_damaged(self):
        self.master.stored(self.image.id).write_bytes(base.spoiled(self.data))
        self._assert_failed_then_mended('damaged', begun=True)

    def test_short(self):
        self.master.stored(self.image.id).write_bytes(b'precious')
        self._assert_failed_then_mended('8')

    def test_lost(self):
        self.master.stored(self.image.id).unlink()
        self._assert_failed_then_mended('lost')

    def test_without_checksum_the_destination_still_notices(self):
        self.master.stored(self.image.id).write_bytes(base.spoiled(self.data))
        result = self.livecopy('--no-checksum', self.image.id, expect=1)
        (row,) = result.rows
        self.assertEqual('failed', row['Result'])
        self.assertIn('arrived damaged', row['Reason'])
        replica = self.slave.get(self.image.id)
        self.assertEqual(
            ('deactivated', 'private'),
            (replica.status, replica.record['visibility']),
        )

    def test_fail_fast_starts_nothing_more(self):
        for image in (self.good, self.image):
            self.master.stored(image.id).unlink()
        third = self.master.create(b'third')
        self.master.stored(third.id).unlink()
        result = self.livecopy(
            '--fail-fast', '--transfers', '1', '--retries', '0', expect=1
        )
        self.assertLess(len(result.rows), 3)
        everything = self.livecopy('--retries', '0', expect=1)
        self.assertEqual(3, len(everything.rows))


class TestNotAllowed(base.FunctionalTest):
    """What a destination refuses is found out before bytes move."""

    def test_ordinary_user_may_not_publish(self):
        image = self.master.create(
            b'data', user='', visibility='public', name='golden'
        )
        result = self.livecopy(source='master-demo', to='slave-demo', expect=1)
        (row,) = result.rows
        self.assertEqual('failed', row['Result'])
        self.assertIn('visibility=public', row['Reason'])
        self.assertIn('slave-demo', row['Reason'])
        replica = self.slave.get(image.id)
        self.assertEqual(
            ('queued', 'private', None),
            (replica.status, replica.record['visibility'], replica.size),
        )
        # Once it is theirs, someone who may finishes it.
        self.slave.patch(image.id, owner=self.slave.project_id())
        self.assertEqual({image.id: 'copied'}, self.livecopy().results)

    def test_unknown_format_is_said_by_glance(self):
        image = self.master.create()
        self.master.sql("UPDATE images SET disk_format = 'floppy'")
        (row,) = self.livecopy(expect=1).rows
        self.assertEqual('failed', row['Result'])
        self.assertIn('floppy', row['Reason'])
        self.assertNotIn(image.id, self.slave.ids())


class TestWhichImages(base.FunctionalTest):
    def test_names_and_ids_in_any_order_with_options(self):
        one = self.master.create(name='one')
        two = self.master.create(name='two words')
        three = self.master.create(name='three')
        result = self.openstack(
            '--os-cloud', 'master', 'image', 'replicate', 'livecopy',
            'one', '-f', 'json', '--to', 'slave', two.name, '--retries', '1',
        )  # fmt: skip
        self.assertEqual({one.id: 'copied', two.id: 'copied'}, result.results)
        self.assertNotIn(three.id, self.slave.ids())

    def test_odd_names_are_found(self):
        for name in (
            'in:a',
            'neq:b',
            'a,b',
            'q"uote',
            'back\\slash',
            'ü',
            ':',
        ):
            image = self.master.create(name=name)
            self.master.create(name=name + 'x')
            result = self.livecopy('--dry-run', '--', name)
            self.assertEqual({image.id: 'copy'}, result.results, name)

    def test_unknown_and_ambiguous_names_stop_before_any_work(self):
        self.master.create(name='one')
        twins = [self.master.create(name='twin') for _ in 'ab']
        unknown = self.livecopy('one', 'ghost', expect=1)
        self.assertIn("'ghost' in master", unknown.stderr)
        ambiguous = self.livecopy('one', 'twin', expect=1)
        for twin in twins:
            self.assertIn(twin.id, ambiguous.stderr)
        for result in (unknown, ambiguous):
            self.assertEqual([], result.rows)
            self.assertEqual(1, len(result.stderr.splitlines()))
        self.assertEqual(set(), self.slave.ids())

    def test_dry_run_writes_nothing_and_tells_what_a_run_does(self):
        new = self.master.create(b'new')
        changed = self.master.create(b'changed')
        self.livecopy(changed.id)
        self.master.patch(changed.id, name='changed')
        broken = self.master.create(b'one')
        base.pass_a_second()
        self.slave.create(b'two', id=broken.id)
        dry = self.livecopy('--dry-run', '--show-all')
        self.assertEqual(
            {new.id: 'copy', changed.id: 'update', broken.id: 'conflict'},
            dry.results,
        )
        self.assertNotIn(new.id, self.slave.ids())
        self.assertEqual('image', self.slave.get(changed.id).name)
        wet = self.livecopy('--show-all', expect=1)
        self.assertEqual(
            {
                new.id: 'copied',
                changed.id: 'updated',
                broken.id: 'conflict',
            },
            wet.results,
        )

    def test_several_destinations(self):
        secure = self.cloud('secure')
        image = self.master.create(b'data', visibility='public')
        result = self.livecopy('--to', 'secure', *self.loud())
        self.assertEqual(
            {('slave', 'copied'), ('secure', 'copied')},
            {(row['To'], row['Result']) for row in result.rows},
        )
        self.assertReplica(image, b'data')
        self.assertReplica(image, b'data', secure)
        again = self.livecopy('--to', 'secure', '--show-all')
        self.assertEqual(
            ['unchanged', 'unchanged'], [row['Result'] for row in again.rows]
        )


class TestOutput(base.FunctionalTest):
    def test_stdout_is_the_list_and_nothing_else(self):
        image = self.master.create(b'12345', name='cirros')
        result = self.openstack(
            '--os-cloud', 'master', 'image', 'replicate', 'livecopy',
            '--to', 'slave', '-f', 'value', '-c', 'ID', '-c', 'Result',
        )  # fmt: skip
        self.assertEqual(f'{image.id} copied\n', result.stdout)
        self.assertEqual(1, len(result.stderr.splitlines()), result.stderr)
        self.assertIn('1 copied', result.stderr)

    def test_quiet_says_nothing_on_stderr(self):
        self.master.create()
        result = self.openstack(
            '-q', '--os-cloud', 'master', 'image', 'replicate', 'livecopy',
            '--to', 'slave',
        )  # fmt: skip
        self.assertEqual('', result.stderr)

    def test_names_cannot_steer_a_terminal(self):
        name = 'evil \x1b[2J\x07 \u202e'
        self.master.create(name=name)
        for formatter in ('table', 'value', 'csv', 'json', 'yaml'):
            result = self.openstack(
                '--os-cloud', 'master', 'image', 'replicate', 'livecopy',
                '--to', 'slave', '--dry-run', '-f', formatter,
            )  # fmt: skip
            for char in '\x1b\x07':
                self.assertNotIn(char, result.stdout, formatter)
        (row,) = self.livecopy('--dry-run').rows
        self.assertEqual(name, row['Name'])

    def test_interrupt_does_not_wait_for_who_is_silent(self):
        self.master.create()
        link = self.useFixture(proxy.Proxy(self.slave.glance.url))
        silence = faults.Fault(before=lambda call: self.held.wait())
        link.on('GET', '/v2/images', silence, times=None)
        environment = self.clouds_yaml(slave=links.behind(link))
        process = self.start_script(
            '--os-cloud', 'master', 'image', 'replicate', 'livecopy',
            '--to', 'slave', environment=environment,
        )  # fmt: skip
        self.wait_for(lambda: link.seen('GET', '/v2/images'))
        process.send_signal(signal.SIGINT)
        start = time.monotonic()
        result = self.finish(process, expect=130)
        self.assertLess(time.monotonic() - start, base.AT_ONCE)
        self.assertNotIn('Traceback', result.stderr)


class TestSize(base.FunctionalTest):
    def test_more_than_there_is_memory_for(self):
        image = self.master.create(client.Mebibytes(_LARGE))
        result = self.livecopy()
        self.assertEqual({image.id: 'copied'}, result.results)
        self.assertEqual(image.digests, self.slave.get(image.id).digests)
        self.assertLess(result.peak, 120 * 1024**2)
