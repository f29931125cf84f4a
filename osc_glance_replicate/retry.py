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

"""How long to wait between two tries."""

from collections.abc import Iterator
import random

from osc_glance_replicate import errors

#: Seconds before the second try; doubled with each one after it.
_FIRST = 1.0

#: Seconds that are waited at the most, of one's own accord.
_LONGEST = 60.0

#: Seconds that are waited at the most when a place asks for it.
_LONGEST_ASKED = 300.0


def delays() -> Iterator[float]:
    """Give the seconds before each further try, growing without end."""
    delay = _FIRST
    while True:
        # Jitter, so that two runs that met do not meet again.
        yield min(delay, _LONGEST) * random.uniform(0.5, 1)  # noqa: S311
        delay *= 2


def wait(delay: float, trouble: errors.TransientError) -> float:
    """Give the seconds to wait, respecting what the place asked for."""
    return max(delay, min(trouble.retry_after, _LONGEST_ASKED))
