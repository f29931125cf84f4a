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

from osc_glance_replicate import errors
from osc_glance_replicate.tests.doubles import samples
from osc_glance_replicate.transfer import data_verification


class TestVerification(testtools.TestCase):
    def verify(self, image, *blocks, checksum=True, inspect=False):
        verification = data_verification.Verification(
            image, 'master', checksum, inspect
        )
        self.addCleanup(verification.close)
        for block in blocks:
            verification.add(block)
        verification.finish()

    def problem(self, *args, **options):
        error = self.assertRaises(
            errors.DataError, self.verify, *args, **options
        )
        self.assertTrue(str(error).startswith('master: '), error)
        return str(error)

    def test_good_data(self):
        for data in b'', b'data':
            self.verify(samples.image(data=data), data)
        self.verify(samples.image(), b'da', b'ta')

    def test_length(self):
        image = samples.image()
        for checksum in True, False:
            told = self.problem(image, b'dat', checksum=checksum)
            self.assertIn(f'sent 3 of the 4 bytes of {image.id}', told)
            told = self.problem(image, b'dat', b'a!', checksum=checksum)
            self.assertIn(f'sent more than the 4 bytes of {image.id}', told)

    def test_hash(self):
        image = samples.image()
        told = self.problem(image, b'dada')
        self.assertIn(f'the data of {image.id} is damaged: its sha512', told)
        self.verify(image, b'dada', checksum=False)

    def test_format(self):
        image = samples.image(disk_format='qcow2')
        self.verify(image, b'data')
        told = self.problem(image, b'data', inspect=True)
        for words in (
            'it is raw, and disk_format is qcow2',
            '--no-format-check',
        ):
            self.assertIn(words, told)


class TestDigest(testtools.TestCase):
    def problem(self, image, *blocks):
        hashed = data_verification.Digest(image)
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
