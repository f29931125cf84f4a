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

"""The images of a plan that bring a name."""

import testtools

from osc_glance_replicate.model import image_selection
from osc_glance_replicate.model import ownership
from osc_glance_replicate.model import plan
from osc_glance_replicate.planning import arrivals
from osc_glance_replicate.planning import decisions
from osc_glance_replicate.planning import rules
from osc_glance_replicate.tests.doubles import samples

MINE = ownership.Runner(owners=frozenset(['a']), project='a')
PUBLIC = {'name': 'debian-13', 'visibility': 'public'}


def copy(number, gets, verb=plan.Verb.COPY, **fields):
    image = samples.image(number, **{**PUBLIC, **fields})
    return plan.Action(image, 'slave', verb, owner=gets, reason='why')


class TestArrivals(testtools.TestCase):
    def setUp(self):
        super().setUp()
        planner = decisions.Planner(
            image_selection.Selection(),
            destinations={'slave': rules.Rules(runner=MINE)},
        )
        self.arrivals = arrivals.Arrivals(planner)
        replica = samples.image(1, **PUBLIC, owner='a')
        self.kinds = self.arrivals.kinds(
            plan.Action(replica, 'slave', plan.Verb.UPDATE, replica)
        )

    def found(self, rank=arrivals.Rank.SURE):
        return [each.id for each in self.arrivals.of(self.kinds, rank)]

    def test_they_come_in_the_order_of_the_plan(self):
        actions = [
            copy(9, 'b'),
            copy(8, None, owner='a', visibility='private'),
            copy(7, 'c'),
        ]
        for action in actions:
            self.arrivals.note(action)
        self.assertEqual([action.image.id for action in actions], self.found())

    def test_by_what_speaks_for_them(self):
        refused = copy(2, 'b', plan.Verb.CONFLICT)
        self.assertEqual([], self.arrivals.note(refused)[1])
        self.assertEqual([], self.found())
        rank = arrivals.Rank.REFUSED
        self.assertEqual([refused.image.id], self.found(rank))

    def test_no_more_are_kept_than_anyone_needs(self):
        for number in range(2, 2000):
            self.arrivals.note(copy(number, 'b'))
        self.assertEqual(100, len(self.found()))
        self.assertIn(samples.image(2).id, self.found())

    def test_what_brings_nothing(self):
        for action in (
            copy(2, 'b', name=''),
            copy(2, 'b', os_hidden=True),
            copy(2, 'b', plan.Verb.SKIP),
            copy(2, 'b', plan.Verb.UNCHANGED),
        ):
            self.assertEqual((None, []), self.arrivals.note(action))
