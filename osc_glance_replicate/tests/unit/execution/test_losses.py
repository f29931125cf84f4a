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

import dataclasses

import testtools

from osc_glance_replicate.execution import losses
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan
from osc_glance_replicate.tests.doubles import samples

KERNEL = samples.image(7)
COPY = plan.Action(KERNEL, 'slave', plan.Verb.COPY)
NEEDY = plan.Action(
    samples.image(1, kernel_id=KERNEL.id),
    'slave',
    plan.Verb.COPY,
    after=(KERNEL.id,),
)


class TestLosses(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.losses = losses.Losses()

    def test_what_has_arrived_is_no_loss(self):
        done = outcomes.Outcome(COPY, outcomes.Result.COPIED)
        self.losses.note(COPY, done)
        self.assertIs(NEEDY, self.losses.without(NEEDY))

    def test_what_needs_what_is_lost_fails_for_the_same_cause(self):
        damaged = outcomes.failed(COPY, 'damaged', outcomes.Cause.IMAGE)
        self.losses.note(COPY, damaged)
        without = self.losses.without(NEEDY)
        self.assertIs(plan.Verb.FAIL, without.verb)
        self.assertIn(f'{KERNEL.id}, which it needs', without.reason)
        outcome = self.losses.outcome(NEEDY, without)
        self.assertEqual('failed', outcome.result)
        self.assertIs(outcomes.Cause.IMAGE, outcome.cause)

    def test_nothing_waits_for_what_is_only_read(self):
        read = dataclasses.replace(COPY, verb=plan.Verb.READ)
        self.losses.note(read, outcomes.failed(read, 'no'))
        self.assertIs(NEEDY, self.losses.without(NEEDY))

    def test_what_is_lost_elsewhere_is_none(self):
        elsewhere = dataclasses.replace(COPY, to='other')
        self.losses.note(elsewhere, outcomes.failed(elsewhere, 'no'))
        self.assertIs(NEEDY, self.losses.without(NEEDY))

    def test_what_has_arrived_is_waited_for_no_longer(self):
        leaving = plan.Action(
            samples.image(2, name='old'),
            'slave',
            plan.Verb.UPDATE,
            samples.image(2, name='a'),
            changes=(plan.Change('name', 'old', 'a'),),
            successor=plan.Successor(KERNEL.id),
        )
        self.assertIsNone(self.losses.without(leaving).successor)
        self.losses.note(COPY, outcomes.failed(COPY, 'no room'))
        self.assertIs(plan.Verb.FAIL, self.losses.without(leaving).verb)

    def leaving(self, number, field, wanted, have, successor):
        return plan.Action(
            samples.image(number),
            'slave',
            plan.Verb.UPDATE,
            samples.image(number, name='a'),
            changes=(plan.Change(field, wanted, have),),
            successor=successor,
        )

    def test_an_update_brings_a_name_as_well(self):
        shown = self.leaving(1, 'os_hidden', False, True, None)
        leaving = self.leaving(
            2, 'name', 'b', 'a', plan.Successor(shown.image.id)
        )
        self.losses.note(shown, outcomes.failed(shown, 'no proof'))
        without = self.losses.without(leaving)
        self.assertIs(plan.Verb.FAIL, without.verb)
        self.assertIn('no proof', without.reason)

    def test_what_was_lost_in_the_plan_stays_lost(self):
        """Planned anew, it would give up its name otherwise."""
        lost = plan.Successor('new', lost='why', unfit=True)
        leaving = self.leaving(2, 'os_hidden', True, False, lost)
        self.assertIs(leaving, self.losses.without(leaving))

    def test_an_image_that_cannot_come_is_the_cause_all_the_way(self):
        """One that waits is not renamed, and keeps no other in use."""
        renamed = self.leaving(
            2, 'name', 'b', 'a', plan.Successor(COPY.image.id)
        )
        hidden = self.leaving(
            3, 'os_hidden', True, False, plan.Successor(renamed.image.id)
        )
        for cause, verb in (
            (outcomes.Cause.IMAGE, plan.Verb.UPDATE),
            (outcomes.Cause.ELSEWHERE, plan.Verb.FAIL),
        ):
            self.losses.note(COPY, outcomes.failed(COPY, 'no', cause))
            without = self.losses.without(renamed)
            outcome = self.losses.outcome(renamed, without)
            self.losses.note(renamed, outcome)
            followed = self.losses.without(hidden)
            self.assertIs(verb, followed.verb)
            self.assertEqual(
                f'waits for {COPY.image.id} itself', followed.successor.lost
            )

    def test_who_waits_for_a_name_is_judged_by_that_first(self):
        """That its kernel is lost as well lets no name vanish."""
        bringing = plan.Action(samples.image(3), 'slave', plan.Verb.COPY)
        leaving = plan.Action(
            samples.image(2, kernel_id=KERNEL.id),
            'slave',
            plan.Verb.UPDATE,
            samples.image(2),
            changes=(
                plan.Change('os_hidden', True, False),
                plan.Change('kernel_id', KERNEL.id, None),
            ),
            after=(KERNEL.id,),
            successor=plan.Successor(bringing.image.id),
            withdraws=True,
        )
        for lost in COPY, bringing:
            self.losses.note(lost, outcomes.failed(lost, 'no room'))
        without = self.losses.without(leaving)
        self.assertEqual((plan.Verb.FAIL, ()), (without.verb, without.changes))
