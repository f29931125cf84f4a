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

import re
import time

import fixtures

from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan
from osc_glance_replicate.tests.doubles import pages
from osc_glance_replicate.tests.doubles import samples

_TITLE = 'Bytes per second to each destination'


class TestThroughput(pages.PageTest):
    """The times are those at which each event is heard, in turn."""

    def action(self, to, number=1, size=1000):
        return plan.Action(
            samples.image(number, size=size), to, plan.Verb.COPY
        )

    def end(self, listening, action, result=outcomes.Result.COPIED):
        listening.ended(outcomes.Outcome(action, result))

    def drawn(self, listening, *told):
        """Read the page, and return what is written in the drawing."""
        self.reader = self.read(listening, *told)
        texts = self.reader.texts
        until = texts.index('When') if 'When' in texts else len(texts)
        return texts[texts.index(_TITLE) : until]

    def steps(self):
        """Return the corners of each area, but for those on its line."""
        areas = []
        for area in self.reader.all('polygon'):
            corners = re.findall(r'([\d.]+),([\d.]+)', area['points'])
            _, *edge, _ = [(float(x), float(y)) for x, y in corners]
            areas.append(edge)
        return areas

    def test_bytes_per_second(self):
        action = self.action('slave')
        self.at(0, 0.2, 2.2, 2.4, 4, 4)
        listening = self.page()
        listening.begun(action)
        listening.sent(action, 1_000_000)
        listening.sent(action, 1_000_000)
        listening.sent(action, 1_000_000)
        self.end(listening, action)
        texts = self.drawn(listening)
        self.assertIn('slave: 3.0 MB, at most 4.0 MB/s', texts)
        (edge,) = self.steps()
        base = max(y for _, y in edge)
        top = min(y for _, y in edge)
        # Eight times half a second, of which the first and the fifth had
        # data: the first half as much.
        heights = [round((base - y) / (base - top), 2) for _, y in edge[::2]]
        self.assertEqual([0.5, 0, 0, 0, 1, 0, 0, 0], heights)
        begins = [x for x, _ in edge[::2]]
        self.assertEqual([125.0 * number for number in range(8)], begins)

    def test_all_to_the_same_scale(self):
        fast, slow = self.action('fast'), self.action('slow')
        self.at(0, 0, 0.1, 0.1, 1, 1, 1)
        listening = self.page()
        for action in fast, slow:
            listening.begun(action)
        listening.sent(fast, 1000)
        listening.sent(slow, 250)
        for action in fast, slow:
            self.end(listening, action)
        texts = self.drawn(listening)
        self.assertIn('fast: 1.0 kB, at most 2.0 kB/s', texts)
        self.assertIn('slow: 250 bytes, at most 500 bytes/s', texts)
        heights = [
            max(y for _, y in edge) - min(y for _, y in edge)
            for edge in self.steps()
        ]
        self.assertAlmostEqual(heights[0], 4 * heights[1], 0)

    def test_long_run(self):
        """It is drawn in steps as wide as can be seen."""
        action = self.action('slave')
        hours = [float(second) for second in range(0, 36_000, 8)]
        self.at(0, *hours, 36_000, 36_000)
        listening = self.page()
        listening.begun(action)
        for _ in hours:
            listening.sent(action, 8_000)
        self.end(listening, action)
        texts = self.drawn(listening)
        self.assertIn('slave: 36.0 MB, at most 1.0 kB/s', texts)
        (edge,) = self.steps()
        self.assertLessEqual(len(edge) // 2, 100)
        self.assertGreater(len(edge) // 2, 50)
        # It was as fast all the time.
        self.assertEqual(1, len({round(y) for _, y in edge[:-2]}))

    def test_long_wait_for_the_end(self):
        action = self.action('slave')
        self.at(0, 1, 36_000, 36_000)
        listening = self.page()
        listening.begun(action)
        listening.sent(action, 1_000)
        self.end(listening, action)
        self.assertIn('slave: 1.0 kB, at most 2 bytes/s',
                      self.drawn(listening))  # fmt: skip
        (edge,) = self.steps()
        self.assertLessEqual(len(edge) // 2, 100)

    def test_long_names_leave_room_for_the_figures(self):
        action = self.action('/srv/' + 'x' * 200)
        self.at(0, 1, 2, 2)
        listening = self.page()
        listening.begun(action)
        listening.sent(action, 1_000)
        self.end(listening, action)
        self.drawn(listening)
        (label,) = {
            text for text in self.reader.texts if text.endswith('kB/s')
        }
        self.assertLess(len(label), 120)
        self.assertIn('x…: 1.0 kB', label)

    def test_the_last_moment_is_no_time_of_its_own(self):
        action = self.action('slave')
        self.at(0, 0.1, 1.001, 1.002, 1.002)
        listening = self.page()
        listening.begun(action)
        listening.sent(action, 500)
        listening.sent(action, 500)
        self.end(listening, action)
        texts = self.drawn(listening)
        self.assertIn('slave: 1.0 kB, at most 1.0 kB/s', texts)

    def test_what_others_have_moved(self):
        """Nothing was heard of its bytes but that they are there."""
        moved, failed = self.action('slave', 1), self.action('slave', 2)
        self.at(0, 0, 10, 10, 10)
        listening = self.page()
        listening.begun(moved)
        listening.begun(failed)
        self.end(listening, moved)
        self.end(listening, failed, outcomes.Result.FAILED)
        texts = self.drawn(listening)
        self.assertIn('slave: 1.0 kB, at most 100 bytes/s', texts)

    def test_what_was_heard_of_counts_once(self):
        action = self.action('slave')
        self.at(0, 1, 10, 10)
        listening = self.page()
        listening.begun(action)
        listening.sent(action, 1000)
        self.end(listening, action)
        self.assertIn('slave: 1.0 kB, at most 2.0 kB/s', self.drawn(listening))

    def test_who_was_down_and_when(self):
        action = self.action('well')
        now = time.time()
        self.useFixture(fixtures.MonkeyPatch('time.time', lambda: now))
        self.at(0, 1, 10, 20, 50, 100, 100)
        listening = self.page()
        listening.begun(action)
        listening.sent(action, 1000)
        listening.down('back', now)
        # The clock was set back.
        listening.down('dead', 2**40)
        listening.up('back')
        self.end(listening, action)
        unusable = {'never': 'Cannot use it', 'well': 'lost in the end'}
        texts = self.drawn(listening, 'as told', unusable)
        self.assertEqual(2, texts.count('down'))
        self.assertEqual(1, texts.count('not used'))
        for hint in (
            'back was down for 40 s',
            'dead was down for 80 s',
            'never was not used for 100 s',
            'dead: nothing',
            'back: nothing; dead: nothing; never: nothing; '
            'well: 1.0 kB, at most 500 bytes/s',
        ):
            self.assertIn(hint, texts)
        outages = [
            (float(bar['x']), float(bar['width']))
            for bar in self.reader.all('rect')
            if bar['class'] == 'down'
        ]
        self.assertEqual([(100, 400), (200, 800), (0, 1000)], outages)

    def test_nothing_was_sent(self):
        """What was down is told in words; there is nothing to draw."""
        listening = self.page()
        listening.down('dead', 0.0)
        texts = self.read(listening).texts
        self.assertNotIn('Throughput', texts)
        self.assertNotIn(_TITLE, texts)
