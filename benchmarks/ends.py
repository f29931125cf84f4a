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

"""The ends of a wire: a source that serves from memory, a sink that discards.

Run as a script, this module is one of them: a process of its own that speaks
as much HTTP, of one request for each connection, as a client of a Glance's
images asks for.
"""

import argparse
import contextlib
import json
import pathlib
import socket
import ssl
import subprocess
import sys

BLOCK = 1024 * 1024


class End:
    """A source or a sink.

    :param kind: 'source' or 'sink'
    :param size: bytes that it gives, or takes
    :param block: the source's data, over and over
    :param certificate: of one that speaks TLS, with its key
    :ivar port: on the loopback
    :ivar url: its endpoint, without a version
    """

    def __init__(
        self,
        kind: str,
        size: int,
        block: pathlib.Path,
        certificate: pathlib.Path | None = None,
    ) -> None:
        self._command = [
            sys.executable, __file__, kind, str(size), str(block),
            *((str(certificate),) if certificate else ()),
        ]  # fmt: skip
        self._scheme = 'https' if certificate else 'http'

    def __enter__(self) -> 'End':
        with socket.create_server(('127.0.0.1', 0)) as listening:
            self.port = listening.getsockname()[1]
            self.url = f'{self._scheme}://127.0.0.1:{self.port}'
            self._process = subprocess.Popen(  # noqa: S603
                [*self._command, '--listening', str(listening.fileno())],
                pass_fds=[listening.fileno()],
            )
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._process.terminate()
        self._process.wait()


class _Served:
    """One of them, as its process has it."""

    def __init__(self, kind: str, size: int, block: bytes) -> None:
        self._kind = kind
        self._size = size
        self._block = block

    def answer(self, client: socket.socket) -> None:
        """Answer the one request of a connection."""
        head, rest = receive_head(client)
        if b'/file' not in head.split()[1]:
            _send(client, '200 OK', _versions(head))
        elif self._kind == 'source':
            client.sendall(_head('200 OK', self._size))
            for _ in range(self._size // len(self._block)):
                client.sendall(self._block)
        else:
            if b'\r\nexpect: 100-continue' in head.lower():
                client.sendall(b'HTTP/1.1 100 Continue\r\n\r\n')
            chunked = b'\r\ntransfer-encoding: chunked' in head.lower()
            whole = self._discard(client, rest, chunked)
            _send(client, '204 No Content' if whole else '400 Too Little')

    def _discard(
        self, client: socket.socket, last: bytes, chunked: bool
    ) -> bool:
        """Say whether as much came as was announced."""
        buffer = bytearray(BLOCK)
        left = self._size - len(last)
        # Chunks have bytes of their own, and say where they end.
        while left > 0 or (chunked and last != b'0\r\n\r\n'):
            count = client.recv_into(buffer)
            if not count:
                return False
            left -= count
            last = (last + buffer[max(count - 5, 0) : count])[-5:]
        return True


def receive_head(client: socket.socket) -> tuple[bytes, bytes]:
    """Receive the head of a request or an answer.

    :returns: it, and what has come of the rest
    """
    head = b''
    while b'\r\n\r\n' not in head:
        received = client.recv(BLOCK)
        if not received:
            raise ConnectionError('no whole head')
        head += received
    head, _, rest = head.partition(b'\r\n\r\n')
    return head, rest


def _versions(head: bytes) -> bytes:
    """Give the document by which keystoneauth finds v2."""
    (host,) = (
        line.partition(b':')[2].strip().decode()
        for line in head.split(b'\r\n')
        if line.lower().startswith(b'host:')
    )
    links = [{'rel': 'self', 'href': f'//{host}/v2'}]
    return json.dumps(
        {'versions': [{'id': 'v2.9', 'status': 'CURRENT', 'links': links}]}
    ).encode()


def _send(client: socket.socket, status: str, body: bytes = b'') -> None:
    client.sendall(_head(status, len(body)) + body)


def _head(status: str, length: int) -> bytes:
    return (
        f'HTTP/1.1 {status}\r\nContent-Length: {length}\r\n'
        'Content-Type: application/octet-stream\r\n'
        'Connection: close\r\n\r\n'
    ).encode()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('kind', choices=('source', 'sink'))
    parser.add_argument('size', type=int)
    parser.add_argument('block', type=pathlib.Path)
    parser.add_argument('certificate', type=pathlib.Path, nargs='?')
    parser.add_argument('--listening', type=int, help='file descriptor')
    args = parser.parse_args()
    served = _Served(args.kind, args.size, args.block.read_bytes())
    listening = socket.socket(fileno=args.listening)
    if args.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(args.certificate)
        listening = context.wrap_socket(listening, server_side=True)
    while True:
        # A client that has what it wants may hang up.
        with contextlib.suppress(OSError):
            client, _ = listening.accept()
            with client:
                served.answer(client)


if __name__ == '__main__':
    main()
