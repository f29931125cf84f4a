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
import pickle

import fixtures
import testtools

from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import record_defects
from osc_glance_replicate.tests.doubles import samples


class TestPortable(testtools.TestCase):
    def test_bookkeeping_is_left_behind(self):
        image = samples.image(
            stores='fast',
            direct_url='file:///secret',
            locations=[{'url': 'swift://user:key@host'}],
            os_glance_failed_import='',
            os_glance_import_task='x',
            file='/v2/images/1/file',
            schema='/v2/schemas/image',
            self='/v2/images/1',
            os_distro='debian',
        )
        self.assertEqual(
            {
                'name': 'image 1',
                'container_format': 'bare',
                'disk_format': 'raw',
                'min_disk': 0,
                'min_ram': 0,
                'tags': [],
                'visibility': 'private',
                'protected': False,
                'os_hidden': False,
                'os_distro': 'debian',
            },
            image.portable,
        )

    def test_null_property_counts_as_absent(self):
        self.assertNotIn('kernel_id', samples.image(kernel_id=None).portable)

    def test_tags_have_no_order(self):
        self.assertEqual(
            samples.image(tags=['b', 'a']).portable,
            samples.image(tags=['a', 'b', 'a']).portable,
        )

    def test_properties_have_no_order(self):
        one = samples.image(os_version='12', note='x')
        other = samples.image(note='x', os_version='12')
        self.assertEqual(['note', 'os_version'], list(one.properties))
        self.assertEqual(list(one.portable), list(other.portable))

    def test_old_record_without_hidden_is_not_hidden(self):
        record = dict(samples.image().record)
        del record['os_hidden']
        image = image_record.Image(record)
        self.assertIs(False, image.portable['os_hidden'])
        self.assertIsNone(image.defect)


class TestDefect(testtools.TestCase):
    def test_it_is_looked_for_once(self):
        looked_at = []

        def look(record):
            looked_at.append(record)
            return ''

        with fixtures.MonkeyPatch(
            f'{record_defects.__name__}.of_fields', look
        ):
            image = samples.image()
            self.assertEqual([None] * 3, [image.defect for _ in range(3)])
        self.assertEqual([image.record], looked_at)

    def test_another_record_or_flaw_has_another_one(self):
        image = samples.image()
        flawed = dataclasses.replace(image, flaw='lost')
        self.assertEqual('lost', flawed.defect)
        self.assertIsNone(dataclasses.replace(flawed, flaw='').defect)
        bare = dataclasses.replace(image, record={'id': image.id})
        self.assertEqual('status is None', bare.defect)

    def test_it_goes_where_the_image_goes(self):
        image = dataclasses.replace(samples.image(), flaw='lost')
        self.assertEqual('lost', pickle.loads(pickle.dumps(image)).defect)

    def test_good_record(self):
        self.assertIsNone(samples.image(note='064').defect)

    def test_bad_records(self):
        for fields, word in (
            ({'id': '../../etc/passwd'}, 'UUID'),
            ({'id': None}, 'UUID'),
            ({'status': None}, 'status'),
            ({'tags': [1]}, 'tag'),
            ({'property': {'nested': 1}}, 'property'),
            ({'property': '\ud800'}, 'Unicode'),
        ):
            self.assertIn(word, samples.image(**fields).defect)

    def test_flaw_that_the_place_has_found(self):
        image = dataclasses.replace(samples.image(tags=1), flaw='torn')
        self.assertEqual('torn', image.defect)


class TestStatus(testtools.TestCase):
    def test_what_is_staged_has_a_size(self):
        for status, size, staged, busy in (
            ('uploading', None, False, True),
            ('uploading', 0, True, False),
            ('uploading', 4, True, False),
            ('saving', 4, False, True),
            ('queued', None, False, False),
        ):
            image = samples.image(status=status, size=size)
            self.assertEqual(staged, image.staged, (status, size))
            self.assertEqual(busy, image.busy, (status, size))
            self.assertEqual(staged or status == 'queued', image.empty)
