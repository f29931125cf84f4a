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

"""What nobody attacks: the rules on whose word counts do not bite there.

Or they say what to do, and that is enough. See doc/source/user/everyday.rst.
"""

import uuid

from osc_glance_replicate.tests.functional import base
from osc_glance_replicate.tests.functional import tenants

#: No hash that both clouds bear says that nobody has chosen the data.
_UNPROVEN = 'nothing proves that its data is the same'

#: What is sent of it is what arrives, and no more is known.
_UNHASHED = 'the source recorded no hash'


class EverydayTest(tenants.TenantsTest):
    def assertRow(self, row, result, reason=''):
        told = base.without_sides(row['Reason'])
        self.assertEqual((result, reason), (row['Result'], told))

    def assertRead(self, image, times, cloud=None):
        """An image's data has been read so often in all."""
        self.assertEqual(['200'] * times, self.reads(image, cloud))


class TestOrdinaryUser(EverydayTest):
    """The user demo of both clouds, who is a member there, and no more."""

    def run_as_demo(self, *images, **options):
        return self.copy(
            *images, source='master-demo', to='slave-demo', **options
        )

    def test_his_own_images(self):
        image = self.master.create(b'data', user='demo')
        self.assertRow(self.run_as_demo(image), 'copied')
        self.assertRow(self.run_as_demo(image), 'unchanged')
        self.master.patch(image.id, name='new')
        self.assertRow(self.run_as_demo(image), 'updated', 'name')
        deactivate = f'/images/{image.id}/actions/deactivate'
        self.master.request('POST', deactivate, user='demo')
        self.assertRow(self.run_as_demo(image), 'updated', 'status')
        self.assertRow(self.run_as_demo(image), 'unchanged')
        self.assertEqual('deactivated', self.slave.get(image.id).status)
        self.assertRead(image, 1)

    def test_one_that_is_published_at_the_source(self):
        image = self.master.create(b'data', user='demo')
        self.run_as_demo(image)
        self.master.patch(image.id, visibility='public', name='new')
        row = self.run_as_demo(image, expect=1)
        self.assertEqual('failed', row['Result'])
        self.assertIn('visibility: HTTP 403: ', row['Reason'])
        self.assertEqual('private', self.slave.get(image.id).visibility)
        self.assertEqual('new', self.slave.get(image.id).name)
        keeps = '--visibility', 'private'
        self.assertRow(self.run_as_demo(image, *keeps), 'unchanged')
        # What he may not do does not keep it from being withdrawn.
        self.master.request('POST', f'/images/{image.id}/actions/deactivate')
        self.run_as_demo(image, expect=1)
        self.assertEqual('deactivated', self.slave.get(image.id).status)

    def test_public_image_of_the_administrator(self):
        """It is replicated to his own project, and withdrawn there, too."""
        image = self.master.create(b'data', visibility='public')
        keeps = '--visibility', 'private'
        self.assertRow(self.run_as_demo(image, *keeps), 'copied')
        self.assertRow(self.run_as_demo(image, *keeps), 'unchanged')
        self.master.request('POST', f'/images/{image.id}/actions/deactivate')
        self.assertRow(self.run_as_demo(image, *keeps), 'updated', 'status')


class TestReader(EverydayTest):
    """A monitoring, whose user has the role reader in both projects demo."""

    def setUp(self):
        super().setUp()
        entries = {}
        for cloud in self.master, self.slave:
            login = self.add_reader(cloud)
            entries[f'{cloud.name}-demo'] = {'auth': login}
        self.environment = self.clouds_yaml(**entries)

    def add_reader(self, cloud):
        """Make a user of a cloud's project demo who may only read.

        :returns: what to log in with
        """
        identity = cloud.connections[''].identity
        login = {
            'username': f'watcher-{uuid.uuid4()}',
            'password': f'watcher-{uuid.uuid4()}',
        }
        user = identity.create_user(
            name=login['username'],
            password=login['password'],
            domain_id='default',
        )
        self.addCleanup(identity.delete_user, user)
        identity.assign_project_role_to_user(
            cloud.project_id('demo'), user, identity.find_role('reader')
        )
        base.secrets().add(login['password'], 'the password of a reader')
        return login

    def ask(self, verb, *arguments, expect=0):
        return self.replicate(
            verb,
            '--to',
            'slave-demo',
            *arguments,
            source='master-demo',
            environment=self.environment,
            expect=expect,
        )

    def compare(self, *images, options=(), expect=0):
        words = [*options, *(image.id for image in images)]
        rows = self.ask('compare', '--show-all', *words, expect=expect).rows
        return {row['ID']: (row['Difference'], row['Detail']) for row in rows}

    def test_he_compares_what_he_sees(self):
        public = self.master.create(b'public', visibility='public')
        own = self.master.create(b'own', user='demo')
        (size,) = self.ask('size', public.id, own.id).rows
        self.assertEqual((2, 9), (size['Images'], size['Bytes']))
        for image in public, own:
            self.copy(image, '--owner', 'by-name')
        self.assertEqual(
            {
                own.id: ('same', ''),
                public.id: (
                    'same',
                    f'public there, of project {self.slave.project_id()}',
                ),
            },
            self.compare(public, own),
        )
        (size,) = self.ask('size', public.id, own.id).rows
        self.assertEqual((0, 0), (size['Images'], size['Bytes']))

    def test_names_of_other_projects(self):
        """The option of the run is of no use to him."""
        public = self.master.create(b'public', visibility='public')
        own = self.master.create(b'own', user='demo')
        by_name = '--owner', 'by-name'
        for image in public, own:
            self.copy(image, *by_name)
        found = self.compare(public, own, options=by_name, expect=1)
        self.assertEqual(('same', ''), found[own.id])
        difference, detail = found[public.id]
        self.assertEqual('failed', difference)
        self.assertIn('cannot be read in master-demo: give --map', detail)

    def test_what_he_does_not_see_is_missing(self):
        own = self.master.create(b'own', user='demo')
        self.copy(own)
        self.assertEqual(
            {own.id: ('missing', '')}, self.compare(own, expect=3)
        )


class TestOtherProject(EverydayTest):
    """Last year's runs were demo's, or had another --owner."""

    def test_all_are_told_of_in_one_line(self):
        images = [self.master.create(b'data', user='demo') for _ in range(3)]
        ids = [image.id for image in images]
        self.livecopy(*ids, '--owner', 'by-name')
        demo = self.slave.project_id('demo')
        table = self.openstack(
            '--os-cloud', 'master', 'image', 'replicate', 'livecopy',
            '--to', 'slave', '-f', 'table', *ids, expect=1,
        )  # fmt: skip
        told = [line for line in table.stdout.splitlines() if demo in line]
        self.assertEqual(1, len(told), told)
        self.assertIn(
            f'3 belong to project {demo} there: run as it, or --owner as '
            'before',
            told[0],
        )
        self.assertIn('3 conflict', table.stderr)
        one, other, last = images
        self.assertRow(self.copy(one, '--owner', 'by-name'), 'unchanged')
        self.assertRow(self.copy(other, to='slave-demo'), 'unchanged')
        self.assertRow(self.copy(last, '--adopt'), 'updated', 'adopted')
        self.assertRow(self.copy(last), 'unchanged')
        self.assertEqual(
            self.slave.project_id(), self.slave.get(last.id).owner
        )


class TestOtherHashes(EverydayTest):
    """Sources whose hashes are not those that the destination has."""

    def test_pike(self):
        """It has MD5 only."""
        image = self.master.create(b'data')
        self.unhash(self.master, image, md5=True)
        self.assertRow(self.copy(image), 'copied')
        self.assertRow(self.copy(image), 'unchanged', 'md5 only')
        self.master.patch(image.id, name='new')
        row = self.copy(image, '--metadata-only')
        self.assertRow(row, 'updated', 'md5 only, name')
        self.assertReplica(self.master.get(image.id), b'data')
        self.assertRead(image, 1)

    def test_pike_and_replicas_of_others(self):
        image = self.master.create(b'data', user='demo')
        self.unhash(self.master, image, md5=True)
        owner = '--owner', 'by-name'
        self.assertRow(self.copy(image, *owner), 'copied')
        self.assertRow(self.copy(image, *owner), 'unchanged', 'md5 only')
        self.assertRead(image, 1)
        self.master.patch(image.id, name='new')
        row = self.copy(image, *owner, '--metadata-only', expect=1)
        self.assertRow(row, 'conflict', _UNPROVEN)
        row = self.copy(image, *owner)
        self.assertRow(row, 'updated', 'read to prove, name')
        self.assertReplica(self.master.get(image.id), b'data')
        self.assertRead(image, 2)

    def test_clouds_that_hash_differently(self):
        secure = self.cloud('secure')
        for source, to in (self.master, secure), (secure, self.master):
            image = source.create(b'data')
            clouds = {'source': source.name, 'to': to.name}
            self.assertRow(self.copy(image, **clouds), 'copied')
            self.assertNotEqual(
                source.get(image.id).recorded_hash,
                to.get(image.id).recorded_hash,
            )
            row = self.copy(image, **clouds)
            self.assertRow(row, 'unchanged', 'md5 only')
            source.patch(image.id, name='new', visibility='public')
            row = self.copy(image, **clouds)
            self.assertRow(row, 'updated', 'md5 only, name, visibility')
            self.assertReplica(source.get(image.id), b'data', to)
            self.assertRead(image, 1, source)


class TestSnapshots(EverydayTest):
    """Nova's on Ceph, of which the source has no hash at all."""

    def snapshot(self):
        image = self.master.create(b'data')
        self.unhash(self.master, image)
        return image

    def test_every_night(self):
        image = self.snapshot()
        self.assertRow(self.copy(image), 'copied', _UNHASHED)
        self.assertRow(
            self.copy(image),
            'unchanged',
            'verified by size only: no hash recorded',
        )
        self.assertRead(image, 1)
        self.master.patch(image.id, name='new')
        row = self.copy(image, '--metadata-only', expect=1)
        self.assertRow(row, 'conflict', _UNPROVEN)
        self.assertRead(image, 1)
        self.assertRow(self.copy(image), 'updated', 'read to prove, name')
        self.assertRead(image, 2)
        self.assertRow(
            self.copy(image),
            'unchanged',
            'verified by size only: no hash recorded',
        )
        self.assertReplica(self.master.get(image.id), b'data')

    def test_marks_save_the_reading(self):
        image = self.snapshot()
        mark = '--mark', 'north'
        self.assertRow(self.copy(image, *mark), 'copied', _UNHASHED)
        self.master.patch(image.id, name='new')
        row = self.copy(image, *mark, '--metadata-only')
        self.assertRow(
            row, 'updated', 'verified by size only: no hash recorded, name'
        )
        self.assertRead(image, 1)

    def test_marks_save_the_next_reading(self):
        image = self.snapshot()
        self.copy(image)
        mark = '--mark', 'north'
        self.master.patch(image.id, name='new')
        row = self.copy(image, *mark)
        self.assertRow(row, 'updated', 'read to prove, name, replica_of')
        self.master.patch(image.id, name='newer')
        row = self.copy(image, *mark)
        self.assertRow(
            row, 'updated', 'verified by size only: no hash recorded, name'
        )
        self.assertRead(image, 2)


class TestFailback(EverydayTest):
    """The source was lost, and made anew of its replicas."""

    def recover(self, *options, **fields):
        """Have a replica that is older than its source.

        :param options: of each run
        """
        image = self.master.create(b'data', **fields)
        self.copy(image, *options)
        self.forget(image, self.master)
        for _ in range(4):
            base.pass_a_second()
        row = self.copy(image, *options, source='slave', to='master')
        self.assertRow(row, 'copied')
        return image

    def test_nothing_to_do(self):
        image = self.recover()
        self.assertRow(self.copy(image), 'unchanged')

    def test_was_there_first(self):
        image = self.recover()
        self.master.patch(image.id, name='new')
        row = self.copy(image, expect=1)
        self.assertRow(row, 'conflict', 'was there first')
        self.assertEqual('image', self.slave.get(image.id).name)
        mark = '--mark', 'north'
        row = self.copy(image, '--adopt', *mark)
        self.assertRow(row, 'updated', 'adopted, name, replica_of')
        self.assertReplica(self.master.get(image.id), b'data')
        self.master.patch(image.id, name='newer')
        self.assertRow(self.copy(image, *mark), 'updated', 'name')

    def test_replicas_marked_from_the_first_copy_on(self):
        mark = '--mark', 'north'
        image = self.recover(*mark)
        self.master.patch(image.id, name='new')
        self.assertRow(self.copy(image, *mark), 'updated', 'name')

    def test_replicas_of_others(self):
        """No mark counts there: each change has to be named."""
        owner = '--owner', 'by-name'
        image = self.recover(*owner, user='demo')
        for name in 'new', 'newer':
            self.master.patch(image.id, name=name)
            row = self.copy(image, *owner, expect=1)
            self.assertRow(row, 'conflict', 'was there first')
            row = self.copy(image, *owner, '--adopt')
            self.assertRow(row, 'updated', 'adopted, name')
            replica = self.slave.get(image.id)
            self.assertEqual(name, replica.name)
            self.assertEqual(self.slave.project_id('demo'), replica.owner)
