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

"""What tenants and dumps would have an administrator's run do for them.

Both clouds have an administrator, and the tenants demo and alt. Whoever makes
a record chooses its UUID, and knows those of public images.
"""

import concurrent.futures
import contextlib
import json
import threading
import uuid

from keystoneauth1 import exceptions

from osc_glance_replicate.tests.functional import base
from osc_glance_replicate.tests.functional import tenants


class TestDestinationTenants(tenants.TenantsTest):
    """They make the UUID before the run does."""

    def test_right_data_under_properties_of_their_own(self):
        image = self.master.create(
            b'golden', visibility='public', os_command_line='quiet'
        )
        base.pass_a_second()
        for visibility in 'private', 'shared', 'community':
            planted = self.slave.create(
                b'golden',
                id=image.id,
                user='demo',
                visibility=visibility,
                kernel_id=str(uuid.uuid4()),
                os_command_line='init=/evil',
            )
            told = (
                f'belongs to project {planted.owner} there: run as it, or '
                '--owner as before'
            )
            for more in (), ('--exact',), ('--metadata-only',):
                row = self.copy(image, *more, expect=1)
                self.assertEqual(
                    ('conflict', told), (row['Result'], row['Reason'])
                )
            self.assertLeftAlone(planted, b'golden')
            row = self.compare(image)
            self.assertEqual(
                ('conflict', told), (row['Difference'], row['Detail'])
            )
            self.forget(planted)

    def test_nothing_comes_to_boot_from_theirs(self):
        kernel = self.master.create(b'kernel', visibility='public')
        image = self.master.create(b'image', visibility='public')
        self.livecopy(image.id)
        base.pass_a_second()
        planted = self.slave.create(
            b'evil', id=kernel.id, user='demo', visibility='community'
        )
        self.master.patch(image.id, kernel_id=kernel.id, os_hidden=True)
        for more in (), ('--exclude', kernel.id):
            result = self.livecopy(image.id, *more, expect=1)
            self.assertEqual('failed', result.results[image.id])
            replica = self.slave.get(image.id)
            self.assertNotIn('kernel_id', replica.record)
            # That it is withdrawn does not wait for it.
            self.assertTrue(replica.hidden)
        other = self.master.create(
            b'other', visibility='public', kernel_id=kernel.id
        )
        result = self.livecopy(other.id, '--exclude', kernel.id, expect=1)
        self.assertEqual('failed', result.results[other.id])
        self.assertNotIn(other.id, self.slave.ids())
        self.assertLeftAlone(planted)

    def test_withdrawal_that_does_not_reach_them_is_said(self):
        image = self.master.create(b'golden')
        base.pass_a_second()
        planted = self.slave.create(b'golden', id=image.id, user='demo')
        self.master.request('POST', f'/images/{image.id}/actions/deactivate')
        row = self.copy(image, expect=1)
        self.assertEqual('conflict', row['Result'])
        self.assertIn('deactivated at its source', row['Reason'])
        self.assertLeftAlone(planted)

    def test_public_image_of_another_project_serves(self):
        kernel = self.master.create(b'kernel', visibility='public')
        image = self.master.create(b'image', kernel_id=kernel.id)
        base.pass_a_second()
        theirs = self.slave.create(
            b'kernel', id=kernel.id, name='theirs', visibility='public'
        )
        demo = self.slave.project_id('demo')
        self.slave.patch(kernel.id, owner=demo)
        theirs = self.slave.get(theirs.id)
        rows = self.livecopy('--show-all', image.id).rows
        by_id = {row['ID']: row for row in rows}
        self.assertEqual('copied', by_id[image.id]['Result'])
        self.assertEqual(
            ('skipped', f'public there, of project {demo}'),
            (by_id[kernel.id]['Result'], by_id[kernel.id]['Reason']),
        )
        self.assertLeftAlone(theirs)
        row = self.compare(kernel, expect=0)
        self.assertEqual(
            ('same', f'public there, of project {demo}'),
            (row['Difference'], row['Detail']),
        )

    def test_other_bytes_for_an_image_without_a_hash(self):
        image = self.master.create(b'golden', visibility='public')
        self.unhash(self.master, image)
        base.pass_a_second()
        planted = self.slave.create(b'poison', id=image.id, user='demo')
        self.assertEqual('conflict', self.copy(image, expect=1)['Result'])
        self.assertLeftAlone(planted, b'poison')

    def test_staged_record(self):
        image = self.master.create(b'secret', name='secret name')
        base.pass_a_second()
        for status in 'uploading', 'saving', 'importing':
            self.slave.create(None, id=image.id, user='demo')
            self.slave.sql(
                'UPDATE images SET status = %s, size = 6 WHERE id = %s',
                status,
                image.id,
            )
            planted = self.slave.get(image.id)
            for more in (), ('--method', 'import'):
                row = self.copy(image, *more, expect=1)
                self.assertEqual('conflict', row['Result'])
                self.assertIn(f'project {planted.owner}', row['Reason'])
            self.assertLeftAlone(planted)
            self.forget(planted)

    def test_record_planted_for_the_owner_of_replicas(self):
        """It was there first, though its owner is the right one."""
        image_id = str(uuid.uuid4())
        planted = self.slave.create(
            b'golden', id=image_id, user='demo', kernel_id=str(uuid.uuid4())
        )
        for _ in range(5):
            base.pass_a_second()
        image = self.master.create(
            b'golden', id=image_id, user='demo', visibility='community'
        )
        owner = '--owner', 'by-name'
        for more in owner, (*owner, '--exact'):
            row = self.copy(image, *more, expect=1)
            self.assertEqual(
                ('conflict', 'was there first'),
                (row['Result'], base.without_sides(row['Reason'])),
            )
        self.assertLeftAlone(planted)

    def test_what_its_owner_has_added_is_not_given_with_it(self):
        image = self.master.create(b'data', user='demo')
        self.livecopy(image.id, '--owner', 'by-name')
        self.slave.patch(
            image.id, kernel_id=str(uuid.uuid4()), os_command_line='init=/evil'
        )
        # While nobody else sees it, that is his affair.
        row = self.copy(image, '--owner', 'by-name')
        self.assertEqual('unchanged', row['Result'])
        self.master.patch(image.id, visibility='public')
        row = self.copy(image, '--owner', 'by-name')
        self.assertEqual('updated', row['Result'])
        self.assertReplica(self.master.get(image.id), b'data')


class TestSourceTenants(tenants.TenantsTest):
    """They make the UUID of an image that the destination has."""

    def test_size_is_no_evidence(self):
        for algorithm, visibility in ('', 'private'), ('sha512', 'private'):
            mine = self.slave.create(b'secret', visibility=visibility)
            if not algorithm:
                self.unhash(self.slave, mine)
                mine = self.slave.get(mine.id)
            base.pass_a_second()
            clone = self.master.create(
                b'poison', id=mine.id, user='demo', visibility='community'
            )
            self.unhash(self.master, clone)
            for more in (), ('--metadata-only',):
                row = self.copy(clone, *more, expect=1)
                self.assertEqual('conflict', row['Result'])
            self.assertLeftAlone(mine, b'secret')

    def test_volume_snapshots_are_left_alone(self):
        mine = self.slave.create(b'', block_device_mapping='[]')
        self.unhash(self.slave, mine)
        mine = self.slave.get(mine.id)
        base.pass_a_second()
        clone = self.master.create(
            b'',
            id=mine.id,
            user='demo',
            visibility='community',
            block_device_mapping='[{"snapshot_id": "evil"}]',
        )
        self.unhash(self.master, clone)
        self.assertEqual('skipped', self.copy(clone)['Result'])
        self.assertLeftAlone(mine)

    def test_unproven_image_is_withdrawn_all_the_same(self):
        image = self.master.create(b'snapshot', visibility='public')
        self.livecopy(image.id)
        self.unhash(self.master, image)
        self.unhash(self.slave, image)
        self.master.patch(image.id, visibility='private', os_hidden=True)
        self.master.patch(image.id, name='new')
        row = self.copy(image, expect=1)
        self.assertEqual('conflict', row['Result'])
        self.assertTrue(
            row['Reason'].endswith(
                '; nothing proves that its data is the same'
            ),
            row,
        )
        replica = self.slave.get(image.id)
        self.assertEqual('private', replica.visibility)
        self.assertTrue(replica.hidden)
        self.assertEqual('image', replica.name)
        # Nothing is left to be withdrawn.
        row = self.copy(image, expect=1)
        self.assertEqual(
            'nothing proves that its data is the same', row['Reason']
        )

    def test_no_member_delays_a_withdrawal(self):
        """Whoever owns an image may make anything a member of it."""
        owners = '--owner', 'by-name', '--members'
        image = self.master.create(b'data', user='demo', visibility='shared')
        self.copy(image, *owners)
        nowhere = {'member': 'f' * 32}
        self.master.request(
            'POST', f'/images/{image.id}/members', 'demo', json=nowhere
        )
        self.master.request('POST', f'/images/{image.id}/actions/deactivate')
        row = self.copy(image, *owners, expect=1)
        self.assertEqual('failed', row['Result'])
        self.assertTrue(row['Reason'].startswith('status; the name of'), row)
        self.assertEqual('deactivated', self.slave.get(image.id).status)

    def test_image_without_a_hash_is_read_to_prove(self):
        """As nova's snapshots on Ceph are, each time that they change."""
        image = self.master.create(b'snapshot')
        self.livecopy(image.id)
        self.unhash(self.master, image)
        self.assertEqual('unchanged', self.copy(image)['Result'])
        self.master.patch(image.id, visibility='public')
        planned = self.copy(image, '--dry-run')
        self.assertEqual(
            ('update', 'read to prove, visibility'),
            (planned['Result'], planned['Reason']),
        )
        self.assertEqual('updated', self.copy(image)['Result'])
        self.assertReplica(self.master.get(image.id), b'snapshot')
        self.master.patch(image.id, name='new')
        self.master.stored(image.id).write_bytes(b'SNAPSHOT')
        row = self.copy(image, expect=1)
        self.assertEqual(
            ('conflict', 'other data under this ID: sha512 differs'),
            (row['Result'], base.without_sides(row['Reason'])),
        )
        self.assertEqual('image', self.slave.get(image.id).name)

    def test_their_own_images_are_withdrawn_whatever_they_set(self):
        image = self.master.create(b'data', visibility='public', user='')
        self.livecopy(image.id)
        self.master.patch(image.id, cinder_encryption_key_id=str(uuid.uuid4()))
        self.master.patch(image.id, name='new', os_hidden=True)
        self.master.request('POST', f'/images/{image.id}/actions/deactivate')
        row = self.copy(image)
        self.assertEqual('updated', row['Result'])
        self.assertIn('encrypted', row['Reason'])
        replica = self.slave.get(image.id)
        self.assertEqual('deactivated', replica.status)
        self.assertTrue(replica.hidden)
        self.assertEqual('image', replica.name)
        self.assertEqual('skipped', self.copy(image)['Result'])


class TestOrdinaryUser(tenants.TenantsTest):
    def test_what_he_sees_there_serves_him(self):
        image = self.master.create(
            b'data', user='alt', visibility='community', name='new'
        )
        base.pass_a_second()
        theirs = self.slave.create(
            b'data', id=image.id, user='alt', visibility='community'
        )
        row = self.copy(image, source='master-demo', to='slave-demo')
        self.assertEqual(
            ('skipped', f'community there, of project {theirs.owner}'),
            (row['Result'], row['Reason']),
        )
        self.assertLeftAlone(theirs)


class TestDumps(tenants.TenantsTest):
    """Whoever writes a dump chooses its records."""

    def forge(self, victim, **fields):
        """Lay a record of a victim's UUID and size, and a file of zeros."""
        self.put(None, image_id=victim.id, **fields, size=victim.size)
        with self.data_file(victim).open('wb') as file:
            file.truncate(victim.size)
        project = {'name': 'demo', 'domain': 'Default'}
        self.file('projects.json').write_text(json.dumps({'0' * 32: project}))

    def test_size_is_no_evidence(self):
        victim = self.slave.create(b'secret')
        none = {'os_hash_algo': None, 'os_hash_value': None, 'checksum': None}
        known = {field: victim.record[field] for field in none}
        for claim in none, known:
            self.forge(victim, **claim, visibility='public', owner='0' * 32)
            for more in (), ('--owner', 'by-name'), ('--metadata-only',):
                result = self.load(victim.id, *more, expect=1)
                self.assertNotIn('updated', result.results.values())
                self.assertLeftAlone(victim, b'secret')

    def test_nothing_is_withdrawn_by_a_record_alone(self):
        victim = self.slave.create(b'golden', visibility='public')
        known = {
            field: victim.record[field]
            for field in ('os_hash_algo', 'os_hash_value', 'checksum')
        }
        for claim in dict.fromkeys(known), known:
            self.forge(
                victim,
                **claim,
                created_at='1970-01-01T00:00:00Z',
                visibility='private',
                os_hidden=True,
                status='deactivated',
            )
            for more in (), ('--metadata-only',):
                result = self.load(victim.id, *more, expect=1)
                self.assertNotIn('updated', result.results.values())
                self.assertLeftAlone(victim, b'golden')

    def test_metadata_of_a_dump_is_applied_to_its_own_data(self):
        image = self.put(b'data', visibility='private', name='old')
        self.load(image.id)
        self.put(b'data', image_id=image.id, visibility='public', name='new')
        result = self.load(image.id)
        self.assertEqual({image.id: 'updated'}, result.results)
        self.assertIn('read to prove', result.rows[0]['Reason'])
        replica = self.slave.get(image.id)
        self.assertEqual(('new', 'public'), (replica.name, replica.visibility))


class TestMarks(tenants.TenantsTest):
    """What --mark gives to replicas, and nobody else can."""

    def test_replicas_are_marked_when_they_are_published(self):
        image = self.master.create(
            b'data', replica_of='west/mine', replica_source_hash='sha512:00'
        )
        self.copy(image)
        self.assertEqual({}, self.slave.get(image.id).marks)
        self.assertEqual('same', self.compare(image, expect=0)['Difference'])
        # Alone it is no difference.
        mark = '--mark', 'north'
        self.assertEqual('unchanged', self.copy(image, *mark)['Result'])
        self.master.patch(image.id, name='new')
        row = self.copy(image, *mark)
        self.assertEqual('name, replica_of', row['Reason'])
        marked = {'replica_of': f'north/{image.id}'}
        self.assertEqual(marked, self.slave.get(image.id).marks)
        for more in (), ('--exact',):
            self.assertEqual('unchanged', self.copy(image, *more)['Result'])
        self.assertEqual(marked, self.slave.get(image.id).marks)
        row = self.copy(image, '--mark', 'south', expect=1)
        self.assertEqual(
            ('conflict', 'replica of north'), (row['Result'], row['Reason'])
        )
        other = self.master.create(b'other', visibility='public')
        self.copy(other, *mark)
        self.assertEqual(
            {'replica_of': f'north/{other.id}'},
            self.slave.get(other.id).marks,
        )

    def test_marked_replica_may_have_been_first(self):
        """As after a recovery, when the source was made from its replicas."""
        mine = self.slave.create(b'data')
        for _ in range(5):
            base.pass_a_second()
        image = self.master.create(b'data', id=mine.id, name='new')
        mark = '--mark', 'north'
        row = self.copy(image, *mark, expect=1)
        self.assertEqual('was there first', base.without_sides(row['Reason']))
        self.slave.patch(image.id, replica_of=f'north/{image.id}')
        self.assertEqual('updated', self.copy(image, *mark)['Result'])

    def test_glance_download_brings_no_mark(self):
        image = self.master.create(b'data', replica_of='x')
        self.master.patch(image.id, replica_of=f'north/{image.id}')
        region = self.cloud('master:RegionTwo')
        self.copy(image, '--method', 'glance-download', to='master:RegionTwo')
        self.assertEqual({}, region.get(image.id).marks)


class TestAdopt(tenants.TenantsTest):
    def test_what_others_have_put_there(self):
        image = self.master.create(b'data', visibility='public', tags=['a'])
        base.pass_a_second()
        theirs = self.slave.create(
            b'data',
            id=image.id,
            user='demo',
            visibility='shared',
            protected=True,
            kernel_id=str(uuid.uuid4()),
            tags=['b'],
        )
        alt = self.slave.project_id('alt')
        members = f'/images/{image.id}/members'
        self.slave.request('POST', members, json={'member': alt})
        adopt = '--adopt', '--mark', 'north'
        self.livecopy(*adopt, image.name, expect=2)
        self.livecopy(*adopt, expect=2)
        self.assertEqual('conflict', self.copy(image, expect=1)['Result'])
        planned = self.copy(image, *adopt, '--dry-run')
        self.assertEqual('update', planned['Result'])
        self.assertTrue(planned['Reason'].startswith('adopted, '), planned)
        self.assertEqual(theirs.owner, self.slave.get(image.id).owner)
        row = self.copy(image, *adopt)
        self.assertEqual('updated', row['Result'])
        self.assertReplica(image, b'data')
        replica = self.slave.get(image.id)
        self.assertEqual(self.slave.project_id(), replica.owner)
        self.assertEqual({'replica_of': f'north/{image.id}'}, replica.marks)
        self.slave.patch(image.id, visibility='shared')
        listed = self.slave.request('GET', members).json()['members']
        self.assertEqual([], listed)

    def test_members_from_before_are_gone(self):
        """Glance hides them while an image is private, and keeps them."""
        image = self.master.create(b'data', visibility='shared')
        base.pass_a_second()
        self.slave.create(
            b'data', id=image.id, user='demo', visibility='shared'
        )
        alt = self.slave.project_id('alt')
        members = f'/images/{image.id}/members'
        self.slave.request('POST', members, json={'member': alt})
        self.slave.patch(image.id, visibility='private')
        self.assertEqual('updated', self.copy(image, '--adopt')['Result'])
        self.assertReplica(image, b'data')
        listed = self.slave.request('GET', members).json()['members']
        self.assertEqual([], listed)

    def test_no_property_publishes_what_is_adopted(self):
        """Glance strips the names in a PATCH."""
        image = self.master.create(b'data', **{'visibility ': 'public'})
        base.pass_a_second()
        theirs = self.slave.create(b'data', id=image.id, user='demo')
        self.master.patch(image.id, name='new')
        row = self.copy(image, '--adopt', expect=1)
        self.assertEqual('failed', row['Result'])
        self.assertLeftAlone(theirs)

    def test_owner_who_changes_it_at_the_same_time(self):
        """Glance writes back what it has read for him: his ownership, too."""
        image = self.master.create(b'data', visibility='public')
        base.pass_a_second()
        theirs = self.slave.create(b'data', id=image.id, user='demo')
        ended = threading.Event()

        def change():
            count = 0
            while not ended.is_set():
                count += 1
                with contextlib.suppress(exceptions.HttpError):
                    self.slave.patch(theirs.id, 'demo', evil=str(count))

        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            changing = [pool.submit(change) for _ in range(3)]
            result = self.livecopy(
                '--adopt', image.id, '--retries', '1', expect=None
            )
            ended.set()
        for each in changing:
            each.result()
        replica = self.slave.get(image.id)
        if result.code == 0:
            self.assertReplica(image, b'data')
            self.assertEqual(self.slave.project_id(), replica.owner)
        else:
            self.assertEqual('failed', result.results[image.id])
            self.assertNotEqual('public', replica.visibility)

    def test_other_data_is_not_adopted(self):
        image = self.master.create(b'data')
        self.unhash(self.master, image)
        base.pass_a_second()
        theirs = self.slave.create(b'DATA', id=image.id, user='demo')
        row = self.copy(image, '--adopt', expect=1)
        self.assertEqual(
            ('conflict', 'other data under this ID: sha512 differs'),
            (row['Result'], base.without_sides(row['Reason'])),
        )
        self.assertLeftAlone(theirs, b'DATA')
        self.forget(theirs)
        theirs = self.slave.create(b'data', id=image.id, user='demo')
        row = self.copy(image, '--adopt')
        self.assertEqual('updated', row['Result'])
        self.assertIn('read to prove', row['Reason'])
        self.assertEqual(
            self.slave.project_id(), self.slave.get(image.id).owner
        )

    def test_ordinary_user_cannot(self):
        image = self.master.create(b'data', user='demo')
        base.pass_a_second()
        theirs = self.slave.create(
            b'data', id=image.id, user='alt', visibility='community'
        )
        row = self.copy(
            image, '--adopt', source='master-demo', to='slave-demo', expect=1
        )
        self.assertEqual('failed', row['Result'])
        self.assertLeftAlone(theirs)
