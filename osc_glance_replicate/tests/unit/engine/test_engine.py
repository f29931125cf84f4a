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

import concurrent.futures
import itertools
import os
import threading

import fixtures

from osc_glance_replicate.engine import dump_engine
from osc_glance_replicate.engine import engine
from osc_glance_replicate.engine import fleet
from osc_glance_replicate import errors
from osc_glance_replicate.execution import thread_crew
from osc_glance_replicate.model import image_selection
from osc_glance_replicate.model import options
from osc_glance_replicate.model import plan
from osc_glance_replicate.model import replica_template
from osc_glance_replicate.places import dump
from osc_glance_replicate.planning import decisions
from osc_glance_replicate.planning import rules
from osc_glance_replicate.tests.doubles import clocks
from osc_glance_replicate.tests.doubles import dumps
from osc_glance_replicate.tests.doubles import places
from osc_glance_replicate.tests.doubles import projects
from osc_glance_replicate.tests.doubles import samples


class EngineTest(dumps.DirectoryTest):
    """From one dump to another: two places that need no cloud."""

    def setUp(self):
        super().setUp()
        self.to = self.at('to')

    def engine(self, **run):
        return dump_engine.DumpEngine(
            self.place,
            projects.MASTER,
            self.destination(),
            decisions.Planner(image_selection.Selection()),
            options.Request(run=options.Run(**run)),
        )

    def destination(self):
        return dump.Destination(self.to)

    def results(self, ready):
        outcomes = list(ready.replicate())
        ready._dump._lock.close()
        return {
            outcome.action.image.id: outcome.result.value
            for outcome in outcomes
        }


class TestReplicate(EngineTest):
    def test_second_run_has_nothing_to_do(self):
        one, two = self.put_image(1), self.put_image(2, b'other data')
        for result in 'copied', 'unchanged':
            self.assertEqual(
                {one.id: result, two.id: result}, self.results(self.engine())
            )
        with open(os.path.join(self.to, f'{two.id}.img'), 'rb') as file:
            self.assertEqual(b'other data', file.read())

    def test_image_that_has_arrived_makes_room_for_the_next(self):
        both_written = threading.Barrier(2)

        class Destination(dump.Destination):
            def publish(self, action, verified):
                # One transfer at a time, and still there are two.
                both_written.wait(clocks.PATIENCE)
                return super().publish(action, verified)

        for number in 1, 2:
            self.put_image(number)
        self.destination = lambda: Destination(self.to)
        results = self.results(self.engine(transfers=1))
        self.assertEqual(['copied'] * 2, list(results.values()))

    def test_what_moves_no_data_is_done_by_no_other_crew(self):
        moved = []

        class Movers(thread_crew.ThreadCrew):
            def carry_out(self, action, others=()):
                moved.append(action.image.id)
                return super().carry_out(action, others)

        kept = self.put_image(1)
        self.results(self.engine())
        self.put_image(1, name='new')
        added = self.put_image(2)
        destination = self.destination()
        destination.open()
        self.addCleanup(destination._lock.close)
        planner = decisions.Planner(image_selection.Selection())
        ready = engine.Engine(
            self.place,
            fleet.of([fleet.Ready(destination, rules.Rules())]),
            planner,
            options.Request(),
            assemble=lambda: Movers(
                {destination.name: destination}, planner, ready.reading
            ),
        )
        results = {o.action.image.id: o.result for o in ready.replicate()}
        self.assertEqual({kept.id: 'updated', added.id: 'copied'}, results)
        self.assertEqual([added.id], moved)

    def test_dry_run_makes_nothing(self):
        image = self.put_image()
        outcomes = list(self.engine(dry_run=True).replicate())
        self.assertEqual([image.id], [o.action.image.id for o in outcomes])
        self.assertEqual(['copy'], [o.result.value for o in outcomes])
        self.assertFalse(os.path.exists(self.to))


class TestPlan(EngineTest):
    def looking(self, destinations):
        return engine.Engine(
            self.place,
            fleet.of(
                fleet.Ready(place, rules.Rules()) for place in destinations
            ),
            decisions.Planner(image_selection.Selection()),
            options.Request(),
        )

    def test_without_a_destination_all_would_be_copied(self):
        image = self.put_image()
        alone = self.looking([])
        self.assertEqual([self.place.name], alone.to)
        for actions in alone.actions(), alone.actions_from_scratch():
            self.assertEqual(
                [(image.id, plan.Verb.COPY)],
                [(action.image.id, action.verb) for action in actions],
            )

    def test_everything_of_all_places(self):
        image = self.put_image()
        self.results(self.engine())
        ready = self.looking([self.destination()])
        self.assertEqual(
            [(self.place.name, image.id), (self.to, image.id)],
            [(place, found.id) for place, found in ready.everything()],
        )

    def test_one_image_as_it_is_by_now(self):
        image = self.put_image()
        ready = self.looking([self.destination()])
        (action,) = ready.actions_on(image.id, [self.to], False)
        self.assertIs(plan.Verb.COPY, action.verb)
        self.assertEqual([], ready.actions_on(image.id, [], False))
        self.results(self.engine())
        ready = self.looking([self.destination()])
        (action,) = ready.actions_on(image.id, [self.to], False)
        self.assertIs(plan.Verb.UNCHANGED, action.verb)
        os.unlink(self.at(image.id))
        error = self.assertRaises(
            errors.PlaceError, ready.actions_on, image.id, [self.to], False
        )
        self.assertIn('not there any more', str(error))


class Region(places.Place):
    """A destination that has the images that it is given."""

    dates = False

    def __init__(self, name, images, **troubles):
        super().__init__(name, **troubles)
        self.images = lambda selection=None: iter(images)

    def find(self, image_id):
        self._call('find')

    def members(self, image):
        self._call('members')
        return {}


class TestSeveral(EngineTest):
    """One region's trouble stays its own."""

    def setUp(self):
        super().setUp()
        self.useFixture(fixtures.FakeLogger())
        self.useFixture(fixtures.MonkeyPatch('time.sleep', lambda _: None))

    def planning(self, *regions, **how):
        """Get ready to plan for regions any of which may be lost."""
        coming = {}
        for region in regions:
            there = rules.Rules(replica_template.Template(members=True), **how)
            coming[region.name] = future = concurrent.futures.Future()
            future.set_result(fleet.Ready(region, there))
        self.fleet = fleet.Fleet(coming, False, lambda name, before: None)
        self.fleet.wait()
        return engine.Engine(
            self.place,
            self.fleet,
            decisions.Planner(
                image_selection.Selection(), destinations=self.fleet.rules
            ),
            options.Request(),
        )

    def test_dead_one_is_asked_for_members_of_one_image(self):
        shared = [
            self.put_image(number, visibility='shared')
            for number in range(1, 6)
        ]
        silent = errors.TransientError('r2', 'is silent')
        silent.unanswered = True
        dead = Region('r2', shared, members=itertools.repeat(silent))
        ready = self.planning(Region('r1', shared), dead)
        planned = [(a.image.id, a.to) for a in ready.actions()]
        self.assertEqual([(image.id, 'r1') for image in shared], planned)
        self.assertEqual(['members'] * 4, dead.calls)
        self.assertIn('is silent', self.fleet.unusable['r2'])

    def test_one_that_tells_no_schema_is_asked_nothing_more(self):
        self.put_image(1)
        shared = []
        for number in range(2, 6):
            self.put_image(number)
            shared.append(samples.image(number, visibility='shared'))

        def schema():
            raise errors.PlaceError('r2', 'is silent')

        broken = Region('r2', shared)
        ready = self.planning(broken, schema=schema)
        self.assertEqual([], list(ready.actions()))
        self.assertIn('is silent', self.fleet.unusable['r2'])
        self.assertEqual([], broken.calls)

    def test_more_may_come_while_one_image_is_planned(self):
        image = self.put_image()
        ready = self.planning(Region('r1', []))
        known = self.fleet.places

        class Names:
            def __contains__(self, name):
                known['late'] = Region('late', [])
                return name == 'r1'

        (action,) = ready.actions_on(image.id, Names(), referred=False)
        self.assertEqual('r1', action.to)
