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

import threading
import time

import fixtures
import testtools

from osc_glance_replicate import errors
from osc_glance_replicate.execution import outages
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan
from osc_glance_replicate.tests.doubles import clocks
from osc_glance_replicate.tests.doubles import places
from osc_glance_replicate.tests.doubles import samples

_OUTAGES = outages.__name__


def missed(number, since=5.0, to='slave'):
    action = plan.Action(samples.image(number), to, plan.Verb.COPY)
    return outcomes.failed(action, 'refused', unanswered=since)


class TestOutages(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.useFixture(fixtures.Timeout(90, gentle=True))
        self.answers = []
        self.asked = threading.Semaphore(0)
        self.told = []
        self.is_told = threading.Event()
        self.answered_at = 0.0
        self.outages = outages.Outages(
            self.greet, self.over, lambda to: self.answered_at
        )
        self.addCleanup(self.outages.close)

    def greet(self, to):
        self.asked.release()
        if not self.answers or not self.answers.pop(0):
            raise errors.TransientError(to, 'refused')

    def over(self, to, is_back):
        self.told.append((to, is_back))
        self.is_told.set()

    def hurry(self):
        self.useFixture(fixtures.MonkeyPatch(f'{_OUTAGES}._INTERVAL', 0.01))

    def await_end(self):
        self.assertTrue(self.is_told.wait(clocks.PATIENCE))
        self.is_told.clear()

    def test_four_in_a_row_make_it_down(self):
        told = [self.outages.note(missed(n, since=9.0 - n)) for n in range(4)]
        self.assertEqual([False] * 3 + [True], told)
        self.assertTrue(self.outages.is_down('slave'))
        self.assertFalse(self.outages.is_lost('slave'))
        self.assertFalse(self.outages.is_down('other'))
        # Since the first of them was not answered.
        not_tried = self.outages.not_tried(missed(9).action)
        self.assertEqual(6.0, not_tried.unanswered)
        self.assertFalse(self.outages.note(missed(5)))

    def test_answer_between_ends_the_row(self):
        some = [missed(number) for number in range(3)]
        for each in some:
            self.outages.note(each)
        self.assertEqual(some, self.outages.arrived('slave'))
        self.assertFalse(self.outages.note(missed(4)))
        self.assertFalse(self.outages.is_down('slave'))

    def test_answer_to_anything_ends_the_row(self):
        some = [missed(number) for number in range(3)]
        for each in some:
            self.assertEqual([], self.outages.outdated('slave'))
            self.outages.note(each)
        self.answered_at = time.monotonic()
        self.assertEqual([], self.outages.outdated('other'))
        self.assertEqual(some, self.outages.outdated('slave'))
        self.assertFalse(self.outages.note(missed(4)))

    def test_answer_before_the_row_does_not_end_it(self):
        self.answered_at = time.monotonic()
        for number in range(3):
            self.outages.note(missed(number))
            self.assertEqual([], self.outages.outdated('slave'))

    def test_whatever_a_greeting_breaks_with_is_no_answer(self):
        self.outages = outages.Outages({}.__getitem__, self.over, float)
        self.go_down()
        self.assertTrue(self.outages.ask_at_once())
        self.await_end()
        self.assertEqual([('slave', False)], self.told)

    def test_each_destination_has_a_row_of_its_own(self):
        for number in range(3):
            for to in 'slave', 'other':
                self.assertFalse(self.outages.note(missed(number, to=to)))

    def test_what_has_no_answer_may_get_one_yet(self):
        each = missed(1)
        self.outages.note(each)
        self.assertEqual({each.action.key}, self.outages.missed)
        self.assertEqual([each], self.outages.rest())
        self.assertEqual(set(), self.outages.missed)

    def go_down(self):
        some = [missed(number) for number in range(4)]
        for each in some:
            self.outages.note(each)
        return some

    def test_it_is_asked_until_it_is_back(self):
        self.hurry()
        self.answers = [False, False, True]
        some = self.go_down()
        self.assertEqual([], self.outages.arrived('slave'))
        self.assertEqual([], self.outages.rest())
        self.await_end()
        self.assertEqual([('slave', True)], self.told)
        self.assertEqual(some, self.outages.over('slave', True))
        self.assertFalse(self.outages.is_down('slave'))
        self.assertFalse(self.outages.ask_at_once())

    def test_it_is_asked_for_the_last_time(self):
        some = self.go_down()
        self.assertTrue(self.outages.ask_at_once())
        self.await_end()
        self.assertEqual([('slave', False)], self.told)
        self.assertTrue(self.asked.acquire(blocking=False))
        self.assertFalse(self.asked.acquire(blocking=False))
        self.assertEqual(some, self.outages.over('slave', False))
        self.assertTrue(self.outages.is_down('slave'))
        self.assertTrue(self.outages.is_lost('slave'))
        not_tried = self.outages.not_tried(missed(9).action)
        self.assertRegex(
            not_tried.reason, r'^slave is down since \d\d:\d\d: not tried$'
        )
        self.assertEqual(5.0, not_tried.unanswered)
        self.assertFalse(self.outages.ask_at_once())

    def test_one_that_only_greets_is_given_up(self):
        self.hurry()
        self.answers = [True, True, True]
        for _ in range(2):
            self.go_down()
            self.await_end()
            self.assertEqual(('slave', True), self.told[-1])
            self.answered_at = time.monotonic()
            self.outages.over('slave', True)
            self.assertEqual([], self.outages.outdated('slave'))
        some = self.go_down()
        self.assertTrue(self.outages.is_lost('slave'))
        self.assertEqual(some, self.outages.over('slave', False))
        self.assertEqual([True], self.answers)

    def test_one_that_works_may_go_down_as_often_as_it_likes(self):
        self.hurry()
        self.answers = [True] * 4
        for _ in range(4):
            self.go_down()
            self.await_end()
            self.outages.over('slave', True)
            self.outages.arrived('slave')
        self.assertEqual([('slave', True)] * 4, self.told)

    def test_all_is_told_at_the_end(self):
        some = [*self.go_down(), missed(7, to='other')]
        self.outages.note(some[-1])
        self.assertEqual(some, self.outages.close())
        self.assertEqual([], self.outages.close())


class TestSilence(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.place = places.Place('slave')
        self.silence = outages.Silence(self.place)
        self.silent = errors.TransientError('slave', 'refused')
        self.silent.unanswered = True

    def test_it_lasts_until_there_is_an_answer(self):
        clock = iter([3.0, 5.0])
        self.useFixture(
            fixtures.MonkeyPatch(f'{_OUTAGES}.time.time', lambda: next(clock))
        )
        self.assertEqual(3.0, self.silence.since(self.silent))
        self.assertEqual(3.0, self.silence.since(self.silent))
        busy = errors.TransientError('slave', 'busy')
        self.assertEqual(0.0, self.silence.since(busy))
        self.assertEqual(5.0, self.silence.since(self.silent))
        for other in OSError(), errors.StoppedError('slave', 'end'):
            self.assertEqual(0.0, self.silence.since(other))

    def test_that_of_another_is_none(self):
        other = errors.TransientError('master', 'refused')
        other.unanswered = True
        self.assertEqual(0.0, self.silence.since(other))

    def test_who_answers_anything_is_not_silent(self):
        """Its proxy may not let one image pass, and all else."""
        self.silence.begin()
        self.place.answered_at = time.monotonic()
        self.assertEqual(0.0, self.silence.since(self.silent))
        self.silence.begin()
        self.assertLess(0.0, self.silence.since(self.silent))
