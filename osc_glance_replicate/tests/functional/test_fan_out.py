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

from collections.abc import Iterable, Iterator
import time

from osc_glance_replicate.model import image_record
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

    def trickle(self) -> faults.Stream:
        """Let next to nothing pass until ``held`` is set."""

        def stream(blocks: Iterable[bytes]) -> Iterator[bytes]:
            for block in blocks:
                view = memoryview(block)
                while view and not self.held.wait(0.2):
                    yield bytes(view[:64])
                    view = view[64:]
                yield bytes(view)

        return stream

    def await_secure(self, image: image_record.Image) -> None:
        """Wait until the other destination has an image."""
        self.wait_for(
            lambda: (
                image.id in self.secure.ids()
                and self.secure.get(image.id).status == 'active'
            )
        )

    def test_read_once(self):
        size = 4 * base.MIB
        good = self.image(size, name='good')
        # More than is kept for one that blocks, and what is on its way.
        blocked = self.image(96 * base.MIB, name='blocked')
        self.destination.on(
            'PUT',
            f'{blocked.id}/file$',
            faults.Fault(upload=self.trickle()),
        )
        command = self.start_copy('--to', 'secure')
        self.await_secure(blocked)
        # It has been dropped, and is served alone when it asks again.
        self.held.set()
        result = self.finish(command)
        self.assertEqual(4, len(result.rows))
        for image in good, blocked:
            self.assertCopied(image)
            self.assertReplica(image, self.data[image.id], self.secure)
        (once,) = self.read(good)
        self.assertEqual(size, once)
        # To the same record.
        self.assertEqual([96 * base.MIB] * 2, self.read(blocked))
        self.assertEqual(2, len(self.puts(blocked)))

    def test_slow_one_takes_it_at_its_own_pace(self):
        images = [self.image(24 * base.MIB) for _ in range(2)]
        self.destination.on(
            'PUT', '/file$', faults.Fault(upload=self.trickle()), times=None
        )
        command = self.start_copy('--to', 'secure')
        for image in images:
            self.await_secure(image)
            # The source has been let go, too.
            self.assertEqual([24 * base.MIB], self.read(image))
            (slow,) = self.puts(image)
            self.assertLess(slow.uploaded, base.MIB)
        self.held.set()
        self.finish(command)
        for image in images:
            self.assertCopied(image, puts=1)
            self.assertReplica(image, self.data[image.id], self.secure)
            self.assertEqual([24 * base.MIB], self.read(image))

    def test_bandwidth(self):
        for _ in range(4):
            self.image(2 * base.MIB)
        start = time.monotonic()
        self.copy('--to', 'secure', '--bandwidth', '1Mi')
        self.assertGreater(time.monotonic() - start, 7)
        for image in map(self.master.get, self.data):
            self.assertCopied(image, puts=1)
