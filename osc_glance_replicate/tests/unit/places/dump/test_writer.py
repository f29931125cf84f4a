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

import errno
import os

import fixtures

from osc_glance_replicate.places.dump import writer
from osc_glance_replicate.tests.doubles import dumps


class TestFill(dumps.FilesTest):
    def fill(self, kept, *blocks):
        self.put('data', kept)
        fd = os.open(self.at('data'), os.O_RDWR)
        try:
            writer.fill(fd, blocks)
        finally:
            os.close(fd)
        return self.content('data')

    def test_rest_is_written(self):
        for kept in b'', b'so', b'some', b'some data':
            filled = self.fill(kept, b'some', memoryview(b' data'))
            self.assertEqual(b'some data', filled)

    def test_what_is_too_long_is_cut(self):
        self.assertEqual(b'some', self.fill(b'some data', b'some'))

    def test_zeros_are_holes(self):
        large = bytes(2**20)
        filled = self.fill(b'', b'x', large, b'y', large)
        self.assertEqual(b'x' + large + b'y' + large, filled)
        taken = os.stat(self.at('data')).st_blocks * 512
        self.assertLess(taken, 2**18)

    def test_zeros_are_holes_in_whatever_blocks_they_come(self):
        zeros = [bytes(5000)] * 400
        filled = self.fill(b'', b'x', *zeros, b'y', *zeros)
        self.assertEqual(
            b'x' + bytes(2_000_000) + b'y' + bytes(2_000_000), filled
        )
        taken = os.stat(self.at('data')).st_blocks * 512
        self.assertLess(taken, 2**16)

    def test_file_system_that_makes_no_file_longer(self):
        def ftruncate(fd, size):
            if size > os.fstat(fd).st_size:
                raise OSError(errno.EPERM, 'Operation not permitted')
            truncate(fd, size)

        truncate = os.ftruncate
        self.useFixture(fixtures.MonkeyPatch('os.ftruncate', ftruncate))
        zeros = bytes(10_000)
        self.assertEqual(b'x' + zeros, self.fill(b'', b'x', zeros))
        self.assertEqual(zeros, self.fill(b'', zeros))
        self.assertEqual(b'', self.fill(b'more'))
