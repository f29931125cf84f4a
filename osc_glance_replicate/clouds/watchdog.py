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

"""Who breaks off what takes too long, while its caller waits for a peer.

A timeout of a socket limits the silence between two bytes, and nothing else:
a peer that sends one from time to time would be waited for for ever. So one
thread looks after all calls, and shuts the connection of one that is late,
which ends whatever waits for it. A thread for each call would take a tenth of
the CPU of a run of small images.
"""

from collections.abc import Callable, Iterator
import concurrent.futures
import contextlib
import functools
import logging
import os
import socket
import threading
from typing import Any, TypeVar

import urllib3
import urllib3.connection

from osc_glance_replicate import background
from osc_glance_replicate import clouds

LOG = logging.getLogger(__name__)

#: Seconds after which calls are looked at again: what ends with a run has to
#: end within the second that a run waits for it.
_INTERVAL = 0.5

#: Where an answer of urllib3's keeps the socket over which it comes.
_SOCKET = 'osc_glance_replicate_socket'

_Result = TypeVar('_Result')


class Call:
    """One call, which has to end in time.

    :param is_late: whether it should have ended by now
    :param break_off: ends it from another thread; called once, and perhaps
        when there is nothing yet that could be broken off
    :ivar late: whether it has been broken off
    """

    def __init__(
        self, is_late: Callable[[], bool], break_off: Callable[[], object]
    ) -> None:
        self.late = False
        self._is_late = is_late
        self._break_off = break_off

    def look(self) -> None:
        """Break it off if it is late."""
        if self.late or not self._is_late():
            return
        self.late = True
        try:
            self._break_off()
        except Exception as exc:
            # It may have come to its end meanwhile; and the other calls are
            # looked after, whatever it is.
            LOG.debug('cannot be broken off: %s', exc)


class _Watchdog:
    """Looks at all calls under way, in a thread of its own."""

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        """Have no calls and no thread."""
        self._calls: set[Call] = set()
        self._lock = threading.Lock()
        self._some = threading.Event()
        self._begun = False

    def add(self, call: Call) -> None:
        with self._lock:
            self._calls.add(call)
            if not self._begun:
                self._begun = True
                background.start(self._work)
        if not self._some.is_set():
            self._some.set()

    def discard(self, call: Call) -> None:
        with self._lock:
            self._calls.discard(call)

    def _work(self) -> None:
        pause = threading.Event()
        while True:
            self._some.wait()
            pause.wait(_INTERVAL)
            with self._lock:
                calls = list(self._calls)
                if not calls:
                    self._some.clear()
            for call in calls:
                call.look()


_WATCHDOG = _Watchdog()

# A child of this process has neither its thread nor its calls.
os.register_at_fork(after_in_child=_WATCHDOG.begin_anew)


@contextlib.contextmanager
def watched(call: Call) -> Iterator[Call]:
    """Have a call looked after while it lasts."""
    _WATCHDOG.add(call)
    try:
        yield call
    finally:
        _WATCHDOG.discard(call)


class Exchange:
    """A request that is sent and answered over one connection.

    :param body: what is sent
    :ivar call: it is broken off with its connection
    :ivar connection: the one that is used, once that is known
    """

    def __init__(self, is_late: Callable[[], bool], body: object) -> None:
        self.call = Call(is_late, self._break_off)
        self.connection: urllib3.connection.HTTPConnection | None = None
        self._body = body

    def _break_off(self) -> None:
        if isinstance(self._body, clouds.Upload):
            # It may be waiting for more to send.
            self._body.given_up = True
        if self.connection and self.connection.sock:
            _shut_down(self.connection.sock)

    def wait_for(self, coming: concurrent.futures.Future[_Result]) -> _Result:
        """Wait for what cannot be broken off, until the call is late.

        :raises TimeoutError: it is
        """
        while True:
            try:
                return coming.result(_INTERVAL)
            except TimeoutError:
                if coming.done() or self.call.late:
                    raise


class _Own(threading.local):
    """What this thread is about."""

    exchange: Exchange | None = None
    is_over: Callable[[], bool] = bool


_OWN = _Own()


@contextlib.contextmanager
def exchanging(is_late: Callable[[], bool], body: object) -> Iterator[Call]:
    """Look after the request that this thread sends.

    Its pool has to be known to ``notice``.

    :param is_late: whether its answer should have begun by now
    """
    is_over = _OWN.is_over
    exchange = Exchange(lambda: is_late() or is_over(), body)
    before, _OWN.exchange = _OWN.exchange, exchange
    try:
        with watched(exchange.call) as call:
            yield call
    finally:
        _OWN.exchange = before


@contextlib.contextmanager
def ending_when(
    is_over: Callable[[], bool], break_off: Callable[[], object]
) -> Iterator[None]:
    """Break off what this thread waits for as soon as something is over.

    :param is_over: whether it is
    :param break_off: ends what is not the request that is under way, as that
        of a Call does
    """
    before, _OWN.is_over = _OWN.is_over, is_over
    try:
        with watched(Call(is_over, break_off)):
            yield
    finally:
        _OWN.is_over = before


class _Noticed(urllib3.connection.HTTPConnection):
    """A connection that is told of the exchange that goes over it."""

    def connect(self) -> None:
        """Connect, in another thread.

        Neither a resolver nor the tries of a dozen addresses can be broken
        off; and a resolver holds up Ctrl-C.
        """
        if not (exchange := _OWN.exchange):
            super().connect()
            return
        exchange.connection = self
        coming = background.start(super().connect)
        try:
            exchange.wait_for(coming)
        except BaseException:
            coming.add_done_callback(lambda _: self.close())
            raise

    def request(self, *args: Any, **kwargs: Any) -> None:
        if exchange := _OWN.exchange:
            exchange.connection = self
        super().request(*args, **kwargs)

    def getresponse(self) -> Any:
        connection = self.sock
        response = super().getresponse()
        setattr(response, _SOCKET, connection)
        return response


@functools.cache
def _noticed(
    kind: type[urllib3.connection.HTTPConnection],
) -> type[urllib3.connection.HTTPConnection]:
    """Return a kind of connections that are noticed."""
    return type(kind.__name__, (_Noticed, kind), {})


def notice(pool: Any) -> None:
    """Have the connections of a pool of urllib3's noticed from now on."""
    if not issubclass(pool.ConnectionCls, _Noticed):
        pool.ConnectionCls = _noticed(pool.ConnectionCls)


def hang_up(answer: Any) -> None:
    """End what reads an answer in another thread.

    :param answer: urllib3's
    :raises RuntimeError: it has come to its end
    """
    answer.shutdown()
    _shut_down(getattr(answer, _SOCKET))


def _shut_down(connection: Any) -> None:
    """End what waits for a socket, in both directions.

    In one alone, a peer that never pauses would be read on.

    :param connection: one of TLS would forget that it is, and one of TLS
        within TLS has another inside
    """
    inner = getattr(connection, 'socket', connection)
    socket.socket.shutdown(inner, socket.SHUT_RDWR)
