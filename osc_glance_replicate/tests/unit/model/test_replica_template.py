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

from osc_glance_replicate.model import replica_template
from osc_glance_replicate.tests.doubles import projects
from osc_glance_replicate.tests.doubles import samples

BY_NAME = projects.BY_NAME


class TestTemplate(testtools.TestCase):
    def test_properties(self):
        template = replica_template.Template(
            left_out=['hw_*', 'name'], properties={'site': 'b', 'os': 'x'}
        )
        image = samples.image(hw_disk='1', hw_vif='2', os='linux', keep='3')
        shaped, owner = template.apply(image)
        self.assertEqual(
            {'os': 'x', 'keep': '3', 'site': 'b'}, shaped.properties
        )
        self.assertEqual(image.name, shaped.name)
        self.assertIsNone(owner)

    def test_what_deletes_a_key_does_not_travel(self):
        policies = {
            'os_encrypt_key_deletion_policy': 'on_image_deletion',
            'cinder_encryption_key_deletion_policy': 'on_image_deletion',
        }
        image = samples.image(os_encrypt_key_id='x', **policies)
        shaped, _ = replica_template.Template().apply(image)
        self.assertEqual({'os_encrypt_key_id': 'x'}, shaped.properties)
        # Who says so himself wants it.
        asking = replica_template.Template(properties=policies)
        shaped, _ = asking.apply(image)
        self.assertEqual(
            policies.keys() & shaped.properties.keys(), policies.keys()
        )
        kept, _ = replica_template.Template(key_policies=True).apply(image)
        self.assertEqual(image.record, kept.record)

    def test_disk_format_that_has_another_name(self):
        template = replica_template.Template(
            formats={'gpt': 'raw', 'raw': 'gpt'}
        )
        for old, new in ('gpt', 'raw'), ('raw', 'gpt'), ('iso', ''):
            image = samples.image(disk_format=old)
            self.assertEqual(new, template.renamed(image))
            shaped, _ = template.apply(image)
            self.assertEqual(new or old, shaped.portable['disk_format'])
        self.assertEqual('', template.renamed(samples.image(disk_format=None)))

    def test_visibility(self):
        shaped, _ = replica_template.Template(visibility='community').apply(
            samples.image()
        )
        self.assertEqual('community', shaped.visibility)

    def test_what_was_not_shared_has_no_members(self):
        shaped, _ = replica_template.Template(
            visibility='shared', members=True
        ).apply(samples.image(visibility='private'))
        self.assertEqual('shared', shaped.visibility)
        self.assertIsNone(shaped.members)

    def test_visibility_that_is_capped(self):
        for asked, has, gets in (
            ('public', 'private', 'private'),
            ('public', 'shared', 'shared'),
            ('community', 'public', 'community'),
            ('private', 'public', 'private'),
            (None, 'public', 'public'),
        ):
            image = samples.image(visibility=has)
            template = replica_template.Template(visibility=asked)
            shaped, _ = template.apply(image, capped=True)
            self.assertEqual(gets, shaped.visibility)

    def test_members_of_shared_images_only(self):
        members = {'m1': 'accepted', 'm2': 'pending'}
        template = replica_template.Template(owners=BY_NAME, members=True)
        for visibility, expected in (
            ('shared', {'s1': 'accepted', 's2': 'pending'}),
            ('private', None),
        ):
            image = samples.image(
                owner='m1', members=members, visibility=visibility
            )
            shaped, owner = template.apply(image)
            self.assertEqual(expected, shaped.members)
            self.assertEqual('s1', owner)

    def test_members_that_nothing_maps(self):
        image = samples.image(members={'m1': 'pending'}, visibility='shared')
        template = replica_template.Template(members=True)
        error = self.assertRaises(LookupError, template.apply, image)
        self.assertIn('m1', str(error))
        shaped, _ = replica_template.Template().apply(image)
        self.assertIsNone(shaped.members)
