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

from osc_glance_replicate.model import image_members


class TestParse(testtools.TestCase):
    def test_members(self):
        listed = [
            {'member_id': 'p', 'status': 'accepted', 'schema': '/x'},
            {'member_id': 'q', 'status': 'pending'},
        ]
        self.assertEqual(
            {'p': 'accepted', 'q': 'pending'}, image_members.parse(listed)
        )
        self.assertEqual({}, image_members.parse([]))

    def test_what_is_no_list_of_members(self):
        good = {'member_id': 'p', 'status': 'accepted'}
        for listed in (
            None,
            {},
            'x',
            [1],
            [good, None],
            [{**good, 'status': 'maybe'}],
            [{**good, 'status': None}],
            [{**good, 'member_id': 7}],
            [{**good, 'member_id': '../x'}],
            [{**good, 'member_id': '.'}],
            [{**good, 'member_id': 'x' * 256}],
            [{**good, 'member_id': ''}],
        ):
            self.assertRaises(ValueError, image_members.parse, listed)
