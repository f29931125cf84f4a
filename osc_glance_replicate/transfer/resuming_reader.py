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

"""An image's data, picked up at the byte where its source broke."""

import logging
import threading

from osc_glance_replicate.clouds import watchdog
from osc_glance_replicate import errors
from osc_glance_replicate import places
from osc_glance_replicate import retry
from osc_glance_replicate.transfer import bandwidth
from osc_glance_replicate.transfer import source_data

LOG = logging.getLogger(__name__)

#: Bytes after which the tries to open a source are counted anew.
_MIN_PROGRESS = 1024 * 1024


class ResumingReader:
    """All data of an image: what is kept of it, and then the source's.

    It is opened when the first byte is read.

    :param source: the data at its source
    :param retries: how often to open it again, counted anew whenever it has
        given some more
    :param limit: of the bytes per second that are read
    :param kept: what an interrupted run has left of the data, and the number
        of its bytes
    :param stop: set when the run is to end
    """

    def __init__(
        self,
        source: source_data.SourceData,
        retries: int,
        limit: bandwidth.Bandwidth,
        kept: tuple[places.Data, int] | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        self._source = source
        self._stop = stop or threading.Event()
        self._retries = retry.Retries(retries)
        self._limit = limit
        self._kept = kept
        self._position = 0
        #: Whether it was opened, and where it was last.
        self._is_open = False
        self._begun = 0
        #: Where the tries were counted anew.
        self._trusted = 0
        self._stream: source_data.Stream | None = None
        #: What it broke with, where that is still to be mended.
        self._trouble: errors.TransientError | None = None
        self._interrupted = threading.Event()

    def read(self, most: int) -> bytes:
        """Return what has arrived, as soon as anything has.

        :param most: number of bytes at the most
        :returns: b'' at the end
        :raises PlaceError: the source broke again and again, or for good
        :raises DataError: it has other data than before
        """
        while not self._interrupted.is_set():
            try:
                data = self._advance(most)
            except errors.TransientError as exc:
                if self._position >= self._source.size > 0:
                    return b''
                self._recover(exc)
                continue
            if data is not None:
                return data
        raise errors.StoppedError(self._source.place, 'interrupted')

    @property
    def watched(self) -> bool:
        """Whether ``arrived`` can tell."""
        # A reader that is to be slowed down waits for more than data.
        return (
            self._stream is not None
            and self._stream.poll is not None
            and self._limit.rate is None
        )

    def arrived(self, most: int) -> bytes | None:
        """Return what has arrived, waiting for no more than a moment.

        But until the first bytes are there nobody else waits: so it is opened
        here, and they are waited for if it is sure that some come. What
        breaks is left to ``read``, which mends it.

        :param most: number of bytes at the most
        :returns: b'' at the end; None where ``read`` may have to wait
        :raises PlaceError: the source broke for good, or the run is to end
        """
        # A reader that is to be slowed down waits for more than data.
        if self._interrupted.is_set() or self._limit.rate is not None:
            return None
        try:
            if stream := self._stream:
                return self._advance(most) if self._comes(stream) else None
            return None if self._kept or self._is_open else self._first(most)
        except errors.TransientError as exc:
            if self._stop.is_set():
                raise errors.StoppedError(exc.place, 'interrupted') from exc
            # To recover takes its time.
            self._trouble = exc
            return None

    def _comes(self, stream: source_data.Stream) -> bool:
        """Return whether more is at hand, or the end."""
        if self._position >= self._source.size:
            return stream.data.prompt
        return stream.has_arrived()

    def _first(self, most: int) -> bytes | None:
        """Open it, and return what comes first if something is sure to."""
        with watchdog.ending_when(self._stop.is_set, self.nudge):
            stream = self._open()
            if self._stop.is_set():
                # Who was to break it off has perhaps found nothing open.
                raise errors.StoppedError(self._source.place, 'interrupted')
            return self._advance(most) if stream.data.prompt else None

    def _open(self) -> source_data.Stream:
        self._is_open = True
        self._stream = self._source.open(self._position)
        self._begun = self._position
        return self._stream

    def _advance(self, most: int) -> bytes | None:
        """Read some; None where nothing of it was wanted."""
        if trouble := self._trouble:
            self._trouble = None
            raise trouble
        data = self._read(most)
        if data is None:
            return None
        if not data and self._position < self._source.size:
            raise self._source.broken(
                f'ended (has it lost the rest?) after {self._position}',
                errors.EndedError,
            )
        self._position += len(data)
        return data

    def _read(self, most: int) -> bytes | None:
        """Read some, of what is kept first."""
        if self._kept:
            part, size = self._kept
            # Not to its end: it is being written again meanwhile.
            if self._position < size and (data := part.read(most)):
                return data
            self._kept = None
        if self._stream is None and self._position >= self._source.size > 0:
            return b''
        stream = self._stream or self._open()
        return stream.read(most, self._limit)

    def _recover(self, trouble: errors.TransientError) -> None:
        """Wait, so that the data can be opened again.

        :raises PlaceError: it has been tried often enough
        """
        self.close()
        if self._position - self._trusted >= _MIN_PROGRESS:
            self._retries = retry.Retries(self._retries.total)
            self._trusted = self._position
        if self._retries.exhausted:
            tries = self._retries.total + 1
            given_up = f'; given up after {tries} tries' if tries > 1 else ''
            # Where some more came in the last try, so it may in another one.
            again = self._position == self._begun
            is_short = again and isinstance(trouble, errors.EndedError)
            kind = errors.ShortError if is_short else errors.PlaceError
            error = kind(trouble.place, f'{trouble.problem}{given_up}')
            error.unanswered = trouble.unanswered
            raise error from trouble
        self._retries = self._retries.after(trouble)
        LOG.debug('%s: going on at byte %s', trouble, self._position)
        self._interrupted.wait(self._retries.delay)

    def nudge(self) -> None:
        """Break off a read that waits in another thread; go on then."""
        if stream := self._stream:
            stream.data.interrupt()

    def interrupt(self) -> None:
        """End a read that waits in another thread, and allow no more."""
        self._interrupted.set()
        self.nudge()

    def close(self) -> None:
        """Close what was opened last."""
        stream, self._stream = self._stream, None
        if stream:
            stream.close()
