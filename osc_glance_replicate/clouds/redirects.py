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

"""Redirects: where a request may be led, and what of it may not.

keystoneauth follows them to any server, with the token: see fact-redirects.
What must not be followed loses its Location, after those have seen it who
follow redirects by themselves: some plugins that log in elsewhere.
"""

from typing import Any
import urllib.parse

from keystoneauth1.identity import v3
from keystoneauth1 import session as ksa_session
import requests

#: The header that holds the target of a redirect that must not be followed.
LOCATION = 'X-Osc-Glance-Replicate-Location'

#: What opens doors, among the headers of a request.
_CREDENTIALS = ('X-Auth-Token', 'X-Subject-Token', 'Authorization')


class RedirectedError(requests.exceptions.RequestException):
    """A password or a token was to be sent elsewhere."""


def limit(session: ksa_session.Session) -> None:
    """Have the redirects that a session meets judged.

    :param session: the plugin that it logs in with may change
    """

    def judge(response: requests.Response, **options: Any) -> None:
        if not response.is_redirect:
            return
        # A plugin may have gone on to another request than it was told of.
        request = response.request
        if _logs_in(request) and not options.get('stream'):
            _refuse_elsewhere(request, response)
        # What is streamed follows no redirect, and requests would read all
        # that comes with it, and fail where its URL is invalid.
        is_federated = isinstance(session.auth, v3.FederationBaseAuth)
        if options.get('stream') or not may_lead(
            request, response.headers['Location'], is_federated
        ):
            response.headers[LOCATION] = response.headers.pop('Location')

    session.session.hooks['response'] = [judge]


def may_lead(
    request: requests.PreparedRequest, location: str, is_federated: bool
) -> bool:
    """Return whether a request may be sent to another URL.

    :param is_federated: whether it may be one of a login at other servers
        than Keystone's
    """
    try:
        here, there = _ends(request, location)
        same_server = _server(here) == _server(there)
        is_secured = (here.scheme, there.scheme) == ('http', 'https')
    except ValueError:
        return False
    if same_server or request.method != 'GET':
        return same_server
    if is_secured and here.hostname == there.hostname:
        return True
    return (
        is_federated
        and (is_secured or here.scheme == there.scheme)
        and not any(name in request.headers for name in _CREDENTIALS)
    )


def _logs_in(request: requests.PreparedRequest) -> bool:
    """Return whether a request asks for a token, Keystone's or another's."""
    path = urllib.parse.urlsplit(str(request.url)).path
    return request.method == 'POST' and (
        path.rstrip('/').endswith('/tokens')
        or 'Authorization' in request.headers
        or 'grant_type=' in str(request.body)
    )


def _refuse_elsewhere(
    request: requests.PreparedRequest, response: requests.Response
) -> None:
    """Let a login be redirected within its server, at the most.

    :raises RedirectedError: it leads to another scheme, host or port
    """
    here = urllib.parse.urlsplit(str(request.url))
    try:
        _, there = _ends(request, response.headers['Location'])
        if _server(here) == _server(there):
            return
        where = f'{there.scheme}://{there.hostname}'
    except ValueError:
        where = 'nowhere'
    mistaken = f'the URL of {here.hostname} in clouds.yaml'
    if '/v3/' in here.path or '/v2.0/' in here.path:
        mistaken = 'its auth_url'
    response.close()
    raise RedirectedError(
        f'HTTP {response.status_code}: redirects the login to {where}, where '
        f'no password goes: correct {mistaken}'
    )


def _ends(
    request: requests.PreparedRequest, location: str
) -> tuple[urllib.parse.SplitResult, urllib.parse.SplitResult]:
    here = str(request.url)
    return (
        urllib.parse.urlsplit(here),
        urllib.parse.urlsplit(urllib.parse.urljoin(here, location)),
    )


def _server(url: urllib.parse.SplitResult) -> tuple[object, ...]:
    return url.scheme, url.hostname, url.port
