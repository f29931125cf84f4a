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

from osc_glance_replicate.reporting import markup


class TestAdd(testtools.TestCase):
    def text(self, *args, **attributes):
        top = ElementTree.Element('top')
        added = markup.add(top, *args, **attributes)
        self.assertEqual([added], list(top))
        return ElementTree.tostring(top, encoding='unicode', method='html')

    def test_text_is_no_markup(self):
        self.assertEqual(
            '<top><p class="a&quot;b">&lt;script&gt; &amp;</p></top>',
            self.text('p', '<script> &', **{'class': 'a"b'}),
        )

    def test_what_is_no_character_is_shown(self):
        self.assertIn(r'a\x1bb\x00', self.text('p', 'a\x1bb\x00'))

    def test_long_text_is_cut(self):
        self.assertIn('(99999 characters)', self.text('p', 'x' * 99_999))

    def test_style_sheet_keeps_its_lines(self):
        self.assertIn('a {}\nb {}', self.text('style', 'a {}\nb {}'))
