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

from osc_glance_replicate.model import plan
from osc_glance_replicate.model import replica_template
from osc_glance_replicate.planning import rules
from osc_glance_replicate.tests.doubles import samples

KERNEL, RAMDISK = (samples.image(number).id for number in (2, 3))


class TestRules(testtools.TestCase):
    def test_references_that_the_replica_has(self):
        image = samples.image(kernel_id=KERNEL, ramdisk_id=RAMDISK)
        for template, expected in (
            ({}, {'kernel_id', 'ramdisk_id'}),
            ({'left_out': ['kernel*']}, {'ramdisk_id'}),
            ({'properties': {'ramdisk_id': 'x'}}, {'kernel_id'}),
        ):
            there = rules.Rules(replica_template.Template(**template))
            self.assertEqual(expected, set(there.references(image)))

    def test_what_rests_can_be_changed(self):
        change = plan.Change('disk_format', 'raw', 'iso')
        self.assertFalse(rules.Rules().can_change(change))
        self.assertTrue(rules.Rules(at_rest=True).can_change(change))
        name = plan.Change('name', 'a', 'b')
        self.assertTrue(rules.Rules().can_change(name))

    def test_unknown_format(self):
        def formats():
            return {'disk_format': ['raw'], 'container_format': ['bare']}

        there = rules.Rules(formats=formats)
        self.assertEqual('', there.unknown_format(samples.image()))
        told = there.unknown_format(
            samples.image(disk_format='ploop', container_format='docker')
        )
        for words in "'ploop' is not known there", "'docker' is not known":
            self.assertIn(words, told)
        self.assertEqual(
            '', rules.Rules().unknown_format(samples.image(disk_format='x'))
        )

    def test_record_of_another_project(self):
        for mine, owner, status, anothers in (
            ('p', 'q', 'queued', True),
            ('p', 'p', 'queued', False),
            ('p', None, 'queued', False),
            (None, 'q', 'queued', False),
            ('p', 'q', 'active', False),
        ):
            replica = samples.image(owner=owner, status=status)
            there = rules.Rules(project=mine)
            self.assertEqual(anothers, there.is_anothers(replica))
