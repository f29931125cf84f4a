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

"""Time in tests: whose clock it is, and how long to wait for what must come.

What is measured goes by a clock of the test's own. What is waited for is a
condition, and the limit is only there so that what hangs ends.
"""

#: Seconds until what is waited for is taken to hang. It takes less than one
#: on a quiet machine.
PATIENCE = 60


class Clock:
    """A clock that goes on only while somebody sleeps, instead of ``time``."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
