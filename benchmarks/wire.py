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

"""One transfer of 1 GiB where nothing but this machine is the limit.

A source that serves from memory and a sink that discards, processes of their
own behind real sockets, take the places of the Glances::

    tox run -e benchmark -- wire.py

What a transfer does is done in this process, without the start of
openstackclient. Beside it stand a bare proxy, which receives into a buffer
and sends it, ``curl | curl``, with TLS ``curl -k | curl -k``, and sha512
alone. The runs are interleaved, so that what else the machine does strikes
all alike, and all of them are shown.
"""

import argparse
import collections
from collections.abc import Iterator
import contextlib
import functools
import hashlib
import os
import pathlib
import socket
import sys
import tempfile

import ends
from keystoneauth1 import noauth
from keystoneauth1 import session
import measuring
import openstack.connection
import published

from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import options
from osc_glance_replicate.places import glance
from osc_glance_replicate.places.glance import image_api
from osc_glance_replicate.sandbox import tls
from osc_glance_replicate.transfer import image_reading
from osc_glance_replicate.transfer import upload_body

#: By name of what was measured.
Results = dict[str, list[measuring.Run]]


class Wire:
    """A source and a sink.

    :param size: of the image, in MiB
    :param directory: for the data and the certificates
    :param authority: who vouches for both, where they speak TLS
    """

    def __init__(
        self,
        size: int,
        directory: pathlib.Path,
        authority: tls.Authority | None = None,
    ) -> None:
        self._authority = authority
        self._certificate = (
            authority.issue(directory / 'server.pem') if authority else None
        )
        self._block = directory / 'block'
        block = os.urandom(ends.BLOCK)
        self._block.write_bytes(block)
        digest = hashlib.sha512()
        for _ in range(size):
            digest.update(block)
        self._size = size * len(block)
        self.image = image_record.Image(
            {
                'id': '00000000-0000-0000-0000-000000000001',
                'name': 'image',
                'status': 'active',
                'size': self._size,
                'os_hash_algo': 'sha512',
                'os_hash_value': digest.hexdigest(),
                'container_format': 'bare',
                'disk_format': 'raw',
            }
        )

    @contextlib.contextmanager
    def stretched(self) -> Iterator['Wire']:
        """Have both ends serve."""
        with contextlib.ExitStack() as stack:
            source, sink = (
                stack.enter_context(
                    ends.End(kind, self._size, self._block, self._certificate)
                )
                for kind in ('source', 'sink')
            )
            self._places = self._glance(source), self._glance(sink)
            self._ends = source, sink
            # What is imported and found out once in a run is not measured.
            self.ours(checksum=True)
            yield self

    def ours(self, checksum: bool) -> None:
        """Do what a task does between the record and its publication."""
        source, sink = self._places
        reading = image_reading.Reading(source, 0, options.Checks(checksum))
        with reading.open(self.image, sink.inspects) as data:
            data.look_ahead()
            sink.write(self.image, upload_body.UploadBody(data, self._size))

    def bare(self) -> None:
        """Receive and send, and nothing else."""
        source, sink = self._ends
        file = f'/v2/images/{self.image.id}/file HTTP/1.1\r\nHost: localhost'
        with (
            socket.create_connection(('127.0.0.1', source.port)) as one,
            socket.create_connection(('127.0.0.1', sink.port)) as other,
        ):
            one.sendall(f'GET {file}\r\n\r\n'.encode())
            _, rest = ends.receive_head(one)
            length = f'Content-Length: {self._size}'
            other.sendall(f'PUT {file}\r\n{length}\r\n\r\n'.encode() + rest)
            buffer = memoryview(bytearray(ends.BLOCK))
            while count := one.recv_into(buffer):
                other.sendall(buffer[:count])
            head, _ = ends.receive_head(other)
        if b' 204 ' not in head:
            raise SystemExit(f'bare proxy: {head!r}')

    def curl(self, *options: str) -> list[str]:
        """Give the pipe."""
        curl = ' '.join(('curl', '-sf', *options))
        source, sink = (
            f'{end.url}/v2/images/{self.image.id}/file' for end in self._ends
        )
        pipe = f'{curl} {source} | {curl} -T - {sink}'
        return ['bash', '-c', f'set -o pipefail; {pipe}']

    def sha512(self) -> None:
        """Hash as many bytes as the image has."""
        block = self._block.read_bytes()
        digest = hashlib.sha512()
        for _ in range(self._size // len(block)):
            digest.update(block)

    def _glance(self, end: ends.End) -> glance.Destination:
        url = f'{end.url}/v2'
        connection = openstack.connection.Connection(
            session=session.Session(
                auth=noauth.NoAuth(endpoint=url),
                verify=str(self._authority.certificate)
                if self._authority
                else True,
            ),
            image_endpoint_override=url,
            image_api_version='2',
        )
        return glance.Destination(image_api.ImageApi(end.url, connection))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    measuring.add_options(parser, size=1024)
    args = parser.parse_args()
    results: Results = collections.defaultdict(list)
    with contextlib.ExitStack() as stack:
        plain, secure = (
            pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
            for _ in range(2)
        )
        authority = tls.Authority(secure / 'ca.pem')
        wires = [
            stack.enter_context(wire.stretched())
            for wire in (
                Wire(args.size, plain),
                Wire(args.size, secure, authority),
            )
        ]
        for number in range(args.runs):
            for name, run in _measure(*wires):
                results[name].append(run)
                print(f'run {number + 1}: {name:14} {run}', file=sys.stderr)
    print(f'{args.size} MiB, {published.setting()}\n')
    print(measuring.table(results), end='\n\n')
    print(published.Claim.heading())
    for claim in _claims(results, args.size):
        print(claim)
    return 0


def _measure(plain: Wire, secure: Wire) -> Iterator[tuple[str, measuring.Run]]:
    """Measure everything once."""
    unchecked = functools.partial(plain.ours, checksum=False)
    unchecked_tls = functools.partial(secure.ours, checksum=False)
    hashed = functools.partial(plain.ours, checksum=True)
    yield 'no hash', measuring.call(unchecked)
    yield 'bare proxy', measuring.call(plain.bare)
    yield 'curl | curl', measuring.measure(plain.curl())
    yield 'hash', measuring.call(hashed)
    yield 'sha512', measuring.call(plain.sha512)
    yield 'TLS', measuring.call(unchecked_tls)
    yield 'curl -k | curl -k', measuring.measure(secure.curl('-k'))


def _claims(results: Results, size: int) -> Iterator[published.Claim]:
    for theirs, ours, target in (
        ('bare proxy', 'no hash', 0.9),
        ('curl | curl', 'no hash', 1.6),
        ('sha512', 'hash', 0.9),
        ('curl -k | curl -k', 'TLS', 1.0),
    ):
        yield published.Claim(
            f'wire: {ours}, times as fast as {theirs}',
            measuring.ratios(results[theirs], results[ours]),
            '>=',
            target,
        )
    yield published.Claim(
        'wire: no hash, CPU s per GiB',
        [run.cpu / size * 1024 for run in results['no hash']],
        '<=',
        0.5,
    )


if __name__ == '__main__':
    sys.exit(main())
