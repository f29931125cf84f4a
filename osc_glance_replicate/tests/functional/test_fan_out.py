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

"""One reading of the source for several destinations, and how fast."""

import time

from osc_glance_replicate.tests.functional import base
from osc_glance_replicate.tests.functional import faults
from osc_glance_replicate.tests.functional import links


class TestFanOut(links.BrokenLinksTest):
    alone = False

    def setUp(self):
        super().setUp()
        self.secure = self.cloud('secure')

    def read(self, image):
        """Give the bytes of each reading of an image's data."""
        for call in self.gets(image):
            self.assertTrue(call.over.wait(300))
        return [call.downloaded for call in self.gets(image)]

    def test_read_once(self):
        size = 4 * base.MIB
        good = self.image(size, name='good')
        # More than is kept for one that blocks, and what is on its way.
        blocked = self.image(32 * base.MIB, name='blocked')
        self.destination.on(
            'PUT',
            f'{blocked.id}/file$',
            faults.Fault(upload=self.hold()),
        )
        result = self.copy('--to', 'secure')
        self.assertEqual(4, len(result.rows))
        for image in good, blocked:
            self.assertCopied(image)
            self.assertReplica(image, self.data[image.id], self.secure)
        (once,) = self.read(good)
        self.assertEqual(size, once)
        # The one that blocked was served alone, to the same record.
        self.assertEqual([32 * base.MIB] * 2, self.read(blocked))
        self.assertEqual(2, len(self.puts(blocked)))

    def test_bandwidth(self):
        for _ in range(4):
            self.image(2 * base.MIB)
        start = time.monotonic()
        self.copy('--to', 'secure', '--bandwidth', '1Mi')
        self.assertGreater(time.monotonic() - start, 7)
        for image in map(self.master.get, self.data):
            self.assertCopied(image, puts=1)
