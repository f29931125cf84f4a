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

from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan
from osc_glance_replicate.tests.doubles import pages
from osc_glance_replicate.tests.doubles import samples


class TestTimeline(pages.PageTest):
    def test_bars_have_names_where_there_is_room(self):
        for took, shown in (0.1, 2), (99, 3):
            self.at(0, 100, 100, 100 + took, 200)
            listening = self.page()
            self.hear(listening, 1, 'copied', name='other')
            self.hear(listening, 2, 'copied', name='debian')
            # On its bar, what the bar tells where one points at it, and in
            # the table.
            texts = self.read(listening).texts
            told = [text for text in texts if text.startswith('debian')]
            self.assertEqual(shown, len(told), told)

    def test_time_before_the_first_is_named(self):
        for begun, is_named in (50, True), (1, False):
            self.at(begun, 100, 100)
            listening = self.page()
            self.hear(listening, 1, 'copied', name='debian')
            texts = self.read(listening).texts
            self.assertIs(is_named, 'login, listing' in texts)

    def test_each_of_several_destinations_has_rows_of_its_own(self):
        self.at(0, 0, 100, 100, 100)
        listening = self.page()
        actions = [
            plan.Action(samples.image(name='debian'), to, plan.Verb.COPY)
            for to in ('north', 'south')
        ]
        for action in actions:
            listening.begun(action)
        for action in actions:
            listening.ended(outcomes.Outcome(action, outcomes.Result.COPIED))
        reader = self.read(listening)
        texts = reader.texts[reader.texts.index('When') :]
        for to in 'north', 'south':
            self.assertIn(to, texts)
            self.assertIn(f'debian to {to}: copied, 100.0 s', texts)
        one, other = (float(bar['y']) for bar in reader.all('rect'))
        # Between them stands the name of the other.
        self.assertEqual(36, other - one)

    def test_times_are_round(self):
        for end, labels in (
            (0.7, ['0 s', '0.2 s', '0.4 s', '0.6 s']),
            (4, ['0 s', '1 s', '2 s', '3 s', '4 s']),
            (100, ['0 s', '20 s', '40 s', '60 s', '80 s', '100 s']),
            (550, ['0:00:00', '0:02:00', '0:04:00', '0:06:00', '0:08:00']),
            (40000, ['0:00:00', '3:00:00', '6:00:00', '9:00:00']),
        ):
            self.at(0, end, end)
            listening = self.page()
            self.hear(listening, 1, 'copied', name='debian')
            reader = self.read(listening)
            # The bar tells last how long it took.
            start = reader.texts.index('When each image was on its way') + 1
            self.assertEqual(labels, reader.texts[start : start + len(labels)])
            # As in the drawing above it, which has a line below its row.
            self.assertEqual(2 * len(labels) + 1, len(reader.all('line')))

    def test_bars_do_not_cover_each_other(self):
        listening = self.page()
        self.at(0, 0, 5, 5, 8, 9, 10)
        actions = [
            plan.Action(samples.image(i), 'slave', plan.Verb.COPY)
            for i in range(1, 4)
        ]
        # 1 from 0 to 5, 2 from 0 to 8, 3 from 5 to 9.
        listening.begun(actions[0])
        listening.begun(actions[1])
        listening.ended(outcomes.Outcome(actions[0], outcomes.Result.COPIED))
        listening.begun(actions[2])
        listening.ended(outcomes.Outcome(actions[1], outcomes.Result.COPIED))
        listening.ended(outcomes.Outcome(actions[2], outcomes.Result.COPIED))
        bars = [
            tuple(float(bar[name]) for name in ('x', 'y', 'width'))
            for bar in self.read(listening).all('rect')
        ]
        first, second, third = bars
        self.assertEqual(first[1], third[1])
        self.assertNotEqual(first[1], second[1])
        self.assertAlmostEqual(third[0], first[0] + first[2], 0)
