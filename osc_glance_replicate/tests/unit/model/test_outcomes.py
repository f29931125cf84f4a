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

import testtools

from osc_glance_replicate import errors
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan
from osc_glance_replicate.tests.doubles import samples

Result = outcomes.Result

#: What no verb that copies plans.
_ONLY_COMPARED = {plan.Verb.EXTRA, plan.Verb.READ}


class TestResult(testtools.TestCase):
    def test_failures(self):
        self.assertEqual(
            {
                Result.CONFLICT,
                Result.FAILED,
                Result.UNREAD,
                Result.MISSING,
                Result.SHORT,
                Result.DAMAGED,
            },
            {result for result in Result if result.is_failure},
        )
        # Nothing is known of what was not read.
        self.assertEqual(
            {Result.UNREAD},
            {
                result
                for result in Result
                if result.is_failure and not result.needs_attention
            },
        )

    def test_what_was_not_read_whole_has_not_arrived(self):
        self.assertEqual(
            {Result.COPIED, Result.OK},
            {result for result in Result if result.has_arrived},
        )

    def test_what_is_there(self):
        self.assertEqual(
            {Result.COPIED, Result.UPDATED, Result.UNCHANGED, Result.OK},
            {result for result in Result if result.is_there},
        )

    def test_dry_run_can_say_what_is_planned(self):
        for verb in set(plan.Verb) - _ONLY_COMPARED:
            self.assertEqual(verb.value, str(Result(verb.value)))


class TestAsPlanned(testtools.TestCase):
    def test_each_plan_for_a_destination_has_a_result(self):
        for verb in plan.Verb:
            if verb in _ONLY_COMPARED:
                continue
            action = plan.Action(samples.image(), 'slave', verb, reason='why')
            outcome = outcomes.as_planned(action)
            self.assertEqual(verb.value, outcome.result.value)
            self.assertEqual('why', outcome.reason)
            self.assertIs(action, outcome.action)

    def test_what_cannot_be_changed_would_fail(self):
        action = plan.Action(
            samples.image(),
            'slave',
            plan.Verb.UPDATE,
            fixed=(plan.Change('disk_format', 'raw', 'iso'),),
        )
        outcome = outcomes.as_planned(action)
        self.assertEqual('failed', outcome.result.value)
        self.assertIn('disk_format', outcome.reason)

    def test_what_waits_says_so(self):
        fixed = (plan.Change('disk_format', 'raw', 'iso'),)
        for fields, reason in (
            ({}, ''),
            ({'reason': 'name'}, 'name; '),
            ({'fixed': fixed}, f'{plan.unchangeable(fixed)}; '),
        ):
            action = plan.Action(
                samples.image(),
                'slave',
                plan.Verb.UPDATE,
                successor=plan.Successor('new'),
                **fields,
            )
            self.assertEqual(
                f'{reason}waits for new, which brings the name',
                outcomes.as_planned(action).reason,
            )


class TestCause(testtools.TestCase):
    def test_of_a_failure(self):
        image, unclear, elsewhere = outcomes.Cause
        for error, cause in (
            (errors.DataError('a', 'b'), image),
            (errors.TooLongError('a', 'b'), image),
            (errors.TakenError('a', 'b'), image),
            (errors.RefusedError('a', 'b', 400), image),
            # The place may be full, or have its rules for properties.
            (errors.RefusedError('a', 'b', 403), unclear),
            (errors.RefusedError('a', 'b', 413), unclear),
            (errors.PlaceError('a', 'b'), unclear),
            (errors.TransientError('a', 'b', status=500), unclear),
            (errors.TransientError('a', 'b', status=503), elsewhere),
            (errors.TransientError('a', 'b'), elsewhere),
            (errors.BusyError('a', 'b'), elsewhere),
            (errors.StoppedError('a', 'b'), elsewhere),
            (KeyError('a'), unclear),
        ):
            self.assertIs(cause, outcomes.cause_of(error), repr(error))

    def test_of_what_came_to_nothing(self):
        action = samples.action()
        for result, cause in (
            (Result.SKIPPED, outcomes.Cause.IMAGE),
            (Result.CONFLICT, outcomes.Cause.IMAGE),
            (Result.FAILED, outcomes.Cause.ELSEWHERE),
        ):
            self.assertIs(cause, outcomes.Outcome(action, result).lies_in)
