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

"""What unit tests share: records made by a word, and data to go with them."""

import hashlib
import io
import threading
from typing import Any
import uuid

from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import plan
from osc_glance_replicate.transfer import data_verification
from osc_glance_replicate.transfer import image_reading
from osc_glance_replicate.transfer import read_ahead
from osc_glance_replicate.transfer import upload_body
from osc_glance_replicate.transfer import verified_reader

#: The run goes on.
GO = threading.Event()


class Data:
    """Data that arrives in pieces.

    :param piece: how many bytes at a time
    """

    unwanted = 0
    prompt = False

    def __init__(self, data: bytes, piece: int = 3) -> None:
        self._file = io.BytesIO(data)
        self._piece = piece

    def read(self, most: int) -> bytes:
        return self._file.read(min(most, self._piece))

    watched = False

    def arrived(self, most: int) -> None:
        pass

    def fileno(self) -> None:
        pass

    def interrupt(self) -> None:
        pass

    nudge = interrupt

    def close(self) -> None:
        pass

    def __enter__(self) -> 'Data':
        return self

    def __exit__(self, *exc_info: object) -> None:
        pass


def body(
    data: Any,
    record: image_record.Image,
    checksum: bool = True,
    stop: threading.Event = GO,
    inspect: bool = False,
) -> upload_body.UploadBody:
    """Make a body of opened data, whose source is called master."""
    ahead = read_ahead.ReadAhead(data, image_reading.MAX_BLOCK)
    verification = data_verification.Verification(
        record, 'master', checksum, inspect
    )
    blocks = verified_reader.VerifiedReader(ahead, verification, stop)
    return upload_body.UploadBody(blocks, record.size or 0)


def image(
    number: int = 1, data: bytes = b'data', members: Any = None, **fields: Any
) -> Any:
    """Make the record of an active image, as a Glance would give it."""
    return image_record.Image(
        {
            'id': str(uuid.UUID(int=number)),
            'name': f'image {number}',
            'status': 'active',
            'size': len(data),
            'checksum': hashlib.md5(data).hexdigest(),
            'os_hash_algo': 'sha512',
            'os_hash_value': hashlib.sha512(data).hexdigest(),
            'container_format': 'bare',
            'disk_format': 'raw',
            'min_disk': 0,
            'min_ram': 0,
            'tags': [],
            'visibility': 'private',
            'protected': False,
            'os_hidden': False,
            'owner': 'a project',
            'created_at': '2026-01-01T00:00:00Z',
            'updated_at': '2026-01-01T00:00:00Z',
            'virtual_size': None,
            **fields,
        },
        members=members,
    )


def action(number=1, verb=plan.Verb.COPY, to='slave', **fields):
    record = image(number, **{'size': 4_000_000, **fields})
    return plan.Action(record, to, verb)
