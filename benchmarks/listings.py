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

"""A Glance that has nothing but listings, as long as wanted.

Run as a script, this module is one: a process of its own, which makes a page
when it is asked for it, so that neither costs memory nor takes turns with what
is measured.
"""

import argparse
import functools
import hashlib
import http.server
import json
import pathlib
import socket
import subprocess
import sys
from typing import Any
import urllib.parse
import uuid

import planting

_VERSIONS = '/', '/v2', '/v2/'


class Catalogue:
    """One Glance, whose images are the same ones at each of them.

    :param images: how many it has
    :param made: when it made them; no two services do so at the same time
    :ivar url: its endpoint
    """

    def __init__(self, images: int, made: str) -> None:
        self._images = images
        self._made = made

    def __enter__(self) -> 'Catalogue':
        with socket.create_server(('127.0.0.1', 0)) as listening:
            port = listening.getsockname()[1]
            self.url = f'http://127.0.0.1:{port}/v2'
            self._process = subprocess.Popen(  # noqa: S603
                [
                    sys.executable, __file__, str(self._images), self._made,
                    '--listening', str(listening.fileno()),
                ],
                pass_fds=[listening.fileno()],
            )  # fmt: skip
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._process.terminate()
        self._process.wait()


def clouds(directory: pathlib.Path, urls: dict[str, str]) -> pathlib.Path:
    """Write a configuration of clouds that nobody logs in to.

    :param urls: endpoints, by name
    """
    entries = {
        name: {
            'auth_type': 'none',
            'auth': {'endpoint': url},
            'image_endpoint_override': url,
            'image_api_version': '2',
        }
        for name, url in urls.items()
    }
    # JSON is YAML.
    path = directory / 'clouds.yaml'
    path.touch(mode=0o600)
    path.write_text(json.dumps({'clouds': entries}))
    return path


def _template(made: str) -> bytes:
    """Make the record of which all are made."""
    record: dict[str, Any] = {
        **planting.PROPERTIES,
        'name': 'Debian 13 build %(number)s',
        'disk_format': 'qcow2',
        'container_format': 'bare',
        'visibility': 'public',
        'size': 2147483648,
        'virtual_size': 21474836480,
        'status': 'active',
        'checksum': '%(digest)s',
        'protected': True,
        'min_ram': 512,
        'min_disk': 20,
        'owner': '5d64e7ae0e4f4c1e9ff4d1e8a3b6f0c2',
        'os_hidden': False,
        'os_hash_algo': 'sha512',
        'os_hash_value': '%(digest)s' * 4,
        'id': '%(id)s',
        'created_at': made,
        'updated_at': made,
        'tags': list(planting.TAGS),
        'self': '/v2/images/%(id)s',
        'file': '/v2/images/%(id)s/file',
        'schema': '/v2/schemas/image',
    }
    return json.dumps(record).encode()


class _Handler(http.server.BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    protocol_version = 'HTTP/1.1'

    def __init__(
        self, images: int, template: bytes, *args: Any, **kwargs: Any
    ) -> None:
        self._images = images
        self._template = template
        super().__init__(*args, **kwargs)

    def do_GET(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        if url.path in _VERSIONS:
            body = self._versions()
        else:
            query = dict(urllib.parse.parse_qsl(url.query))
            images = 0 if query.get('os_hidden') == 'true' else self._images
            marker = uuid.UUID(int=0) if 'marker' not in query else None
            first = (marker or uuid.UUID(query['marker'])).int
            body = self._page(first, min(images, first + int(query['limit'])))
        self.send_response(200)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _versions(self) -> bytes:
        """Give the document by which keystoneauth finds v2."""
        links = [{'rel': 'self', 'href': f'//{self.headers["Host"]}/v2'}]
        version = {'id': 'v2.9', 'status': 'CURRENT', 'links': links}
        return json.dumps({'versions': [version]}).encode()

    def _page(self, after: int, last: int) -> bytes:
        """Give the images between two, which are numbered from 1."""
        records = [
            self._template
            % {
                b'id': str(uuid.UUID(int=number)).encode(),
                b'number': b'%d' % number,
                b'digest': hashlib.md5(b'%d' % number, usedforsecurity=False)
                .hexdigest()
                .encode(),
            }
            for number in range(after + 1, last + 1)
        ]
        following = b', "next": "/v2/images?"' if last < self._images else b''
        return b'{"images": [%s]%s}' % (b', '.join(records), following)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('images', type=int)
    parser.add_argument('made', help='of all images: created_at')
    parser.add_argument('--listening', type=int, help='file descriptor')
    args = parser.parse_args()
    listening = socket.socket(fileno=args.listening)
    server = http.server.ThreadingHTTPServer(
        listening.getsockname(),
        functools.partial(_Handler, args.images, _template(args.made)),
        bind_and_activate=False,
    )
    server.socket = listening
    server.serve_forever()


if __name__ == '__main__':
    main()
