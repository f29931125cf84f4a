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

from osc_glance_replicate.tests.doubles import samples
from osc_glance_replicate.transfer import digest


class TestDigest(testtools.TestCase):
    def problem(self, image, *blocks):
        hashed = digest.Digest(image)
        self.addCleanup(hashed.close)
        for block in blocks:
            hashed.update(block)
        return hashed.problem()

    def test_blocks_are_hashed_in_order(self):
        blocks = [b'%d' % number * 1000 for number in range(200)]
        image = samples.image(data=b''.join(blocks))
        self.assertEqual('', self.problem(image, *blocks))
        self.assertIn('sha512', self.problem(image, *reversed(blocks)))

    def test_both_hashes_are_told(self):
        image = samples.image(data=b'data', os_hash_algo=None)
        told = self.problem(image, b'dada')
        self.assertIn('its md5 is ', told)
        self.assertIn(f'{image.record["checksum"][:16]}… is recorded', told)

    def test_empty_image(self):
        self.assertEqual('', self.problem(samples.image(data=b'')))

    def test_nothing_to_hold_it_against(self):
        nothing = samples.image(os_hash_algo=None, checksum=None)
        for image in nothing, None:
            self.assertEqual('', self.problem(image, b'whatever'))
