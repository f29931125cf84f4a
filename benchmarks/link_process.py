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

"""The process that is a link: see links.py.

It does not take turns with what is measured. What is the matter with the link
is told on stdin, in a line each: refuse, hold, share RATE, serve.
"""

import argparse
import asyncio
from collections.abc import Iterator
import contextlib
import dataclasses
import json
import math
import pathlib
import socket
import sys
import time
import urllib.parse

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


class _Pace:
    """A rate at which bytes pass.

    :param rate: bytes per second
    :param free: when the first byte can
    """

    def __init__(self, rate: float, free: float = 0.0) -> None:
        self._rate = rate
        self._free = free

    def reserve(self, count: int) -> float:
        """Return when so many bytes more will have passed."""
        begin = max(time.monotonic() - _SLACK, self._free)
        self._free = begin + count / self._rate
        return self._free


class _State:
    """What is the matter with a link.

    :ivar flows: set unless everything is held
    :ivar shared: the rate of all that is sent
    """

    def __init__(self) -> None:
        self.flows = asyncio.Event()
        self.flows.set()
        self.shared = _Pace(math.inf)


class _Lane:
    """One direction of one connection.

    :param state: that of the link
    :param pace: that of the connection
    :param delay: seconds from one end to the other
    :param sends: whether it is the client's, whose bytes share a rate
    """

    def __init__(
        self, state: _State, pace: _Pace, delay: float, sends: bool
    ) -> None:
        self._state = state
        self._pace = pace
        self._delay = delay
        self._sends = sends
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
            free = self._pace.reserve(len(block))
            if self._sends:
                free = max(free, self._state.shared.reserve(len(block)))
            await self._blocks.put((free + self._delay, block))
            await _sleep_until(free)

    async def _give(self, sink: asyncio.StreamWriter) -> None:
        while True:
            due, block = await self._blocks.get()
            await _sleep_until(due)
            await self._state.flows.wait()
            if not block:
                break
            if not self.first:
                self.first, self.arrived = block, time.monotonic()
            self.count += len(block)
            with contextlib.suppress(OSError):
                sink.write(block)
                await sink.drain()
        with contextlib.suppress(OSError):
            if sink.can_write_eof():
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
    state: _State
    writers: set[asyncio.StreamWriter] = dataclasses.field(default_factory=set)

    async def relay(
        self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter
    ) -> None:
        """Pass one connection on, until the server has said everything."""
        call = Call(time.monotonic())
        with (
            self._known(to_client),
            contextlib.closing(to_client),
            contextlib.suppress(OSError),
        ):
            server, to_server = await asyncio.open_connection(
                self.host, self.port, limit=_BLOCK
            )
            # An echo has to be back before the first byte is sent.
            free = call.begun + self.latency
            there, back = (
                _Lane(
                    self.state, _Pace(self.rate, free), self.latency / 2, sends
                )
                for sends in (True, False)
            )
            request = asyncio.create_task(there.carry(client, to_server))
            with self._known(to_server), contextlib.closing(to_server):
                await back.carry(server, to_client)
            request.cancel()
            call.request = there.first.partition(b'\r\n')[0].decode()
            call.answered, call.received = back.arrived, back.count
        with self.log.open('a') as log:
            print(json.dumps(dataclasses.asdict(call)), file=log)

    @contextlib.contextmanager
    def _known(self, writer: asyncio.StreamWriter) -> Iterator[None]:
        """Have a connection reset when the link is to refuse."""
        self.writers.add(writer)
        try:
            yield
        finally:
            self.writers.discard(writer)

    async def obey(self, listening: socket.socket) -> None:
        """Accept connections for ever, as is told on stdin."""
        told = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(told), sys.stdin
        )
        server = await self._listen(listening)
        while line := await told.readline():
            word, *arguments = line.decode().split()
            if word == 'refuse':
                server.close()
                # It stays bound, so that nobody else gets the port.
                listening.shutdown(socket.SHUT_RD)
                for writer in self.writers:
                    writer.transport.abort()
            elif word == 'hold':
                self.state.flows.clear()
            elif word == 'share':
                self.state.shared = _Pace(float(*arguments))
            else:
                self.state.flows.set()
                self.state.shared = _Pace(math.inf)
                if not server.is_serving():
                    listening.listen(100)
                    server = await self._listen(listening)

    async def _listen(self, listening: socket.socket) -> asyncio.Server:
        return await asyncio.start_server(
            self.relay, sock=listening.dup(), limit=_BLOCK
        )


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
        args.log, _State(),
    )  # fmt: skip
    asyncio.run(server.obey(socket.socket(fileno=args.listening)))


if __name__ == '__main__':
    main()
