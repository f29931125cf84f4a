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

"""Answers that are packed, though nobody has asked for that."""

from collections.abc import Callable
import zlib

import requests

#: What reads so many bytes of an answer at the most, and none at its end.
Read = Callable[[int], bytes]

#: For zlib: a header tells whether it is gzip or deflate; some send the latter
#: without one.
_EITHER = 32 + zlib.MAX_WBITS
_BARE = -zlib.MAX_WBITS

#: What can be unpacked.
_KNOWN = frozenset(('gzip', 'x-gzip', 'deflate'))

#: Packed bytes of which nothing comes, at the most.
_MOST_IN_VAIN = 1024 * 1024


class PackedError(Exception):
    """An answer is not what it is said to be, or packed in an unknown way."""


def encodings(response: requests.Response) -> list[str]:
    """Return how an answer is packed, the last step at the end."""
    header = response.headers.get('Content-Encoding', '')
    found = (each.strip().lower() for each in header.split(','))
    return [each for each in found if each not in ('', 'identity')]


def unpacked(response: requests.Response, read: Read) -> Read:
    """Return what reads an answer as it was meant.

    Nothing is unpacked before somebody wants it: a small answer may become a
    huge one. What comes of it may raise PackedError.

    :param read: reads the answer as it comes
    """
    for encoding in reversed(encodings(response)):
        read = _Unpacker(read, encoding).read
    return read


class _Unpacker:
    """Undoes one step."""

    def __init__(self, read: Read, encoding: str) -> None:
        self._packed = read
        self._encoding = encoding
        self._inner = zlib.decompressobj(_EITHER)
        self._rest = b''
        self._has_begun = False

    def read(self, most: int) -> bytes:
        if self._encoding not in _KNOWN:
            raise PackedError(f'it is packed as {self._encoding!r:.40}')
        in_vain = 0
        while in_vain <= _MOST_IN_VAIN:
            block = self._rest or self._packed(max(most, 1))
            if not block and (self._inner.eof or not self._has_begun):
                return b''
            if self._inner.eof:
                # Another one follows.
                self._inner = zlib.decompressobj(_EITHER)
            found = self._unpack(block, max(most, 1))
            if found:
                return found
            if not block:
                raise PackedError('it ends too early')
            in_vain += len(block) - len(self._rest)
        raise PackedError('nothing comes of it')

    def _unpack(self, block: bytes, most: int) -> bytes:
        try:
            found = self._inner.decompress(block, most)
        except zlib.error as exc:
            if self._has_begun or self._encoding != 'deflate':
                raise PackedError(f'it is no {self._encoding}') from exc
            self._inner = zlib.decompressobj(_BARE)
            self._has_begun = True
            return self._unpack(block, most)
        self._has_begun = True
        self._rest = self._inner.unconsumed_tail or self._inner.unused_data
        return found
