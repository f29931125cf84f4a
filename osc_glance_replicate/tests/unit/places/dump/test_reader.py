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

from osc_glance_replicate import errors
from osc_glance_replicate.places.dump import reader
from osc_glance_replicate.tests.doubles import dumps


class TestReader(dumps.FilesTest):
    def opened(self, start=0, end=10):
        self.put('data', b'0123456789')
        self.fd = os.open(self.at('data'), os.O_RDWR)
        self.addCleanup(os.close, self.fd)
        return reader.Reader('dump', self.fd, start, end)

    def test_a_part_of_a_file_is_read(self):
        data = self.opened(2, 7)
        self.assertEqual(
            [b'234', b'56', b''], [data.read(3) for _ in range(3)]
        )

    def test_change_is_noticed_at_the_end(self):
        data = self.opened()
        self.assertEqual(b'0123456789', data.read(100))
        os.truncate(self.fd, 11)
        error = self.assertRaises(errors.DataError, data.read, 100)
        self.assertIn('dump: changed while it was read', str(error))

    def test_what_cannot_be_read_names_the_place(self):
        data = self.opened()
        fd = os.open(self.path, os.O_RDONLY)
        self.addCleanup(os.close, fd)
        data._fd = fd
        error = self.assertRaises(errors.RefusedError, data.read, 1)
        self.assertTrue(str(error).startswith('dump: '), error)
