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

import fixtures
import testtools

from osc_glance_replicate.tests.doubles import clocks
from osc_glance_replicate.transfer import shared_buffer


class TestPatience(testtools.TestCase):
    def test_it_comes_back_but_slowly(self):
        clock = clocks.Clock()
        self.useFixture(
            fixtures.MonkeyPatch(f'{shared_buffer.__name__}.time', clock)
        )
        patience = shared_buffer._Patience()
        self.assertEqual(2, patience.left())
        patience.spend(2)
        self.assertEqual(0, patience.left())
        clock.now += 10
        self.assertEqual(1, patience.left())
        clock.now += 1000
        self.assertEqual(2, patience.left())
        patience.lose()
        clock.now += 60
        self.assertEqual(0, patience.left())
        clock.now += 10
        self.assertAlmostEqual(1, patience.left())
