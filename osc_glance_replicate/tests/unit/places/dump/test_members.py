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

from osc_glance_replicate.places.dump import members


class TestMembers(testtools.TestCase):
    def test_they_come_back_in_one_order(self):
        for there in {}, {'q': 'pending', 'p': 'accepted'}:
            content = members.serialize(there)
            self.assertEqual(there, members.parse(content))
            again = members.serialize(dict(reversed(there.items())))
            self.assertEqual(content, again)

    def test_what_lists_no_members(self):
        for content in b'', b'{}', b'[1]', b'\xff', b'[{"member_id": "p"}]':
            self.assertRaises(ValueError, members.parse, content)
        self.assertRaises(RecursionError, members.parse, b'[' * 99999)
