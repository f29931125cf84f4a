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

import contextlib
import logging
import select
import threading
import time

from osc_glance_replicate import errors
from osc_glance_replicate.model import image_record
from osc_glance_replicate import places
from osc_glance_replicate import retry
from osc_glance_replicate.transfer import bandwidth

LOG = logging.getLogger(__name__)

#: Bytes per second that a source has to give.
_SLOWEST = 100

#: Seconds over which that is measured.
_WINDOW = 60.0

#: Milliseconds to wait for data before a thread is had to do that.
_MOMENT = 100

#: Bytes after which a source that has broken is trusted anew.
_PROGRESS = 1024 * 1024


class Resuming:
    """All data of an image: what is kept of it, and then the source's.

    It is opened when the first byte is read.

    :param source: where the data is
    :param image: the source's record
    :param retries: how often to open it again, counted anew whenever it has
        given some more
    :param limit: of the bytes per second that are read
    :param kept: what an interrupted run has left of the data
    :param start: number of bytes that are kept
    :param rehearsal: it is read without a limit until it is rewound
    """

    def __init__(
        self,
        source: places.Source,
        image: image_record.Image,
        retries: int,
        limit: bandwidth.Bandwidth,
        kept: places.Data | None = None,
        start: int = 0,
        rehearsal: bool = False,
    ) -> None:
        self._source = source
        self._image = image
        self._retries = retry.Retries(retries)
        self._trusted = 0
        self._limit = limit
        self._kept = kept
        self._start = start
        self._rehearsal = rehearsal
        self._size = image.size or 0
        self._position = 0
        self._data: places.Data | None = None
        self._poll: select.poll | None = None
        self._trouble: errors.TransientError | None = None
        self._closing = contextlib.ExitStack()
        self._opened = 0
        self._spent, self._got = 0.0, 0
        self._interrupted = threading.Event()

    def read(self, most: int) -> bytes:
        """Give what has arrived, as ``places.Data`` does.

        :raises PlaceError: the source broke again and again, or for good
        :raises DataError: it has other data than before
        """
        while not self._interrupted.is_set():
            try:
                if trouble := self._trouble:
                    raise trouble
                data = self._advance(most)
            except errors.TransientError as exc:
                if self._position >= self._size > 0:
                    return b''
                self._recover(exc)
                continue
            if data is not None:
                return data
        raise errors.StoppedError(self._source.name, 'interrupted')

    @property
    def watched(self) -> bool:
        """Whether ``arrived`` can tell."""
        # A reader that is to be slowed down waits for more than data.
        return self._poll is not None and self._limit.rate is None

    def arrived(self, most: int) -> bytes | None:
        """Return what has arrived, waiting for no more than a moment.

        What breaks is left to ``read``, which mends it.

        :param most: maximum number of bytes
        :returns: None where ``read`` may have to wait
        """
        poll = self._poll
        if not (poll and self.watched) or self._position >= self._size:
            return None
        if self._trouble or self._interrupted.is_set():
            return None
        before = time.monotonic()
        ready = poll.poll(_MOMENT)
        # A source that dribbles makes nobody wait longer than this.
        self._spent += time.monotonic() - before
        if not ready:
            return None
        try:
            return self._advance(most)
        except errors.TransientError as exc:
            # To recover takes its time.
            self._trouble = exc
            return None

    def _advance(self, most: int) -> bytes | None:
        """Read some; None where nothing of it was wanted."""
        data = self._read(most)
        if data is None:
            return None
        if not data and self._position < self._size:
            raise self._broken(
                f'ended (has it lost the rest?) after {self._position}'
            )
        self._position += len(data)
        return data

    def _read(self, most: int) -> bytes | None:
        """Read some; None where nothing of it was wanted."""
        if self._kept and self._position < self._start:
            if data := self._kept.read(most):
                return data
            self._start = self._position
        if self._data is None:
            if self._position >= self._size > 0:
                return b''
            self._data = self._open()
            self._spent, self._got = 0.0, 0
        if not self._rehearsal:
            most = self._limit.grant(most)
        before = time.monotonic()
        data = self._data.read(most)
        if not self._rehearsal:
            self._limit.give_back(most - len(data))
        self._check_rate(len(data), time.monotonic() - before)
        if not self._data.unwanted or not data:
            return data
        dropped = min(self._data.unwanted, len(data))
        self._data.unwanted -= dropped
        return data[dropped:] or None

    def _open(self) -> places.Data:
        data = self._closing.enter_context(
            self._source.read(self._image, self._position)
        )
        fileno = data.fileno()
        if fileno is not None:
            self._poll = select.poll()
            self._poll.register(fileno, select.POLLIN)
        if self._opened:
            self._check_unchanged()
        self._opened += 1
        return data

    def _check_unchanged(self) -> None:
        """Find out whether the rest still belongs to what was read before."""
        found = self._source.find(self._image.id)
        if found is None or not image_record.same_data(self._image, found)[0]:
            raise errors.DataError(
                self._source.name,
                f'the data of {self._image.id} was changed or deleted while '
                'it was read',
            )

    def _check_rate(self, count: int, seconds: float) -> None:
        self._got += count
        self._spent += seconds
        if self._spent < _WINDOW:
            return
        if self._got < _SLOWEST * _WINDOW:
            raise self._broken(
                f'sent {self._got} bytes in {self._spent:.0f} s,'
            )
        self._spent, self._got = 0.0, 0

    def _broken(self, what: str) -> errors.TransientError:
        return errors.TransientError(
            self._source.name,
            f'{what} of the {self._size} bytes of {self._image.id}',
        )

    def _recover(self, trouble: errors.TransientError) -> None:
        """Wait, so that the data can be opened again.

        :raises PlaceError: it has been tried often enough
        """
        self._close()
        if self._position - self._trusted >= _PROGRESS:
            self._retries = retry.Retries(self._retries.total)
            self._trusted = self._position
        if self._retries.exhausted:
            tries = self._retries.total + 1
            given_up = f'; given up after {tries} tries' if tries > 1 else ''
            raise errors.PlaceError(
                trouble.place, f'{trouble.problem}{given_up}'
            ) from trouble
        self._retries = self._retries.after(trouble)
        LOG.debug('%s: going on at byte %s', trouble, self._position)
        self._interrupted.wait(self._retries.delay)

    def rewind(self) -> None:
        """Start again.

        :raises io.UnsupportedOperation: it cannot be given twice
        """
        if self._data:
            self._data.rewind()
        self._position = 0
        self._rehearsal = False

    def nudge(self) -> None:
        """Break off a read that waits in another thread; go on then."""
        if data := self._data:
            data.interrupt()

    def interrupt(self) -> None:
        """End a read that waits in another thread, and allow no more."""
        self._interrupted.set()
        self.nudge()

    def __enter__(self) -> 'Resuming':
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._close()

    def _close(self) -> None:
        self._data = self._poll = self._trouble = None
        self._closing.close()
