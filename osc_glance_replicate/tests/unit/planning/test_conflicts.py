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

from osc_glance_replicate.model import plan
from osc_glance_replicate.planning import conflicts
from osc_glance_replicate.tests.doubles import samples


class TestConflicts(testtools.TestCase):
    def action(self):
        image = samples.image(
            owner='one', updated_at='2026-11-29T15:00:00Z', data=b'data'
        )
        replica = samples.image(
            owner='two', updated_at='2026-11-28T15:00:00+01:00', size=7
        )
        return plan.Action(image, 'slave', plan.Verb.COPY, replica)

    def test_both_sides_are_told(self):
        sides = (
            '; source: 4 bytes, project one, updated 2026-11-29T15:00:00Z; '
            'there: 7 bytes, project two, updated 2026-11-28T14:00:00Z'
        )
        for found, words in (
            (
                conflicts.other_data(self.action(), 'size'),
                'other data under this ID: size differs',
            ),
            (conflicts.was_first(self.action()), 'was there first'),
        ):
            self.assertEqual(plan.Verb.CONFLICT, found.verb)
            self.assertEqual(f'{words}{sides}', found.reason)

    def test_what_is_not_known_is_left_out(self):
        action = plan.Action(
            samples.image(owner=None, updated_at=None, size=None),
            'slave',
            plan.Verb.COPY,
            samples.image(owner=None, updated_at='never', size=0),
        )
        found = conflicts.words_of_other_data(action, 'size')
        self.assertTrue(found.endswith('; source: no data; there: 0 bytes'))
