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

"""What a peer may take of us: time, memory, and where it may lead.

All requests go through here, those of keystoneauth and openstacksdk, too,
which set no limits but to the silence between two bytes.
"""

import concurrent.futures
import contextlib
import io
import time
from typing import Any
import urllib.parse

from keystoneauth1 import session as ksa_session
import requests
import urllib3

from osc_glance_replicate import background as workers

#: Seconds in which an answer has to begin; an upload's after its last byte.
_PATIENCE = 300.0
_PATIENCE_WITH_UPLOADS = 660.0

#: Seconds that a document may take to arrive.
_DOCUMENT_TIMEOUT = 300.0

#: Bytes of a document at the most: a page of a thousand records, each of
#: which may have 128 properties (FACTS.md, "Fields").
LONGEST_DOCUMENT = 64 * 1024**2

#: The header that holds where a redirect leads to, if it is not to be
#: followed.
LOCATION = 'X-Osc-Glance-Replicate-Location'


class TooLongError(requests.exceptions.RequestException):
    """An answer has no end."""


class Adapter(ksa_session.TCPKeepAliveAdapter):
    """Sends requests, with limits."""

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: dict[str, str] | None = None,
    ) -> requests.Response:
        """Send a request; unless it is streamed, load its answer."""
        # What is small may become huge when it is unpacked, and is loaded
        # as it comes.
        request.headers['Accept-Encoding'] = 'identity'
        call = workers.start(
            super().send, request, stream, timeout, verify, cert, proxies
        )
        response = _await(call, request)
        if response.is_redirect and (
            # Whoever streams follows no redirect, and requests would read
            # all that comes with it, and fail where the URL is none.
            stream or _leads_elsewhere(request, response)
        ):
            response.headers[LOCATION] = response.headers.pop('Location')
        if not stream:
            load(response, LONGEST_DOCUMENT)
        return response


def load(response: requests.Response, most: int, cut: bool = False) -> None:
    """Read an answer, as much as is reasonable and while it takes.

    :param most: number of bytes
    :param cut: leave out what is more
    :raises TooLongError: it is more
    :raises requests.exceptions.ConnectionError: it broke off, or took too
        long
    """
    call = workers.start(_read, response, most, cut)
    try:
        document = call.result(_DOCUMENT_TIMEOUT)
    except TimeoutError as exc:
        if call.done():
            raise
        with contextlib.suppress(ValueError, RuntimeError, OSError):
            response.raw.shutdown()
        raise requests.exceptions.ConnectionError(
            f'it took more than {_DOCUMENT_TIMEOUT:.0f} s'
        ) from exc
    response.raw = io.BytesIO(document)


def _read(response: requests.Response, most: int, cut: bool) -> bytes:
    document = bytearray()
    with response:
        try:
            while len(document) <= most and (
                block := response.raw.read1(65536, decode_content=False)
            ):
                document += block
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            raise requests.exceptions.ConnectionError(exc) from exc
    if len(document) > most and not cut:
        raise TooLongError(f'answers with more than {most} bytes')
    return bytes(document)


def _await(
    call: concurrent.futures.Future[requests.Response],
    request: requests.PreparedRequest,
) -> requests.Response:
    """Wait for an answer to begin, even if it is only never silent."""
    start = time.monotonic()
    while True:
        try:
            return call.result(1.0)
        except TimeoutError:
            if call.done():
                raise
        # Of an upload, when it has given its last byte so far.
        given: float | None = getattr(request.body, 'given', None)
        patience = _PATIENCE if given is None else _PATIENCE_WITH_UPLOADS
        if time.monotonic() > (given or start) + patience:
            raise requests.exceptions.ReadTimeout('it never answers')


def _leads_elsewhere(
    request: requests.PreparedRequest, response: requests.Response
) -> bool:
    """Say whether a token, or a password, would go to another server."""
    try:
        here = urllib.parse.urlsplit(str(request.url))
        there = urllib.parse.urlsplit(
            urllib.parse.urljoin(
                str(request.url), response.headers['Location']
            )
        )
        is_secured = (here.scheme, there.scheme) == ('http', 'https')
        is_same = (here.scheme, here.port) == (there.scheme, there.port)
        return here.hostname != there.hostname or not (is_same or is_secured)
    except ValueError:
        return True
