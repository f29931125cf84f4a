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

"""A Glance that costs next to nothing, for what a client itself costs.

Run as a script, this module is one: a process of its own that keeps records
in memory, speaks as much of the Images API as a copy asks for, and hashes
what it gets, so that a copy can be verified. Everybody may do everything.
"""

import argparse
import asyncio
import collections
from collections.abc import Iterator
import hashlib
import json
import re
import socket
import subprocess
import sys
from typing import Any
import urllib.parse
import urllib.request
import uuid

_FILE = '/file'
_HEAD_END = b'\r\n\r\n'
_LENGTH = re.compile(rb'\r\ncontent-length: *(\d+)', re.I)


class QuickGlance:
    """A Glance in a process of its own.

    :param images: that it has
    :param size: bytes of each
    :param visibility: of each
    :param latency: seconds that every answer comes later
    :ivar url: its endpoint
    """

    def __init__(
        self,
        images: int = 0,
        size: int = 0,
        visibility: str = 'private',
        latency: float = 0.0,
    ) -> None:
        self._options = [str(images), str(size), visibility, str(latency)]

    def __enter__(self) -> 'QuickGlance':
        with socket.create_server(('127.0.0.1', 0), backlog=100) as listening:
            port = listening.getsockname()[1]
            self.url = f'http://127.0.0.1:{port}/v2'
            self._process = subprocess.Popen(  # noqa: S603
                [
                    sys.executable, __file__, str(listening.fileno()),
                    *self._options,
                ],
                pass_fds=[listening.fileno()],
            )  # fmt: skip
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._process.terminate()
        self._process.wait()

    def told(self) -> dict[str, Any]:
        """Ask for the requests so far, by kind, and what it has by now."""
        with urllib.request.urlopen(f'{self.url}/told') as answer:  # noqa: S310
            told: dict[str, Any] = json.load(answer)
            return told


class _Images:
    """The records, and the one piece of data."""

    def __init__(self, images: int, size: int, visibility: str) -> None:
        self.data = b'x' * size
        self.hashes = _hashes(self.data)
        self.records: dict[str, dict[str, Any]] = {}
        for number in range(images):
            image_id = str(uuid.UUID(int=number + 1))
            self.records[image_id] = {
                **_record(image_id),
                'name': f'image {number}',
                'container_format': 'bare',
                'disk_format': 'raw',
                'visibility': visibility,
                'status': 'active',
                **self.hashes,
            }
        #: Requests, by kind.
        self.counts: collections.Counter[str] = collections.Counter()

    def answer(self, method: str, target: str, body: bytes) -> bytes:
        """Answer a request."""
        path, _, query = target.removeprefix('/v2').partition('?')
        if path == '/told':
            states = collections.Counter(
                f'{record["status"]} {record["visibility"]}'
                for record in self.records.values()
                if record.get('size') == len(body) or record.get('checksum')
            )
            return _json({'requests': self.counts, 'images': states})
        image_id = path.removeprefix('/images/').removesuffix(_FILE)
        record = self.records.get(image_id)
        if path == '/images':
            self.counts[f'{method} images'] += 1
            return self._add(body) if method == 'POST' else self._list(query)
        if path.startswith('/schemas'):
            return _json({'properties': {}})
        if not path.startswith('/images/'):
            return _versions()
        kind = 'file' if path.endswith(_FILE) else 'image'
        self.counts[f'{method} {kind}'] += 1
        if record is None:
            return _head('404 Not Found', 0)
        if kind == 'image':
            return self._patch(record, body) if body else _json(record)
        if method == 'GET':
            return _head('200 OK', len(self.data)) + self.data
        # Hashed once: all data is the same.
        hashes = self.hashes if body == self.data else _hashes(body)
        record.update(status='active', **hashes)
        return _head('204 No Content', 0)

    def _list(self, query: str) -> bytes:
        asked = dict(urllib.parse.parse_qsl(query))
        hidden = asked.get('os_hidden') == 'true'
        marker = asked.get('marker', '')
        limit = int(asked.get('limit', '25'))
        ids = sorted(key for key in self.records if key > marker)
        page = [] if hidden else [self.records[key] for key in ids[:limit]]
        more = {'next': '/v2/images?more'} if len(ids) > len(page) > 0 else {}
        return _json({'images': page, 'schema': '/v2/schemas/images', **more})

    def _add(self, body: bytes) -> bytes:
        asked = json.loads(body)
        record = {**_record(asked['id']), **asked}
        self.records[asked['id']] = record
        return _json(record, '201 Created')

    def _patch(self, record: dict[str, Any], body: bytes) -> bytes:
        changed = dict(record)
        for operation in json.loads(body):
            field = operation['path'][1:]
            if operation['op'] != 'remove':
                changed[field] = operation['value']
            elif changed.pop(field, None) is None:
                return _head('409 Conflict', 0)
        record.update(changed)
        return _json(record)


class _Protocol(asyncio.Protocol):
    """One connection."""

    def __init__(self, images: _Images, latency: float) -> None:
        self._images = images
        self._latency = latency
        self._received = b''

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        for answer in self._answers():
            if self._latency:
                loop = asyncio.get_running_loop()
                loop.call_later(self._latency, self._transport.write, answer)
            else:
                self._transport.write(answer)

    def _answers(self) -> Iterator[bytes]:
        while (end := self._received.find(_HEAD_END)) >= 0:
            found = _LENGTH.search(self._received, 0, end)
            start = end + len(_HEAD_END)
            length = int(found[1]) if found else 0
            if len(self._received) < start + length:
                break
            method, target, _ = self._received.split(b' ', 2)
            body = self._received[start : start + length]
            self._received = self._received[start + length :]
            yield self._images.answer(method.decode(), target.decode(), body)


def _record(image_id: str) -> dict[str, Any]:
    """Give a record as a Glance makes it."""
    return {
        'id': image_id,
        'name': None,
        'status': 'queued',
        'visibility': 'shared',
        'protected': False,
        'os_hidden': False,
        'owner': None,
        'min_disk': 0,
        'min_ram': 0,
        'tags': [],
        'container_format': None,
        'disk_format': None,
        'created_at': '2026-11-01T00:00:00Z',
        'updated_at': '2026-11-01T00:00:00Z',
        'size': None,
        'checksum': None,
        'os_hash_algo': None,
        'os_hash_value': None,
        'virtual_size': None,
        'self': f'/v2/images/{image_id}',
        'file': f'/v2/images/{image_id}/file',
        'schema': '/v2/schemas/image',
    }


def _hashes(data: bytes) -> dict[str, Any]:
    return {
        'size': len(data),
        'checksum': hashlib.md5(data, usedforsecurity=False).hexdigest(),
        'os_hash_algo': 'sha512',
        'os_hash_value': hashlib.sha512(data).hexdigest(),
    }


def _versions() -> bytes:
    links = [{'rel': 'self', 'href': '/v2/'}]
    version = {'id': 'v2.9', 'status': 'CURRENT', 'links': links}
    return _json({'versions': [version]})


def _json(document: object, status: str = '200 OK') -> bytes:
    body = json.dumps(document).encode()
    return _head(status, len(body), 'application/json') + body


def _head(
    status: str, length: int, kind: str = 'application/octet-stream'
) -> bytes:
    # A 204 has no length: see RFC 9110.
    told = '' if status.startswith('204') else f'Content-Length: {length}\r\n'
    return f'HTTP/1.1 {status}\r\n{told}Content-Type: {kind}\r\n\r\n'.encode()


async def _serve(
    listening: socket.socket, images: _Images, latency: float
) -> None:
    server = await asyncio.get_running_loop().create_server(
        lambda: _Protocol(images, latency), sock=listening
    )
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('listening', type=int, help='file descriptor')
    parser.add_argument('images', type=int)
    parser.add_argument('size', type=int)
    parser.add_argument('visibility')
    parser.add_argument('latency', type=float)
    args = parser.parse_args()
    images = _Images(args.images, args.size, args.visibility)
    listening = socket.socket(fileno=args.listening)
    asyncio.run(_serve(listening, images, args.latency))


if __name__ == '__main__':
    main()
