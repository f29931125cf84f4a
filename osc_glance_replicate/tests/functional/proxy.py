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

"""A proxy between the command and a Glance, that does what links do to it.

Real sockets on both sides, and one request on each connection, as uWSGI has
it, too. What is not told to go wrong passes as it is.
"""

from collections.abc import Callable
import dataclasses
import re
import socket
import threading
import urllib.parse

import fixtures

from osc_glance_replicate.tests.functional import exchange
from osc_glance_replicate.tests.functional import faults


@dataclasses.dataclass
class _Rule:
    """A fault, and the requests that it happens to.

    :param count: matching requests so far
    """

    method: str
    path: str
    fault: faults.Fault
    first: int
    times: int | None
    when: Callable[[faults.Call], bool]
    count: int = 0

    def applies(self, call: faults.Call) -> bool:
        """Count a request that matches, and say whether it is among those."""
        if not (
            re.fullmatch(self.method, call.method)
            and re.search(self.path, call.path)
            and self.when(call)
        ):
            return False
        self.count += 1
        last = self.first + self.times if self.times else None
        return self.first <= self.count and (not last or self.count < last)


class Proxy(fixtures.Fixture):
    """One Glance, seen through a link that can be broken.

    :param target: URL of the Glance
    :ivar url: what to use instead
    :ivar calls: all requests so far, in the order in which they came
    """

    def __init__(self, target: str) -> None:
        super().__init__()
        parts = urllib.parse.urlsplit(target)
        self._address = parts.hostname or '', parts.port or 80
        self.calls: list[faults.Call] = []
        self._rules: list[_Rule] = []
        self._open: set[exchange.Exchange] = set()
        self._lock = threading.Lock()
        self._up = threading.Event()
        self._closing = False

    def _setUp(self) -> None:
        # Only a port that was asked for stays bound while nobody listens.
        with socket.socket() as reserved:
            reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            reserved.bind(('127.0.0.1', 0))
            self._listener = socket.create_server(reserved.getsockname())
        self.url = 'http://{}:{}'.format(*self._listener.getsockname())
        self._up.set()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        self.addCleanup(self._close)

    def on(
        self,
        method: str,
        path: str,
        fault: faults.Fault,
        *,
        first: int = 1,
        times: int | None = 1,
        when: Callable[[faults.Call], bool] = lambda call: True,
    ) -> None:
        """Let something go wrong; of several rules the oldest counts.

        :param method: regular expression of the whole method
        :param path: regular expression, found in path and query
        :param first: which of the matching requests is the first
        :param times: how many of them; None for all that follow
        :param when: another condition
        """
        with self._lock:
            rule = _Rule(method, path, fault, first, times, when)
            self._rules.append(rule)

    def seen(self, method: str, path: str = '') -> list[faults.Call]:
        """Give the requests that match, as ``on`` has it."""
        return [
            call
            for call in self.calls.copy()
            if re.fullmatch(method, call.method) and re.search(path, call.path)
        ]

    def down(self, seconds: float | None = None) -> None:
        """Reset all connections, and refuse new ones.

        :param seconds: for how long; None until it is told to be up
        """
        self._up.clear()
        exchange.shut(self._listener, socket.SHUT_RD)
        with self._lock:
            begun = self._open.copy()
        for broken in begun:
            broken.hang_up()
        if seconds is not None:
            timer = threading.Timer(seconds, self.up)
            timer.daemon = True
            timer.start()

    def up(self) -> None:
        """Take connections again."""
        if not self._closing:
            self._listener.listen()
            self._up.set()

    def _close(self) -> None:
        self._closing = True
        self.down()
        self._up.set()
        self._thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while not self._closing:
            try:
                client, _ = self._listener.accept()
            except OSError:
                self._up.wait()
                continue
            begun = exchange.Exchange(client, self._address, self._arrived)
            with self._lock:
                self._open.add(begun)
            threading.Thread(
                target=self._serve, args=(begun,), daemon=True
            ).start()

    def _serve(self, begun: exchange.Exchange) -> None:
        try:
            begun.serve()
        finally:
            with self._lock:
                self._open.discard(begun)

    def _arrived(self, call: faults.Call) -> faults.Fault:
        with self._lock:
            self.calls.append(call)
            # Each of them counts, whichever is the one that applies.
            found = [rule.fault for rule in self._rules if rule.applies(call)]
        return found[0] if found else faults.Fault()
