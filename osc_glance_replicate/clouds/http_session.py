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

"""What is the same for all requests of a command, worked out once.

requests goes through the environment, the home directory and its own settings
for each request, which takes a third of what a small one costs. They do not
change while a command runs.
"""

from collections.abc import Hashable
import functools
from typing import Any

from keystoneauth1 import session as ksa_session
import requests

#: Servers of which it is remembered what holds for them.
_MAX_SERVERS = 64


class HttpSession(requests.Session):
    """A session of requests as keystoneauth needs it, in less time."""

    def __init__(self) -> None:
        super().__init__()
        remember = functools.lru_cache(_MAX_SERVERS)
        self._settings = remember(self._look_up)
        self._netrc = remember(requests.utils.get_netrc_auth)

    def _look_up(self, server: str, *given: Any) -> Any:
        return super().merge_environment_settings(server, {}, *given)

    def merge_environment_settings(
        self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any
    ) -> Any:
        """Return what holds for a request by the environment."""
        if proxies or not isinstance(cert, Hashable):
            return super().merge_environment_settings(
                url, proxies, stream, verify, cert
            )
        found = self._settings(server(url), stream, verify, cert)
        return {**found, 'proxies': dict(found['proxies'])}

    def prepare_request(
        self, request: requests.Request
    ) -> requests.PreparedRequest:
        """Prepare a request: headers, and perhaps a query and a body."""
        if self._is_special(request):
            return super().prepare_request(request)
        url = str(request.url)
        auth = self._netrc(server(url)) if self.trust_env else None
        prepared = requests.PreparedRequest()
        prepared.prepare_method(request.method)
        prepared.prepare_url(url, request.params or '')
        prepared.prepare_headers({**self.headers, **request.headers})
        prepared.prepare_cookies(self.cookies)
        prepared.prepare_body(request.data, None, request.json)
        prepared.prepare_auth(auth)
        prepared.prepare_hooks(self.hooks)
        return prepared

    def _is_special(self, request: requests.Request) -> bool:
        """Return whether a request has more than keystoneauth gives it."""
        return bool(
            request.auth
            or request.cookies
            or request.files
            or any(request.hooks.values())
            or None in (*self.headers.values(), *request.headers.values())
            or not isinstance(request.url, str)
            or self.auth
            or self.params
        )


def server(url: object) -> str:
    """Return a URL up to its path: to parse it takes far longer."""
    return '/'.join(str(url).split('/', 3)[:3])


def install(session: ksa_session.Session) -> None:
    """Have keystoneauth send its requests by such a session."""
    if not isinstance(session.session, HttpSession):
        session.session = HttpSession()
