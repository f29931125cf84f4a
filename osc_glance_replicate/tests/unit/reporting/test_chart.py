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

from xml.etree import ElementTree

import testtools

from osc_glance_replicate.reporting import chart


class TestChart(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.parent = ElementTree.Element('body')
        self.drawn = chart.Chart(self.parent, 'as told', 100, 50)

    def all(self, tag):
        return list(self.parent.iter(tag))

    def test_its_title_is_told_to_those_who_cannot_see_it(self):
        (figure,) = self.all('figure')
        self.assertEqual('as told', figure.get('aria-label'))
        self.assertEqual('0', figure.get('tabindex'))

    def test_a_moment_is_still_seen(self):
        self.drawn.bar(25, 25.001, 0, 10, 'copied', 'quick')
        (bar,) = self.all('rect')
        self.assertEqual(('500.0', '1.0'), (bar.get('x'), bar.get('width')))
        self.assertEqual('quick', bar.find('title').text)

    def test_texts_stand_where_there_is_room(self):
        before = len(self.all('text'))
        # Each character of a wide script takes two cells.
        for text, width, added in (
            ('abcdefgh', 66, 1), ('abcdefgh', 64, 0), ('\u6f22' * 8, 66, 0)
        ):  # fmt: skip
            self.drawn.text_within(text, 10, width, 10)
            before += added
            self.assertEqual(before, len(self.all('text')))
        self.assertEqual('206.5', self.all('text')[-1].get('x'))
