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

"""One reading of an image's data for several destinations."""

from collections.abc import Callable, Collection, Mapping
import concurrent.futures
import threading

from osc_glance_replicate import background
from osc_glance_replicate import errors
from osc_glance_replicate.transfer import branches
from osc_glance_replicate.transfer import shared_buffer
from osc_glance_replicate.transfer import verified_reader


class FanOut:
    """Reads an image's data once, for all destinations that keep up.

    It is read as fast as the fastest of them takes it. What the others have
    not taken yet waits for them in memory, from the first byte on, so that
    nobody waits for one that is not ready.

    :param open_data: gets ready to read it
    :param to: names of the destinations that may want it
    :param buffer: the memory for that, which other readings use as well
    :param stop: set when the run is to end
    """

    def __init__(
        self,
        open_data: Callable[[], verified_reader.VerifiedReader],
        to: Collection[str],
        buffer: shared_buffer.SharedBuffer,
        stop: threading.Event,
    ) -> None:
        self._open_data = open_data
        self._buffer = buffer
        self._stop = stop
        self._changed = threading.Condition(buffer.lock)
        self._begun: concurrent.futures.Future[None] = (
            concurrent.futures.Future()
        )
        self._branches = tuple(
            branches.Branch(
                name,
                self._begun,
                self._changed,
                stop,
                buffer.pace(name),
                self._moved,
            )
            for name in to
        )
        self._expected = {each.to: each for each in self._branches}
        self._held = 0
        self._is_read = False
        self._is_whole = False

    def branch(self, to: str) -> branches.Branch | None:
        """Return a destination's share; None where it comes too late."""
        with self._changed:
            found = self._expected.pop(to, None)
            if found is None or isinstance(found.error, errors.DroppedError):
                return None
            found.is_taken = True
            # Other trouble is found when reading, by a task that does not
            # look ahead.
            if not self._is_read:
                self._is_read = True
                self._buffer.add(self._branches)
                background.start(self._read)
            return found

    def expects(self, to: str) -> bool:
        """Return whether a destination may still have its share."""
        with self._changed:
            found = self._expected.get(to)
            return found is not None and found.is_served

    def leave(self, to: str) -> None:
        """Expect a destination no longer."""
        with self._changed:
            if found := self._expected.pop(to, None):
                found.leave()

    def _moved(self) -> None:
        """Note what is held by now, which may have made room."""
        held = max((each.size for each in self._served()), default=0)
        self._buffer.resize(held - self._held)
        self._held = held
        if not self._served():
            self._buffer.remove(self._branches)
        self._changed.notify_all()

    def _served(self) -> list[branches.Branch]:
        return [each for each in self._branches if each.is_served]

    def _taking(self) -> list[branches.Branch]:
        """Return those that somebody has come for."""
        return [each for each in self._served() if each.is_taken]

    def _read(self) -> None:
        """Read, and pass on to each destination what was read."""
        try:
            with self._open_data() as data:
                data.look_ahead()
                self._begun.set_result(None)
                with self._buffer.reading():
                    self._pass_on(data)
            self._drop_the_rest()
        except Exception as exc:
            with self._changed:
                for each in self._served():
                    each.fail(exc)
                if not self._begun.done():
                    self._begun.set_exception(exc)

    def _pass_on(self, data: verified_reader.VerifiedReader) -> None:
        block: bytes | None = None
        while block != b'' and self._is_wanted():
            block = data.read(shared_buffer.STOP_CHECK_INTERVAL)
            if block is not None:
                self._put(block, data.digests)

    def _drop_the_rest(self) -> None:
        """Keep nothing for others where it was not read to its end.

        Nobody who has come wants it any more: the source is not to wait for
        those who have not.
        """
        with self._changed:
            if not self._is_whole and not self._stop.is_set():
                for each in self._served():
                    each.drop()

    def _is_wanted(self) -> bool:
        """Wait until the fastest has taken what there is, but for a block."""
        with self._changed:
            while self._goes_on():
                least = min(each.size for each in self._taking())
                if least <= self._buffer.block:
                    return True
                self._changed.wait(shared_buffer.STOP_CHECK_INTERVAL)
            return False

    def _goes_on(self) -> bool:
        return bool(self._taking()) and not self._stop.is_set()

    def _put(self, block: bytes, digests: Mapping[str, str]) -> None:
        """Pass a block on, once there is room for it.

        :param digests: with the last one, the hashes of all
        """
        with self._changed:
            self._buffer.make_room(len(block), self._goes_on)
            for each in self._served():
                each.digests = digests
                each.put(block)
            self._is_whole = not block
            self._moved()
