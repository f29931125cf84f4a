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

import concurrent.futures
import threading

import testtools

from osc_glance_replicate import errors
from osc_glance_replicate.transfer import branches
from osc_glance_replicate.transfer import pace


class TestBranch(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.stop = threading.Event()
        self.sizes = []
        self.branch = branches.Branch(
            'slave',
            concurrent.futures.Future(),
            threading.Condition(),
            self.stop,
            pace.Pace(),
            lambda: self.sizes.append(self.branch.size),
        )

    def test_blocks_in_their_order(self):
        self.assertIsNone(self.branch.read(0))
        for block in b'one', b'three':
            self.branch.put(block)
        self.assertEqual(8, self.branch.size)
        self.assertEqual(
            [b'one', b'three', None], [self.branch.read(0) for _ in range(3)]
        )
        self.assertEqual([5, 0], self.sizes)

    def test_whoever_has_left_holds_nothing(self):
        with self.branch:
            self.branch.put(b'one')
        self.assertFalse(self.branch.is_served)
        self.assertEqual([0], self.sizes)

    def test_trouble_comes_before_what_is_there_still(self):
        self.branch.put(b'one')
        self.branch.drop()
        self.assertFalse(self.branch.is_served)
        self.assertEqual([0], self.sizes)
        self.assertRaises(errors.DroppedError, self.branch.read, 0)

    def test_end_of_the_run(self):
        self.branch.put(b'one')
        self.stop.set()
        self.assertRaises(errors.StoppedError, self.branch.read, 0)

    def test_busy_from_the_first_block_to_the_next_reading(self):
        self.assertEqual(0, self.branch.busy)
        self.branch.put(b'one')
        self.assertGreater(self.branch.busy, 0)
        self.branch.read(0)
        self.assertGreater(self.branch.busy, 0)
        self.branch.read(0)
        self.assertEqual(0, self.branch.busy)
