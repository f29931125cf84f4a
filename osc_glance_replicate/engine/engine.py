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

"""What all verbs do: from places to a plan, and to what becomes of it."""

from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
import itertools

from osc_glance_replicate.engine import fleet
from osc_glance_replicate import errors
from osc_glance_replicate.execution import crew
from osc_glance_replicate.execution import events
from osc_glance_replicate.execution import reading_crew
from osc_glance_replicate.execution import runner
from osc_glance_replicate.execution import slots
from osc_glance_replicate.execution import thread_crew
from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import options
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan
from osc_glance_replicate import places
from osc_glance_replicate.places import patient
from osc_glance_replicate.planning import alignment
from osc_glance_replicate.planning import decisions
from osc_glance_replicate.planning import order
from osc_glance_replicate.planning import succession
from osc_glance_replicate.transfer import bandwidth
from osc_glance_replicate.transfer import image_reading


class Engine:
    """What all verbs do, between whatever places.

    :param source: where images come from
    :param destinations: where they go; none, to look at the source alone
    :param planner: decides what is to be done
    :param request: how the plan is carried out
    :param assemble: returns the crew that moves data; threads of this
        process unless it is given, which do all else
    :ivar source: name of the source
    :ivar to: names of all destinations; of the source itself where there
        are none
    :ivar unusable: why destinations cannot be used, by name; more of them may
        come
    :ivar reading: how the data of images is read
    """

    def __init__(
        self,
        source: places.Source,
        destinations: fleet.Fleet,
        planner: decisions.Planner,
        request: options.Request,
        assemble: Callable[[], crew.Crew] | None = None,
    ) -> None:
        self._source = source
        self._patient = patient.PatientSource(source)
        self._assemble = assemble
        self._fleet = destinations
        self._planner = planner
        self._request = request
        self.source = source.name
        self.to = destinations.names or [source.name]
        self.unusable: Mapping[str, str] = destinations.unusable
        readings = request.run.transfers * max(1, len(destinations.names))
        self.reading = image_reading.Reading(
            source,
            request.run.retries,
            request.checks,
            bandwidth.Bandwidth(request.run.bandwidth),
            image_reading.fair_block(readings),
        )

    def actions(self) -> Iterator[plan.Action]:
        """Plan.

        :raises ReplicateError: at once, when an image is not found or two
            clouds prove to be the same; later, when a place fails
        """
        return itertools.chain(self._early(), self._late())

    def _early(self) -> Iterator[plan.Action]:
        """Plan for the destinations that can be used at once."""
        known = list(self._fleet.places.values())
        if known or not self._fleet.names:
            return self._plan(known)
        return iter(())

    def _late(self) -> Iterator[plan.Action]:
        """Plan for the destinations that could not be used at once."""
        for place in self._fleet.late():
            try:
                yield from self._plan([place])
            except errors.CloudError as exc:
                self._fleet.lose(place.name, exc)

    def _plan(
        self, destinations: Sequence[places.Destination]
    ) -> Iterator[plan.Action]:
        """Plan for destinations, or as if to a cloud that has nothing."""
        asked = self._asked(destinations)
        rows = alignment.rows(
            self._patient,
            asked,
            self._planner.selection,
            whole=self._planner.extra,
            members=self._planner.members,
            own=self._planner.projects,
        )

        def look_up(image_id: str) -> alignment.Row:
            row = alignment.row(
                self._patient, asked, image_id, self._planner.members
            )
            return row if destinations else [*row, None]

        if not destinations:
            rows = ([*row, None] for row in rows)
        actions = order.Order(
            self._planner,
            [place.name for place in destinations] or [self.source],
            look_up,
            self._patient.members,
            self.unusable,
            self._fleet.lose,
        ).actions(rows)
        if not destinations:
            return actions
        return succession.Succession(self._planner, self.unusable).follow(
            actions
        )

    def _asked(
        self, destinations: Iterable[places.Destination]
    ) -> list[places.Place]:
        """Return destinations as a plan asks them."""
        return [
            patient.PatientPlace(place, self._fleet.lose, self.unusable)
            for place in destinations
        ]

    def actions_from_scratch(self) -> Iterator[plan.Action]:
        """Plan as if to a cloud that has nothing."""
        return Engine(
            self._source, fleet.of([]), self._planner, self._request
        ).actions()

    def everything(self) -> Iterator[tuple[str, image_record.Image]]:
        """Return all images of all places, whatever is selected.

        :returns: each with the name of its place
        """
        destinations = list(self._fleet.places.values())
        rows = alignment.rows(
            self._source,
            destinations,
            self._planner.selection,
            whole=True,
            own=self._planner.projects,
        )
        names = [self.source, *self._fleet.places]
        return (
            (name, image)
            for row in rows
            for name, image in zip(names, row, strict=True)
            if image
        )

    def replicate(
        self, listener: events.Listener = events.Listener()
    ) -> Iterator[outcomes.Outcome]:
        """Plan, and carry it out unless it is a dry run.

        :param listener: told how it goes
        :raises RefusedError: a dump has no room, or another one is running
        """
        if self._request.run.dry_run:
            return _dry_run(self.actions(), listener)
        actions = self._to_carry_out()
        places = slots.Slots(self._request.run.transfers)
        threads = self.threads(events.Listeners([listener, places]))
        movers = self._assemble() if self._assemble else threads
        return self._runner(movers, listener, threads, places).run(
            actions, self._late()
        )

    def read_replicas(
        self,
        to_read: Callable[[plan.Action], Iterable[plan.Action]],
        record: reading_crew.Record,
        listener: events.Listener = events.Listener(),
    ) -> Iterator[outcomes.Outcome]:
        """Plan, and read replicas where they are; nothing is changed.

        :param to_read: returns what is done for what is planned: to read,
            and what is not done at all
        :param record: returns what the data is held against
        :param listener: told how it goes
        """
        crew = reading_crew.ReadingCrew(
            self._fleet.places,
            self.reading,
            record,
            listener,
            self._answered_at,
        )

        def reading(actions: Iterable[plan.Action]) -> Iterator[plan.Action]:
            return itertools.chain.from_iterable(map(to_read, actions))

        return self._runner(crew, listener).run(
            reading(self._early()), reading(self._late())
        )

    def _runner(
        self,
        movers: crew.Crew,
        listener: events.Listener,
        hands: crew.Crew | None = None,
        places: slots.Slots | None = None,
    ) -> runner.Runner:
        return runner.Runner(
            movers,
            hands=hands,
            transfers=self._request.run.transfers,
            fail_fast=self._request.run.fail_fast,
            listener=listener,
            greet=lambda to: self._fleet.places[to].greet(),
            answered=self._answered_at,
            destinations=max(1, len(self._fleet.names)),
            places=places,
        )

    def _answered_at(self, to: str) -> float:
        return self._fleet.places[to].answered_at

    def _to_carry_out(self) -> Iterable[plan.Action]:
        """Plan for what is about to be done at once."""
        return self._early()

    def threads(
        self, listener: events.Listener = events.Listener()
    ) -> thread_crew.ThreadCrew:
        """Get this process ready to carry actions out.

        :param listener: told how it goes
        """
        return thread_crew.ThreadCrew(
            self._fleet.places, self._planner, self.reading, listener
        )

    def actions_on(
        self,
        image_id: str,
        to: Collection[str],
        referred: bool,
        capped: bool = False,
    ) -> list[plan.Action]:
        """Plan for one image alone, as it is by now.

        :param to: names of the destinations in question, which can be used
        :param referred: another image needs it
        :param capped: it gets no more visibility than it has at its source
        :raises PlaceError: it is not there any more, or a place fails
        """
        destinations = [
            patient.PatientPlace(place)
            # More of them may come meanwhile.
            for name, place in list(self._fleet.places.items())
            if name in to
        ]
        image, *replicas = alignment.row(
            self._patient, destinations, image_id, self._planner.members
        )
        if not image:
            raise errors.PlaceError(
                self.source, f'{image_id} is not there any more'
            )
        return [
            self._planner.decide(image, replica, place.name, referred, capped)
            for place, replica in zip(destinations, replicas, strict=True)
        ]


def _dry_run(
    actions: Iterable[plan.Action],
    listener: events.Listener,
) -> Iterator[outcomes.Outcome]:
    """Yield what would be done, and do nothing."""
    for outcome in map(outcomes.as_planned, actions):
        listener.ended(outcome)
        yield outcome
