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

"""One request and its answer, as a proxy passes them on or does not."""

from collections.abc import Callable, Iterable, Iterator, Sequence
import contextlib
import hashlib
import http
import http.client
import json
import socket
import struct
import threading

from osc_glance_replicate.tests.functional import faults

_BLOCK = 64 * 1024

_Headers = list[tuple[str, str]]


class Exchange:
    """One connection: a request, and its answer.

    :param client: who wants something
    :param address: of the Glance
    :param arrived: tells what is to go wrong
    """

    def __init__(
        self,
        client: socket.socket,
        address: tuple[str, int],
        arrived: Callable[[faults.Call], faults.Fault],
    ) -> None:
        self._client = client
        self._server = socket.socket()
        self._address = address
        self._arrived = arrived
        self._sender: threading.Thread | None = None
        self._rst = False

    def serve(self) -> None:
        """Do all that is to be done."""
        call = None
        try:
            line, headers, begun = _read_head(self._client)
            call = _call(line, headers)
            self._pass_on(call, headers, begun)
        except faults.BrokenError as exc:
            self.hang_up(exc.rst)
        except OSError:
            self.hang_up()
        finally:
            self._end()
            if call:
                call.over.set()

    def hang_up(self, rst: bool = True, keep: bool = False) -> None:
        """Have both connections end as soon as may be.

        :param rst: the client's ends with a RST
        :param keep: not the server's
        """
        self._rst = self._rst or rst
        shut(self._client, socket.SHUT_RD if rst else socket.SHUT_RDWR)
        if not keep:
            shut(self._server, socket.SHUT_RDWR)

    def _pass_on(
        self, call: faults.Call, headers: _Headers, begun: bytes
    ) -> None:
        fault = self._arrived(call)
        if fault.before:
            fault.before(call)
        length = call.headers.get('content-length', '0')
        chunked = 'transfer-encoding' in call.headers
        body = fault.upload(
            _blocks(self._client, begun, None if chunked else int(length))
        )
        if fault.answer:
            if not fault.early:
                for _ in body:
                    pass
            answer = fault.answer
            if not isinstance(answer, faults.Answer):
                answer = answer(call)
            self._answer(call, fault, *_written(answer))
            return
        self._server.connect(self._address)
        kept = [pair for pair in headers if pair[0] not in fault.without]
        self._server.sendall(
            _head(f'{call.method} {call.path} HTTP/1.1', kept)
        )
        self._sender = threading.Thread(
            target=self._send, args=(call, body, fault.keep), daemon=True
        )
        self._sender.start()
        line, headers, begun = _read_head(self._server)
        answer_body = _blocks(self._server, begun, None)
        if fault.lose:
            for _ in answer_body:
                pass
            faults.reset()
        self._answer(call, fault, line, headers, answer_body)

    def _send(
        self, call: faults.Call, body: Iterable[bytes], keep: bool
    ) -> None:
        try:
            for block in body:
                try:
                    self._server.sendall(block)
                except OSError:
                    return  # the other thread gets to know why
                call.uploaded += len(block)
        except faults.BrokenError as exc:
            self.hang_up(exc.rst, keep)
            self._close_client()

    def _answer(
        self,
        call: faults.Call,
        fault: faults.Fault,
        line: str,
        headers: _Headers,
        body: Iterable[bytes],
    ) -> None:
        changed: dict[str, str | None] = dict(fault.headers)
        call.status = int(line.split()[1])
        if (
            fault.rewrite
            and body
            and call.status < http.HTTPStatus.BAD_REQUEST
        ):
            document = fault.rewrite(json.loads(b''.join(body)))
            written = json.dumps(document).encode()
            changed['content-length'] = str(len(written))
            body = [written]
        kept = [pair for pair in headers if pair[0] not in changed]
        for name, text in changed.items():
            if text is not None:
                kept.append((name, text))
        self._client.sendall(_head(line, kept))
        for block in fault.download(body):
            self._client.sendall(block)
            call.downloaded += len(block)

    def _end(self) -> None:
        if not self._rst:
            shut(self._client, socket.SHUT_RDWR)
        shut(self._server, socket.SHUT_RDWR)
        if self._sender:
            # A sender that was told to be silent for long is left behind.
            self._sender.join(1)
        self._close_client()
        self._server.close()

    def _close_client(self) -> None:
        with contextlib.suppress(OSError):
            if self._rst:
                self._client.setsockopt(
                    socket.SOL_SOCKET,
                    socket.SO_LINGER,
                    struct.pack('ii', 1, 0),
                )
        self._client.close()


def shut(peer: socket.socket, how: int) -> None:
    with contextlib.suppress(OSError):
        peer.shutdown(how)


def _call(line: str, headers: _Headers) -> faults.Call:
    method, path, _ = line.split(' ', 2)
    found = dict(headers)
    token = found.pop('x-auth-token', '')
    digest = hashlib.sha256(token.encode()).hexdigest() if token else ''
    return faults.Call(method, path, found, digest)


def _written(answer: faults.Answer) -> tuple[str, _Headers, Iterable[bytes]]:
    headers = {name.lower(): text for name, text in answer.headers.items()}
    body = answer.body
    if answer.document is not None:
        body = [json.dumps(answer.document).encode()]
        headers.setdefault('content-type', 'application/json')
    if isinstance(body, Sequence):
        length = sum(len(block) for block in body)
        headers.setdefault('content-length', str(length))
    phrase = http.client.responses.get(answer.status, 'Unknown')
    return f'HTTP/1.1 {answer.status} {phrase}', [*headers.items()], body


def _head(line: str, headers: _Headers) -> bytes:
    lines = [
        line,
        *(f'{name}: {text}' for name, text in headers if name != 'connection'),
        'connection: close',
    ]
    return '\r\n'.join([*lines, '', '']).encode('latin-1')


def _read_head(peer: socket.socket) -> tuple[str, _Headers, bytes]:
    """Give the first line, the headers, and what came with them."""
    data = b''
    while b'\r\n\r\n' not in data:
        block = peer.recv(_BLOCK)
        if not block:
            faults.close()
        data += block
    head, _, rest = data.partition(b'\r\n\r\n')
    line, *lines = head.decode('latin-1').split('\r\n')
    headers = []
    for header in lines:
        name, _, text = header.partition(':')
        headers.append((name.lower(), text.strip()))
    return line, headers, rest


def _blocks(
    peer: socket.socket, begun: bytes, length: int | None
) -> Iterator[bytes]:
    """Give what comes, until the end or as much as was announced.

    :param begun: what has come already
    """
    count = 0
    block = begun
    while True:
        if block:
            count += len(block)
            yield block
        if length is not None and count >= length:
            return
        try:
            block = peer.recv(_BLOCK)
        except OSError as exc:
            raise faults.BrokenError from exc
        if not block:
            if length is not None:
                raise faults.BrokenError
            return
