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

from osc_glance_replicate.model import reception
from osc_glance_replicate.tests.doubles import samples


class TestReceive(testtools.TestCase):
    def test_sound_record_stays_as_it_is(self):
        image = samples.image(x='y' * 100_000)
        self.assertEqual(image, reception.receive(image.record))

    def test_property_that_is_a_field_by_now_is_left_out(self):
        image = reception.receive(samples.image(os_hidden='true').record)
        self.assertIsNone(image.defect)
        self.assertFalse(image.hidden)
        self.assertFalse(image.portable['os_hidden'])
        hidden = reception.receive(samples.image(os_hidden=True).record)
        self.assertTrue(hidden.hidden)

    def test_reference_to_no_image_is_left_out(self):
        image = reception.receive(
            samples.image(kernel_id='', ramdisk_id='r', other='').record
        )
        self.assertEqual({'ramdisk_id': 'r', 'other': ''}, image.properties)

    def test_row_needs_little_of_one_that_cannot_be_used(self):
        whole = samples.image(name='n', size=4, x={'a': []}, y='y' * 10**6)
        image = reception.receive(whole.record)
        self.assertEqual(
            {'id': whole.id, 'name': 'n', 'size': 4}, image.record
        )
        self.assertEqual('property x is ' + repr({'a': []}), image.defect)
        self.assertEqual(whole.defect, image.defect)

    def test_values_that_no_row_can_show_are_left_out(self):
        image = reception.receive(
            samples.image(name=['n'] * 1000, size='4' * 1000).record
        )
        self.assertEqual({'id': image.id}, image.record)
        image = reception.receive({'size': True, 'name': None})
        self.assertEqual({'id': 'None'}, image.record)

    def test_names_without_end_are_cut(self):
        for bad in {'id': 'x' * 5000}, {'id': ['x' * 4996]}, {}:
            image = reception.receive(
                {**samples.image().record, 'name': 'x' * 4000, **bad}
            )
            self.assertTrue(image.name.startswith('x' * 200))
            self.assertTrue(image.name.endswith('… (4000 characters)'))
            self.assertLess(len(image.name), 255)
            self.assertLess(len(image.defect), 255)
            if bad:
                self.assertIn('… (5000 characters)', image.id)
                self.assertLess(len(image.id), 255)
        name = 'x' * 255
        image = reception.receive({'id': name, 'name': name})
        self.assertEqual((name, name), (image.id, image.name))

    def test_options_select_by_an_ordinary_record_that_is_set_aside(self):
        image = samples.image(name='n', x='y')
        kept = reception.set_aside(image, 'late')
        self.assertEqual((image.record, 'late'), (kept.record, kept.defect))
        for other in (
            samples.image(name='n', x='y' * 5000),
            samples.image(name='n', tags=[1]),
        ):
            kept = reception.set_aside(other, 'late')
            self.assertEqual({'id', 'name', 'size'}, set(kept.record))

    def test_it_is_not_sound_without_its_flaw(self):
        """Nobody looks for the data of what is left of it."""
        image = reception.receive(samples.image(x=5).record)
        self.assertIsNotNone(dataclasses.replace(image, flaw='').defect)
