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

from osc_glance_replicate.model import record_defects
from osc_glance_replicate.tests.doubles import samples


class TestFields(testtools.TestCase):
    def defect(self, **fields):
        return record_defects.of_fields({**samples.image().record, **fields})

    def test_good_ones(self):
        for fields in (
            {},
            {'name': None},
            {'name': '東' * 255},
            {'tags': ['x' * 255]},
            {'size': 2**63 - 1},
        ):
            self.assertEqual('', self.defect(**fields))

    def test_bad_ones(self):
        for field, value in (
            ('status', None),
            ('status', 7),
            ('size', '12'),
            ('size', True),
            ('size', -1),
            ('size', 2**63),
            ('name', ['x']),
            ('min_disk', '1'),
            ('tags', 'x'),
            ('protected', 'no'),
            ('visibility', 'secret'),
            ('os_hash_value', 5),
        ):
            defect = self.defect(**{field: value})
            self.assertIn(f'{field} is {value!r}', defect)
        self.assertEqual('a tag is not a string', self.defect(tags=[1]))
        self.assertEqual('status is None', record_defects.of_fields({}))

    def test_text_that_no_glance_keeps(self):
        for field in 'name', 'owner', 'disk_format', 'os_hash_value':
            self.assertEqual(
                f'{field} has 11000000 characters',
                self.defect(**{field: 'x' * 11_000_000}),
            )
        self.assertEqual(
            'name has 256 characters', self.defect(name='x' * 256)
        )
        self.assertEqual(
            'a tag has 256 characters', self.defect(tags=['a', 'x' * 256])
        )

    def test_message_is_short(self):
        long = 'x' * 11_000_000
        for field, value in (
            ('id', long),
            ('id', f'{long}-{long}'),
            ('name', [long]),
            ('size', long),
            ('visibility', long),
            ('tags', [long]),
            (long, 'x'),
            ('property', [long]),
            ('x' * 255, [long]),
        ):
            defect = samples.image(**{field: value}).defect
            self.assertLess(len(defect), 400)


class TestProperties(testtools.TestCase):
    def test_good_ones(self):
        good = {'a': '', 'x' * 255: 'y' * 11_000_000}
        self.assertEqual('', record_defects.of_properties(good))

    def test_bad_ones(self):
        for field, value, defect in (
            ('a', {'nested': 1}, "property a is {'nested': 1}"),
            ('a', 1, 'property a is 1'),
            ('x' * 256, 'b', 'the name of a property has 256 characters'),
        ):
            found = record_defects.of_properties({'good': 'x', field: value})
            self.assertEqual(defect, found)


class TestText(testtools.TestCase):
    def test_what_is_not_unicode(self):
        good = {'name': 'Zürich', 'tags': ['x'], 'disk_format': None}
        self.assertEqual('', record_defects.of_text(good, {'a': '東京'}))
        for record, properties in (
            ({'name': '\ud800'}, {}),
            ({'disk_format': '\ud800'}, {}),
            ({'tags': ['x', '\udcff']}, {}),
            ({}, {'a': '\ud800'}),
            ({}, {'\ud800': 'a'}),
            # Halves of one character that are apart are none.
            ({'tags': ['\ud83d', '\ude00']}, {}),
        ):
            told = record_defects.of_text(record, properties)
            self.assertIn('Unicode', told)
