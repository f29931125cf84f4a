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

import os
import pathlib
import uuid

import fixtures
from keystoneauth1 import exceptions

from osc_glance_replicate.sandbox import client
from osc_glance_replicate.tests.functional import base
from osc_glance_replicate.tests.functional import dumps
from osc_glance_replicate.tests.functional import faults
from osc_glance_replicate.tests.functional import links


class ReplicaTest(base.FunctionalTest):
    def members(self, cloud, image_id):
        path = f'/images/{image_id}/members'
        listed = cloud.request('GET', path).json()['members']
        return {member['member_id']: member['status'] for member in listed}

    def add_member(self, image, user, status='pending'):
        project = self.master.project_id(user)
        path = f'/images/{image.id}/members'
        self.master.request('POST', path, json={'member': project})
        if status != 'pending':
            self.accept(image, user, status)

    def accept(self, image, user, status='accepted'):
        path = f'/images/{image.id}/members/{self.master.project_id(user)}'
        self.master.request('PUT', path, json={'status': status})

    def compare(self, *arguments, expect=0, to='slave'):
        result = self.openstack(
            '--os-cloud', 'master', 'image', 'replicate', 'compare',
            '-f', 'json', '--to', to, *arguments, expect=expect,
        )  # fmt: skip
        return result.rows


class TestOwners(ReplicaTest):
    def zone(self, cloud):
        """Make a domain with a project that bears a common name.

        :returns: ID of the project
        """
        identity = cloud.connections[''].identity
        name = f'zone {uuid.uuid4().hex[:8]}'
        domain = identity.create_domain(name=name)
        self.addCleanup(identity.delete_domain, domain)
        self.addCleanup(identity.update_domain, domain, is_enabled=False)
        project = identity.create_project(name='demo', domain_id=domain.id)
        return domain, project.id

    def test_by_name(self):
        """The project of the same name, in the domain of the same name."""
        domain, project = self.zone(self.master)
        theirs = self.master.create(b'theirs', owner=project)
        demos = self.master.create(b'demos', user='demo')
        dry = self.livecopy('--owner', 'by-name', '--dry-run').rows
        wet = self.livecopy('--owner', 'by-name', *self.loud(), expect=1).rows
        for rows, good in ((dry, 'copy'), (wet, 'copied')):
            by_id = {row['ID']: row for row in rows}
            self.assertEqual('failed', by_id[theirs.id]['Result'])
            for words in ("'demo'", domain.name, 'slave', '--map-owner'):
                self.assertIn(words, by_id[theirs.id]['Reason'])
            self.assertEqual(good, by_id[demos.id]['Result'])
        self.assertEqual({demos.id}, self.slave.ids())
        self.assertEqual(
            self.slave.project_id('demo'), self.slave.get(demos.id).owner
        )
        mapped = ('--owner', 'by-name', '--map-owner', f'{project}=alt')
        result = self.livecopy(*mapped, '--show-all')
        self.assertEqual('copied', result.results[theirs.id])
        self.assertEqual(
            self.slave.project_id('alt'), self.slave.get(theirs.id).owner
        )
        self.assertEqual([], self.compare(*mapped))
        # Asked for in another way, it is another's, and nobody's to change.
        for other in ('--owner', 'same'), ():
            (row,) = self.compare(theirs.id, *other, expect=3)
            self.assertEqual('conflict', row['Difference'])
            self.assertIn(self.slave.project_id('alt'), row['Detail'])

    def test_region_whose_keystone_is_listed_in_another_one(self):
        identity = self.master.connections[''].identity
        (listed,) = [
            endpoint
            for endpoint in identity.endpoints(region_id='RegionTwo')
            if endpoint.url.endswith('/v3')
        ]
        identity.delete_endpoint(listed)
        self.addCleanup(
            identity.create_endpoint,
            service_id=listed.service_id,
            interface=listed.interface,
            region_id=listed.region_id,
            url=listed.url,
        )
        image = self.slave.create(b'demos', user='demo')
        other = self.cloud('master:RegionTwo')
        mapped = ('--map-owner', 'demo=alt')
        result = self.livecopy(
            image.id, *mapped, source='slave', to='master:RegionTwo'
        )
        self.assertEqual({image.id: 'copied'}, result.results)
        alt = self.master.project_id('alt')
        self.assertEqual(alt, other.get(image.id).owner)
        by_name = ('--owner', 'by-name', '--dry-run', image.id)
        (row,) = self.livecopy(
            *by_name, source='slave', to='master:RegionTwo', expect=0
        ).rows
        self.assertIn(alt, row['Reason'])

    def test_project_that_is_not_there(self):
        self.master.create()
        for mapping, words in (
            ('ghost=demo', "'ghost' in master"),
            ('demo=ghost', "'ghost'"),
        ):
            result = self.livecopy('--map-owner', mapping, expect=1)
            self.assertIn(words, result.stderr)
            self.assertEqual([], result.rows)
        self.assertEqual(set(), self.slave.ids())

    def test_ordinary_user_cannot_give_away(self):
        image = self.master.create(b'data' * 1000)
        alt = self.slave.project_id('alt')
        result = self.livecopy(
            '--map-owner', f'admin={alt}', to='slave-demo', expect=1
        )
        (row,) = result.rows
        self.assertIn(f'owner={alt}', row['Reason'])
        record = self.slave.get(image.id)
        self.assertEqual('queued', record.status)
        self.assertEqual(self.slave.project_id('demo'), record.owner)

    def test_members(self):
        image = self.master.create(
            visibility='shared', user='demo', members='a property'
        )
        self.add_member(image, 'alt', 'accepted')
        self.add_member(image, '')
        asked = ('--owner', 'by-name', '--members')
        self.livecopy(*asked, *self.loud())
        alt, admin = (self.slave.project_id(user) for user in ('alt', ''))
        self.assertEqual(
            {alt: 'accepted', admin: 'pending'},
            self.members(self.slave, image.id),
        )
        self.assertEqual([], self.compare(*asked))
        self.accept(image, '', 'rejected')
        (row,) = self.compare(*asked, expect=3)
        self.assertEqual('members', row['Fields'][0]['field'])
        self.livecopy(*asked)
        self.assertEqual('rejected', self.members(self.slave, image.id)[admin])
        member = f'/images/{image.id}/members/{self.master.project_id("alt")}'
        self.master.request('DELETE', member)
        self.assertEqual([], self.compare(*asked))
        self.livecopy(*asked, '--exact')
        self.assertEqual(
            {admin: 'rejected'}, self.members(self.slave, image.id)
        )

    def test_members_that_nothing_maps(self):
        image = self.master.create(visibility='shared')
        self.add_member(image, 'alt')
        (row,) = self.livecopy('--members', expect=1).rows
        self.assertIn(self.master.project_id('alt'), row['Reason'])
        self.assertEqual(set(), self.slave.ids())

    def test_dump_knows_them_without_the_source(self):
        image = self.master.create(visibility='shared', user='demo')
        self.add_member(image, 'alt', 'accepted')
        path = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        dump = ('image', 'replicate', 'dump', str(path), '--members')
        self.openstack('--os-cloud', 'master', *dump)
        self.master.request('DELETE', f'/images/{image.id}')
        self.openstack(
            '--os-cloud', 'slave', 'image', 'replicate', 'load', str(path),
            '--owner', 'by-name', '--members',
        )  # fmt: skip
        self.assertEqual(
            self.slave.project_id('demo'), self.slave.get(image.id).owner
        )
        self.assertEqual(
            {self.slave.project_id('alt'): 'accepted'},
            self.members(self.slave, image.id),
        )


class TestShape(ReplicaTest):
    def test_shaped_replica(self):
        image = self.master.create(
            b'data', visibility='public', tags=['a'],
            hw_old='1', hw_new='2', site='a',
        )  # fmt: skip
        asked = (
            '--visibility', 'community', '--dont-replicate', 'hw_o*',
            '--set-property', 'site=b', '--set-property', 'by=us',
        )  # fmt: skip
        # An ordinary user may not publish, and does not need to.
        to = 'slave-demo'
        self.livecopy(*asked, to=to)
        replica = self.slave.get(image.id)
        self.assertEqual('community', replica.visibility)
        self.assertEqual(
            {'hw_new': '2', 'site': 'b', 'by': 'us'}, replica.properties
        )
        self.assertEqual([], self.compare(*asked, to=to))
        self.compare(expect=3, to=to)
        self.slave.patch(image.id, local='x', tags=['a', 'b'])
        self.assertEqual([], self.compare(*asked, to=to))
        result = self.livecopy(*asked, '--exact', to=to)
        self.assertEqual({image.id: 'updated'}, result.results)
        replica = self.slave.get(image.id)
        self.assertNotIn('local', replica.properties)
        self.assertEqual(['a'], replica.portable['tags'])

    def test_property_that_the_destination_protects(self):
        secure = self.cloud('secure')
        image = self.master.create(x_billing='1', os_distro='debian')
        (row,) = self.livecopy(to='secure', expect=1).rows
        for words in ('403', 'x_billing', '--dont-replicate'):
            self.assertIn(words, row['Reason'])
        self.assertEqual(set(), secure.ids())
        self.livecopy('--dont-replicate', 'x_billing', to='secure')
        self.assertEqual(
            {'os_distro': 'debian'}, secure.get(image.id).properties
        )
        # What may be changed is, and what may not is named.
        self.master.patch(image.id, name='new')
        (row,) = self.livecopy(to='secure', expect=1).rows
        self.assertIn('x_billing', row['Reason'])
        self.assertEqual('new', secure.get(image.id).name)

    def test_quota_of_properties(self):
        secure = self.cloud('secure')
        many = {f'p{number}': 'x' for number in range(21)}
        image = self.master.create(**many)
        (row,) = self.livecopy(to='secure', expect=1).rows
        self.assertIn('413', row['Reason'])
        self.assertEqual(set(), secure.ids())
        self.livecopy('--dont-replicate', 'p1*', to='secure')
        self.assertEqual('active', secure.get(image.id).status)

    def test_longest_names(self):
        long = 'x' * 255
        image = self.master.create(name=long, tags=[long], **{long: 'a'})
        for fields in (
            {'name': f'{long}x'},
            {'tags': [f'{long}x']},
            {f'{long}x': 'a'},
        ):
            error = self.assertRaises(
                exceptions.BadRequest, self.master.create, **fields
            )
            self.assertEqual(400, error.http_status)
        self.livecopy()
        self.assertEqual(image.portable, self.slave.get(image.id).portable)

    def test_format_that_the_destination_does_not_know(self):
        image = self.master.create()
        self.master.sql("UPDATE images SET disk_format = 'beta'")
        for verb, expect in (('--dry-run', 0), ('--show-all', 1)):
            (row,) = self.livecopy(verb, expect=expect).rows
            self.assertEqual('failed', row['Result'])
            self.assertIn("disk_format 'beta'", row['Reason'])
        self.assertEqual(set(), self.slave.ids())
        (row,) = self.compare(expect=1)
        self.assertEqual(image.id, row['ID'])


class TestReferences(ReplicaTest):
    def setUp(self):
        super().setUp()
        # The first to land is the largest, and the last the smallest.
        self.ari = self._part('ari', client.as_raw(os.urandom(20_000_000)))
        self.aki = self._part('aki', client.as_raw(os.urandom(5_000_000)))
        self.ami = self._part(
            'ami', b'x', kernel_id=self.aki.id, ramdisk_id=self.ari.id
        )

    def _part(self, kind, data, **fields):
        return self.master.create(
            data, container_format=kind, disk_format=kind, name=kind, **fields
        )

    def test_all_of_it_lands_in_order(self):
        self.master.create(name='another')
        result = self.livecopy(
            self.ami.id, '--name', 'ami', '--transfers', '8'
        )
        self.assertEqual(
            [self.ari.id, self.aki.id, self.ami.id],
            [row['ID'] for row in result.rows],
        )
        self.assertEqual(
            {'active'}, {self.slave.get(i).status for i in self.slave.ids()}
        )
        self.assertEqual(3, len(self.slave.ids()))
        self.assertEqual([], self.compare(self.ami.id))

    def test_image_whose_kernel_breaks_is_not_copied(self):
        self.master.stored(self.aki.id).unlink()
        rows = {row['ID']: row for row in self.livecopy(expect=1).rows}
        self.assertEqual('failed', rows[self.aki.id]['Result'])
        self.assertEqual('failed', rows[self.ami.id]['Result'])
        self.assertIn(self.aki.id, rows[self.ami.id]['Reason'])
        self.assertNotIn(self.ami.id, self.slave.ids())
        result = self.livecopy(
            self.ami.id, '--dont-replicate', 'kernel_id', '--show-all'
        )
        self.assertEqual('copied', result.results[self.ami.id])

    def test_missing_kernel_and_circles(self):
        self.master.request('DELETE', f'/images/{self.aki.id}')
        loop = str(uuid.uuid4())
        self.master.create(id=loop, kernel_id=loop)
        rows = {row['ID']: row for row in self.livecopy(expect=1).rows}
        self.assertIn('is not there', rows[self.ami.id]['Reason'])
        self.assertIn('leads back', rows[loop]['Reason'])
        self.assertEqual({self.ari.id}, self.slave.ids())


class TestLeftBehind(ReplicaTest):
    """What can be of no use elsewhere, and what another tool has signed."""

    def test_skipped_with_its_reason(self):
        volume = self.master.create(
            b'',
            block_device_mapping='[{"snapshot_id": "x"}]',
            bdm_v2='True',
        )
        secret = self.master.create(cinder_encryption_key_id=str(uuid.uuid4()))
        rows = {r['ID']: r for r in self.livecopy('--show-all').rows}
        self.assertEqual({'skipped'}, {row['Result'] for row in rows.values()})
        self.assertIn('volume-backed', rows[volume.id]['Reason'])
        self.assertIn('key manager', rows[secret.id]['Reason'])
        self.assertEqual(set(), self.slave.ids())

    def test_signature_that_cannot_be_verified(self):
        signature = {
            'img_signature': 'c2lnbmVk',
            'img_signature_hash_method': 'SHA-256',
            'img_signature_key_type': 'RSA-PSS',
            'img_signature_certificate_uuid': str(uuid.uuid4()),
        }
        image = self.master.create()
        self.master.patch(image.id, **signature)
        (row,) = self.livecopy('--retries', '0', expect=1).rows
        self.assertIn("--dont-replicate 'img_signature*'", row['Reason'])
        self.assertNotEqual('active', self.slave.get(image.id).status)
        self.livecopy('--dont-replicate', 'img_signature*')
        self.assertEqual('active', self.slave.get(image.id).status)


class TestRequired(links.BrokenLinksTest):
    """A destination whose schema requires a property of every image."""

    alone = False

    def test_it_is_foretold(self):
        def require(schema):
            return {**schema, 'required': ['architecture']}

        self.destination.on(
            'GET', '/schemas/image$', faults.Fault(rewrite=require), times=None
        )
        with_it = self.image(100, architecture='x86_64')
        without = self.image(100)
        told = 'slave requires architecture: give --set-property architecture='
        for words, code in (('--dry-run',), 0), ((), 1):
            result = self.copy(*words, expect=code)
            (row,) = [r for r in result.rows if r['ID'] == without.id]
            self.assertEqual('failed', row['Result'])
            self.assertIn(told, row['Reason'])
        self.assertEqual({with_it.id}, self.there())
        result = self.copy(without.id, '--set-property', 'architecture=x')
        self.assertEqual({without.id: 'copied'}, result.results)
        self.assertEqual(
            {'architecture': 'x'}, self.slave.get(without.id).properties
        )


class TestEncrypted(dumps.DumpTest):
    """Images whose key only the source has, or both clouds."""

    alone = False

    def setUp(self):
        super().setUp()
        policy = 'on_image_deletion'
        self.images = {
            key: self.master.create(**{key: str(uuid.uuid4()), **more})
            for key, more in (
                (
                    'cinder_encryption_key_id',
                    {'cinder_encryption_key_deletion_policy': policy},
                ),
                (
                    'os_encrypt_key_id',
                    {
                        'os_encrypt_format': 'luks',
                        'os_encrypt_key_deletion_policy': policy,
                    },
                ),
                (
                    'hw_ephemeral_encryption_secret_uuid',
                    {'hw_ephemeral_encryption': 'true'},
                ),
            )
        }
        self.ids = [image.id for image in self.images.values()]

    def test_they_are_left_out_unless_the_key_is_shared(self):
        for run in (
            self.livecopy(*self.ids),
            self.dump(*self.ids),
            self.livecopy('--set-property', 'a=b', *self.ids),
        ):
            self.assertEqual(dict.fromkeys(self.ids, 'skipped'), run.results)
            reasons = self.reasons(run)
            for key, image in self.images.items():
                self.assertEqual(
                    "encrypted with a key of the source's key manager "
                    f'({key})',
                    reasons[image.id],
                )
        first, *others = self.ids
        self.livecopy('--encrypted', *others)
        for result in 'copied', 'unchanged':
            dumped = self.dump('--encrypted', '--show-all', *self.ids)
            self.assertEqual(dict.fromkeys(self.ids, result), dumped.results)
        results = self.load('--encrypted', '--show-all', *self.ids).results
        self.assertEqual(
            {first: 'copied', **dict.fromkeys(others, 'unchanged')}, results
        )
        self._assert_no_key_goes_with_a_replica()

    def _assert_no_key_goes_with_a_replica(self):
        for key, image in self.images.items():
            replica = self.slave.get(image.id)
            self.assertEqual(image.record[key], replica.record[key])
            policies = {
                field
                for field in image.record
                if field.endswith('_key_deletion_policy')
            }
            self.assertEqual(set(), policies & replica.record.keys())
            self.assertEqual(image.properties, {
                field: value
                for field, value in self.record(image).items()
                if field in image.properties
            })  # fmt: skip
        # What a destination says of its own is no difference either.
        other = self.images['hw_ephemeral_encryption_secret_uuid']
        self.slave.patch(other.id, os_encrypt_key_deletion_policy='x')
        self.replicate(
            'compare', '--to', 'slave', '--encrypted', '--exact', *self.ids
        )
        size = self.replicate('size', '--encrypted', *self.ids)
        self.assertEqual(3, size.rows[0]['Images'])
