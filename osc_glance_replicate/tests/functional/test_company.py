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

"""Kernels that come along with a tenant's images: as far as he may see."""

from osc_glance_replicate.tests.functional import cluster
from osc_glance_replicate.tests.functional import dumps


class TestCompany(dumps.DumpTest):
    """An image of demo's names a kernel of the administrator's."""

    alone = False

    def kernel(self, visibility='private', user='', member=None, **fields):
        """Make a kernel.

        :param member: the user to whose project it is shown
        """
        kernel = self.master.create(
            b'kernel', user, visibility=visibility, name='kernel',
            disk_format='aki', container_format='aki', **fields,
        )  # fmt: skip
        if member:
            self.master.request(
                'POST', f'/images/{kernel.id}/members',
                json={'member': self.master.project_id(member)},
            )  # fmt: skip
        return kernel

    def image(self, kernel, user='demo', **fields):
        return self.master.create(
            b'image', user, name='image', kernel_id=kernel.id, **fields
        )

    def is_there(self, image):
        return image.id in self.slave.ids()

    def assertFailed(self, result, image, *words):
        (row,) = (row for row in result.rows if row['ID'] == image.id)
        self.assertEqual('failed', row['Result'])
        for word in words:
            self.assertIn(word, row['Reason'])
        self.assertFalse(self.is_there(image))

    def test_what_the_owner_may_not_see_stays(self):
        """Neither is it published, nor carried out of the house."""
        hidden = self.kernel(os_hidden=True)
        others = self.kernel('shared', member='alt')
        for kernel in hidden, others:
            image = self.image(kernel)
            asked = image.id, '--visibility', 'community'
            for more, code in ((['--dry-run'], 0), ([], 1)):
                result = self.livecopy(*asked, *more, expect=code)
                self.assertFailed(
                    result, image, f'kernel_id {kernel.id} is', 'may not see'
                )
            self.assertFalse(self.is_there(kernel))
            self.dump(image.id)
            self.assertIn(image.id, self.names())
            self.assertNotIn(kernel.id, self.names())
            # The administrator may copy it by itself.
            own = self.image(kernel, user='')
            self.livecopy(own.id)
            self.assertTrue(self.is_there(kernel))

    def test_what_is_shown_to_him_comes_along_and_no_further(self):
        kernel = self.kernel('shared', member='demo')
        # To have rejected it keeps nobody from it.
        project = self.master.project_id('demo')
        self.master.request(
            'PUT', f'/images/{kernel.id}/members/{project}',
            json={'status': 'rejected'},
        )  # fmt: skip
        self.master.request('GET', f'/images/{kernel.id}', 'demo')
        image = self.image(kernel)
        self.dump(image.id)
        self.assertLessEqual({kernel.id, image.id}, self.names())
        result = self.livecopy(image.id, '--visibility', 'community', expect=1)
        self.assertFailed(result, image, 'its kernel stays shared')
        self.assertEqual('copied', result.results[kernel.id])
        self.assertEqual('shared', self.slave.get(kernel.id).visibility)
        self.livecopy(image.id)
        self.assertTrue(self.is_there(image))

    def test_no_run_for_him_changes_what_is_not_his(self):
        kernel = self.kernel('public')
        self.livecopy(kernel.id)
        before = self.slave.get(kernel.id)
        image = self.image(kernel)
        result = self.livecopy(
            image.id, '--visibility', 'private', '--set-property', 'a=b',
            '--show-all',
        )  # fmt: skip
        self.assertEqual('skipped', result.results[kernel.id])
        self.assertTrue(self.is_there(image))
        self.assertEqual(before, self.slave.get(kernel.id))

    def test_what_is_excluded_stays(self):
        kernel = self.kernel('public')
        image = self.image(kernel)
        asked = image.id, '--exclude', kernel.id
        result = self.livecopy(*asked, expect=1)
        self.assertFailed(result, image, kernel.id)
        self.assertFalse(self.is_there(kernel))
        self.dump(*asked)
        self.assertNotIn(kernel.id, self.names())
        self.livecopy(kernel.id)
        self.livecopy(*asked)
        self.assertTrue(self.is_there(image))

    def test_ordinary_user_takes_what_he_can_read(self):
        kernel, private = self.kernel(user='demo'), self.kernel()
        # Whose image it is matters to an administrator only.
        image = self.image(kernel, 'alt', visibility='community')
        other = self.image(private)
        result = self.livecopy(
            image.id, other.id, '--visibility', 'private',
            source='master-demo', to='slave-demo', expect=1,
        )  # fmt: skip
        self.assertEqual('copied', result.results[image.id])
        self.assertTrue(self.is_there(kernel))
        self.assertFailed(result, other, f'kernel_id {private.id}')

    def test_workers_give_no_more(self):
        self.hired = self.useFixture(cluster.Cluster([self.clouds_yaml()]))
        kernel = self.kernel('shared', member='demo')
        image = self.image(kernel)
        result = self.livecopy(
            image.id, '--visibility', 'community',
            '--scheduler', self.hired.address, expect=1,
        )  # fmt: skip
        self.assertEqual('copied', result.results[kernel.id])
        self.assertEqual('shared', self.slave.get(kernel.id).visibility)
        self.assertFailed(result, image, 'its kernel stays shared')

    def test_dump_says_who_sees_it(self):
        """Whoever wrote it may have set the owners."""
        kernel = self.kernel(user='demo')
        image = self.image(kernel)
        self.dump(image.id)
        result = self.load(image.id, '--visibility', 'public', expect=1)
        self.assertFailed(result, image, 'its kernel stays private')
        self.assertEqual('private', self.slave.get(kernel.id).visibility)
        self.load(image.id, kernel.id, '--visibility', 'public')
        for each in image, kernel:
            self.assertEqual('public', self.slave.get(each.id).visibility)
