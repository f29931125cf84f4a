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

"""Clouds seen through a link: late, of a limited rate, and counted.

Run as a script, this module is the link: a process of its own, so that it
does not take turns with what is measured.
"""

import argparse
import asyncio
from collections.abc import Mapping
import contextlib
import dataclasses
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse

import yaml

_BLOCK = 64 * 1024

#: Blocks that wait for a server that takes none.
_WAITING = 256

#: Seconds that a timer may be late without a loss of rate.
_SLACK = 0.02


@dataclasses.dataclass
class Call:
    """One connection: the servers of the sandbox close it after an answer.

    :param begun: when it came, as ``time.monotonic`` has it
    :param request: the first line of it
    :param answered: when the first byte of the answer was passed on
    :param received: bytes of the answer, with its headers
    """

    begun: float
    request: str = ''
    answered: float = 0.0
    received: int = 0


class Link:
    """A proxy before a Glance.

    :param target: URL of the Glance
    :param rate: bytes per second of each connection, in either direction
    :param latency: seconds that an echo takes
    :ivar url: what to use instead
    """

    def __init__(self, target: str, rate: float, latency: float = 0.0) -> None:
        self._target = target
        self._rate = rate
        self._latency = latency

    def __enter__(self) -> 'Link':
        with contextlib.ExitStack() as stack:
            listening = stack.enter_context(
                socket.create_server(('127.0.0.1', 0), backlog=100)
            )
            self.url = 'http://{}:{}'.format(*listening.getsockname())
            self._log = tempfile.NamedTemporaryFile('r')
            self._process = subprocess.Popen(  # noqa: S603
                [
                    sys.executable, __file__, str(listening.fileno()),
                    self._target, str(self._rate), str(self._latency),
                    self._log.name,
                ],
                pass_fds=[listening.fileno()],
            )  # fmt: skip
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._process.terminate()
        self._process.wait()
        self._log.close()

    def calls(self) -> list[Call]:
        """Give what has ended since the last time, in the order of its end."""
        time.sleep(0.5)  # They are noted when both sides are closed.
        return [Call(**json.loads(line)) for line in self._log]


def openstack(directory: pathlib.Path, links: Mapping[str, Link]) -> list[str]:
    """Give the start of a command that finds clouds behind their links.

    :param directory: of its own, for the configuration
    :param links: by name of the cloud
    """
    path = pathlib.Path(os.environ['OS_CLIENT_CONFIG_FILE'])
    clouds = yaml.safe_load(path.read_text())['clouds']
    for name, link in links.items():
        clouds[name]['image_endpoint_override'] = f'{link.url}/v2'
        clouds[name]['image_api_version'] = '2'
    changed = directory / 'clouds.yaml'
    changed.touch(mode=0o600)
    changed.write_text(yaml.safe_dump({'clouds': clouds}))
    return ['env', f'OS_CLIENT_CONFIG_FILE={changed}', 'openstack']


class _Lane:
    """One direction of one connection.

    :param rate: bytes per second
    :param delay: seconds from one end to the other
    :param free: when it can take the first byte
    """

    def __init__(self, rate: float, delay: float, free: float) -> None:
        self._rate = rate
        self._delay = delay
        self._free = free
        self._blocks: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(
            _WAITING
        )
        self.first = b''
        self.arrived = 0.0
        self.count = 0

    async def carry(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter
    ) -> None:
        """Pass on what comes, until there is no more."""
        with contextlib.suppress(OSError):
            async with asyncio.TaskGroup() as both:
                both.create_task(self._take(source))
                both.create_task(self._give(sink))

    async def _take(self, source: asyncio.StreamReader) -> None:
        block = b'begin'
        while block:
            try:
                block = await source.read(_BLOCK)
            except OSError:
                block = b''
            begin = max(time.monotonic() - _SLACK, self._free)
            self._free = begin + len(block) / self._rate
            await self._blocks.put((self._free + self._delay, block))
            await _sleep_until(self._free)

    async def _give(self, sink: asyncio.StreamWriter) -> None:
        while True:
            due, block = await self._blocks.get()
            await _sleep_until(due)
            if not block:
                break
            if not self.first:
                self.first, self.arrived = block, time.monotonic()
            self.count += len(block)
            with contextlib.suppress(OSError):
                sink.write(block)
                await sink.drain()
        with contextlib.suppress(OSError):
            sink.write_eof()


async def _sleep_until(moment: float) -> None:
    await asyncio.sleep(max(moment - time.monotonic(), 0.0))


@dataclasses.dataclass
class _Server:
    """The link as the process has it."""

    host: str
    port: int
    rate: float
    latency: float
    log: pathlib.Path

    async def relay(
        self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter
    ) -> None:
        """Pass one connection on, until the server has said everything."""
        call = Call(time.monotonic())
        with contextlib.closing(to_client), contextlib.suppress(OSError):
            server, to_server = await asyncio.open_connection(
                self.host, self.port, limit=_BLOCK
            )
            # An echo has to be back before the first byte is sent.
            there, back = (
                _Lane(self.rate, self.latency / 2, call.begun + self.latency)
                for _ in range(2)
            )
            request = asyncio.create_task(there.carry(client, to_server))
            with contextlib.closing(to_server):
                await back.carry(server, to_client)
            request.cancel()
            call.request = there.first.partition(b'\r\n')[0].decode()
            call.answered, call.received = back.arrived, back.count
        with self.log.open('a') as log:
            print(json.dumps(dataclasses.asdict(call)), file=log)

    async def serve(self, listening: socket.socket) -> None:
        """Accept connections for ever."""
        server = await asyncio.start_server(
            self.relay, sock=listening, limit=_BLOCK
        )
        await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('listening', type=int, help='file descriptor')
    parser.add_argument('target', type=urllib.parse.urlsplit)
    parser.add_argument('rate', type=float)
    parser.add_argument('latency', type=float)
    parser.add_argument('log', type=pathlib.Path)
    args = parser.parse_args()
    server = _Server(
        args.target.hostname, args.target.port, args.rate, args.latency,
        args.log,
    )  # fmt: skip
    asyncio.run(server.serve(socket.socket(fileno=args.listening)))


if __name__ == '__main__':
    main()
