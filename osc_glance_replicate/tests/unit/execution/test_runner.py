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

import collections
import concurrent.futures
import dataclasses
import itertools
import queue
import signal
import threading
import time

import fixtures
import testtools

from osc_glance_replicate import background
from osc_glance_replicate import errors
from osc_glance_replicate.execution import events
from osc_glance_replicate.execution import outages
from osc_glance_replicate.execution import runner
from osc_glance_replicate.execution import slots
from osc_glance_replicate.execution import thread_crew
from osc_glance_replicate.execution import waiting_room
from osc_glance_replicate.model import conversions
from osc_glance_replicate.model import image_selection
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan
from osc_glance_replicate.planning import decisions
from osc_glance_replicate.tests.doubles import clocks
from osc_glance_replicate.tests.doubles import places
from osc_glance_replicate.tests.doubles import samples
from osc_glance_replicate.transfer import image_reading

_PATIENCE = clocks.PATIENCE
_ROOM = waiting_room.__name__


class Crew:
    """Who does at once what is to be done, and notes it.

    :param lost: name of the destination where all of it fails
    :ivar done: of each action the destination, the image, and how many
        changes there were
    """

    def __init__(self, lost):
        self._lost = lost
        self.done = []

    def carry_out(self, action, others):
        self.done.append((action.to, action.image.id, len(action.changes)))
        return ended(
            outcomes.failed(action, 'no')
            if action.to == self._lost
            else outcomes.as_planned(action)
        )

    def stop(self):
        pass

    close = stop

    def give_up(self, to):
        pass

    resume = give_up


def ended(outcome):
    """Give what has become of an action."""
    future = concurrent.futures.Future()
    future.set_result(outcome)
    return future


class TestRunner(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.useFixture(fixtures.Timeout(90, gentle=True))

    def runner(
        self,
        slave,
        *,
        source=None,
        transfers=2,
        fail_fast=False,
        listener=events.Listener(),
    ):
        self.planner = decisions.Planner(image_selection.Selection())
        self.slots = slots.Slots(transfers)
        crew = thread_crew.ThreadCrew(
            {'slave': slave},
            self.planner,
            image_reading.Reading(source or places.Place('master'), 0),
            self.slots,
        )
        return runner.Runner(
            crew,
            transfers=transfers,
            fail_fast=fail_fast,
            listener=listener,
            places=self.slots,
        )

    def actions(self, number, end=None):
        for index in range(1, number + 1):
            yield self.planner.decide(samples.image(index), None, 'slave')
        if end:
            raise end

    def updates(self, numbers):
        for number in numbers:
            yield self.planner.decide(
                samples.image(number),
                samples.image(number, name='old'),
                'slave',
            )

    def test_as_many_at_a_time_as_asked_for(self):
        for transfers in (1, 3):
            slave = places.Place('slave')
            all_there = threading.Barrier(transfers)
            counted = itertools.count()

            def stage(action):
                next(counted)
                # Breaks unless so many are in here together.
                all_there.wait(_PATIENCE)

            slave.stage = stage
            runner = self.runner(slave, transfers=transfers)
            results = {o.result for o in runner.run(self.actions(3))}
            self.assertEqual({'copied'}, results)

    def test_what_is_to_land_first_is_waited_for(self):
        slave = places.Place('slave')
        published = []
        other_published = threading.Event()
        needed, needy, other = (samples.image(n).id for n in (1, 2, 3))

        def publish(action, verified):
            if action.image.id == needed:
                other_published.wait(_PATIENCE)
            published.append(action.image.id)
            if action.image.id == other:
                other_published.set()

        slave.publish = publish
        # Of the two places the needy one would take the second.
        runner = self.runner(slave, transfers=2)
        actions = list(self.actions(3))
        actions[1] = dataclasses.replace(actions[1], after=(needed,))
        list(runner.run(actions))
        self.assertEqual([other, needed, needy], published)

    def test_what_is_needed_and_lost_is_a_failure(self):
        slave = places.Place(
            'slave', stage=[errors.RefusedError('slave', 'no')]
        )
        runner = self.runner(slave)
        (first,) = self.actions(1)
        second = self.planner.decide(
            samples.image(2, kernel_id=first.image.id), None, 'slave'
        )
        second = dataclasses.replace(second, after=(first.image.id,))
        outcomes = list(runner.run([first, second]))
        self.assertEqual(['failed'] * 2, [o.result for o in outcomes])
        self.assertIn(first.image.id, outcomes[1].reason)

    def test_update_is_lost_with_what_it_needs(self):
        """It would refer to whatever comes there under that ID."""
        self.runner(places.Place('slave'))
        (kernel,) = self.actions(1)
        for fields, changed in ({}, []), ({'os_hidden': True}, ['os_hidden']):
            slave = places.Place(
                'slave', stage=[errors.RefusedError('slave', 'no')]
            )
            asked = []
            slave.update = lambda action, asked=asked: asked.extend(
                change.field for change in action.changes
            )
            update = self.planner.decide(
                samples.image(2, kernel_id=kernel.image.id, **fields),
                samples.image(2),
                'slave',
            )
            update = dataclasses.replace(update, after=(kernel.image.id,))
            run = self.runner(slave)
            told = {o.action.image.id: o for o in run.run([kernel, update])}
            self.assertEqual('failed', told[update.image.id].result)
            self.assertIn('was not replicated', told[update.image.id].reason)
            # What is withdrawn does not wait for it.
            self.assertEqual(changed, asked)

    def test_what_only_loses_by_then_is_done_by_who_moves_no_data(self):
        """Its kernel was lost at one of two destinations."""
        kernel = samples.image(7)
        image = samples.image(1, kernel_id=kernel.id)
        hidden = plan.Change('os_hidden', True, False)
        shown = plan.Change('kernel_id', kernel.id, None)
        planned = [
            plan.Action(image_, to, plan.Verb.UPDATE, image_, **fields)
            for image_, fields in (
                (kernel, {'changes': (plan.Change('name', 'a', 'b'),)}),
                (
                    image,
                    {
                        'changes': (hidden, shown),
                        'proof': 'md5',
                        'withdraws': True,
                        'after': (kernel.id,),
                    },
                ),
            )
            for to in ('one', 'other')
        ]
        crew, hands = Crew(lost='one'), Crew(lost='one')
        list(
            runner.Runner(crew, transfers=2, fail_fast=False, hands=hands).run(
                planned
            )
        )
        self.assertEqual([('other', image.id, 2)], crew.done)
        self.assertEqual(
            [
                ('one', image.id, 1),
                ('one', kernel.id, 1),
                ('other', kernel.id, 1),
            ],
            sorted(hands.done),
        )

    def test_what_the_plan_does_not_do_is_passed_on(self):
        runner = self.runner(places.Place('slave'))
        hidden = samples.image(os_hidden=True)
        action = self.planner.decide(hidden, None, 'slave')
        (outcome,) = runner.run([action])
        self.assertEqual('skipped', outcome.result)

    def test_fail_fast_starts_nothing_more_and_lets_the_rest_finish(self):
        slave = places.Place('slave')
        both_begun = threading.Barrier(2)
        failed = threading.Event()

        def stage(action):
            both_begun.wait(_PATIENCE)
            if action.image.id == samples.image(1).id:
                raise errors.RefusedError('slave', 'no')
            failed.wait(_PATIENCE)

        slave.stage = stage
        runner = self.runner(slave, fail_fast=True)
        outcomes = runner.run(self.actions(9))
        self.assertEqual('failed', next(outcomes).result)
        failed.set()
        self.assertEqual(['copied'], [o.result for o in outcomes])

    def test_broken_plan_ends_the_run_after_what_had_begun(self):
        for end in (errors.PlaceError('master', 'gone'), RecursionError()):
            outcomes = self.runner(places.Place('slave')).run(
                self.actions(1, end)
            )
            self.assertEqual('copied', next(outcomes).result)
            self.assertRaises(type(end), next, outcomes)

    def test_interrupt_tells_of_what_does_not_end(self):
        self.interrupt(threading.main_thread)

    def test_interrupt_that_comes_as_a_wait_begins(self):
        """It is noted, and wakes nobody, as one that another thread gets."""
        self.interrupt(threading.current_thread)

    def interrupt(self, whom):
        """Interrupt a run that has nothing to do but to wait.

        :param whom: returns the thread that the signal goes to
        """
        # Whoever runs the tests may have it ignored.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, before)
        slave = places.Place('slave')
        release = threading.Event()
        self.addCleanup(release.set)
        listener = events.Listener()
        all_planned = threading.Event()
        listener.all_planned = all_planned.set

        def stage(action):
            # Nothing is begun then, and all there is to do is to wait.
            all_planned.wait(_PATIENCE)
            signal.pthread_kill(whom().ident, signal.SIGINT)
            release.wait()

        slave.stage = stage
        runner = self.runner(slave, listener=listener)
        outcomes = runner.run(self.actions(1))
        outcome = next(outcomes)
        self.assertEqual('failed', outcome.result)
        self.assertIn('interrupted', outcome.reason)
        self.assertRaises(KeyboardInterrupt, next, outcomes)

    def test_what_is_broken_off_may_still_end(self):
        class Crew:
            def carry_out(self, action, others):
                self.action = action
                self.begun = concurrent.futures.Future()
                return self.begun

            def stop(self):
                if not self.begun.done():
                    self.begun.set_result(
                        outcomes.Outcome(self.action, outcomes.Result.COPIED)
                    )

            def close(self):
                pass

        class Impatient(events.Listener):
            def all_planned(self):
                raise KeyboardInterrupt

        self.runner(places.Place('slave'))
        interrupted = runner.Runner(
            Crew(), transfers=1, fail_fast=False, listener=Impatient()
        ).run(self.actions(1))
        self.assertEqual('copied', next(interrupted).result)
        self.assertRaises(KeyboardInterrupt, next, interrupted)

    def test_updates_are_made_while_all_places_are_taken(self):
        self.useFixture(fixtures.MonkeyPatch(f'{_ROOM}._MAX_PLANNED_AHEAD', 1))
        slave = places.Place('slave')
        updated = threading.Event()
        done = []

        def stage(action):
            updated.wait(_PATIENCE)
            done.append('copy')

        def update(action):
            done.append('update')
            if done.count('update') == 3:
                updated.set()

        slave.stage, slave.update = stage, update
        runner = self.runner(slave)
        list(
            runner.run(
                itertools.chain(self.actions(4), self.updates(range(5, 8)))
            )
        )
        self.assertEqual(['update'] * 3 + ['copy'] * 4, done)

    def test_update_does_not_wait_with_a_copy_of_the_same_image(self):
        slaves = {name: places.Place(name) for name in ('one', 'other')}
        updated = threading.Event()
        done = []

        def stage(action):
            updated.wait(_PATIENCE)
            done.append('copy')

        def update(action):
            done.append('update')
            updated.set()

        slaves['one'].stage = stage
        slaves['other'].update = update
        self.runner(slaves['one'])
        crew = thread_crew.ThreadCrew(
            slaves,
            self.planner,
            image_reading.Reading(places.Place('master'), 0),
        )
        first, second, old = (
            samples.image(1), samples.image(2), samples.image(2, name='old')
        )  # fmt: skip
        plan = [
            self.planner.decide(first, None, 'one'),
            self.planner.decide(second, None, 'one'),
            self.planner.decide(second, old, 'other'),
        ]
        list(runner.Runner(crew, transfers=1, fail_fast=False).run(plan))
        self.assertEqual(['update', 'copy', 'copy'], done)

    def watched(self):
        """Return a place, and what was written and what is published there.

        Nothing is published before it is said.
        """
        slave = places.Place('slave')
        written, publishing = queue.SimpleQueue(), queue.SimpleQueue()
        go = threading.Semaphore(0)
        # A failed test leaves nobody behind.
        self.addCleanup(go.release, 100)
        write = slave.write

        def note(image, body):
            write(image, body)
            written.put(image.id)

        def publish(action, verified):
            publishing.put(action.image.id)
            go.acquire(timeout=_PATIENCE)

        slave.write, slave.publish = note, publish
        return slave, written, publishing, go

    def test_image_that_has_arrived_makes_room_for_the_next(self):
        slave, written, publishing, go = self.watched()
        running = self.runner(slave, transfers=1).run(self.actions(3))
        done = background.start(list, running)
        both = {written.get(timeout=_PATIENCE) for _ in range(2)}
        self.assertEqual(2, len(both))
        self.assertEqual(
            both, {publishing.get(timeout=_PATIENCE) for _ in range(2)}
        )
        # More than two are not in work, however long that takes.
        self.assertTrue(written.empty())
        go.release()
        both.add(written.get(timeout=_PATIENCE))
        self.assertEqual(3, len(both))
        go.release(2)
        self.assertEqual(3, len(done.result(_PATIENCE)))

    def test_it_does_not_where_the_first_failure_is_the_last(self):
        slave, written, publishing, go = self.watched()
        publish = slave.publish

        def refuse(action, verified):
            publish(action, verified)
            raise errors.RefusedError('slave', 'no')

        slave.publish = refuse
        running = self.runner(slave, transfers=1, fail_fast=True)
        done = background.start(list, running.run(self.actions(3)))
        publishing.get(timeout=_PATIENCE)
        go.release()
        (outcome,) = done.result(_PATIENCE)
        self.assertEqual('failed', outcome.result)
        self.assertEqual(1, written.qsize())

    def test_as_many_updates_at_a_time_as_transfers(self):
        slave = places.Place('slave')
        begun = []
        at_a_time = []
        all_planned = threading.Event()

        class Counting(events.Listener):
            def begun(self, action):
                begun.append(action)

            def all_planned(self):
                at_a_time.append(len(begun))
                all_planned.set()

        slave.update = lambda action: all_planned.wait(_PATIENCE)
        runner = self.runner(slave, listener=Counting())
        self.assertEqual(9, len(list(runner.run(self.updates(range(1, 10))))))
        self.assertEqual([2], at_a_time)

    def test_hands_do_what_moves_no_data(self):
        class Movers:
            def __init__(self):
                self.calls = []

            def carry_out(self, action, others):
                self.calls.append(action.verb)
                return ended(outcomes.Outcome(action, outcomes.Result.COPIED))

            def stop(self):
                self.calls.append('stop')

            def close(self):
                self.calls.append('close')

        movers, hands = Movers(), Movers()
        self.runner(places.Place('slave'))
        plan = [*self.actions(1), *self.updates([2])]
        hiring = runner.Runner(
            movers, hands=hands, transfers=1, fail_fast=False
        )
        self.assertEqual(2, len(list(hiring.run(plan))))
        copy, update = (action.verb for action in plan)
        self.assertEqual([copy, 'stop', 'close'], movers.calls)
        self.assertEqual([update, 'stop', 'close'], hands.calls)

    def test_update_that_fails_fast_begins_no_transfer(self):
        slave = places.Place('slave')
        failed = threading.Event()
        slave.stage = lambda action: failed.wait(_PATIENCE)
        slave._troubles = {
            'update': iter([errors.RefusedError('slave', 'no')])
        }
        runner = self.runner(slave, transfers=1, fail_fast=True)
        actions = [*self.actions(3), *self.updates([4])]
        outcomes = runner.run(actions)
        self.assertEqual('failed', next(outcomes).result)
        failed.set()
        self.assertEqual(['copied'], [o.result for o in outcomes])

    def test_large_images_come_early(self):
        slave = places.Place('slave')
        planned = threading.Event()
        begun = []

        def stage(action):
            begun.append(action.image.size)
            planned.wait(_PATIENCE)

        slave.stage = stage
        source = places.Place('master')
        source.read = lambda image, start: samples.Data(b'x' * image.size)
        runner = self.runner(slave, source=source, transfers=1)

        def actions():
            for number, size in enumerate((1, 5, 9, 7, 9)):
                image = samples.image(number, data=b'x' * size)
                yield self.planner.decide(image, None, 'slave')
            planned.set()

        list(runner.run(actions()))
        # What was known first has begun before there was a choice.
        self.assertEqual([1, 9, 9, 7, 5], begun)

    def test_plan_is_not_read_further_than_needed(self):
        self.runner(places.Place('slave'))
        for limit, actions in (
            ('_MAX_MOVES_AHEAD', self.actions(20)),
            ('_MAX_PLANNED_AHEAD', self.updates(range(20))),
        ):
            with fixtures.MonkeyPatch(f'{_ROOM}.{limit}', 3):
                self.assertLess(self.read_by_then(actions), 9, limit)

    def read_by_then(self, planned):
        """Give how much of a plan is read while the first of it is done."""
        slave = places.Place('slave')
        stands_still = threading.Event()
        read = []

        class Room(threading.Semaphore):
            def acquire(self, blocking=True):
                if not blocking and not super().acquire(blocking=False):
                    stands_still.set()
                    return False
                return not blocking or super().acquire()

        def actions():
            for action in planned:
                read.append(action)
                yield action
            stands_still.set()

        def begin(action):
            stands_still.wait(_PATIENCE)
            read_by_then.append(len(read))

        read_by_then = []
        slave.stage = slave.update = begin
        with fixtures.MonkeyPatch('threading.Semaphore', Room):
            runner = self.runner(slave, transfers=1)
        self.assertEqual(20, len(list(runner.run(actions()))))
        return read_by_then[0]


class Flaky(Crew):
    """Some of whose destinations give no answer for a while.

    :param down: their names
    """

    def __init__(self, *down):
        super().__init__(None)
        self.down = set(down)
        self.told = []

    def carry_out(self, action, others):
        self.done.append((action.to, action.image.id, tuple(others)))
        if action.to in self.down:
            return ended(outcomes.failed(action, "refused", unanswered=1.0))
        return ended(outcomes.Outcome(action, outcomes.Result.COPIED))

    def give_up(self, to):
        self.told.append(('down', to))

    def resume(self, to):
        self.told.append(('up', to))


class TestOutage(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.useFixture(fixtures.Timeout(90, gentle=True))
        self.log = self.useFixture(fixtures.FakeLogger('osc_glance_replicate'))
        self.greeted = []
        self.heard = []
        self.on_down = None

    def actions(self, number, to=('one', 'other')):
        for index in range(1, number + 1):
            for name in to:
                image = samples.image(index)
                yield plan.Action(image, name, plan.Verb.COPY)

    def run_with(self, crew, actions, greet=None, late=(), **how):
        case = self

        class Noting(events.Listener):
            def down(self, to, since):
                case.heard.append(('down', to))
                if case.on_down:
                    raise case.on_down

            def up(self, to):
                case.heard.append(('up', to))

            def put_off(self, action):
                case.heard.append(('put off', action.to))

        def refuse(to):
            self.greeted.append(to)
            raise errors.TransientError(to, 'refused')

        options = {'transfers': 2, 'fail_fast': False, **how}
        return runner.Runner(
            crew,
            listener=Noting(),
            greet=greet or refuse,
            destinations=2,
            **options,
        ).run(actions, late)

    def ends(self, ran, to):
        return [(o.result.value, o.reason) for o in ran if o.action.to == to]

    def test_one_that_is_down_is_given_up_and_told_of(self):
        crew = Flaky('one')
        ran = list(self.run_with(crew, self.actions(9)))
        self.assertEqual([('copied', '')] * 9, self.ends(ran, 'other'))
        ends = self.ends(ran, 'one')
        self.assertEqual({'failed'}, {result for result, _ in ends})
        tried = [end for end in ends if end[1] == 'refused']
        self.assertLess(len(tried), 6)
        not_tried = {reason for _, reason in ends} - {'refused'}
        self.assertRegex(not_tried.pop(), '^one is down since .*: not tried$')
        self.assertEqual(9, len(ends))
        self.assertEqual(['one'], self.greeted)
        self.assertEqual([('down', 'one')], crew.told)
        self.assertIn(('down', 'one'), self.heard)
        self.assertEqual(len(tried), self.heard.count(('put off', 'one')))
        # Each of them counts as one that has got no answer.
        self.assertTrue(all(o.unanswered for o in ran if o.action.to == 'one'))
        (line,) = self.log.output.splitlines()
        self.assertIn('one is down since', line)
        self.assertIn('refused', line)

    def test_one_that_is_back_gets_what_it_has_missed(self):
        crew = Flaky('one')

        def greet(to):
            crew.down.clear()

        ran = list(self.run_with(crew, self.actions(9), greet))
        for to in 'one', 'other':
            self.assertEqual([('copied', '')] * 9, self.ends(ran, to))
        self.assertEqual([('down', 'one'), ('up', 'one')], crew.told)
        self.assertEqual(
            ['down', 'up'], [w for w, _ in self.heard if w != 'put off']
        )

    def test_one_that_only_greets_loses_no_row(self):
        """What is planned, or ends, when it is given up is told of as well."""
        self.useFixture(
            fixtures.MonkeyPatch(
                'osc_glance_replicate.execution.outages._INTERVAL', 0.01
            )
        )
        given_up = threading.Event()
        crew = Flaky('one')
        give_up = crew.give_up

        def count(to):
            give_up(to)
            if len(crew.told) > 4:
                given_up.set()

        crew.give_up = count

        def actions():
            yield from self.actions(20, ['one'])
            given_up.wait(_PATIENCE)
            for index in range(21, 40):
                yield plan.Action(samples.image(index), 'one', plan.Verb.COPY)

        ran = list(self.run_with(crew, actions(), greet=lambda to: None))
        self.assertEqual(39, len({o.action.image.id for o in ran}))
        self.assertEqual(39, len(ran))
        self.assertEqual({'failed'}, {o.result.value for o in ran})

    def test_greeting_is_no_answer_to_what_comes_then(self):
        """Otherwise it would be asked, and down again, for ever."""
        greeted = []
        ran = self.run_with(
            Flaky('one'),
            self.actions(20),
            greet=lambda to: greeted.append(time.monotonic()),
            answered=lambda to: greeted[-1] if greeted else 0.0,
        )
        ran = list(ran)
        self.assertEqual([('copied', '')] * 20, self.ends(ran, 'other'))
        ends = self.ends(ran, 'one')
        self.assertEqual({'failed'}, {result for result, _ in ends})
        self.assertEqual(20, len(ends))
        self.assertEqual(2, len(greeted))
        told = [
            line for line in self.log.output.splitlines() if 'down' in line
        ]
        self.assertEqual(
            [False, False, True], ['is given up' in line for line in told]
        )

    def test_few_that_get_no_answer_fail_at_the_end(self):
        ran = list(self.run_with(Flaky('one'), self.actions(3)))
        self.assertEqual([('failed', 'refused')] * 3, self.ends(ran, 'one'))
        self.assertEqual([], self.greeted)

    def test_one_that_answers_between_is_not_down(self):
        crew = Flaky('one')
        carry_out = crew.carry_out

        def every_third(action, others):
            crew.down = set() if len(crew.done) % 3 == 2 else {'one'}
            return carry_out(action, others)

        crew.carry_out = every_third
        ran = list(self.run_with(crew, self.actions(9, ['one'])))
        results = [result for result, _ in self.ends(ran, 'one')]
        self.assertEqual(
            (3, 6), (results.count('copied'), results.count('failed'))
        )
        self.assertEqual([], crew.told)

    def test_one_that_answers_anything_is_not_down(self):
        crew = Flaky('one')
        ran = list(
            self.run_with(
                crew, self.actions(9), answered=lambda to: time.monotonic()
            )
        )
        self.assertEqual([('failed', 'refused')] * 9, self.ends(ran, 'one'))
        self.assertEqual([], crew.told)

    def test_at_the_first_failure_there_is_no_waiting(self):
        ran = list(
            self.run_with(Flaky('one'), self.actions(9), fail_fast=True)
        )
        self.assertIn('failed', [o.result for o in ran])
        self.assertLess(len(ran), 6)
        self.assertEqual([], self.greeted)

    def test_what_needs_one_that_has_got_no_answer_waits_for_it(self):
        (kernel,) = self.actions(1, ['one'])
        needy = plan.Action(
            samples.image(2, kernel_id=kernel.image.id),
            'one',
            plan.Verb.COPY,
            after=(kernel.image.id,),
        )
        crew = Flaky('one')
        ran = list(self.run_with(crew, [kernel, needy]))
        self.assertEqual(['failed', 'failed'], [o.result for o in ran])
        self.assertIn('was not replicated', ran[1].reason)
        self.assertEqual([('one', kernel.image.id, ())], crew.done)

    def test_plan_goes_on_while_what_waits_for_one_fills_its_room(self):
        self.useFixture(fixtures.MonkeyPatch(f'{_ROOM}._MAX_MOVES_AHEAD', 6))
        crew = Flaky('one')
        actions = [*self.actions(30, ['one']), *self.actions(1, ['other'])]
        ran = list(self.run_with(crew, actions))
        self.assertEqual([('copied', '')], self.ends(ran, 'other'))
        self.assertEqual(30, len(self.ends(ran, 'one')))

    def test_plan_goes_on_for_others_that_get_the_same_images(self):
        """Whatever is to be done with them at the one that is down."""
        self.useFixture(fixtures.MonkeyPatch(f'{_ROOM}._MAX_PLANNED_AHEAD', 6))
        crew = Flaky('one')

        def actions():
            for copy in self.actions(30, ['other']):
                yield copy
                yield plan.Action(copy.image, 'one', plan.Verb.UPDATE)

        ran = list(self.run_with(crew, actions()))
        self.assertEqual([('copied', '')] * 30, self.ends(ran, 'other'))
        self.assertEqual(30, len(self.ends(ran, 'one')))
        self.assertIn(('down', 'one'), self.heard)

    def test_plan_goes_on_where_all_waits_for_one_without_an_answer(self):
        self.useFixture(fixtures.MonkeyPatch(f'{_ROOM}._MAX_MOVES_AHEAD', 5))
        (kernel,) = self.actions(1, ['one'])
        needy = [
            plan.Action(
                samples.image(number, kernel_id=kernel.image.id),
                'one',
                plan.Verb.COPY,
                after=(kernel.image.id,),
            )
            for number in range(2, 31)
        ]
        ran = list(self.run_with(Flaky('one'), [kernel, *needy]))
        self.assertEqual([], self.greeted)
        self.assertEqual(30, len(ran))
        self.assertEqual('refused', ran[0].reason)
        for outcome in ran[1:]:
            self.assertIn('was not replicated', outcome.reason)

    def test_interrupt_tells_of_what_has_got_no_answer(self):
        self.on_down = KeyboardInterrupt
        ran = self.run_with(Flaky('one'), self.actions(9, ['one']))
        told = []

        def consume():
            for outcome in ran:
                told.append(outcome.reason)

        self.assertRaises(KeyboardInterrupt, consume)
        self.assertLessEqual(4, told.count('refused'), told)

    def test_nothing_waits_for_what_is_planned_late(self):
        copied = threading.Event()

        def late():
            self.assertTrue(copied.wait(_PATIENCE))
            yield from self.actions(2, ['other'])

        run = self.run_with(Flaky(), self.actions(1, ['one']), late=late())
        self.assertEqual('one', next(run).action.to)
        copied.set()
        self.assertEqual(['other'] * 2, [o.action.to for o in run])

    def test_not_too_many_give_up_a_name_at_once(self):
        bringing = plan.Action(samples.image(1), 'one', plan.Verb.COPY)
        leaving = [
            plan.Action(
                samples.image(number, name='old'),
                'one',
                plan.Verb.UPDATE,
                samples.image(number),
                changes=(plan.Change('name', 'old', 'a'),),
                successor=plan.Successor(bringing.image.id),
            )
            for number in range(2, 12)
        ]
        begun = queue.SimpleQueue()
        most = []
        enough = threading.Event()

        class Slow(Crew):
            def carry_out(self, action, others):
                if action.verb is plan.Verb.COPY:
                    return ended(
                        outcomes.Outcome(action, outcomes.Result.COPIED)
                    )
                future = concurrent.futures.Future()
                begun.put((future, action))
                most.append(begun.qsize())
                if len(most) == 4:
                    enough.set()
                return future

        def end_them():
            enough.wait(_PATIENCE)
            for _ in leaving:
                future, action = begun.get()
                future.set_result(outcomes.as_planned(action))

        threading.Thread(target=end_them, daemon=True).start()
        ran = list(self.run_with(Slow(None), [bringing, *leaving]))
        self.assertEqual(11, len(ran))
        self.assertEqual(4, max(most))

    def test_each_has_places_of_its_own(self):
        begun = {'one': [], 'other': []}
        over = threading.Event()

        class Busy(Crew):
            def carry_out(self, action, others):
                begun[action.to].append(action.image.id)
                if action.to == 'other':
                    if len(begun['other']) == 9:
                        over.set()
                    return super().carry_out(action, others)
                future = concurrent.futures.Future()
                threading.Thread(
                    target=lambda: (
                        over.wait(_PATIENCE),
                        future.set_result(outcomes.as_planned(action)),
                    ),
                    daemon=True,
                ).start()
                return future

        ran = list(self.run_with(Busy(None), self.actions(9)))
        self.assertEqual(18, len(ran))
        self.assertTrue(over.is_set())

    def test_who_reads_is_told_who_else_is_to_get_it(self):
        crew = Flaky()
        list(self.run_with(crew, self.actions(1)))
        image_id = samples.image(1).id
        self.assertEqual(
            [('one', image_id, ('other',)), ('other', image_id, ())],
            crew.done,
        )


class TestNames(testtools.TestCase):
    """What gives a name up waits for what brings it."""

    def setUp(self):
        super().setUp()
        self.useFixture(fixtures.Timeout(90, gentle=True))

    def run_to_the_end(
        self, *actions, source=None, fail_fast=False, **trouble
    ):
        """Return results and reasons by the number of the image."""
        self.slave = places.Place('slave', **trouble)
        self.updates = []
        self.slave.update = lambda action: self.updates.append(
            (
                [change.field for change in action.changes],
                [each for each in self.slave.calls if each == 'publish'],
            )
        )
        crew = thread_crew.ThreadCrew(
            {'slave': self.slave},
            decisions.Planner(image_selection.Selection()),
            image_reading.Reading(source or places.Place('master'), 0),
        )
        run = runner.Runner(crew, transfers=2, fail_fast=fail_fast)
        return {
            int(outcome.action.image.id[-1]): (outcome.result, outcome.reason)
            for outcome in run.run(actions)
        }

    def pair(self, *fields, strange=False, **more):
        """Return what brings a name, and what gives it up."""
        changes = {
            'name': plan.Change('name', 'old', 'a'),
            'os_hidden': plan.Change('os_hidden', True, False),
        }
        bringing = plan.Action(samples.image(1), 'slave', plan.Verb.COPY)
        leaving = plan.Action(
            samples.image(2, name='old'), 'slave', plan.Verb.UPDATE,
            samples.image(2, name='a'), reason='why',
            changes=tuple(changes[field] for field in fields),
            successor=plan.Successor(bringing.image.id, strange), **more,
        )  # fmt: skip
        return bringing, leaving

    def test_it_follows(self):
        told = self.run_to_the_end(*self.pair('name'))
        self.assertEqual(('updated', 'why'), told[2])
        self.assertEqual([(['name'], ['publish'])], self.updates)

    def test_what_is_told_besides_does_not_wait_any_more(self):
        told = self.run_to_the_end(
            *self.pair('os_hidden', told_as=plan.Verb.CONFLICT)
        )
        self.assertEqual(('conflict', 'why'), told[2])

    def test_it_stays_where_nobody_brings_it(self):
        for trouble in (
            {'stage': errors.RefusedError('slave', 'full', 413)},
            {'publish': errors.TransientError('slave', 'full')},
        ):
            told = self.run_to_the_end(
                *self.pair('name', 'os_hidden'),
                **{method: [each] for method, each in trouble.items()},
            )
            self.assertEqual(
                (
                    'failed',
                    f'waits for {samples.image(1).id}, which brings the name: '
                    'slave: full',
                ),
                told[2],
            )
            self.assertEqual([], self.updates)

    def test_an_image_that_cannot_come_keeps_no_other_in_use(self):
        refused = errors.RefusedError('slave', 'no', 413)
        for error, strange in (
            (errors.DataError('master', 'wrong'), False),
            (errors.TakenError('slave', 'no'), False),
            (errors.RefusedError('slave', 'no', 400), False),
            (refused, True),
        ):
            told = self.run_to_the_end(
                *self.pair('os_hidden', strange=strange), stage=[error]
            )
            self.assertEqual(('updated', 'why'), told[2])
            self.assertEqual([(['os_hidden'], [])], self.updates)

    def test_nor_by_what_it_needs(self):
        kernel = plan.Action(samples.image(3), 'slave', plan.Verb.COPY)
        bringing, leaving = self.pair('os_hidden')
        needy = samples.image(1, kernel_id=kernel.image.id)
        bringing = dataclasses.replace(
            bringing, image=needy, after=(kernel.image.id,)
        )
        for error, result in (
            (errors.DataError('master', 'wrong'), 'updated'),
            (errors.RefusedError('slave', 'full', 413), 'failed'),
        ):
            told = self.run_to_the_end(
                kernel, bringing, leaving, stage=[error]
            )
            self.assertEqual(result, told[2][0])

    def test_what_is_not_selected_any_more_is_not_there(self):
        """It was hidden between plan and deed."""
        bringing, leaving = self.pair('name')
        old = dataclasses.replace(bringing.image, read_at=-1e9)
        bringing = dataclasses.replace(bringing, image=old)
        source = places.Place('master')
        source.images[old.id] = samples.image(1, os_hidden=True)
        told = self.run_to_the_end(bringing, leaving, source=source)
        self.assertEqual(['skipped', 'failed'], [told[n][0] for n in (1, 2)])

    def test_fail_fast_leaves_it_as_it_is(self):
        told = self.run_to_the_end(
            *self.pair('os_hidden'),
            fail_fast=True,
            stage=[errors.DataError('master', 'wrong')],
        )
        self.assertEqual([1], list(told))
        self.assertEqual([], self.updates)


class TestFirstImport(testtools.TestCase):
    """What is to be imported, and may come back converted."""

    def setUp(self):
        super().setUp()
        self.useFixture(fixtures.Timeout(90, gentle=True))

    def run_all(self, outcome_of, greet=print):
        """Run six images of two formats to two destinations.

        :param outcome_of: returns what becomes of what has begun
        :param greet: asks a destination that is down
        :returns: the outcomes; and what was in work at a time, of each kind
        """
        in_work, most = collections.Counter(), collections.Counter()

        class Hands(Crew):
            def carry_out(self, action, others):
                kind = action.to, action.image.record['disk_format']
                in_work[kind] += 1
                if kind not in sound:
                    most[kind] = max(most[kind], in_work[kind])

                def end():
                    outcome = outcome_of(action)
                    if outcome.result is outcomes.Result.COPIED:
                        sound.add(kind)
                    in_work[kind] -= 1
                    return outcome

                return background.start(end)

        sound = set()
        actions = [
            dataclasses.replace(
                samples.action(number, to=to, disk_format=disk_format),
                conversion=conversions.Conversion.REFUSED,
            )
            for number, disk_format in enumerate(
                ('raw', 'qcow2', 'qcow2', 'raw', 'qcow2', 'raw')
            )
            for to in ('one', 'other')
        ]
        found = runner.Runner(
            Hands(None),
            transfers=8,
            fail_fast=False,
            destinations=2,
            greet=greet,
        ).run(actions)
        return list(found), most

    def test_the_first_of_each_kind_goes_alone(self):
        found, most = self.run_all(
            lambda action: outcomes.Outcome(action, outcomes.Result.COPIED)
        )
        self.assertEqual(12, len(found))
        self.assertEqual({outcomes.Result.COPIED}, {o.result for o in found})
        self.assertEqual([1] * 4, list(most.values()))

    def test_no_more_than_one_of_each_kind_is_used_up(self):
        def outcome_of(action):
            if action.image.record['disk_format'] == 'raw':
                return outcomes.Outcome(action, outcomes.Result.COPIED)
            made = dataclasses.replace(action, converted='raw')
            return outcomes.failed(made, 'converted')

        found, most = self.run_all(outcome_of)
        self.assertEqual(12, len(found))
        self.assertEqual([1] * 4, list(most.values()))
        told = collections.Counter(
            (each.action.to, each.reason.partition(':')[0])
            for each in found
            if each.result is outcomes.Result.FAILED
        )
        self.assertEqual(
            {
                ('one', 'converted'): 1,
                ('one', 'not imported'): 2,
                ('other', 'converted'): 1,
                ('other', 'not imported'): 2,
            },
            told,
        )

    def test_silence_of_the_first_is_an_outage(self):
        """None of the others would tell more."""
        tried = collections.Counter()

        def outcome_of(action):
            tried[action.to] += 1
            if action.to == 'one':
                return outcomes.failed(action, 'silence', unanswered=1.0)
            return outcomes.Outcome(action, outcomes.Result.COPIED)

        def greet(to):
            raise errors.PlaceError(to, 'silence')

        found, _ = self.run_all(outcome_of, greet)
        # One of each format, before it is known.
        self.assertLessEqual(tried['one'], 2)
        self.assertEqual(6, tried['other'])
        self.assertEqual(12, len(found))

    def test_an_image_that_gets_no_answer_is_no_outage_for_ever(self):
        silent = samples.image(0).id

        def outcome_of(action):
            if action.image.id == silent:
                return outcomes.failed(action, 'silence', unanswered=1.0)
            return outcomes.Outcome(action, outcomes.Result.COPIED)

        self.useFixture(
            fixtures.MonkeyPatch(f'{outages.__name__}._INTERVAL', 0.01)
        )
        found, _ = self.run_all(outcome_of)
        lost = [each for each in found if each.result.is_failure]
        self.assertEqual([silent] * 2, [each.action.image.id for each in lost])

    def test_destination_that_is_lost_before_all_is_planned(self):
        """Nothing that has waited for the plan is left untold."""
        updates = [
            plan.Action(
                samples.image(number),
                'one',
                plan.Verb.UPDATE,
                samples.image(number),
                changes=(plan.Change('name', 'a', 'b'),),
            )
            for number in range(10, 20)
        ]
        imports = [
            dataclasses.replace(
                samples.action(number, to='one', disk_format='qcow2'),
                conversion=conversions.Conversion.REFUSED,
            )
            for number in range(3)
        ]
        lost = threading.Event()

        class Silent(Crew):
            def carry_out(self, action, others):
                return ended(outcomes.failed(action, 'no', unanswered=1.0))

            def give_up(self, to):
                downs.append(to)
                # It was back twice, and of no use.
                if len(downs) == 3:
                    lost.set()

        def planned():
            yield from imports
            yield from updates
            self.assertTrue(lost.wait(_PATIENCE))

        downs = []
        self.useFixture(
            fixtures.MonkeyPatch(f'{outages.__name__}._INTERVAL', 0.01)
        )
        found = list(
            runner.Runner(
                Silent(None), transfers=2, fail_fast=False, greet=print
            ).run(planned())
        )
        self.assertEqual(
            {action.key for action in (*imports, *updates)},
            {outcome.action.key for outcome in found},
        )

    def test_each_is_the_first_that_fails_for_another_reason(self):
        found, most = self.run_all(
            lambda action: outcomes.failed(action, 'broken')
        )
        self.assertEqual(['broken'] * 12, [each.reason for each in found])
        self.assertEqual([1] * 4, list(most.values()))
