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

from osc_glance_replicate.model import image_schema


class TestImageSchema(testtools.TestCase):
    def test_what_it_says(self):
        found = image_schema.of(
            {
                'properties': {
                    'disk_format': {'enum': [None, 'raw']},
                    'container_format': {'type': 'string'},
                    'os_hidden': {'type': 'boolean'},
                },
                'required': ['os_distro', 'architecture'],
            }
        )
        self.assertEqual({'disk_format': {'raw'}}, found.formats)
        self.assertEqual(['architecture', 'os_distro'], found.required)
        self.assertTrue(found.hides)

    def test_formats_that_it_does_not_name_are_not_told(self):
        for enum in [], [None, 1], 'raw':
            said = image_schema.of(
                {'properties': {'disk_format': {'enum': enum}}}
            )
            self.assertEqual({}, said.formats)

    def test_one_that_knows_no_hidden_images(self):
        found = image_schema.of({'properties': {'name': {}}})
        self.assertFalse(found.hides)

    def test_what_is_required_has_bounds_and_needs_no_quotes(self):
        names = [f'p{number}' for number in range(1000)]
        document = {'required': ['a; rm -rf ~', 'x' * 256, '', *names]}
        found = image_schema.of(document).required
        self.assertEqual(128, len(found))
        self.assertLessEqual({*found}, {*names})

    def test_what_is_no_schema_says_nothing(self):
        for document in (
            {},
            {'properties': [], 'required': 'architecture'},
            {'properties': {'disk_format': 1, 'os_hidden': 1}},
            {
                'properties': {
                    'disk_format': {'enum': {'raw': 1}},
                    'os_hidden': {},
                },
                'required': [None, ['x']],
            },
        ):
            found = image_schema.of(document)
            self.assertEqual(({}, []), (found.formats, found.required))
            self.assertTrue(found.hides)
