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

"""From a name in clouds.yaml to a connection, and the limits of it.

Nothing here knows of images.
"""

from typing import Protocol, runtime_checkable


@runtime_checkable
class Upload(Protocol):
    """A body whose sending may take as long as it likes.

    :ivar taken_at: when its latest bytes were taken, as of time.monotonic
    :ivar given_up: whether nobody waits for its end any more: it is to raise
    """

    taken_at: float
    given_up: bool
