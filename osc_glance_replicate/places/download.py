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

"""The data of one image as it comes from a Glance."""

from collections.abc import Callable
import contextlib
import io
import time

import requests
import urllib3

from osc_glance_replicate import errors

#: Bytes of a block that is worth passing on.
_SMALL = 128 * 1024

#: Bytes per second at which a larger block is worth waiting for.
_FAST = 10e6


class Download:
    """The body of an answer, read as it arrives.

    :param unwanted: number of bytes that were not asked for
    """

    def __init__(
        self, place: str, response: requests.Response, unwanted: int
    ) -> None:
        self.unwanted = unwanted
        self._place = place
        self._raw = response.raw
        # TLS and chunks have buffers of their own, of which a socket knows
        # nothing.
        encrypted = response.url.startswith('https:')
        self._plain = not (encrypted or response.raw.chunked)
        self._gathers = False

    def rewind(self) -> None:
        raise io.UnsupportedOperation

    def fileno(self) -> int | None:
        return self._raw.fileno() if self._plain else None

    def interrupt(self) -> None:
        # It may have come to its end meanwhile.
        with contextlib.suppress(ValueError, RuntimeError, OSError):
            self._raw.shutdown()

    def read(self, most: int) -> bytes:
        """Give what has arrived; what comes fast in small pieces is gathered.

        Of TLS, 16 KiB arrive at a time, and small blocks cost three times the
        CPU (FACTS.md). Who watches the descriptor does not wait for a second
        piece.
        """
        if self._plain:
            return self._read(self._raw.read1, most)
        start = time.monotonic()
        data = self._read(
            self._raw.read if self._gathers else self._raw.read1, most
        )
        fast = len(data) > _FAST * (time.monotonic() - start)
        self._gathers = fast and (self._gathers or len(data) < _SMALL)
        return data

    def _read(self, read: Callable[..., bytes | None], most: int) -> bytes:
        try:
            data = read(most, decode_content=False) or b''
        except urllib3.exceptions.IncompleteRead:
            # Whoever reads knows how much there should be.
            return b''
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            raise errors.TransientError(
                self._place, f'broke off while sending: {errors.explain(exc)}'
            ) from exc
        return data
