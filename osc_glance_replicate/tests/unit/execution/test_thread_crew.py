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

import itertools
import threading

import fixtures
import testtools

from osc_glance_replicate import errors
from osc_glance_replicate.execution import runner
from osc_glance_replicate.execution import thread_crew
from osc_glance_replicate.model import image_selection
from osc_glance_replicate.model import options
from osc_glance_replicate.model import plan
from osc_glance_replicate.model import replica_template
from osc_glance_replicate.planning import decisions
from osc_glance_replicate.planning import rules
from osc_glance_replicate import retry
from osc_glance_replicate.tests.doubles import clocks
from osc_glance_replicate.tests.doubles import places
from osc_glance_replicate.tests.doubles import samples
from osc_glance_replicate.transfer import data_verification
from osc_glance_replicate.transfer import image_reading
from osc_glance_replicate.transfer import shared_buffer

_PATIENCE = clocks.PATIENCE
DATA = bytes(range(256)) * 400
NAMES = ('a', 'b', 'c')


class TestFan(testtools.TestCase):
    def setUp(self):
        super().setUp()
        for name, value in (
            (f'{shared_buffer.__name__}._PATIENCE', _PATIENCE),
            (f'{shared_buffer.__name__}._SILENCE', _PATIENCE),
            # What no socket slows down is of any speed.
            (f'{shared_buffer.__name__}._SLOW', 0),
            (f'{shared_buffer.__name__}.MAX_BYTES', 10000),
            (f'{retry.__name__}._FIRST_DELAY', 0.01),
        ):
            self.useFixture(fixtures.MonkeyPatch(name, value))
        self.image = samples.image(data=DATA)
        self.source = places.Place('master', DATA)
        self.source.piece = 1000
        self.source.images[self.image.id] = self.image
        self.places = {name: places.Place(name) for name in NAMES}

    def copy(self, retries=0, checks=options.Checks(), destinations=None):
        planner = decisions.Planner(
            image_selection.Selection(), destinations=destinations or {}
        )
        crew = thread_crew.ThreadCrew(
            self.places,
            planner,
            image_reading.Reading(self.source, retries, checks, block=1000),
        )
        run = runner.Runner(crew, transfers=1, fail_fast=False, destinations=2)
        actions = [
            planner.decide(self.image, self.places[to].find(self.image.id), to)
            for to in NAMES
        ]
        return {
            outcome.action.to: outcome.result for outcome in run.run(actions)
        }

    def assert_copied(self, *names):
        for name in names:
            replica = self.places[name].images[self.image.id]
            self.assertEqual(self.image.digests, replica.digests)

    def test_source_is_read_once(self):
        self.assertEqual(dict.fromkeys(NAMES, 'copied'), self.copy())
        self.assert_copied(*NAMES)
        self.assertEqual(['read'], self.source.calls)

    def test_data_without_a_hash_is_hashed_once_for_each_algorithm(self):
        hashed = []
        digest = data_verification.Digest
        self.useFixture(
            fixtures.MonkeyPatch(
                f'{data_verification.__name__}.Digest',
                lambda algorithm, size: (
                    hashed.append(algorithm) or digest(algorithm, size)
                ),
            )
        )
        self.image = samples.image(
            data=DATA, os_hash_algo=None, os_hash_value=None, checksum=None
        )
        for name, algorithm in ('a', 'sha512'), ('b', 'sha512'), ('c', 'sha1'):
            self.places[name].hashed_by = (algorithm,)
            # It tells of no other.
            self.places[name].hashes_by = algorithm, ''
        self.assertEqual(dict.fromkeys(NAMES, 'copied'), self.copy())
        self.assertEqual(['sha1', 'sha512'], sorted(hashed))
        self.assertEqual(['read'], self.source.calls)

    def test_one_alone_shares_nothing(self):
        for name in 'ab':
            self.places[name].images[self.image.id] = self.image
        self.assertEqual(
            {'a': 'unchanged', 'b': 'unchanged', 'c': 'copied'}, self.copy()
        )
        self.assert_copied('c')

    def test_failure_of_one_is_none_of_the_others(self):
        refused = errors.RefusedError('a', 'no')
        for method in 'stage', 'write':
            self.places = {name: places.Place(name) for name in NAMES}
            self.places['a']._troubles = {method: iter([refused])}
            self.source.calls.clear()
            self.assertEqual(
                {'a': 'failed', 'b': 'copied', 'c': 'copied'}, self.copy()
            )
            self.assert_copied('b', 'c')
            self.assertEqual(['read'], self.source.calls)

    def test_one_that_blocks_is_served_alone(self):
        self.useFixture(
            fixtures.MonkeyPatch(f'{shared_buffer.__name__}._SILENCE', 1)
        )
        others = threading.Barrier(3)
        for name in 'bc':
            self._call_when_published(self.places[name], others)
        slow = self.places['a']
        write = slow.write

        def block(image, body):
            slow.write = write
            next(blocks := iter(body))
            # Not before the others have all of it.
            others.wait(_PATIENCE)
            return b''.join(blocks)

        slow.write = block
        self.assertEqual(dict.fromkeys(NAMES, 'copied'), self.copy())
        self.assert_copied(*NAMES)
        self.assertEqual(['read', 'read'], self.source.calls)

    def test_one_that_comes_late_is_served_alone(self):
        self.useFixture(
            fixtures.MonkeyPatch(f'{shared_buffer.__name__}._SILENCE', 1)
        )
        others = threading.Barrier(3)
        for name in 'bc':
            self._call_when_published(self.places[name], others)
        late = self.places['a']
        stage = late.stage

        def stage_late(action):
            late.stage = stage
            others.wait(_PATIENCE)
            stage(action)

        late.stage = stage_late
        self.assertEqual(dict.fromkeys(NAMES, 'copied'), self.copy())
        self.assertEqual(['read', 'read'], self.source.calls)

    def _call_when_published(self, place, barrier):
        publish = place.publish

        def published(action, verified):
            publish(action, verified)
            barrier.wait(_PATIENCE)

        place.publish = published

    def test_what_is_wrong_with_the_source_is_so_for_all(self):
        self.source.data = DATA[:-1] + b'x'
        self.assertEqual(dict.fromkeys(NAMES, 'failed'), self.copy())
        for place in self.places.values():
            self.assertEqual({}, place.images)
        self.source.data = DATA
        self.source._troubles = {
            # Who comes when it has failed tries by himself.
            'read': itertools.repeat(errors.RefusedError('master', 'no'))
        }
        self.assertEqual(dict.fromkeys(NAMES, 'failed'), self.copy())
        for place in self.places.values():
            self.assertNotIn('stage', place.calls[-1:])

    def test_destination_that_breaks_is_tried_again_alone(self):
        broken = self.places['b']
        write = broken.write

        def write_broken(image, body):
            broken.write = write
            next(iter(body))
            raise errors.TransientError('b', 'broke')

        broken.write = write_broken
        self.assertEqual(dict.fromkeys(NAMES, 'copied'), self.copy(retries=1))
        self.assert_copied(*NAMES)
        self.assertEqual(['read', 'read'], self.source.calls)

    def test_format_of_one_destination_is_none_of_the_others(self):
        renaming = rules.Rules(
            replica_template.Template(formats={'raw': 'gpt'})
        )
        for name, results in (
            ('a', {'a': 'failed', 'b': 'copied', 'c': 'copied'}),
            ('b', {'a': 'copied', 'b': 'failed', 'c': 'copied'}),
        ):
            there = dict.fromkeys(NAMES, rules.Rules()) | {name: renaming}
            self.places = {to: places.Place(to) for to in NAMES}
            self.source.calls.clear()
            self.assertEqual(results, self.copy(destinations=there))
            self.assertNotIn('stage', self.places[name].calls)
            # The others share theirs.
            self.assertEqual(['read', 'read'], self.source.calls)

    def test_format_that_all_rename_is_looked_at_once(self):
        renaming = rules.Rules(
            replica_template.Template(formats={'raw': 'gpt'})
        )
        results = self.copy(destinations=dict.fromkeys(NAMES, renaming))
        self.assertEqual(dict.fromkeys(NAMES, 'failed'), results)
        self.assertEqual(['read'], self.source.calls)

    def carry_out(self, crew, to, others):
        action = plan.Action(self.image, to, plan.Verb.COPY)
        return crew.carry_out(action, others)

    def crew(self):
        self.useFixture(
            fixtures.MonkeyPatch(f'{shared_buffer.__name__}.MAX_BYTES', 2**20)
        )
        planner = decisions.Planner(image_selection.Selection())
        reading = image_reading.Reading(self.source, 0, block=1000)
        return thread_crew.ThreadCrew(self.places, planner, reading)

    def test_one_that_had_no_place_yet_takes_what_was_read(self):
        crew = self.crew()
        for to, others in ('a', 'bc'), ('b', 'c'), ('c', ''):
            begun = self.carry_out(crew, to, others)
            self.assertEqual('copied', begun.result(_PATIENCE).result)
        self.assert_copied(*NAMES)
        self.assertEqual(['read'], self.source.calls)
        self.assertEqual({}, crew._shared)

    def test_nothing_is_kept_for_one_that_is_down(self):
        crew = self.crew()
        self.carry_out(crew, 'a', 'bc').result(_PATIENCE)
        shared = crew._shared[self.image.id, '']
        crew.give_up('b')
        self.assertFalse(shared.expects('b'))
        self.assertTrue(shared.expects('c'))
        crew.give_up('c')
        self.assertEqual(0, crew._buffer._used)

    def test_one_that_was_dropped_leaves_the_others_their_share(self):
        crew = self.crew()
        self.carry_out(crew, 'a', 'bc').result(_PATIENCE)
        shared = crew._shared[self.image.id, '']
        with shared._changed:
            shared._expected['b'].drop()
        for to, others in ('b', 'c'), ('c', ''):
            self.carry_out(crew, to, others).result(_PATIENCE)
        self.assert_copied(*NAMES)
        self.assertEqual(['read', 'read'], self.source.calls)

    def test_who_fetches_by_himself_shares_nothing(self):
        self.places['b'].fetch = self.fail
        crew = self.crew()
        self.carry_out(crew, 'a', 'b').result(_PATIENCE)
        self.assertEqual({}, crew._shared)

    def test_nothing_is_tried_again_at_one_that_is_down(self):
        silent = errors.TransientError('a', 'refused')
        silent.unanswered = True
        for down, tries in (True, 1), (False, 3):
            self.places['a'] = places.Place('a', stage=[silent] * 9)
            planner = decisions.Planner(image_selection.Selection())
            crew = thread_crew.ThreadCrew(
                self.places,
                planner,
                image_reading.Reading(self.source, 2, block=1000),
            )
            (crew.give_up if down else crew.resume)('a')
            ended = self.carry_out(crew, 'a', '').result(_PATIENCE)
            self.assertEqual('failed', ended.result)
            self.assertLess(0, ended.unanswered)
            self.assertEqual(tries, self.places['a'].calls.count('stage'))
