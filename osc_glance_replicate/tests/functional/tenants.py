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

"""Images of whom a destination has to know whose they are."""

from osc_glance_replicate.tests.functional import dumps


class TenantsTest(dumps.DumpTest):
    """Two clouds, whose images are named."""

    alone = False

    def copy(self, *images, **options):
        """Run a livecopy of some images.

        :returns: the only row
        """
        words = [getattr(image, 'id', image) for image in images]
        (row,) = self.livecopy('--show-all', *words, **options).rows
        return row

    def compare(self, image, *arguments, expect=3):
        result = self.openstack(
            '--os-cloud', 'master', 'image', 'replicate', 'compare', '-f',
            'json', '--to', 'slave', '--show-all', image.id, *arguments,
            expect=expect,
        )  # fmt: skip
        (row,) = result.rows
        return row

    def unhash(self, cloud, *images, md5=False):
        """Have a cloud know no hash of images, as of snapshots on Ceph.

        :param md5: whether it knows that one, as Pike does
        """
        fields = [
            'os_hash_algo',
            'os_hash_value',
            *([] if md5 else ['checksum']),
        ]
        nulls = ', '.join(f'{field} = NULL' for field in fields)
        for image in images:
            cloud.sql(f'UPDATE images SET {nulls} WHERE id = %s', image.id)

    def forget(self, image, cloud=None):
        """Remove an image so that its UUID can be used again."""
        cloud = cloud or self.slave
        for table in 'image_properties', 'image_locations', 'image_tags':
            cloud.sql(f'DELETE FROM {table} WHERE image_id = %s', image.id)
        cloud.sql('DELETE FROM images WHERE id = %s', image.id)
        cloud.stored(image.id).unlink(missing_ok=True)

    def assertLeftAlone(self, record, data=None, cloud=None):
        """Nothing of a record has changed, not even when it was changed."""
        cloud = cloud or self.slave
        self.assertEqual(record.record, cloud.get(record.id).record)
        if data is not None:
            self.assertEqual(data, cloud.data(record.id))
