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

"""Limits of the time and memory that a peer may take.

They hold for all requests, also those of keystoneauth and openstacksdk, which
limit nothing but the silence between two bytes (see fact-timeouts).
"""

from collections.abc import Iterator
import concurrent.futures
import contextlib
import io
import time
from typing import Any, TypeVar

from keystoneauth1 import session as ksa_session
import requests
import urllib3

from osc_glance_replicate import background
from osc_glance_replicate import clouds

#: Seconds in which an answer has to begin; an upload's after its last byte.
_ANSWER_TIMEOUT = 300.0
_UPLOAD_ANSWER_TIMEOUT = 660.0

#: Seconds that a document may take to arrive.
_DOCUMENT_TIMEOUT = 300.0

#: Maximum bytes of a document: a page of a thousand records, each of which may
#: have 128 properties (see fact-property-limits).
MAX_DOCUMENT = 64 * 1024**2

#: Maximum bytes of one that is read for its end.
_MAX_SKIMMED = 16 * MAX_DOCUMENT

_Result = TypeVar('_Result')


class TooLongError(requests.exceptions.RequestException):
    """An answer is longer than it may be."""


class Adapter(ksa_session.TCPKeepAliveAdapter):
    """A transport adapter with limits."""

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
        # A small answer may become huge when it is decompressed.
        request.headers['Accept-Encoding'] = 'identity'
        call = background.start(
            super().send, request, stream, timeout, verify, cert, proxies
        )
        response = _await(call, request)
        if not stream:
            load(response, MAX_DOCUMENT)
        return response


def load(
    response: requests.Response,
    most: int,
    cut: bool = False,
    seconds: float | None = None,
) -> None:
    """Read an answer, within limits of size and time.

    :param most: maximum number of bytes
    :param cut: leave out any further bytes, instead of raising
    :param seconds: that it may take, unless as many as any document
    :raises TooLongError: there are more bytes
    :raises requests.exceptions.ConnectionError: it broke off, or took too
        long
    """
    call = background.start(_read, response, most, cut)
    document = _within_time(response, call, seconds)
    response.raw = _Loaded(document, response.raw)


def skim(
    response: requests.Response, kept: int, seconds: float | None = None
) -> tuple[int, bytes]:
    """Read an answer to its end, and keep no more than that.

    :param kept: number of bytes
    :param seconds: that it may take, unless as many as any document
    :returns: the number of all bytes, and the last ones
    :raises TooLongError: there are far more bytes than a document has
    :raises requests.exceptions.ConnectionError: it broke off, or took too
        long
    """
    call = background.start(_skim, response, kept)
    return _within_time(response, call, seconds)


def _within_time(
    response: requests.Response,
    call: concurrent.futures.Future[_Result],
    seconds: float | None = None,
) -> _Result:
    """Let a call read an answer for as long as that may take."""
    most = _DOCUMENT_TIMEOUT if seconds is None else seconds
    try:
        return call.result(most)
    except TimeoutError as exc:
        if call.done():
            raise
        with contextlib.suppress(ValueError, RuntimeError, OSError):
            response.raw.shutdown()
        raise requests.exceptions.ConnectionError(
            f'it took more than {most:.0f} s'
        ) from exc


class _Loaded(io.BytesIO):
    """An answer that was read, as requests expects it of urllib3.

    :param answer: as it came: cookies are looked for in its headers
    """

    def __init__(self, document: bytes, answer: Any) -> None:
        super().__init__(document)
        self._original_response = getattr(answer, '_original_response', None)

    def release_conn(self) -> None:
        """Do nothing; handlers of a 401 would have the connection back."""


def _read(response: requests.Response, most: int, cut: bool) -> bytes:
    document = bytearray()
    for block in _blocks(response):
        document += block
        if len(document) > most:
            break
    if len(document) > most and not cut:
        # The error, and who it is told, would keep the frame and all in it.
        document.clear()
        raise TooLongError(f'answers with more than {most} bytes')
    return bytes(document)


def _skim(response: requests.Response, kept: int) -> tuple[int, bytes]:
    length = 0
    end = b''
    for block in _blocks(response):
        length += len(block)
        end = (end + block)[-kept:]
        if length > _MAX_SKIMMED:
            raise TooLongError(f'answers with more than {length} bytes')
    return length, end


def _blocks(response: requests.Response) -> Iterator[bytes]:
    with response:
        try:
            while block := response.raw.read1(65536, decode_content=False):
                yield block
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            raise requests.exceptions.ConnectionError(exc) from exc


def _await(
    call: concurrent.futures.Future[requests.Response],
    request: requests.PreparedRequest,
) -> requests.Response:
    """Wait until an answer begins, however the peer stays busy till then."""
    start = time.monotonic()
    while True:
        try:
            return call.result(1.0)
        except TimeoutError:
            if call.done():
                raise
        body: object = request.body
        deadline = start + _ANSWER_TIMEOUT
        if isinstance(body, clouds.Upload):
            deadline = body.taken_at + _UPLOAD_ANSWER_TIMEOUT
        if time.monotonic() > deadline:
            raise requests.exceptions.ReadTimeout('it never answers')
