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

from osc_glance_replicate.model import proof
from osc_glance_replicate.tests.doubles import samples


class TestSameData(testtools.TestCase):
    def test_evidence(self):
        image = samples.image(data=b'data')
        for other, verdict in (
            (samples.image(data=b'data'), (True, 'sha512')),
            (samples.image(data=b'DATA'), (False, 'sha512')),
            (samples.image(data=b'longer'), (False, 'size')),
            (
                samples.image(os_hash_algo='sha256', os_hash_value='00'),
                (True, 'md5'),
            ),
            (
                samples.image(
                    data=b'DATA', os_hash_algo='sha256', os_hash_value='00'
                ),
                (False, 'md5'),
            ),
            (
                samples.image(
                    os_hash_algo=None, os_hash_value=None, checksum=None
                ),
                (True, 'size'),
            ),
        ):
            self.assertEqual(verdict, proof.same_data(image, other))

    def test_case_of_hex_digits_does_not_matter(self):
        image = samples.image()
        upper = samples.image(
            os_hash_value=image.record['os_hash_value'].upper()
        )
        self.assertEqual((True, 'sha512'), proof.same_data(image, upper))


class TestProof(testtools.TestCase):
    def test_what_can_be_forged_is_not_strong(self):
        for evidence, strong in (
            ('sha512', True),
            ('sha256', True),
            ('blake2b', True),
            ('sha1', False),
            ('md5', False),
            ('size', False),
            ('', False),
        ):
            self.assertEqual(strong, proof.is_strong(evidence))

    def test_strongest_hash_is_read_for(self):
        self.assertEqual('sha512', proof.to_read_for(samples.image()))
        weak = samples.image(os_hash_value=None)
        self.assertEqual('md5', proof.to_read_for(weak))
        none = samples.image(os_hash_value=None, checksum=None)
        self.assertEqual('', proof.to_read_for(none))
