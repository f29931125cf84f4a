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

from osc_glance_replicate.transfer import image_reading


class TestBlocks(testtools.TestCase):
    def test_all_transfers_share_some_memory(self):
        for transfers, kib in (1, 1024), (3, 1024), (8, 384), (64, 128):
            self.assertEqual(kib * 1024, image_reading.fair_block(transfers))
