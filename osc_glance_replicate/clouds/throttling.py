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

"""Answers by which a service says that it is asked too often."""

import email.utils
import time

import requests

#: Whatever asks for too much: RFC 6585, and openstack's repose.
_ALWAYS = frozenset((429, 498))

#: Statuses of other causes, too, for which a service tells when to come back.
_IF_IT_SAYS_WHEN = frozenset((403, 413))


def is_limited(response: requests.Response) -> bool:
    """Return whether a service has been asked too often."""
    status = response.status_code
    return status in _ALWAYS or (
        status in _IF_IT_SAYS_WHEN and 'retry-after' in response.headers
    )


def retry_after(response: requests.Response) -> float:
    """Return the seconds that a Retry-After header asks for, or 0."""
    value = response.headers.get('retry-after', '')
    if value.isascii() and value.isdecimal():
        return float(value)
    try:
        until = email.utils.parsedate_to_datetime(value)
        return max(until.timestamp() - time.time(), 0.0)
    except (ValueError, OverflowError):
        return 0.0
