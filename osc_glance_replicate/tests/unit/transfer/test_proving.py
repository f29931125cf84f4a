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

import hashlib

import testtools

from osc_glance_replicate import errors
from osc_glance_replicate.tests.doubles import places
from osc_glance_replicate.tests.doubles import samples
from osc_glance_replicate.transfer import image_reading
from osc_glance_replicate.transfer import proving


class TestProving(testtools.TestCase):
    def digest(self, image, data=b'data'):
        counts = []
        reading = image_reading.Reading(places.Place('master', data), 0)
        found = proving.digest(reading, image, 'sha256', counts.append)
        self.assertEqual(len(data), sum(counts))
        return found

    def test_all_data_is_hashed(self):
        self.assertEqual(
            hashlib.sha256(b'data').hexdigest(), self.digest(samples.image())
        )

    def test_data_is_held_against_its_own_record(self):
        for data in b'dada', b'dat', b'data and more':
            self.assertRaises(
                errors.PlaceError, self.digest, samples.image(), data
            )
