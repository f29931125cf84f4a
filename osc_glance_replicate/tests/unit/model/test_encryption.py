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

import testtools

from osc_glance_replicate.model import encryption


class TestKeys(testtools.TestCase):
    def test_what_names_keys(self):
        for record, expected in (
            ({'os_encrypt_format': 'luks'}, []),
            ({'os_encrypt_key_id': ''}, []),
            ({'os_encrypt_key_id': None}, []),
            (
                {'os_encrypt_key_id': 'b', 'cinder_encryption_key_id': 'a'},
                ['cinder_encryption_key_id', 'os_encrypt_key_id'],
            ),
        ):
            self.assertEqual(expected, encryption.naming_keys(record))

    def test_what_becomes_of_a_key(self):
        for field in (
            'os_encrypt_key_deletion_policy',
            'cinder_encryption_key_deletion_policy',
        ):
            self.assertTrue(encryption.is_key_policy(field))
        for field in 'os_encrypt_key_id', 'key_deletion_policy_x':
            self.assertFalse(encryption.is_key_policy(field))
