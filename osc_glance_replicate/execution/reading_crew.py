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

"""Images read, and held against their records, in threads of this process."""

from collections.abc import Callable, Collection, Mapping
import dataclasses
import logging
import time

from osc_glance_replicate import background
from osc_glance_replicate import errors
from osc_glance_replicate.execution import events
from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan
from osc_glance_replicate import places
from osc_glance_replicate.transfer import image_reading

LOG = logging.getLogger(__name__)

#: From what is to be read to the record that its data is held against.
Record = Callable[[plan.Action], image_record.Image]


def _unheard(to: str) -> float:
    """Know nobody who has answered."""
    return 0.0


class ReadingCrew:
    """Reads each image in a thread, where it is to be, and keeps nothing.

    :param readable: where the images are, by the names of destinations; more
        of them may come
    :param reading: how the data of images is read, wherever they are
    :param record: returns what the data is held against; asked when it is
        about to be read
    :param answered: returns when a destination last gave a usable answer, as
        of time.monotonic
    """

    def __init__(
        self,
        readable: Mapping[str, places.Readable],
        reading: image_reading.Reading,
        record: Record,
        listener: events.Listener = events.Listener(),
        answered: Callable[[str], float] = _unheard,
    ) -> None:
        self._readable = readable
        self._reading = reading
        self._record = record
        self._listener = listener
        self._answered = answered

    def carry_out(
        self, action: plan.Action, others: Collection[str] = ()
    ) -> outcomes.Future:
        """Begin to read one image at one destination."""
        return background.start(self._outcome, action)

    def give_up(self, to: str) -> None:
        """Do nothing: what has begun is soon tried often enough."""

    def resume(self, to: str) -> None:
        """Do nothing: nobody was given up."""

    def stop(self) -> None:
        """Break off what has begun."""
        self._reading.stop.set()

    def close(self) -> None:
        """Do nothing: threads end by themselves."""

    def _outcome(self, action: plan.Action) -> outcomes.Outcome:
        """Read an image, and raise nothing, whatever happens."""
        try:
            return self._found(action)
        except errors.StoppedError:
            return outcomes.failed(action, outcomes.INTERRUPTED)
        except Exception as exc:
            LOG.debug('defect while reading', exc_info=True)
            return outcomes.failed(action, errors.unexpected(exc))

    def _found(self, action: plan.Action) -> outcomes.Outcome:
        """Return what was found of an image.

        :raises StoppedError: the run is to end
        """
        begun = time.monotonic()
        try:
            self._read(action)
        except errors.StoppedError:
            raise
        except (errors.DataError, errors.ShortError) as exc:
            damaged = outcomes.Result.DAMAGED
            return outcomes.Outcome(action, damaged, str(exc))
        except errors.ReplicateError as exc:
            if self._is_closed(action, exc):
                skipped = outcomes.Result.SKIPPED
                return outcomes.Outcome(action, skipped, str(exc))
            since = self._silent_since(action.to, exc, begun)
            return outcomes.failed(action, str(exc), unanswered=since)
        return outcomes.Outcome(action, outcomes.Result.OK)

    def _read(self, action: plan.Action) -> None:
        """Read all data of an image.

        :raises DataError: it is not what its record promises
        :raises ShortError: likewise
        :raises PlaceError: it cannot be read
        """
        reading = dataclasses.replace(
            self._reading, source=self._readable[action.to]
        )
        with reading.open(self._record(action), inspect=False) as data:
            for block in data.blocks():
                self._listener.sent(action, len(block))

    def _is_closed(
        self, action: plan.Action, trouble: errors.ReplicateError
    ) -> bool:
        """Return whether it was not read as it is deactivated by now."""
        if not isinstance(trouble, errors.RefusedError):
            return False
        if trouble.status != 403:
            return False
        try:
            found = self._readable[action.to].find(action.image.id)
        except errors.PlaceError as exc:
            LOG.debug('%s: its status is unknown: %s', action.image.id, exc)
            return False
        return found is not None and found.status == 'deactivated'

    def _silent_since(
        self, to: str, trouble: errors.ReplicateError, begun: float
    ) -> float:
        """Return since when a destination has given no usable answer.

        :param begun: when it was first asked for the image
        :returns: as of time.time; 0 where it has answered
        """
        is_silent = (
            isinstance(trouble, errors.PlaceError)
            and trouble.unanswered
            and self._answered(to) <= begun
        )
        waited = time.monotonic() - begun
        return time.time() - waited if is_silent else 0.0
