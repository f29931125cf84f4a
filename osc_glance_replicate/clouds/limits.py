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

from collections.abc import Callable, Iterator
import functools
import io
import time
from typing import Any, TypeVar

from keystoneauth1 import session as ksa_session
import requests
import urllib3

from osc_glance_replicate import clouds
from osc_glance_replicate.clouds import decoding
from osc_glance_replicate.clouds import http_session
from osc_glance_replicate.clouds import watchdog

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

#: Pools of servers that are remembered; there are hardly ever two.
_MAX_POOLS = 8

#: Bytes that are read at a time.
_BLOCK = 65536

_Result = TypeVar('_Result')


class TooLongError(requests.exceptions.RequestException):
    """An answer is longer than it may be."""


class LateError(
    requests.exceptions.ConnectionError, requests.exceptions.Timeout
):
    """An answer takes longer than it may."""


class Adapter(ksa_session.TCPKeepAliveAdapter):
    """A transport adapter with limits.

    :param options: of an adapter of requests
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        #: By what they are looked up by.
        self._pools: dict[str, Any] = {}

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
        with watchdog.exchanging(
            _never_answers(request), request.body
        ) as call:
            try:
                response = super().send(
                    request, stream, timeout, verify, cert, proxies
                )
            except Exception as exc:
                if call.late:
                    raise _silent() from exc
                raise
        if call.late:
            # What was cut off may look whole.
            response.close()
            raise _silent()
        if not stream:
            load(response, MAX_DOCUMENT)
        return response

    def get_connection_with_tls_context(
        self,
        request: requests.PreparedRequest,
        verify: Any,
        proxies: Any = None,
        cert: Any = None,
    ) -> Any:
        """Return a pool whose connections can be broken off.

        It is looked up once for a server, which takes a twentieth of what a
        small request costs.
        """
        key = repr((http_session.server(request.url), verify, proxies, cert))
        pool = self._pools.get(key)
        if pool is None:
            pool = super().get_connection_with_tls_context(
                request, verify, proxies, cert
            )
            watchdog.notice(pool)
            if len(self._pools) >= _MAX_POOLS:
                self._pools.clear()
            self._pools[key] = pool
        return pool

    def close(self) -> None:
        self._pools.clear()
        super().close()


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
    document = _within_time(
        response, lambda blocks: _read(blocks, most, cut), seconds
    )
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
    return _within_time(response, lambda blocks: _skim(blocks, kept), seconds)


def _within_time(
    response: requests.Response,
    read: Callable[[Iterator[bytes]], _Result],
    seconds: float | None = None,
) -> _Result:
    """Let an answer be read for as long as that may take.

    :param read: reads its blocks
    """
    most = _DOCUMENT_TIMEOUT if seconds is None else seconds
    end = time.monotonic() + most
    call = watchdog.Call(
        lambda: time.monotonic() > end,
        functools.partial(watchdog.hang_up, response.raw),
    )
    late = LateError(f'it took more than {most:.0f} s')
    with watchdog.watched(call):
        try:
            result = read(_blocks(response, call))
        except requests.exceptions.ConnectionError as exc:
            if call.late:
                raise late from exc
            raise
    if call.late:
        # What was cut off may look whole.
        raise late
    return result


class _Loaded(io.BytesIO):
    """An answer that was read, as requests expects it of urllib3.

    :param answer: as it came: cookies are looked for in its headers
    """

    def __init__(self, document: bytes, answer: Any) -> None:
        super().__init__(document)
        self._original_response = getattr(answer, '_original_response', None)

    def release_conn(self) -> None:
        """Do nothing; handlers of a 401 would have the connection back."""


def _read(blocks: Iterator[bytes], most: int, cut: bool) -> bytes:
    document = bytearray()
    for block in blocks:
        document += block
        if len(document) > most:
            break
    if len(document) > most and not cut:
        # The error, and who it is told, would keep the frame and all in it.
        document.clear()
        raise TooLongError(f'answers with more than {most} bytes')
    return bytes(document)


def _skim(blocks: Iterator[bytes], kept: int) -> tuple[int, bytes]:
    length = 0
    end = b''
    for block in blocks:
        length += len(block)
        end = (end + block)[-kept:]
        if length > _MAX_SKIMMED:
            raise TooLongError(f'answers with more than {length} bytes')
    return length, end


def _blocks(
    response: requests.Response, call: watchdog.Call
) -> Iterator[bytes]:
    def read_raw(most: int) -> bytes:
        return response.raw.read1(most, decode_content=False) or b''

    read = decoding.unpacked(response, read_raw)
    with response:
        try:
            while block := read(_BLOCK):
                if call.late:
                    break
                yield block
        except (
            urllib3.exceptions.HTTPError,
            OSError,
            decoding.PackedError,
        ) as exc:
            is_late = isinstance(exc, urllib3.exceptions.TimeoutError)
            kind = (
                LateError if is_late else requests.exceptions.ConnectionError
            )
            raise kind(exc) from exc


def _silent() -> requests.exceptions.RequestException:
    return requests.exceptions.ReadTimeout('it never answers')


def _never_answers(
    request: requests.PreparedRequest,
) -> Callable[[], bool]:
    """Return what tells whether an answer should have begun by now.

    :param request: begins now
    """
    start = time.monotonic()
    body: object = request.body

    def is_late() -> bool:
        deadline = start + _ANSWER_TIMEOUT
        if isinstance(body, clouds.Upload):
            deadline = body.taken_at + _UPLOAD_ANSWER_TIMEOUT
        return time.monotonic() > deadline

    return is_late
