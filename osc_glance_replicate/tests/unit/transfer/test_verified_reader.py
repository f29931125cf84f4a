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
from osc_glance_replicate.transfer import image_reading
from osc_glance_replicate.transfer import read_ahead
from osc_glance_replicate.transfer import upload_body
from osc_glance_replicate.transfer import verified_reader


class TestFirst(testtools.TestCase):
    def first(self, data, checksum):
        """Read all of it first."""
        ahead = read_ahead.ReadAhead(data, image_reading.MAX_BLOCK)
        image = samples.image(data=b'some data')
        first, again = (
            data_verification.Verification(image, 'dump', hashed)
            for hashed in (True, checksum)
        )
        with verified_reader.VerifiedReader(
            ahead, first, samples.GO, again
        ) as blocks:
            blocks.look_ahead()
            return b''.join(upload_body.UploadBody(blocks, 9))

    def test_what_was_checked_is_checked_again(self):
        class Changing(samples.Data):
            def rewind(self):
                super().rewind()
                self._file.write(b'evil')
                super().rewind()

        data = samples.Data(b'some data')
        self.assertEqual(b'some data', self.first(data, checksum=True))
        error = self.assertRaises(
            errors.DataError, self.first, Changing(b'some data'), checksum=True
        )
        self.assertIn('damaged', str(error))

    def test_no_checksum_checks_what_can_be_read_twice(self):
        data = samples.Data(b'evil data')
        self.assertRaises(errors.DataError, self.first, data, checksum=False)
