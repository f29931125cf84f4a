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

import dataclasses
import hashlib
from unittest import mock

import fixtures
import testtools

from osc_glance_replicate import background
from osc_glance_replicate import errors
from osc_glance_replicate.tests.doubles import samples
from osc_glance_replicate.transfer import data_verification


class VerificationTest(testtools.TestCase):
    def verify(
        self, image, *blocks, checksum=True, inspect=False, by=(), renamed=''
    ):
        verification = data_verification.Verification(
            image, 'master', checksum, inspect, by, renamed
        )
        self.addCleanup(verification.close)
        for block in blocks:
            verification.add(block)
            self.assertEqual({}, verification.digests)
        verification.finish()
        return verification.digests

    def problem(self, *args, **options):
        error = self.assertRaises(
            errors.DataError, self.verify, *args, **options
        )
        self.assertTrue(str(error).startswith('master: '), error)
        return str(error)


class TestVerification(VerificationTest):
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
        for words in (
            f'the data of {image.id} is damaged, or its record was made with '
            'a wrong hash: its sha512 is ',
            f'{image.record["os_hash_value"][:16]}… is recorded',
        ):
            self.assertIn(words, told)
        self.verify(image, b'dada', checksum=False)

    def test_hash_that_is_not_the_records_is_not_called_so(self):
        image = samples.image(os_hash_algo=None, checksum=None)
        noted = hashlib.sha512(b'data').hexdigest()
        image = dataclasses.replace(image, noted={'sha512': noted})
        told = self.problem(image, b'dada')
        self.assertIn('or the hash that its dump notes is wrong', told)
        self.verify(image, b'data')

    def test_format(self):
        image = samples.image(disk_format='qcow2')
        self.verify(image, b'data')
        told = self.problem(image, b'data', inspect=True)
        for words in (
            'it is raw, and disk_format is qcow2',
            '--no-format-check',
        ):
            self.assertIn(words, told)

    def test_format_that_is_to_have_another_name(self):
        image = samples.image(disk_format='gpt')
        told = self.problem(image, b'data', renamed='raw')
        for words in (
            f'the data of {image.id} is not what --map-format says: it is '
            'raw, and not both gpt and raw',
            'copy it without, or leave it out with --exclude',
        ):
            self.assertIn(words, told)
        self.assertNotIn('--no-format-check', told)


class TestHashes(VerificationTest):
    def test_those_asked_for_are_computed_besides_the_recorded_one(self):
        for data in b'data', bytes(3_000_000):
            image = samples.image(data=data)
            for checksum, by in (
                (True, ()),
                (True, ('sha512', 'md5')),
                (False, ('sha256', 'md5')),
                (False, ()),
            ):
                wanted = {*by, 'sha512'} if checksum else {*by}
                self.assertEqual(
                    {
                        algorithm: hashlib.new(algorithm, data).hexdigest()
                        for algorithm in wanted
                    },
                    self.verify(image, data, checksum=checksum, by=by),
                )

    def test_weaker_one_is_held_against_it_where_there_is_no_other(self):
        image = samples.image(os_hash_algo=None)
        self.assertIn('its md5 is ', self.problem(image, b'dada'))

    def test_nothing_to_hold_it_against(self):
        nothing = samples.image(os_hash_algo=None, checksum=None)
        self.assertEqual({}, self.verify(nothing, b'data'))


class TestDigest(testtools.TestCase):
    def test_blocks_are_hashed_in_order(self):
        blocks = [b'%d' % number * 10000 for number in range(200)]
        data = b''.join(blocks)
        for size in 0, len(data):
            hashed = data_verification.Digest('sha512', size)
            self.addCleanup(hashed.close)
            for block in blocks:
                hashed.update(block)
            self.assertEqual(hashlib.sha512(data).hexdigest(), hashed.value())

    def test_threads_end(self):
        executor = mock.Mock()
        self.useFixture(
            fixtures.MonkeyPatch(
                f'{background.__name__}.Executor', lambda: executor
            )
        )
        image = samples.image(data=bytes(2_000_000))
        verification = data_verification.Verification(
            image, 'master', True, to_hash=['sha256', 'md5']
        )
        verification.add(bytes(1000))
        verification.close()
        self.assertEqual(3, executor.close.call_count)

    def test_only_what_is_long_has_a_thread(self):
        started = []
        self.useFixture(
            fixtures.MonkeyPatch(
                f'{background.__name__}.Executor',
                lambda: started.append(self) or mock.Mock(),
            )
        )
        for size, threads in (1024 * 1024, 0), (1024 * 1024 + 1, 1):
            started.clear()
            hashed = data_verification.Digest('sha512', size)
            for _ in range(2):
                hashed.update(b'data')
            self.assertEqual(threads, len(started))
