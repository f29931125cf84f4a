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

"""TLS for a cloud: its private authority, and a terminator for its services.

The uWSGI that pip installs speaks no TLS, so this module, run as a script,
stands in front of it.
"""

import argparse
import asyncio
import contextlib
import pathlib
import socket
import ssl

_BLOCK = 256 * 1024  # bytes
# What a slow client still has to read must not be cut off.
_LINGER = 300.0  # seconds


class Authority:
    """A certificate authority that only one cloud's users trust.

    :param certificate: where its certificate is written to.
    """

    def __init__(self, certificate: pathlib.Path) -> None:
        # Not installed where the script below runs without site-packages.
        import trustme

        self._authority = trustme.CA()
        self.certificate = certificate
        self._authority.cert_pem.write_to_path(str(certificate))

    def issue(self, path: pathlib.Path) -> pathlib.Path:
        """Issue a certificate for the loopback.

        :param path: the file for the key and the certificate.
        """
        issued = self._authority.issue_cert('127.0.0.1', 'localhost')
        path.touch(mode=0o600)
        issued.private_key_and_cert_chain_pem.write_to_path(str(path))
        return path


async def relay(
    client: asyncio.StreamReader,
    to_client: asyncio.StreamWriter,
    port: int,
) -> None:
    """Pass one connection on, until the server has said everything.

    :param client: what the client sends, decrypted.
    :param to_client: what it gets.
    :param port: the server's, on the loopback.
    """
    with contextlib.closing(to_client), contextlib.suppress(OSError):
        server, to_server = await asyncio.open_connection(
            '127.0.0.1', port, limit=_BLOCK
        )
        request = asyncio.create_task(_pump(client, to_server))
        with contextlib.closing(to_server):
            # Not the request's end: a server may refuse half a body, and a
            # client that has sent everything still waits for the answer.
            await _pump(server, to_client)
        request.cancel()


async def _pump(
    source: asyncio.StreamReader, sink: asyncio.StreamWriter
) -> None:
    with contextlib.suppress(OSError):
        try:
            while block := await source.read(_BLOCK):
                sink.write(block)
                await sink.drain()
        finally:
            # However the source ended, the sink has to notice: half a body
            # lacks bytes or its last chunk, and is not taken for a whole.
            if sink.can_write_eof():
                sink.write_eof()


async def serve(
    listening: socket.socket, port: int, certificate: pathlib.Path
) -> None:
    """Accept TLS connections for ever.

    :param listening: a socket that listens already.
    :param port: where the server behind it is, on the loopback.
    :param certificate: a file with key and certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = await asyncio.start_server(
        lambda client, to_client: relay(client, to_client, port),
        sock=listening,
        ssl=context,
        ssl_shutdown_timeout=_LINGER,
        limit=_BLOCK,
    )
    await server.serve_forever()


def main() -> None:
    """Run the terminator on a socket that was handed down."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument('listening', type=int, help='file descriptor')
    parser.add_argument('port', type=int)
    parser.add_argument('certificate', type=pathlib.Path)
    arguments = parser.parse_args()
    asyncio.run(
        serve(
            socket.socket(fileno=arguments.listening),
            arguments.port,
            arguments.certificate,
        )
    )


if __name__ == '__main__':
    main()
