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

import collections
from collections.abc import Callable, Collection, Sequence
import concurrent.futures
import threading

from osc_glance_replicate import background
from osc_glance_replicate import errors
from osc_glance_replicate.transfer import verified_reader

#: Bytes that the quickest destination may be ahead of the slowest.
_MAX_LEAD = 16 * 1024 * 1024

#: Seconds that the others wait for one destination. Some servers drop a
#: silent peer after four (see fact-upload-silence).
_STRAGGLER_TIMEOUT = 2.0


class Branch:
    """What one destination gets of the data.

    :param to: name of the destination
    :param begun: done when the first bytes are there
    :param changed: notified when this one is ready, or has left
    :ivar error: raised where data is waited for
    """

    def __init__(
        self,
        to: str,
        begun: concurrent.futures.Future[None],
        changed: threading.Condition,
    ) -> None:
        self.to = to
        self.ready = False
        self.left = False
        self.error: Exception | None = None
        self._begun = begun
        self._changed = changed
        self._blocks: collections.deque[bytes] = collections.deque()
        self._size = 0

    def look_ahead(self) -> None:
        """Wait for the first bytes, as VerifiedReader does."""
        self._begun.result()

    def read(self, seconds: float) -> bytes | None:
        """Return the next block, as VerifiedReader does.

        :raises DroppedError: the others could not wait
        """
        with self._changed:
            if not self.ready:
                self.ready = True
                self._changed.notify_all()
            self._changed.wait_for(
                lambda: self._blocks or self.error, timeout=seconds
            )
            if self.error:
                raise self.error
            if not self._blocks:
                return None
            block = self._blocks.popleft()
            self._size -= len(block)
            self._changed.notify_all()
            return block

    def put(self, block: bytes) -> None:
        """Pass a block on."""
        self._blocks.append(block)
        self._size += len(block)

    @property
    def is_full(self) -> bool:
        """Whether it has to take some before there is more."""
        return self.is_served and self._size >= _MAX_LEAD

    @property
    def is_starving(self) -> bool:
        """Whether it has taken all there was."""
        return self.is_served and not self._blocks

    def drop(self) -> None:
        """Pass nothing more on: the others cannot wait."""
        self.error = errors.DroppedError(
            self.to, 'held up the other destinations; it is served alone'
        )

    @property
    def is_served(self) -> bool:
        """Whether it gets data, still."""
        return not self.left and not self.error

    def __enter__(self) -> 'Branch':
        return self

    def __exit__(self, *exc_info: object) -> None:
        with self._changed:
            self.left = True
            self._changed.notify_all()


class FanOut:
    """Reads an image's data once, for all destinations that keep up.

    :param open_data: gets ready to read it
    :param to: names of the destinations that may want it
    """

    def __init__(
        self,
        open_data: Callable[[], verified_reader.VerifiedReader],
        to: Collection[str],
    ) -> None:
        self._open_data = open_data
        self._expected = set(to)
        self._branches: list[Branch] = []
        self._changed = threading.Condition()
        self._begun: concurrent.futures.Future[None] = (
            concurrent.futures.Future()
        )
        self._trouble: Exception | None = None

    def branch(self, to: str) -> Branch | None:
        """Return a destination's share; None where it comes too late."""
        with self._changed:
            if to not in self._expected:
                return None
            self._expected.remove(to)
            branch = Branch(to, self._begun, self._changed)
            # Found when reading by a task that does not look ahead.
            branch.error = self._trouble
            self._branches.append(branch)
            if len(self._branches) == 1:
                background.start(self._read)
            return branch

    def expects(self, to: str) -> bool:
        """Return whether a destination may still have its share."""
        with self._changed:
            return to in self._expected

    def leave(self, to: str) -> None:
        """Expect a destination no longer."""
        with self._changed:
            self._expected.discard(to)
            self._changed.notify_all()

    def _read(self) -> None:
        """Read, and pass on to each destination what was read."""
        try:
            with self._open_data() as data:
                data.look_ahead()
                self._begin()
                self._pass_on(data)
        except Exception as exc:
            with self._changed:
                self._trouble = exc
                for branch in self._branches:
                    branch.error = exc
                if not self._begun.done():
                    self._begun.set_exception(exc)

    def _begin(self) -> None:
        """Let all begin together, but for those who take too long."""
        with self._changed:
            self._begun.set_result(None)
            self._changed.wait_for(
                lambda: (
                    any(branch.ready for branch in self._branches)
                    or self._all_there()
                )
            )
            self._changed.wait_for(self._all_there, _STRAGGLER_TIMEOUT)
            self._expected.clear()
            for branch in self._branches:
                if not branch.ready:
                    branch.drop()

    def _all_there(self) -> bool:
        return not self._expected and all(
            branch.ready or branch.left for branch in self._branches
        )

    def _pass_on(self, data: verified_reader.VerifiedReader) -> None:
        block: bytes | None = None
        while block != b'' and (served := self._served()):
            block = data.read(1.0)
            if block is not None:
                with self._changed:
                    self._make_room(served)
                    for branch in served:
                        branch.put(block)
                    self._changed.notify_all()

    def _make_room(self, served: Sequence[Branch]) -> None:
        """Wait for the slowest, but not while others have nothing left."""
        while not self._changed.wait_for(
            lambda: not any(branch.is_full for branch in served),
            _STRAGGLER_TIMEOUT,
        ):
            if any(branch.is_starving for branch in served):
                for branch in served:
                    if branch.is_full:
                        branch.drop()

    def _served(self) -> list[Branch]:
        return [branch for branch in self._branches if branch.is_served]
