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

from osc_glance_replicate.model import image_schema
from osc_glance_replicate.model import image_selection
from osc_glance_replicate.model import options
from osc_glance_replicate.model import ownership
from osc_glance_replicate.model import plan
from osc_glance_replicate.model import replica_template
from osc_glance_replicate.planning import decisions
from osc_glance_replicate.planning import rules
from osc_glance_replicate.tests.doubles import projects
from osc_glance_replicate.tests.doubles import samples

BY_NAME = projects.BY_NAME

COPY = plan.Verb.COPY

UPDATE = plan.Verb.UPDATE

UNCHANGED = plan.Verb.UNCHANGED

SKIP = plan.Verb.SKIP

CONFLICT = plan.Verb.CONFLICT

FAIL = plan.Verb.FAIL

KERNEL, RAMDISK = (samples.image(number).id for number in (2, 3))


#: What a record lacks whose data was never hashed.
WEAK = {'os_hash_algo': None, 'os_hash_value': None, 'checksum': None}

EARLIER = '2025-12-31T23:59:00Z'


def runner(*owners, is_admin=True):
    return ownership.Runner(frozenset(filter(None, owners)), is_admin)


class TestDecide(testtools.TestCase):
    def decide(
        self,
        image,
        replica,
        *,
        images=(),
        runner=ownership.Runner(),
        **options,
    ):
        planner = decisions.Planner(
            image_selection.Selection(images),
            destinations={'slave': rules.Rules(runner=runner)},
            **options,
        )
        return planner.decide(image, replica, 'slave')

    def test_missing_image_is_copied(self):
        action = self.decide(samples.image(), None)
        self.assertEqual((COPY, 'slave'), (action.verb, action.to))

    def test_replica_without_data_is_completed(self):
        for status in ('queued', 'saving', 'uploading', 'importing'):
            replica = samples.image(status=status, size=None, checksum=None)
            self.assertEqual(COPY, self.decide(samples.image(), replica).verb)

    def test_record_of_another_project_is_not_filled(self):
        for status in ('queued', 'saving', 'uploading', 'importing'):
            replica = samples.image(
                status=status, checksum=None, owner='theirs'
            )
            for mine, verb in (
                ('mine', CONFLICT),
                ('theirs', COPY),
                (None, COPY),
            ):
                action = self.decide(
                    samples.image(), replica, runner=runner(mine)
                )
                self.assertEqual(verb, action.verb)
            action = self.decide(
                samples.image(), replica, runner=runner('mine')
            )
            self.assertIn('belongs to project theirs there', action.reason)
            self.assertEqual('theirs', action.foreign)

    def test_record_that_was_first_is_not_filled(self):
        replica = samples.image(
            status='queued', size=None, checksum=None, created_at=EARLIER
        )
        action = self.decide(samples.image(), replica)
        self.assertEqual(CONFLICT, action.verb)
        self.assertIn('was there first; source: ', action.reason)

    def test_equal_replica_is_unchanged(self):
        replica = samples.image(
            owner='another', created_at='x', extra='here', tags=['here']
        )
        action = self.decide(samples.image(), replica)
        self.assertEqual((UNCHANGED, ''), (action.verb, action.reason))
        self.assertTrue(action.routine)

    def test_every_portable_field_is_brought_up_to_date(self):
        for field, value in (
            ('name', 'new'),
            ('min_disk', 9),
            ('min_ram', 9),
            ('visibility', 'public'),
            ('protected', True),
            ('os_hidden', True),
            ('os_distro', '064'),
        ):
            image = samples.image(**{field: value})
            action = self.decide(image, samples.image())
            self.assertEqual(UPDATE, action.verb)
            self.assertEqual(
                [(field, value)],
                [(c.field, c.source) for c in action.changes],
            )
            self.assertEqual(field, action.reason)

    def test_what_can_never_change_is_named_rather_than_tried(self):
        for field in ('disk_format', 'container_format', 'member', 'x '):
            image = samples.image(**{field: 'other'})
            action = self.decide(image, samples.image())
            self.assertEqual(FAIL, action.verb)
            self.assertIn(field, action.reason)
            self.assertEqual([field], [c.field for c in action.fixed])
            both = samples.image(**{field: 'other', 'name': 'new'})
            action = self.decide(both, samples.image())
            self.assertEqual(UPDATE, action.verb)
            self.assertEqual(['name'], [c.field for c in action.changes])
            self.assertEqual([field], [c.field for c in action.fixed])

    def test_hidden_where_none_can_be(self):
        """Deactivated there by hand, a replica stays so as long as it is."""
        old = image_schema.ImageSchema(hides=False)
        planner = decisions.Planner(
            image_selection.Selection(),
            destinations={'slave': rules.Rules(schema=lambda: old)},
        )
        off = {'status': 'deactivated'}
        hidden = {'os_hidden': True}
        for source, replica, verb, told in (
            (hidden, {}, FAIL, 'hides no image: deactivate it there'),
            (hidden, off, UNCHANGED, ''),
            ({**hidden, **off}, off, UNCHANGED, ''),
            ({**hidden, 'name': 'new'}, off, UPDATE, 'name'),
            ({}, off, UPDATE, 'status'),
        ):
            action = planner.decide(
                samples.image(**source), samples.image(**replica), 'slave'
            )
            self.assertEqual(verb, action.verb)
            self.assertIn(told, action.reason)
            self.assertEqual(told == 'status', 'status' in action.reason)

    def test_record_that_takes_no_data_any_more_is_named(self):
        empty = {'size': None, 'os_hash_value': None, 'checksum': None}
        for fields, words in (
            ({**empty, 'status': 'queued', 'checksum': 'x'}, 'refused'),
            ({**empty, 'status': 'importing'}, 'the import has failed'),
            ({**empty, 'status': 'killed'}, 'killed'),
        ):
            there = rules.Rules(
                failed_import=lambda i: 'the import has failed'
            )
            planner = decisions.Planner(
                image_selection.Selection(), destinations={'slave': there}
            )
            action = planner.decide(
                samples.image(), samples.image(**fields), 'slave'
            )
            self.assertEqual(plan.Verb.CONFLICT, action.verb)
            self.assertIn(words, action.reason)
        for fields in (
            {**empty, 'status': 'queued'},
            {**empty, 'status': 'saving'},
            {**empty, 'status': 'importing'},
        ):
            action = self.decide(samples.image(), samples.image(**fields))
            self.assertEqual(plan.Verb.COPY, action.verb)

    def test_tags_are_added_to_those_that_are_there(self):
        action = self.decide(
            samples.image(tags=['a']), samples.image(tags=['b'])
        )
        (change,) = action.changes
        self.assertEqual(plan.Change('tags', ['a'], ['b']), change)
        self.assertEqual(['a', 'b'], change.wanted)

    def test_withdrawn_image_is_followed(self):
        for here, there in (
            ('deactivated', 'active'),
            ('active', 'deactivated'),
        ):
            action = self.decide(
                samples.image(status=here), samples.image(status=there)
            )
            self.assertEqual(
                (plan.Change('status', here, there),), action.changes
            )
        hidden = self.decide(samples.image(os_hidden=True), samples.image())
        self.assertEqual(UPDATE, hidden.verb)

    def test_other_data_is_a_conflict(self):
        action = self.decide(
            samples.image(data=b'one'), samples.image(data=b'two')
        )
        self.assertEqual(CONFLICT, action.verb)
        self.assertIn('sha512', action.reason)
        self.assertFalse(action.routine)

    def test_dead_replica_is_a_conflict(self):
        replica = samples.image(status='killed')
        self.assertEqual(CONFLICT, self.decide(samples.image(), replica).verb)

    def test_size_only_is_said(self):
        bare = {'os_hash_algo': None, 'os_hash_value': None, 'checksum': None}
        same = self.decide(samples.image(), samples.image(**bare))
        self.assertEqual(
            (UNCHANGED, 'verified by size only: no hash recorded'),
            (same.verb, same.reason),
        )
        bare = {**bare, 'size': 0}
        same = self.decide(samples.image(data=b''), samples.image(**bare))
        self.assertEqual((UNCHANGED, ''), (same.verb, same.reason))

    def test_md5_only_is_said(self):
        image = samples.image(os_hash_algo='sha256', os_hash_value='00')
        same = self.decide(image, samples.image())
        self.assertEqual((UNCHANGED, 'md5 only'), (same.verb, same.reason))
        other = samples.image(name='x')
        named = self.decide(image, other)
        self.assertEqual(
            (UPDATE, 'md5 only, name'), (named.verb, named.reason)
        )
        self.assertEqual('', named.proof)

    def test_what_is_not_replicated(self):
        for fields, reason in (
            ({'status': 'queued', 'size': None}, 'status is queued'),
            ({'status': 'deactivated'}, 'status is deactivated'),
            ({'os_hidden': True}, 'hidden'),
            ({'cinder_encryption_key_id': 'k'}, 'encrypted'),
            ({'os_encrypt_key_id': 'k'}, '(os_encrypt_key_id)'),
            (
                {'size': 0, 'block_device_mapping': '[{}]'},
                'volume-backed snapshot',
            ),
        ):
            action = self.decide(samples.image(**fields), None)
            self.assertEqual(SKIP, action.verb)
            self.assertIn(reason, action.reason)
            self.assertTrue(action.routine)

    def test_format_that_is_to_have_another_name(self):
        template = replica_template.Template(formats={'gpt': 'raw'})
        schema = image_schema.ImageSchema({'disk_format': ['raw', 'iso']})
        there = rules.Rules(template, schema=lambda: schema)
        planner = decisions.Planner(
            image_selection.Selection(), destinations={'slave': there}
        )
        image = samples.image(disk_format='gpt')
        replica = samples.image(disk_format='raw')
        for source, destination, verb, words in (
            (image, None, COPY, ''),
            (image, replica, UNCHANGED, ''),
            # It is called that since before.
            (image, image, FAIL, 'let disk_format be changed'),
            (samples.image(disk_format='vhd'), None, FAIL, "'vhd' is not"),
            (
                samples.image(disk_format='gpt', container_format='ova'),
                None,
                FAIL,
                'without --map-format',
            ),
        ):
            action = planner.decide(source, destination, 'slave')
            self.assertEqual(verb, action.verb)
            self.assertIn(words, action.reason)

    def test_skip_of_a_named_image_is_shown(self):
        action = self.decide(
            samples.image(os_hidden=True), None, images=['image 1']
        )
        self.assertEqual((SKIP, False), (action.verb, action.routine))

    def test_metadata_only_moves_no_data(self):
        missing = self.decide(samples.image(), None, metadata_only=True)
        self.assertEqual(SKIP, missing.verb)
        differing = self.decide(
            samples.image(name='x'), samples.image(), metadata_only=True
        )
        self.assertEqual(UPDATE, differing.verb)

    def test_bad_record_is_that_images_failure(self):
        bad = samples.image(size='big')
        for image, replica, whose in (
            (bad, None, 'source'),
            (samples.image(), bad, 'destination'),
        ):
            action = self.decide(image, replica)
            self.assertEqual(FAIL, action.verb)
            self.assertIn(whose, action.reason)
        rubbish = samples.image(tags=[1])
        for image, replica in (
            (rubbish, samples.image()),
            (samples.image(), rubbish),
        ):
            action = self.decide(image, replica)
            self.assertTrue(action.fails and not action.usable)


Method = options.Method

DOWNLOAD = options.Delivery(Method.DOWNLOAD, region='North')


class TestWay(testtools.TestCase):
    def test_planned(self):
        for way, words in (
            (options.Delivery(), ''),
            (options.Delivery(stores=('slow',)), 'by upload to slow'),
            (
                options.Delivery(Method.IMPORT, ('fast', 'slow')),
                'by import to fast, slow',
            ),
            (DOWNLOAD, 'by glance-download from North'),
            (
                options.Delivery(Method.DOWNLOAD, all_stores=True, region='N'),
                'by glance-download from N to all stores',
            ),
        ):
            planner = decisions.Planner(
                image_selection.Selection(),
                destinations={'slave': rules.Rules(delivery=way)},
            )
            action = planner.decide(samples.image(), None, 'slave')
            self.assertEqual(words, action.reason)
            action = planner.decide(samples.image(), samples.image(), 'slave')
            self.assertEqual('', action.reason)


class TestPlanner(testtools.TestCase):
    def decide(self, image, there=None, exact=False, **template):
        planner = decisions.Planner(
            image_selection.Selection(),
            destinations={
                'slave': rules.Rules(
                    replica_template.Template(**template), exact
                )
            },
        )
        return planner.decide(image, there, 'slave')

    def changes(self, *args, **kwargs):
        return {
            change.field: change.wanted
            for change in self.decide(*args, **kwargs).changes
        }

    def test_unmapped_project_fails_in_the_plan(self):
        action = self.decide(samples.image(owner='m4'), owners=BY_NAME)
        self.assertEqual(plan.Verb.FAIL, action.verb)
        self.assertIn('m4', action.reason)

    def test_owner_counts_when_asked_for(self):
        image, there = samples.image(owner='m1'), samples.image(owner='other')
        self.assertEqual({}, self.changes(image, there))
        self.assertEqual(
            {'owner': 's1'}, self.changes(image, there, owners=BY_NAME)
        )

    def test_members(self):
        image, there = (
            samples.image(visibility='shared', members=members)
            for members in (
                {'p': 'accepted'},
                {'p': 'pending', 'q': 'pending'},
            )
        )
        asked = {'owners': ownership.Same(), 'members': True}
        self.assertEqual({}, self.changes(image, there))
        self.assertEqual(
            {'members': {'p': 'accepted', 'q': 'pending'}},
            self.changes(image, there, **asked),
        )
        self.assertEqual(
            {'members': {'p': 'accepted'}},
            self.changes(image, there, exact=True, **asked),
        )

    def test_property_that_is_called_members(self):
        image, there = (
            dataclasses.replace(
                image, record={**image.record, 'members': text}
            )
            for image, text in ((samples.image(), 'a'), (samples.image(), 'b'))
        )
        self.assertEqual({'members': 'a'}, self.changes(image, there))
        self.assertEqual({}, self.changes(image, image))

    def test_exact(self):
        image = samples.image(tags=['a'], owner='m')
        there = samples.image(tags=['a', 'b'], own='x')
        self.assertEqual({}, self.changes(image, there))
        self.assertEqual(
            {'tags': ['a'], 'own': None},
            self.changes(image, there, exact=True),
        )


class TestLateDestination(testtools.TestCase):
    """It comes while others ask."""

    def test_who_asks_is_not_disturbed(self):
        known = {}

        class Coming:
            """What holds at a destination, before another one comes."""

            @property
            def template(self):
                known[f'late {len(known)}'] = rules.Rules()
                return replica_template.Template()

            @property
            def runner(self):
                known[f'late {len(known)}'] = rules.Rules()
                return ownership.Runner(project='me')

        known['early'] = Coming()
        planner = decisions.Planner(
            image_selection.Selection(), destinations=known
        )
        self.assertFalse(planner.members)
        self.assertEqual({'me'}, planner.projects)
