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

from osc_glance_replicate.model import conversions
from osc_glance_replicate.model import image_schema
from osc_glance_replicate.model import options
from osc_glance_replicate.model import ownership
from osc_glance_replicate.model import plan
from osc_glance_replicate.model import replica_template
from osc_glance_replicate.planning import rules
from osc_glance_replicate.tests.doubles import samples

UNHASHED = {'os_hash_algo': None, 'os_hash_value': None, 'checksum': None}

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

    def refused(self, schema, **fields):
        there = rules.Rules(schema=lambda: schema)
        return there.refused(samples.image(**fields), 'slave')

    def test_unknown_format(self):
        schema = image_schema.ImageSchema(
            {'disk_format': ['raw'], 'container_format': ['bare']}
        )
        self.assertEqual('', self.refused(schema))
        told = self.refused(
            schema, disk_format='ploop', container_format='docker'
        )
        for words in (
            "'ploop' is not known there",
            'disk_formats of its Glance, or give another name of it (--map-',
            "'docker' is not known",
        ):
            self.assertIn(words, told)
        unknown = image_schema.ImageSchema()
        self.assertEqual('', self.refused(unknown, disk_format='x'))

    def test_required_property(self):
        schema = image_schema.ImageSchema(
            required=['architecture', 'id', 'name', 'os_distro', 'os_glance_x']
        )
        self.assertEqual(
            '', self.refused(schema, architecture='x', os_distro='y')
        )
        self.assertEqual(
            'slave requires architecture, os_distro: give '
            '--set-property architecture=... --set-property os_distro=...',
            self.refused(schema),
        )
        self.assertEqual(
            'slave requires name',
            self.refused(schema, architecture='', os_distro='', name=None),
        )

    def test_hidden_where_none_can_be(self):
        old = image_schema.ImageSchema(hides=False)
        self.assertIn('Rocky', self.refused(old, os_hidden=True))
        self.assertEqual('', self.refused(old, os_hidden=False))
        change = plan.Change('os_hidden', True, False)
        self.assertTrue(rules.Rules().can_change(change))
        there = rules.Rules(schema=lambda: old)
        self.assertFalse(there.can_change(change))
        self.assertTrue(there.can_change(plan.Change('name', 'a', 'b')))
        there = rules.Rules(schema=lambda: old, at_rest=True)
        self.assertTrue(there.can_change(change))

    def test_format_of_which_nothing_tells(self):
        template = replica_template.Template(formats={'gpt': 'raw'})
        downloads = options.Delivery(options.Method.DOWNLOAD)
        gpt = {'disk_format': 'gpt'}
        for delivery, fields, words in (
            (options.Delivery(), gpt, ''),
            (options.Delivery(options.Method.IMPORT), gpt, ''),
            (options.Delivery(), {**gpt, 'container_format': 'ovf'}, '(ovf)'),
            (downloads, gpt, '--method glance-download'),
            (downloads, {}, ''),
        ):
            there = rules.Rules(template, delivery=delivery)
            told = there.unprovable_format(samples.image(**fields))
            self.assertEqual(bool(words), bool(told))
            self.assertIn(words, told)
            if told:
                self.assertIn('nothing tells whether its data is gpt', told)

    def converting(self, method, **fields):
        return rules.Rules(
            delivery=options.Delivery(method),
            runner=ownership.Runner(frozenset(['mine'])),
            **fields,
        )

    def test_what_may_be_converted(self):
        refused = conversions.Conversion.REFUSED
        accepted = conversions.Conversion.ACCEPTED
        foreign = conversions.Conversion.FOREIGN
        staged = conversions.Conversion.STAGED
        for method, option, owner, is_staged, expected in (
            ('upload', False, None, False, conversions.Conversion.NONE),
            # What is staged is imported all the same.
            ('upload', False, None, True, staged),
            ('upload', True, 'mine', True, staged),
            ('import', False, 'mine', True, refused),
            ('import', False, 'mine', False, refused),
            ('import', True, None, False, accepted),
            ('glance-download', True, 'mine', False, accepted),
            ('import', True, 'other', False, foreign),
        ):
            there = self.converting(
                options.Method(method), accepts_conversion=option
            )
            self.assertIs(expected, there.conversion(owner, is_staged))

    def test_what_could_not_be_told_again(self):
        unhashed = samples.image(**UNHASHED)
        for method, option, image, told in (
            ('import', True, unhashed, ''),
            ('glance-download', True, unhashed, '--method import'),
            ('glance-download', False, unhashed, ''),
            ('glance-download', True, samples.image(), ''),
        ):
            there = self.converting(
                options.Method(method), accepts_conversion=option
            )
            found = there.cannot_be_told(image)
            self.assertIn(told, found)
            self.assertEqual(bool(told), bool(found))

    def test_whose_mark_counts(self):
        image = samples.image(disk_format='qcow2')
        mark = conversions.source_hash(image)
        for option, owner, counts in (
            (True, 'mine', True),
            (False, 'mine', False),
            (True, 'other', False),
        ):
            there = self.converting(
                options.Method.IMPORT, accepts_conversion=option
            )
            replica = samples.image(
                data=b'made', owner=owner, replica_source_hash=mark
            )
            sent = there.as_sent(image, replica)
            self.assertEqual(counts, sent.stored is replica)

    def test_what_does_for_an_image_that_needs_it(self):
        there = rules.Rules(runner=ownership.Runner(frozenset(['mine'])))
        image = samples.image()
        unhashed = {'os_hash_value': None, 'checksum': None}
        md5 = {'os_hash_value': None}
        for fields, good in (
            ({'owner': 'mine'}, True),
            ({'owner': 'mine', **unhashed}, False),
            ({'owner': 'mine', **md5}, True),
            ({'owner': 'mine', 'data': b'evil'}, False),
            ({'owner': 'mine', 'status': 'deactivated'}, False),
            ({'owner': 'theirs'}, True),
            ({'owner': 'theirs', **md5}, True),
            ({'owner': 'theirs', **unhashed}, False),
            ({'owner': 'demo', 'visibility': 'community'}, False),
            ({'owner': 'demo', 'visibility': 'public'}, True),
            ({'owner': 'demo', 'visibility': 'public', **md5}, False),
        ):
            found = there.is_usable(image, samples.image(**fields), 'theirs')
            self.assertEqual(good, found, fields)

    def test_who_was_first(self):
        image = samples.image(created_at='2026-01-01T00:01:00Z')
        for theirs, ahead, first in (
            ('2026-01-01T00:01:00Z', 0, False),
            ('2026-01-01T00:02:00Z', 0, False),
            # Two clocks are compared by whole seconds.
            ('2026-01-01T00:00:58Z', 0, False),
            ('2026-01-01T00:00:50Z', 0, True),
            ('2026-01-01T00:00:50Z', -20, False),
            ('2026-01-01T00:01:10Z', 20, True),
            (None, 0, False),
            ('some day', 0, False),
        ):
            there = rules.Rules(ahead=lambda ahead=ahead: ahead)
            replica = samples.image(created_at=theirs)
            self.assertEqual(first, there.was_first(image, replica))
        early = samples.image(created_at='2025-01-01T00:00:00Z')
        at_rest = rules.Rules(at_rest=True)
        self.assertFalse(at_rest.was_first(image, early))

    def test_evidence(self):
        there = rules.Rules(runner=ownership.Runner(frozenset(['mine'])))
        for owner, evidence, proves in (
            ('mine', 'sha512', True),
            ('mine', 'md5', True),
            ('mine', 'size', False),
            ('mine', '', False),
            ('theirs', 'sha512', True),
            ('theirs', 'md5', False),
            ('theirs', 'size', False),
        ):
            replica = samples.image(owner=owner)
            self.assertEqual(proves, there.can_prove(replica, evidence))

    def test_dump_has_images_by_their_dates(self):
        weak = {'os_hash_value': None, 'checksum': None}
        image = samples.image(**weak)
        other = samples.image(**weak, created_at='2026-01-02T00:00:00Z')
        at_rest = rules.Rules(at_rest=True)
        self.assertEqual((True, 'size'), at_rest.same_data(image, image))
        self.assertEqual(
            (False, 'created_at'), at_rest.same_data(image, other)
        )
        self.assertEqual((True, 'size'), rules.Rules().same_data(image, other))
        hashed = samples.image(created_at='2026-01-02T00:00:00Z')
        self.assertEqual(
            (True, 'sha512'), at_rest.same_data(samples.image(), hashed)
        )
