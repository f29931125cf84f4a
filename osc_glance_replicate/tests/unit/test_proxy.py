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

"""The proxy that breaks the functional tests' links: does it do so?"""

import contextlib
import http.client
import http.server
import json
import socket
import threading
import time
from unittest import mock

import fixtures
import testtools

from osc_glance_replicate.tests.doubles import clocks
from osc_glance_replicate.tests.functional import faults
from osc_glance_replicate.tests.functional import proxy

DATA = bytes(range(256)) * 1024


class Server(fixtures.Fixture):
    """Gives DATA, or a document, and takes what it is given.

    :ivar taken: number of bytes of each body, as far as it came
    """

    def _setUp(self) -> None:
        fixture = self
        self.taken: list[int] = []
        self.read = threading.Condition()

        class Handler(http.server.BaseHTTPRequestHandler):
            timeout = clocks.PATIENCE

            def do_GET(self) -> None:
                self._answer(
                    json.dumps({'path': self.path}).encode()
                    if 'document' in self.path
                    else DATA
                )

            def do_PUT(self) -> None:
                count = 0
                length = int(self.headers['Content-Length'])
                with contextlib.suppress(OSError):
                    while count < length:
                        block = self.rfile.read1(length - count)
                        if not block:
                            break
                        count += len(block)
                with fixture.read:
                    fixture.taken.append(count)
                    fixture.read.notify_all()
                with contextlib.suppress(OSError):
                    self._answer(str(count).encode())

            def _answer(self, body: bytes) -> None:
                with contextlib.suppress(OSError):
                    self.send_response(200)
                    self.send_header('Content-Length', str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                """Leave the tests' output alone."""

        server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.url = f'http://127.0.0.1:{server.server_port}'


class TestProxy(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.useFixture(fixtures.Timeout(90, gentle=True))
        self.server = self.useFixture(Server())
        self.proxy = self.useFixture(proxy.Proxy(self.server.url))

    def ask(self, method='GET', path='/', body=None, headers=None):
        """Make one request; gives status and body."""
        connection = http.client.HTTPConnection(
            self.proxy.url.removeprefix('http://'), timeout=clocks.PATIENCE
        )
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            self.headers = answer.headers
            return answer.status, answer.read()

    def test_passes_on(self):
        self.assertEqual(
            (200, DATA),
            self.ask(headers={'X-Auth-Token': 'secret', 'Range': 'bytes=1-'}),
        )
        self.assertEqual((200, b'262144'), self.ask('PUT', '/a?b', DATA))
        get, put = self.proxy.calls
        for call in get, put:
            # The last bytes arrive before they are counted.
            self.assertTrue(call.over.wait(clocks.PATIENCE))
        self.assertEqual(('GET', '/', 'bytes=1-'), (
            get.method, get.path, get.range,
        ))  # fmt: skip
        self.assertEqual((200, 0, len(DATA)), (
            get.status, get.uploaded, get.downloaded,
        ))  # fmt: skip
        self.assertEqual((len(DATA), 6), (put.uploaded, put.downloaded))
        self.assertEqual([put], self.proxy.seen('P.*', 'b$'))
        self.assertEqual(64, len(get.token))
        self.assertEqual('', put.token)
        self.assertNotIn('secret', repr(get))

    def test_breaks_an_answer(self):
        for act, error in (
            (faults.reset, ConnectionResetError),
            (faults.close, http.client.IncompleteRead),
        ):
            fault = faults.Fault(download=faults.after(70_000, act))
            self.proxy.on('GET', '/', fault)
            self.assertRaises(error, self.ask)
            call = self.proxy.calls[-1]
            self.assertTrue(call.over.wait(clocks.PATIENCE))
            self.assertEqual(70_000, call.downloaded)
            self.assertEqual((200, DATA), self.ask())

    def test_breaks_a_request(self):
        fault = faults.Fault(upload=faults.after(100_000, faults.reset))
        self.proxy.on('PUT', '/', fault)
        self.assertRaises(ConnectionError, self.ask, 'PUT', '/', DATA * 20)
        self._wait_for_server()
        self.assertEqual([100_000], self.server.taken)

    def _wait_for_server(self, count=1):
        with self.server.read:
            while len(self.server.taken) < count:
                self.assertTrue(self.server.read.wait(clocks.PATIENCE))

    def _begin_upload_and_go(self, keep):
        self.proxy.on('PUT', '/', faults.Fault(keep=keep))
        with socket.create_connection(
            self.proxy.url.removeprefix('http://').split(':')
        ) as client:
            client.sendall(b'PUT / HTTP/1.1\r\nContent-Length: 9\r\n\r\n1')

    def test_tells_the_server_that_the_client_has_gone_or_keeps_it(self):
        self._begin_upload_and_go(keep=True)
        while not self.proxy._open:
            time.sleep(0.01)
        (kept,) = self.proxy._open
        # What it does about a client that has gone ends with this.
        while kept._client.fileno() >= 0:
            time.sleep(0.01)
        kept._server.sendall(b'23456789')
        self._wait_for_server()
        self._begin_upload_and_go(keep=False)
        self._wait_for_server(2)
        self.assertEqual([9, 1], self.server.taken)

    def test_answers_itself(self):
        for early in True, False:
            answer = faults.Answer(503, {'Retry-After': '1'}, [b'no'])
            self.proxy.on('PUT', '/', faults.Fault(answer=answer, early=early))
            self.assertEqual((503, b'no'), self.ask('PUT', '/', b'small'))
            self.assertEqual('1', self.headers['Retry-After'])
        self.assertEqual([], self.server.taken)
        self.proxy.on(
            'GET',
            '/',
            faults.Fault(
                answer=lambda call: faults.Answer(document=call.path)
            ),
        )
        self.assertEqual((200, b'"/x"'), self.ask(path='/x'))

    def test_early_answer_does_not_wait_for_the_body(self):
        answer = faults.Answer(413)
        self.proxy.on('PUT', '/', faults.Fault(answer=answer, early=True))
        with socket.create_connection(
            self.proxy.url.removeprefix('http://').split(':')
        ) as client:
            client.sendall(b'PUT / HTTP/1.1\r\nContent-Length: 9999\r\n\r\n1')
            self.assertIn(b' 413 ', client.recv(100))

    def test_loses_an_answer(self):
        self.proxy.on('PUT', '/', faults.Fault(lose=True))
        self.assertRaises(
            (ConnectionError, http.client.RemoteDisconnected),
            self.ask,
            'PUT',
            '/',
            b'data',
        )
        self.assertEqual([4], self.server.taken)

    def test_changes_what_is_said(self):
        self.proxy.on('GET', 'document', faults.Fault(rewrite=lambda d: [d]))
        answer = self.ask(path='/document')
        self.assertEqual((200, b'[{"path": "/document"}]'), answer)
        for download, expected in (
            (faults.corrupt(100_000), (b'\xa1', b'\xa0')),
            (faults.drop(100_000), (DATA[100_000:], DATA)),
            (faults.append([b'x']), (DATA + b'x', DATA)),
        ):
            fault = faults.Fault(
                headers={'content-length': '262144'}, download=download
            )
            self.proxy.on('GET', '^/$', fault)
            try:
                _, data = self.ask()
            except http.client.IncompleteRead as exc:
                data = exc.partial
            if len(expected[0]) == 1:
                self.assertEqual(expected[0], data[100_000:100_001])
                data = data[:100_000] + expected[1] + data[100_001:]
                self.assertEqual(DATA, data)
            else:
                self.assertEqual(expected[0][: len(DATA)], data)

    def test_keeps_time(self):
        clock = clocks.Clock()
        self.useFixture(fixtures.MonkeyPatch(f'{faults.__name__}.time', clock))
        for fault, least in (
            (faults.after(5, faults.pause(20)), 20),
            (faults.dribble(65536, 5), 20),
        ):
            self.proxy.on('GET', '/', faults.Fault(download=fault))
            start = clock.now
            self.assertEqual((200, DATA), self.ask())
            self.assertGreaterEqual(clock.now - start, least)
        slow = faults.dribble(1024, 1)
        broken = faults.since(20, faults.reset)
        self.proxy.on(
            'GET', '/', faults.Fault(download=lambda b: broken(slow(b)))
        )
        self.assertRaises(ConnectionResetError, self.ask)
        call = self.proxy.calls[-1]
        self.assertTrue(call.over.wait(clocks.PATIENCE))
        # The last one may be less than 1024 bytes, of each block that came.
        self.assertLessEqual(call.downloaded, 20 * 1024)

    def test_knows_which_requests_are_meant(self):
        no = faults.Fault(answer=faults.Answer(404))
        self.proxy.on('GET', '/a', no, first=2, times=2)
        self.assertEqual(
            [200, 404, 404, 200], [self.ask(path='/a')[0] for _ in range(4)]
        )
        self.proxy.on('GET', '/b', no, times=None)
        self.assertEqual([404] * 3, [self.ask(path='/b')[0] for _ in 'abc'])
        self.proxy.on('GET', '/c', no, when=lambda call: bool(call.range))
        self.assertEqual(200, self.ask(path='/c')[0])
        ranged = self.ask(path='/c', headers={'Range': 'bytes=1-'})
        self.assertEqual(404, ranged[0])

    def test_can_be_down(self):
        began, is_down = threading.Event(), threading.Event()
        self.proxy.on(
            'GET',
            '/',
            faults.Fault(
                download=faults.after(
                    1, lambda: (began.set(), is_down.wait(clocks.PATIENCE))
                )
            ),
        )
        broken = []

        def ask():
            try:
                self.ask()
            except OSError as exc:
                broken.append(exc)

        thread = threading.Thread(target=ask)
        thread.start()
        self.assertTrue(began.wait(clocks.PATIENCE))
        self.proxy.down()
        is_down.set()
        self.assertRaises(ConnectionRefusedError, self.ask)
        thread.join()
        self.assertIsInstance(broken[0], ConnectionResetError)
        self.proxy.up()
        self.assertEqual((200, DATA), self.ask())
        with mock.patch.object(threading, 'Timer') as timer:
            self.proxy.down(20)
        ((seconds, end),) = (call.args for call in timer.call_args_list)
        self.assertEqual(20, seconds)
        timer.return_value.start.assert_called_once_with()
        self.assertRaises(ConnectionRefusedError, self.ask)
        end()
        self.assertEqual((200, DATA), self.ask())
