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

from osc_glance_replicate.model import ownership
from osc_glance_replicate.places.glance import hashing
from osc_glance_replicate.tests.doubles import samples

MINE = ownership.Runner(frozenset(['mine']), project='mine')
UNHASHED = {'os_hash_value': None, 'checksum': None}


class TestHashing(testtools.TestCase):
    def needed(self, *listed, **fields):
        """Return what is needed of an image, where others were seen."""
        found = hashing.Hashing(MINE)
        for number, each in enumerate(listed):
            image = samples.image(number, **{'owner': 'mine', **each})
            self.assertIs(image, found.noted(image))
        return found.needed(samples.image(9, **fields))

    def test_newest_image_tells(self):
        other = {'os_hash_algo': 'sha256', 'os_hash_value': 'a' * 64}
        newer = '2026-06-01T00:00:00Z'
        for listed, algorithms in (
            ((), ('sha512', 'md5')),
            (({},), ('sha512',)),
            (({}, other), ('sha512',)),
            (({'created_at': newer, **other}, {}), ('sha256',)),
            (({'created_at': None, **other}, {}), ('sha512',)),
            (({'os_hash_algo': None},), ('md5',)),
            ((UNHASHED,), ('sha512', 'md5')),
            (({'status': 'queued'},), ('sha512', 'md5')),
            (({'os_hash_algo': 'sm3'},), ('md5',)),
            (({'owner': 'other', **other},), ('sha512', 'md5')),
            (({'name': 5, **other},), ('sha512', 'md5')),
        ):
            self.assertEqual(algorithms, self.needed(*listed, **UNHASHED))

    def test_what_is_recorded_in_both_places_is_not_hashed_again(self):
        for fields, algorithms in (
            ({}, ()),
            ({'os_hash_value': None}, ()),
            ({'checksum': None}, ()),
            ({'checksum': None, 'os_hash_algo': 'sha256'}, ('sha512',)),
            ({**UNHASHED, 'size': 0}, ()),
        ):
            self.assertEqual(algorithms, self.needed({}, **fields))
