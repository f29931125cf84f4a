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

"""The soak in a short form; see soak.py for the long one."""

import random

from osc_glance_replicate.tests.functional import base
from osc_glance_replicate.tests.functional import soak


class TestSoak(soak.Soak):
    def test_killed_and_troubled(self):
        self.soak(
            images=base.often(12, 100),
            largest=base.often(4, 32),
            kills=base.often(2, 30),
            seed=random.randrange(10**6),
            limit=base.often(900, 7200),
        )
