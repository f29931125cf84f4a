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

"""What a proxy may do to a request: see proxy.py, which does it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
import dataclasses
import threading
import time
from typing import Any, NoReturn

#: What is done to bytes on their way.
Stream = Callable[[Iterable[bytes]], Iterable[bytes]]


@dataclasses.dataclass
class Call:
    """A request as it came, and what became of it.

    :param path: with its query
    :param headers: by their names in small letters, without the token
    :param token: its SHA256
    :param uploaded: bytes of its body that the Glance was given
    :param downloaded: bytes of the answer's body that the client was given
    :param status: of the answer that the client was given; 0 for none
    :param over: set when nothing more happens
    """

    method: str
    path: str
    headers: dict[str, str]
    token: str = ''
    uploaded: int = 0
    downloaded: int = 0
    status: int = 0
    over: threading.Event = dataclasses.field(default_factory=threading.Event)

    @property
    def range(self) -> str:
        return self.headers.get('range', '')


class BrokenError(Exception):
    """The connection ends here.

    :param rst: with a RST, rather than as if all had been said
    """

    def __init__(self, rst: bool = True) -> None:
        super().__init__()
        self.rst = rst


@dataclasses.dataclass(frozen=True)
class Answer:
    """What is said in the place of the Glance.

    :param document: what is sent as JSON instead of a body
    """

    status: int = 200
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    body: Iterable[bytes] = ()
    document: Any = None


def _as_it_is(blocks: Iterable[bytes]) -> Iterable[bytes]:
    return blocks


@dataclasses.dataclass(frozen=True)
class Fault:
    """What becomes of one request.

    :param before: called first of all
    :param answer: instead of forwarding the request
    :param early: the answer does not wait for the request's body
    :param without: headers, in small letters, that the Glance does not get
    :param upload: what is done to the request's body
    :param keep: the Glance is not told that the client has gone
    :param lose: the client is dropped when the Glance has answered
    :param headers: put over those of the answer; None takes one away
    :param rewrite: what is done to the answer's JSON
    :param download: what is done to the answer's body
    """

    before: Callable[[Call], object] | None = None
    answer: Answer | Callable[[Call], Answer] | None = None
    early: bool = False
    without: tuple[str, ...] = ()
    upload: Stream = _as_it_is
    keep: bool = False
    lose: bool = False
    headers: Mapping[str, str | None] = dataclasses.field(default_factory=dict)
    rewrite: Callable[[Any], Any] | None = None
    download: Stream = _as_it_is


def after(count: int, act: Callable[[], object]) -> Stream:
    """Do something once when so many bytes have passed, before the next."""

    def stream(blocks: Iterable[bytes]) -> Iterator[bytes]:
        acted = False
        for position, block in _split(blocks, count):
            if position >= count and not acted:
                acted = True
                act()
            yield block

    return stream


def since(seconds: float, act: Callable[[], object]) -> Stream:
    """Do something once when so much time has passed, before what follows."""

    def stream(blocks: Iterable[bytes]) -> Iterator[bytes]:
        at: float | None = time.monotonic() + seconds
        for block in blocks:
            if at is not None and time.monotonic() > at:
                at = None
                act()
            yield block

    return stream


def reset() -> NoReturn:
    """End the connection with a RST."""
    raise BrokenError


def close() -> NoReturn:
    """End the connection as if all had been said."""
    raise BrokenError(rst=False)


def pause(seconds: float) -> Callable[[], None]:
    """Be silent for a while."""
    return lambda: time.sleep(seconds)


def corrupt(at: int) -> Stream:
    """Change one byte."""

    def stream(blocks: Iterable[bytes]) -> Iterator[bytes]:
        for position, block in _split(blocks, at):
            if position == at:
                yield bytes([block[0] ^ 1]) + block[1:]
            else:
                yield block

    return stream


def drop(count: int) -> Stream:
    """Leave out the first bytes."""
    return lambda blocks: (
        block for position, block in _split(blocks, count) if position >= count
    )


def append(more: Iterable[bytes]) -> Stream:
    """Say more than there is."""

    def stream(blocks: Iterable[bytes]) -> Iterator[bytes]:
        yield from blocks
        yield from more

    return stream


def dribble(size: int, seconds: float) -> Stream:
    """Give so many bytes at a time."""

    def stream(blocks: Iterable[bytes]) -> Iterator[bytes]:
        for block in blocks:
            for start in range(0, len(block), size):
                time.sleep(seconds)
                yield block[start : start + size]

    return stream


def _split(blocks: Iterable[bytes], at: int) -> Iterator[tuple[int, bytes]]:
    """Give blocks and their positions, one of which is the given one."""
    position = 0
    for block in blocks:
        cut = at - position
        parts: tuple[bytes, ...] = (block,)
        if 0 < cut < len(block):
            parts = block[:cut], block[cut:]
        for part in parts:
            yield position, part
            position += len(part)
