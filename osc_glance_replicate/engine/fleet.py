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

"""The destinations of a run: each when it can be used, or why it cannot."""

from collections.abc import Callable, Iterable, Iterator, Mapping
import concurrent.futures
import dataclasses
import logging
import time

import openstack.connection

from osc_glance_replicate import errors
from osc_glance_replicate import places
from osc_glance_replicate.planning import rules

LOG = logging.getLogger(__name__)

#: Seconds that others wait for a destination that does not answer.
PATIENCE = 10.0


@dataclasses.dataclass(frozen=True, slots=True)
class Ready:
    """A destination that can be used.

    :param place: where replicas go
    :param rules: what holds there
    :param connection: to it, where it is a cloud
    """

    place: places.Destination
    rules: rules.Rules
    connection: openstack.connection.Connection | None = None


class Fleet:
    """The destinations of one run.

    Of several, one that cannot be used is told of, and left out.

    :param coming: what gets each of them ready, by name
    :param strict: whether the first that cannot be used ends the run
    :param accept: called with the name of one that is ready, and with those
        that were before it; raises CloudError where it cannot be used beside
        them
    :ivar places: those that can be used, by name; more of them may come
    :ivar rules: what holds at each of them
    :ivar unusable: why nothing more is planned for the others, by name
    """

    def __init__(
        self,
        coming: Mapping[str, concurrent.futures.Future[Ready]],
        strict: bool,
        accept: Callable[[str, Mapping[str, Ready]], None],
    ) -> None:
        self.names = list(coming)
        self.places: dict[str, places.Destination] = {}
        self.rules: dict[str, rules.Rules] = {}
        self.unusable: dict[str, str] = {}
        self.ready: dict[str, Ready] = {}
        self._coming = {future: name for name, future in coming.items()}
        self._strict = strict
        self._accept = accept

    def wait(self, patience: float | None = PATIENCE) -> None:
        """Wait for all destinations, or for those that can be used soon.

        :param patience: seconds that those who are ready wait for the others;
            None for no limit
        :raises ReplicateError: one of them cannot be used, and that is
            reason enough
        """
        deadline = None
        while self._coming:
            if self.ready and patience is not None and not self._strict:
                deadline = deadline or time.monotonic() + patience
            left = deadline and max(0.0, deadline - time.monotonic())
            if not self._settle(left):
                break
        # In the order in which they were named, whichever came first.
        for name in filter(self.ready.get, self.names):
            self._accept(name, self._before(name))
            self._add(name)

    def late(self) -> Iterator[places.Destination]:
        """Yield the others, as they can be used."""
        while self._coming:
            for name in self._settle(None):
                if name not in self.ready:
                    continue
                try:
                    self._accept(name, self._before(name))
                except errors.ReplicateError as exc:
                    self.lose(name, exc)
                else:
                    self._add(name)
                    yield self.places[name]

    def refuse_late(self) -> None:
        """Leave out the others, however soon they can be used.

        :raises ReplicateError: one of them ends the run
        """
        for name in self._coming.values():
            self.lose(
                name,
                errors.CloudError(
                    name,
                    f'it does not answer within {PATIENCE:.0f} s, and with '
                    '--scheduler it is not waited for: run again',
                ),
            )
        self._coming.clear()

    def _settle(self, seconds: float | None) -> list[str]:
        """Note what comes next.

        :param seconds: to wait for it
        :returns: the names of those that are ready, or cannot be used
        """
        done, _ = concurrent.futures.wait(
            self._coming,
            seconds,
            concurrent.futures.FIRST_COMPLETED,
        )
        names = []
        for future in done:
            name = self._coming.pop(future)
            names.append(name)
            try:
                self.ready[name] = future.result()
            except errors.ReplicateError as exc:
                self.lose(name, exc)
            except Exception as exc:
                LOG.debug('defect while connecting', exc_info=True)
                told = errors.CloudError(name, errors.unexpected(exc))
                self.lose(name, told)
        return names

    def _before(self, name: str) -> dict[str, Ready]:
        return {
            other: self.ready[other] for other in self.places if other != name
        }

    def _add(self, name: str) -> None:
        self.places[name] = self.ready[name].place
        self.rules[name] = self.ready[name].rules

    def lose(self, name: str, trouble: errors.ReplicateError) -> None:
        """Plan nothing more for a destination.

        :raises ReplicateError: this trouble, where it ends the run
        """
        if self._strict:
            raise trouble
        if isinstance(trouble, errors.PlaceError):
            # Some of its images may have arrived by now.
            kind = (
                errors.LostError if name in self.places else errors.CloudError
            )
            trouble = kind(name, trouble.problem)
        self.unusable[name] = str(trouble)
        LOG.warning('%s', trouble)


def of(destinations: Iterable[Ready]) -> Fleet:
    """Return a fleet of destinations that are ready."""
    coming = {}
    for ready in destinations:
        future: concurrent.futures.Future[Ready] = concurrent.futures.Future()
        future.set_result(ready)
        coming[ready.place.name] = future
    fleet = Fleet(coming, strict=True, accept=lambda name, before: None)
    fleet.wait()
    return fleet
