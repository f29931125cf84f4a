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

"""The clock of a cloud, as the Date headers of its answers show it."""

import datetime
import email.utils
import time

import requests

#: What a header leaves out, on average: it tells whole seconds.
_FRACTION = 0.5


class Clock:
    """How the clock of a cloud differs from this machine's.

    The quickest answer tells best: some servers give the time at which the
    request came, others that of the answer.

    :ivar ahead: seconds by which it is ahead; 0 until an answer tells
    """

    def __init__(self) -> None:
        self.ahead = 0.0
        self._quickest = float('inf')

    def note(self, response: requests.Response, seconds: float) -> None:
        """Look at an answer that has just begun.

        :param seconds: since the request was made
        """
        if seconds >= self._quickest:
            return
        try:
            date = email.utils.parsedate_to_datetime(response.headers['date'])
        except (KeyError, ValueError, OverflowError):
            return
        if date.tzinfo is None:
            # So it is read where it says -0000.
            date = date.replace(tzinfo=datetime.UTC)
        self._quickest = seconds
        meanwhile = time.time() - seconds / 2
        self.ahead = date.timestamp() + _FRACTION - meanwhile
