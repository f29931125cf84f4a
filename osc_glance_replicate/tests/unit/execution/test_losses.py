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
