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
from osc_glance_replicate.tests.doubles import clocks
from osc_glance_replicate.tests.doubles import samples
from osc_glance_replicate.transfer import data_verification
from osc_glance_replicate.transfer import image_reading
from osc_glance_replicate.transfer import read_ahead
from osc_glance_replicate.transfer import verified_reader

_PATIENCE = clocks.PATIENCE


class TestVerifiedReader(testtools.TestCase):
    def opened(self, data, recorded=b'some data'):
        ahead = read_ahead.ReadAhead(
            samples.Data(data), image_reading.MAX_BLOCK
        )
        verification = data_verification.Verification(
            samples.image(data=recorded), 'dump', True, to_hash=['sha256']
        )
        reader = verified_reader.VerifiedReader(
            ahead, verification, samples.GO
        )
        return self.enterContext(reader)

    def test_hashes_are_known_at_the_end(self):
        reader = self.opened(b'some data')
        while reader.read(_PATIENCE) != b'':
            pass
        self.assertEqual(
            {
                algorithm: hashlib.new(algorithm, b'some data').hexdigest()
                for algorithm in ('sha512', 'sha256')
            },
            reader.digests,
        )

    def test_damage_that_is_near_is_found_before_anything_is_given(self):
        reader = self.opened(b'some dada')
        self.assertRaises(errors.DataError, reader.look_ahead)
        self.assertEqual(b'som', reader.read(_PATIENCE))
