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

"""What the environment says of proxies and authorities, looked up once.

requests goes through all of it for each request, which takes a fifth of what
a small one costs. It does not change while a command runs.
"""

from collections.abc import Hashable
import functools
from typing import Any
import urllib.parse

import requests

#: Servers whose settings are kept, at the most.
_MAX_SERVERS = 64


def remember(session: requests.Session) -> None:
    """Have a session look up once what holds for a server."""
    # Of the class, so that it can be called again.
    merge = functools.partial(
        type(session).merge_environment_settings, session
    )

    @functools.lru_cache(_MAX_SERVERS)
    def of_server(server: str, *given: Any) -> dict[str, Any]:
        return dict(merge(server, {}, *given))

    def settings(
        url: Any, proxies: Any, stream: Any, verify: Any, cert: Any
    ) -> dict[str, Any]:
        given = stream, verify, cert
        if proxies or not isinstance(cert, Hashable):
            return dict(merge(url, proxies, *given))
        scheme, netloc, *_ = urllib.parse.urlsplit(str(url))
        found = of_server(f'{scheme}://{netloc}', *given)
        return {**found, 'proxies': dict(found['proxies'])}

    setattr(session, 'merge_environment_settings', settings)
