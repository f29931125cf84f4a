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

import contextlib
import datetime
import pathlib
import socket
import ssl
import threading
import time

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization
from cryptography import x509
import fixtures
import requests
import testtools

from osc_glance_replicate import background
from osc_glance_replicate.clouds import limits
from osc_glance_replicate.clouds import watchdog
from osc_glance_replicate.tests.doubles import clocks
from osc_glance_replicate.tests.doubles import forks
from osc_glance_replicate.transfer import upload_body

HEAD = b'HTTP/1.1 200 OK\r\n'
BODY = HEAD + b'\r\n'
CHUNKED = HEAD + b'Transfer-Encoding: chunked\r\n\r\n'


class Peer(fixtures.Fixture):
    """A server that says something, and then something else without end.

    :param first: what it says, once anything has come
    :param endless: what it goes on with; b'' for nothing at all
    :param pause: seconds between two of those
    :param context: of one that speaks TLS
    :ivar connected: counts connections
    """

    def __init__(self, first, endless=b'', pause=0.02, context=None):
        super().__init__()
        self._first = first
        self._endless = endless
        self._pause = pause
        self._context = context
        self._over = threading.Event()
        self.connected = threading.Semaphore(0)

    def _setUp(self):
        # A proxy of the caller's knows no way back to this machine.
        self.useFixture(fixtures.EnvironmentVariable('no_proxy', '127.0.0.1'))
        self._listening = socket.create_server(('127.0.0.1', 0))
        self.port = self._listening.getsockname()[1]
        scheme = 'https' if self._context else 'http'
        self.url = f'{scheme}://127.0.0.1:{self.port}/'
        self.addCleanup(self._listening.close)
        self.addCleanup(self._over.set)
        background.start(self._serve)

    def _serve(self):
        while not self._over.is_set():
            with contextlib.suppress(OSError):
                client, _ = self._listening.accept()
                background.start(self._answer, client)

    def _answer(self, client):
        self.connected.release()
        with contextlib.suppress(OSError), client:
            if self._context:
                client = self._context.wrap_socket(client, server_side=True)
            while client.recv(65536):
                client.sendall(self._first)
                while self._endless and not self._over.wait(self._pause):
                    client.sendall(self._endless)


class WatchdogTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.session = requests.Session()
        for scheme in 'http://', 'https://':
            self.session.mount(scheme, limits.Adapter())
        self.limit('_ANSWER_TIMEOUT', 0.2)
        self.limit('_DOCUMENT_TIMEOUT', 0.2)
        self.useFixture(
            fixtures.MonkeyPatch(f'{watchdog.__name__}._INTERVAL', 0.05)
        )

    def limit(self, name, value):
        self.useFixture(
            fixtures.MonkeyPatch(f'{limits.__name__}.{name}', value)
        )

    def without_limits(self):
        """Have Python read on: 3.14 has limits of its own for this."""
        for name in '_MAXINTERIMRESPONSES', '_MAXHEADERS':
            self.useFixture(fixtures.MonkeyPatch(f'http.client.{name}', 10**9))

    def assertGivenUp(self, kind, words, url, **options):
        """A request ends, with a certain error."""
        asked = background.start(self.session.get, url, **options)
        error = asked.exception(clocks.PATIENCE)
        self.assertIsInstance(error, kind)
        self.assertEqual(words, str(error))

    def assertNeverAnswers(self, url, **options):
        self.assertGivenUp(
            requests.exceptions.ReadTimeout,
            'it never answers',
            url,
            **options,
        )

    def secure(self, *arguments):
        """Return a peer that speaks TLS."""
        directory = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(_certificate(directory / 'server.pem'))
        return self.useFixture(Peer(*arguments, context=context))


def _certificate(path):
    """Write a certificate that nobody vouches for, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    path.write_bytes(
        key.private_bytes(
            pem,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(pem)
    )
    return path


class TestAnswer(WatchdogTest):
    """An answer begins in time."""

    def test_silence(self):
        self.assertNeverAnswers(self.useFixture(Peer(b'')).url)

    def test_headers_that_are_spun_out(self):
        """Cut off, what has come of them would do."""
        for endless in b'X-A: b\r\n', b'x':
            peer = self.useFixture(Peer(HEAD + b'X: ', endless))
            self.assertNeverAnswers(peer.url)

    def test_without_a_pause(self):
        """What it has sent already could be read for long."""
        self.without_limits()
        again = b'HTTP/1.1 100 Continue\r\n\r\n' * 1000
        self.assertNeverAnswers(self.useFixture(Peer(b'', again, 0)).url)

    def test_in_a_child(self):
        """The thread of its parent is none of its own."""
        self.test_silence()
        peer = self.useFixture(Peer(b''))

        def ask():
            try:
                self.session.get(peer.url, timeout=clocks.PATIENCE)
            except requests.exceptions.ReadTimeout as exc:
                return str(exc) == 'it never answers'

        self.assertEqual(1, forks.in_child(lambda: int(bool(ask()))))

    def test_over_tls(self):
        for first, endless in (b'', b''), (HEAD + b'X: ', b'x'):
            peer = self.secure(first, endless)
            self.assertNeverAnswers(peer.url, verify=False)

    def test_before_tls(self):
        peer = self.useFixture(Peer(b''))
        self.assertNeverAnswers(peer.url.replace('http:', 'https:'))

    def test_behind_a_proxy(self):
        for url in 'http://glance.invalid/', 'https://glance.invalid/':
            peer = self.useFixture(Peer(HEAD + b'X: ', b'x'))
            self.assertNeverAnswers(
                url, proxies={'http': peer.url, 'https': peer.url}
            )

    def test_resolver_that_never_answers(self):
        over = threading.Event()
        self.addCleanup(over.set)
        self.useFixture(
            fixtures.MonkeyPatch(
                'socket.getaddrinfo', lambda *args: over.wait()
            )
        )
        self.assertNeverAnswers('http://ghost.invalid/')

    def test_upload_that_waits_for_its_source(self):
        self.limit('_UPLOAD_ANSWER_TIMEOUT', 0.2)

        class Blocks:
            def read(self, seconds):
                time.sleep(0.01)
                return None

        peer = self.useFixture(Peer(b''))
        sent = background.start(
            self.session.put,
            peer.url,
            data=upload_body.UploadBody(Blocks(), 4),
        )
        error = sent.exception(clocks.PATIENCE)
        self.assertIsInstance(error, requests.exceptions.ReadTimeout)

    def test_upload_that_nobody_takes(self):
        self.limit('_UPLOAD_ANSWER_TIMEOUT', 0.2)

        class Blocks:
            def read(self, seconds):
                return bytes(1024**2)

        nobody = self.enterContext(socket.create_server(('127.0.0.1', 0)))
        sent = background.start(
            self.session.put,
            'http://127.0.0.1:{1}/'.format(*nobody.getsockname()),
            data=upload_body.UploadBody(Blocks(), 1024**4),
        )
        error = sent.exception(clocks.PATIENCE)
        self.assertIsInstance(error, requests.exceptions.ReadTimeout)

    def test_another_connection_is_used_then(self):
        peer = self.useFixture(Peer(b''))
        for _ in range(2):
            self.assertNeverAnswers(peer.url)
            self.assertTrue(peer.connected.acquire(timeout=clocks.PATIENCE))


class TestDocument(WatchdogTest):
    """An answer ends in time."""

    def setUp(self):
        super().setUp()
        # However long it takes to begin, on a busy machine.
        self.limit('_ANSWER_TIMEOUT', clocks.PATIENCE)

    def assertTooLong(self, url, **options):
        self.assertGivenUp(
            requests.exceptions.ConnectionError,
            'it took more than 0 s',
            url,
            **options,
        )

    def test_silence(self):
        for first in BODY, CHUNKED, CHUNKED + b'4\r\nx':
            self.assertTooLong(self.useFixture(Peer(first)).url)

    def test_what_is_spun_out(self):
        """Cut off, the first of them would look whole."""
        for first, endless in (
            (BODY, b'x'),
            (CHUNKED, b'1\r\n \r\n'),
            (CHUNKED + b'0\r\n', b'X: y\r\n'),
        ):
            self.assertTooLong(self.useFixture(Peer(first, endless)).url)

    def test_without_a_pause(self):
        self.without_limits()
        trailers = b'X: y\r\n' * 1000
        peer = self.useFixture(Peer(CHUNKED + b'0\r\n', trailers, 0))
        self.assertTooLong(peer.url)

    def test_over_tls(self):
        for endless in b'', b'x':
            peer = self.secure(BODY, endless)
            self.assertTooLong(peer.url, verify=False)


class TestThreads(WatchdogTest):
    def test_no_request_takes_one(self):
        """Nor does the first of a connection leave one behind."""
        self.limit('_ANSWER_TIMEOUT', clocks.PATIENCE)
        self.limit('_DOCUMENT_TIMEOUT', clocks.PATIENCE)
        answer = HEAD + b'Content-Length: 1\r\n\r\nx'
        peer = self.useFixture(Peer(answer, b''))
        self.session.get(peer.url)
        started = []
        start = threading.Thread.start
        self.useFixture(
            fixtures.MonkeyPatch(
                'threading.Thread.start',
                lambda thread: started.append(thread) or start(thread),
            )
        )
        submitted = []
        self.useFixture(
            fixtures.MonkeyPatch(
                f'{background.__name__}.Executor.submit',
                lambda *arguments: submitted.append(arguments),
            )
        )
        self.session.get(peer.url)
        self.assertEqual(([], []), (started, submitted))
