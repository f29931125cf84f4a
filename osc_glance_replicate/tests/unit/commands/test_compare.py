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

from osc_glance_replicate.commands import compare
from osc_glance_replicate.tests.doubles import parsing


class TestCompare(parsing.ParserTest):
    """What contradicts itself is said before any cloud is asked."""

    def test_extra_is_about_all_images(self):
        for arguments in ('an image',), ('--project', 'p'):
            told = self.assertWrong(
                '--to',
                'x',
                '--extra',
                *arguments,
                command=compare.CompareImages,
            )
            self.assertIn('--extra is about the images of all', told)

    def test_dump_holds_images_as_they_are(self):
        for arguments in (
            ('--exact',),
            ('--owner', 'same'),
            ('--set-property', 'a=b'),
            ('--visibility', 'private'),
            ('--map-format', 'gpt=raw'),
            ('--accept-conversion',),
        ):
            told = self.assertWrong(
                '--dump', '/x', *arguments, command=compare.CompareImages
            )
            self.assertIn('takes --members only', told)
