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

#: How a file of gzip begins.
_MAGIC = b'\x1f\x8b'

#: How often an answer may be packed: nobody does it twice.
_MOST_STEPS = 4

#: What can be unpacked.
_KNOWN = frozenset(('gzip', 'x-gzip', 'deflate'))

#: Packed bytes of which nothing comes, at the most.
_MOST_IN_VAIN = 1024 * 1024


class PackedError(Exception):
    """An answer is not what it is said to be."""


def encodings(response: requests.Response) -> list[str]:
    """Return how an answer is packed, the last step at the end.

    What is no way of packing that anybody knows is left out, as others do: a
    server may say 'utf-8'.
    """
    header = response.headers.get('Content-Encoding', '')
    found = (each.strip().lower() for each in header.split(','))
    return [each for each in found if each in _KNOWN]


def unpacked(response: requests.Response, read: Read) -> Read:
    """Return what reads an answer as it was meant.

    Nothing is unpacked before somebody wants it: a small answer may become a
    huge one. What comes of it may raise PackedError.

    :param read: reads the answer as it comes
    """
    steps = encodings(response)
    if len(steps) > _MOST_STEPS:
        return _refuse
    for encoding in reversed(steps):
        read = _Unpacker(read, encoding).read
    return read


def _refuse(most: int) -> bytes:
    raise PackedError(f'it is packed more than {_MOST_STEPS} times')


class _Unpacker:
    """Undoes one step."""

    def __init__(self, read: Read, encoding: str) -> None:
        self._packed = read
        self._encoding = encoding
        self._inner = zlib.decompressobj(_EITHER)
        self._rest = b''
        #: What was read before anything came of it.
        self._beginning: bytes | None = b''

    def read(self, most: int) -> bytes:
        """Return some bytes; none at the end.

        :param most: how many
        """
        in_vain = 0
        while in_vain <= _MOST_IN_VAIN:
            if self._inner.eof and not self._goes_on(most):
                return b''
            block = self._rest or self._packed(max(most, 1))
            if not block and self._beginning == b'':
                return b''
            found = self._unpack(block, max(most, 1))
            if found:
                return found
            if not block and not self._inner.eof:
                raise PackedError('it ends too early')
            in_vain += len(block) - len(self._rest)
        raise PackedError('nothing comes of it')

    def _goes_on(self, most: int) -> bool:
        """Return whether another file follows; whatever else does is nothing.

        Many servers fill up their answers with zeros.
        """
        while len(self._rest) < len(_MAGIC):
            block = self._packed(max(most, 1))
            if not block:
                return False
            self._rest += block
        if not self._rest.startswith(_MAGIC):
            return False
        self._inner = zlib.decompressobj(_EITHER)
        return True

    def _unpack(self, block: bytes, most: int) -> bytes:
        # A bare one shows as such with its second byte only.
        if self._beginning is not None:
            self._beginning += block
        try:
            found = self._inner.decompress(block, most)
        except zlib.error as exc:
            if self._beginning is None or self._encoding != 'deflate':
                raise PackedError(f'it is no {self._encoding}') from exc
            self._inner = zlib.decompressobj(_BARE)
            block, self._beginning = self._beginning, None
            return self._unpack(block, most)
        if found:
            self._beginning = None
        self._rest = self._inner.unconsumed_tail or self._inner.unused_data
        return found
