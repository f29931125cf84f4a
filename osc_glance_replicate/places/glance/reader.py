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

"""The data of one image, read from a Glance."""

from collections.abc import Callable, Iterator
import contextlib
import functools
import time

import requests
import urllib3

from osc_glance_replicate.clouds import decoding
from osc_glance_replicate import errors
from osc_glance_replicate.model import image_record
from osc_glance_replicate.places.glance import image_api
from osc_glance_replicate.places.glance import records

#: Bytes of a block that is large enough to be passed on.
_ENOUGH_BYTES = 128 * 1024

#: Further tries where a Glance finds no data, and seconds between them.
_TRIES = 3
_PAUSE = 0.5

#: Bytes per second at which a larger block is worth waiting for.
_FAST_RATE = 10e6


class Reader:
    """The body of an answer, read as it arrives.

    :param unwanted: number of bytes that were not asked for
    """

    def __init__(
        self, place: str, response: requests.Response, unwanted: int
    ) -> None:
        self.unwanted = unwanted
        self._place = place
        self._raw = response.raw
        # TLS and chunked encoding have buffers of their own, which a poll of
        # the socket does not see, and so has what is unpacked.
        encrypted = response.url.startswith('https:')
        packed = bool(decoding.encodings(response))
        self._plain = not (encrypted or packed or response.raw.chunked)
        # Where no length is told, something else than data may come.
        self.prompt = not packed and response.raw.length_remaining is not None
        self._read1 = decoding.unpacked(
            response, functools.partial(self._read_raw, self._raw.read1)
        )
        self._read_all = (
            self._read1
            if packed
            else functools.partial(self._read_raw, self._raw.read)
        )
        self._gathers = False

    def fileno(self) -> int | None:
        return self._raw.fileno() if self._plain else None

    def interrupt(self) -> None:
        # From another thread, see fact-read-shutdown: it may have come to its
        # end meanwhile.
        with contextlib.suppress(ValueError, RuntimeError, OSError):
            self._raw.shutdown()

    def read(self, most: int) -> bytes:
        """Return what has arrived, but gather fast and small pieces.

        TLS delivers 16 KiB at a time, and small blocks cost three times the
        CPU (see fact-block-size). A caller that polls the descriptor does not
        wait for a second piece.
        """
        if self._plain:
            return self._read(self._read1, most)
        start = time.monotonic()
        data = self._read(
            self._read_all if self._gathers else self._read1, most
        )
        fast = len(data) > _FAST_RATE * (time.monotonic() - start)
        self._gathers = fast and (self._gathers or len(data) < _ENOUGH_BYTES)
        return data

    @staticmethod
    def _read_raw(read: Callable[..., bytes | None], most: int) -> bytes:
        return read(most, decode_content=False) or b''

    def _read(self, read: Callable[[int], bytes], most: int) -> bytes:
        try:
            return read(most)
        except (
            urllib3.exceptions.HTTPError,
            OSError,
            decoding.PackedError,
        ) as exc:
            if isinstance(exc.__cause__, urllib3.exceptions.IncompleteRead):
                # The caller knows how much there should be.
                return b''
            raise errors.TransientError(
                self._place, f'broke off while sending: {errors.explain(exc)}'
            ) from exc


@contextlib.contextmanager
def read(
    api: image_api.ImageApi, image: image_record.Image, start: int
) -> Iterator[Reader]:
    """Open an image's data.

    Not every store can begin in the middle (see fact-range): then the bytes
    before it come as well, and have to be dropped. Glance reports no error
    for data that is lost (see fact-lost-data).

    :param start: number of bytes to leave out; fewer than there are
    :raises DataError: the record promises data, and there is none or its
        length differs
    """
    with _request(api, image, start) as response:
        partial = response.status_code == 206
        size = image.size or 0
        # Chunked data is counted when it has been read.
        expected = str(size - start if partial else size)
        offered = response.headers.get('Content-Length', expected)
        if decoding.encodings(response):
            if response.headers.get('Content-Length') == expected:
                # The image itself is a file that is packed.
                del response.headers['Content-Encoding']
            # Else the length is of what it is packed in.
            offered = expected
        if response.status_code == 204:
            offered = '0'
        if offered != expected:
            raise _lost(api, image, f'{offered} offered', expected)
        yield Reader(api.name, response, unwanted=0 if partial else start)


def _lost(
    api: image_api.ImageApi,
    image: image_record.Image,
    found: str,
    expected: str = '',
) -> errors.DataError:
    """Return the error of an image that lacks data.

    :param found: what there is of it
    :param expected: number of bytes; all of them unless it is given
    """
    return errors.DataError(
        api.name,
        f'the data of {image.id} is lost or damaged: '
        f'{expected or image.size} bytes are recorded, {found}',
    )


def _request(
    api: image_api.ImageApi,
    image: image_record.Image,
    start: int,
    tries: int = _TRIES,
) -> requests.Response:
    """Ask for data from a byte on; the answer may begin at the first.

    :param tries: further ones where none is found
    """
    headers = {'Accept-Encoding': 'identity'}
    if start:
        headers['Range'] = f'bytes={start}-'
    response = api.request(
        'GET',
        image_api.path(image.id) + '/file',
        expect=(200, 204, 404, *((206, 400, 416) if start else ())),
        stream=True,
        headers=headers,
    )
    is_without = response.status_code == 204 and image.size
    if response.status_code == 404 or (is_without and tries):
        response.close()
        if tries:
            # One of several Glances may lack what others have.
            time.sleep(_PAUSE)
            return _request(api, image, start, tries - 1)
        if records.find(api, image.id):
            raise _lost(api, image, 'none are found')
        raise errors.RefusedError(
            api.name, f'{image.id} was deleted there meanwhile'
        )
    promised = f'bytes {start}-{(image.size or 0) - 1}/{image.size}'
    if response.status_code in (200, 204) or (
        response.status_code == 206
        and not decoding.encodings(response)
        and response.headers.get('Content-Range') == promised
    ):
        return response
    response.close()
    return _request(api, image, 0, tries)
