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

"""The proxy that the environment names, which may be what is down."""

import requests
import urllib3


_SOME = 'the proxy of the environment (http_proxy, https_proxy, all_proxy)'


def blamed(exc: BaseException) -> str:
    """Return the proxy that a request has not got past, or ''.

    :param exc: what was raised, or what came of that
    :returns: 'the proxy at', its host and port, without what it is logged in
        to with; other words where these cannot be told
    """
    seen: BaseException | None = exc
    while seen is not None:
        if isinstance(seen, requests.exceptions.ProxyError):
            return _proxy_of(seen.request)
        seen = seen.__cause__ or seen.__context__
    return ''


def _proxy_of(request: object) -> str:
    url = str(getattr(request, 'url', None) or 'http://')
    proxies = requests.utils.get_environ_proxies(url, no_proxy=None)
    proxy = requests.utils.select_proxy(url, proxies) or ''
    whole = proxy if '://' in proxy else f'http://{proxy}'
    try:
        parts = urllib3.util.parse_url(whole)
    except (ValueError, urllib3.exceptions.HTTPError):
        return _SOME
    if '@' in f'{parts.path or ""}{parts.query or ""}{parts.fragment or ""}':
        # Its password has a slash, and what looks like a host is a user.
        return _SOME
    # Nothing else of it is for others: it may have a password.
    port = f':{parts.port}' if parts.port else ''
    return f'the proxy at {parts.host}{port}' if parts.host else _SOME
