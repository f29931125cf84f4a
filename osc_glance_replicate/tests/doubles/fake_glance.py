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

"""A Glance that misbehaves to order, on a real socket.

For what a real one cannot be made to do. It stores nothing: each request is
answered with what the test says.
"""

from collections.abc import Callable
import contextlib
import dataclasses
import http.server
import json
import threading
from typing import Any
import urllib.parse

import fixtures
from keystoneauth1 import plugin
from keystoneauth1 import session
import openstack.connection
import testtools

from osc_glance_replicate.clouds import login
from osc_glance_replicate.places import glance
from osc_glance_replicate.places.glance import image_api


@dataclasses.dataclass
class Request:
    """What the server was asked.

    :param body: all of it; the server reads what Content-Length promises
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclasses.dataclass
class Answer:
    """What the server says to it."""

    status: int = 200
    document: Any = None
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    raw: bytes = b''
    #: What is said again and again instead of the headers, or of the body
    #: after what is raw, without ever being silent.
    endless: bytes = b''
    over: threading.Event = dataclasses.field(default_factory=threading.Event)


class _Token(plugin.BaseAuthPlugin):
    """Auth that claims that a new try with a new token is worth it."""

    def __init__(self, url: str, project: str | None) -> None:
        super().__init__()
        self._url = url
        self._project = project

    def get_token(self, session: Any, **kwargs: Any) -> str:
        return 'secret-token'

    def get_endpoint(self, session: Any, **kwargs: Any) -> str:
        return self._url

    def get_project_id(self, session: Any, **kwargs: Any) -> str | None:
        return self._project

    def invalidate(self) -> bool:
        return True


class FakeGlance(fixtures.Fixture):
    """The server, and the plugin's view of it.

    :param answer: called for each request
    :param name: of the cloud
    :param project: ID of the project that is logged in to
    :ivar requests: all that came, in order
    :ivar connection: a connection to it
    :ivar api: an ImageApi of it
    """

    def __init__(
        self,
        answer: Callable[[Request], Answer],
        name: str = 'slave',
        project: str | None = None,
    ) -> None:
        super().__init__()
        self._answer = answer
        self._name = name
        self._project = project
        self.requests: list[Request] = []

    def _setUp(self) -> None:
        fake = self
        # A proxy of the caller's knows no way back to this machine.
        self.useFixture(fixtures.EnvironmentVariable('no_proxy', '127.0.0.1'))

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def handle_one(self) -> None:
                fake._serve(self)

            do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = handle_one

            def handle(self) -> None:
                with contextlib.suppress(ConnectionError):
                    super().handle()

            def log_message(self, *arguments: object) -> None:
                """Leave the tests' output alone."""

        server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.url = f'http://127.0.0.1:{server.server_port}/v2'
        connection = openstack.connection.Connection(
            session=session.Session(auth=_Token(self.url, self._project)),
            name=self._name,
            auth={},
            image_endpoint_override=self.url,
            image_api_version='2',
        )
        self.addCleanup(connection.close)
        login.limit(connection)
        self.connection = connection
        self.api = image_api.ImageApi(self._name, connection)
        self.endpoint = lambda: login.endpoint(connection)

    def _serve(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        url = urllib.parse.urlsplit(handler.path)
        request = Request(
            handler.command,
            url.path,
            dict(urllib.parse.parse_qsl(url.query)),
            dict(handler.headers),
            handler.rfile.read(int(handler.headers.get('Content-Length', 0))),
        )
        if url.path.strip('/') in ('', 'v2'):
            answer = Answer(document={'versions': [self._version()]})
        else:
            self.requests.append(request)
            answer = self._answer(request)
        body = answer.raw
        if answer.document is not None:
            body = json.dumps(answer.document).encode()
        handler.send_response(answer.status)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        if answer.endless:
            self._ramble(handler, answer)
            return
        if answer.status != 204:
            handler.send_header('Content-Type', 'application/json')
            if 'Content-Length' not in answer.headers:
                handler.send_header('Content-Length', str(len(body)))
        handler.send_header('Connection', 'close')
        handler.end_headers()
        handler.wfile.write(body)

    def _ramble(
        self, handler: http.server.BaseHTTPRequestHandler, answer: Answer
    ) -> None:
        if 'Transfer-Encoding' in answer.headers:
            handler.end_headers()
        handler.flush_headers()
        handler.wfile.write(answer.raw)
        while not answer.over.wait(0.02):
            handler.wfile.write(answer.endless)

    def _version(self) -> dict[str, Any]:
        return {
            'id': 'v2.9',
            'status': 'CURRENT',
            'links': [{'rel': 'self', 'href': self.url}],
        }


class GlanceTest(testtools.TestCase):
    """A place whose Glance answers to order.

    :cvar patience: seconds: what is never answered may be waited for for ever
    """

    patience = 90

    def setUp(self):
        super().setUp()
        self.useFixture(fixtures.Timeout(self.patience, gentle=True))

    def serve(self, answer):
        self.fake = self.useFixture(FakeGlance(answer))
        return glance.Destination(self.fake.api)
