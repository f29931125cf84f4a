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

from osc_glance_replicate.model import image_selection
from osc_glance_replicate.model import ownership
from osc_glance_replicate.model import plan
from osc_glance_replicate.model import replica_template
from osc_glance_replicate.planning import decisions
from osc_glance_replicate.planning import rules
from osc_glance_replicate.tests.doubles import samples

UPDATE = plan.Verb.UPDATE

UNCHANGED = plan.Verb.UNCHANGED

SKIP = plan.Verb.SKIP

CONFLICT = plan.Verb.CONFLICT

FAIL = plan.Verb.FAIL

ID = samples.image().id

KERNEL = samples.image(2).id

UNPROVEN = 'nothing proves that its data is the same'

#: What a record lacks whose data was never hashed.
WEAK = {'os_hash_algo': None, 'os_hash_value': None, 'checksum': None}

EARLIER = '2025-12-31T23:59:00Z'


class Nowhere(ownership.Owners):
    def at(self, project):
        raise LookupError('nobody knows it')


def runner(*owners, is_admin=True):
    return ownership.Runner(frozenset(filter(None, owners)), is_admin)


class JudgeTest(testtools.TestCase):
    def decide(self, image, replica, *, owners=None, exact=False, **options):
        there = rules.Rules(
            replica_template.Template(
                owners=owners or ownership.Owners(),
                members=options.pop('members', False),
            ),
            exact=exact,
            runner=options.pop('runner', runner('mine')),
            mark=options.pop('mark', ''),
            accepts_conversion=options.pop('accepts', False),
        )
        planner = decisions.Planner(
            image_selection.Selection(
                options.pop('images', ()),
                encrypted=options.pop('encrypted', False),
            ),
            destinations={'slave': there},
            **options,
        )
        return planner.decide(image, replica, 'slave')


class TestWhoseWordCounts(JudgeTest):
    """What others may have written is not taken for our replica."""

    def test_what_belongs_to_another_is_left_alone(self):
        for replica in (
            samples.image(owner='theirs'),
            samples.image(owner='theirs', visibility='community'),
            samples.image(owner='theirs', data=b'DATA'),
            samples.image(owner='theirs', visibility='public', **WEAK),
            samples.image(
                owner='theirs', visibility='public', os_hash_value=None
            ),
            # Nobody can boot it.
            samples.image(
                owner='theirs', visibility='public', status='deactivated'
            ),
        ):
            action = self.decide(samples.image(name='new'), replica)
            self.assertEqual(
                (
                    CONFLICT,
                    'belongs to project theirs there: run as it, or --owner '
                    'as before',
                ),
                (action.verb, action.reason),
            )
            self.assertEqual((), action.changes)
            self.assertEqual('theirs', action.foreign)
            self.assertTrue(action.fails)

    def test_public_image_of_another_serves(self):
        replica = samples.image(
            owner='theirs', visibility='public', created_at=EARLIER
        )
        action = self.decide(samples.image(name='new'), replica)
        self.assertEqual(
            (SKIP, 'public there, of project theirs'),
            (action.verb, action.reason),
        )
        self.assertTrue(action.serves and action.routine)
        self.assertFalse(action.fails)

    def test_whatever_an_ordinary_user_sees_serves_him(self):
        for visibility in 'public', 'community', 'shared':
            replica = samples.image(owner='theirs', visibility=visibility)
            action = self.decide(
                samples.image(name='new'),
                replica,
                runner=runner('mine', is_admin=False),
            )
            self.assertEqual(
                (SKIP, f'{visibility} there, of project theirs'),
                (action.verb, action.reason),
            )
        for fields in (
            {'visibility': 'community', 'data': b'DATA'},
            {'visibility': 'community', **WEAK},
            # His role allows more than that of an ordinary user.
            {'visibility': 'private'},
        ):
            action = self.decide(
                samples.image(),
                samples.image(owner='theirs', **fields),
                runner=runner('mine', is_admin=False),
            )
            self.assertEqual(CONFLICT, action.verb, fields)

    def test_withdrawal_that_does_not_reach_is_said(self):
        image = samples.image(status='deactivated')
        for replica in (
            samples.image(owner='theirs'),
            samples.image(owner='theirs', visibility='public'),
        ):
            action = self.decide(image, replica)
            self.assertEqual(
                (
                    CONFLICT,
                    'belongs to project theirs there, deactivated at its '
                    'source',
                ),
                (action.verb, action.reason),
            )

    def test_right_owners(self):
        for owner, runner_owners, owners, ours in (
            ('mine', ['mine'], None, True),
            (None, ['mine'], None, True),
            ('me', ['mine', 'me'], None, True),
            ('theirs', [], None, True),
            ('a project', ['mine'], ownership.Same(), True),
            # Of the run before it was given away.
            ('mine', ['mine'], ownership.Same(), True),
            ('theirs', ['mine'], ownership.Same(), False),
        ):
            action = self.decide(
                samples.image(name='new'),
                samples.image(owner=owner),
                owners=owners,
                runner=runner(*runner_owners),
            )
            self.assertEqual(UPDATE if ours else CONFLICT, action.verb)

    def test_what_was_there_first_is_left_alone(self):
        first = {'created_at': EARLIER}
        for image, owner, verb, reason in (
            (samples.image(), 'mine', UNCHANGED, ''),
            (samples.image(name='new'), 'mine', CONFLICT, 'was there first'),
            (samples.image(), 'a project', UNCHANGED, ''),
            (
                samples.image(name='new'),
                'a project',
                CONFLICT,
                'was there first',
            ),
            (
                samples.image(status='deactivated'),
                'mine',
                CONFLICT,
                'was there first, deactivated at its source',
            ),
        ):
            action = self.decide(
                image,
                samples.image(owner=owner, **first),
                owners=ownership.Mapped(
                    {'a project': owner}, ownership.Owners()
                ),
            )
            told = action.reason.partition('; source: ')[0]
            self.assertEqual((verb, reason), (action.verb, told))
            self.assertEqual((), action.changes)

    def test_data_is_read_where_no_record_proves_it(self):
        other = {'os_hash_algo': 'sha256', 'os_hash_value': '00'}
        for unhashed, owner, hashes, algorithm in (
            (WEAK, 'mine', {}, 'sha512'),
            (WEAK, 'a project', {}, 'sha512'),
            (WEAK, 'mine', {'os_hash_value': None}, 'md5'),
            # Others can make two images of one md5.
            (WEAK, 'a project', {'os_hash_value': None}, None),
            ({}, 'a project', other, 'sha256'),
        ):
            action = self.decide(
                samples.image(name='new', **unhashed),
                samples.image(owner=owner, **hashes),
                owners=ownership.Same(),
            )
            if algorithm:
                self.assertEqual(
                    (UPDATE, algorithm), (action.verb, action.proof)
                )
                told = action.reason
                self.assertTrue(told.startswith('read to prove, '), told)
                self.assertEqual(4, action.to_read)
            else:
                self.assertEqual(CONFLICT, action.verb)

    def test_dump_proves_nothing_by_its_hashes(self):
        action = self.decide(
            samples.image(name='new'),
            samples.image(owner='mine'),
            dumped=True,
        )
        self.assertEqual((UPDATE, 'sha512'), (action.verb, action.proof))

    def test_unproven_image_only_loses(self):
        unproven = 'nothing proves that its data is the same'
        less = {'visibility': 'private', 'os_hidden': True}
        there = samples.image(owner='mine', visibility='public', **WEAK)
        for image, changed in (
            (samples.image(name='new'), ['visibility']),
            (samples.image(name='new', **less), ['os_hidden', 'visibility']),
            (
                samples.image(visibility='public', status='deactivated'),
                ['status'],
            ),
            (samples.image(name='new', visibility='public'), []),
        ):
            action = self.decide(image, there)
            self.assertEqual('', action.proof)
            self.assertEqual(
                changed, sorted(change.field for change in action.changes)
            )
            if changed:
                self.assertEqual(
                    (UPDATE, CONFLICT), (action.verb, action.told_as)
                )
                self.assertTrue(action.reason.endswith(f'; {unproven}'))
            else:
                self.assertEqual(
                    (CONFLICT, unproven), (action.verb, action.reason)
                )

    def test_nothing_is_read_for_metadata_only(self):
        action = self.decide(
            samples.image(name='new', **WEAK),
            samples.image(owner='mine'),
            metadata_only=True,
        )
        self.assertEqual(CONFLICT, action.verb)

    def test_two_images_without_data_prove_nothing(self):
        empty = {**WEAK, 'size': 0}
        action = self.decide(
            samples.image(name='new', **empty),
            samples.image(owner='mine', **empty),
        )
        self.assertEqual(CONFLICT, action.verb)

    def test_what_cannot_be_replicated_is_not_brought_up_to_date(self):
        for fields in (
            {'cinder_encryption_key_id': 'x'},
            {'os_encrypt_key_id': 'x'},
            {'hw_ephemeral_encryption_secret_uuid': 'x'},
            {'size': 0, 'block_device_mapping': '[]', **WEAK},
        ):
            action = self.decide(
                samples.image(name='new', **fields),
                samples.image(owner='mine', size=fields.get('size', 4)),
            )
            self.assertEqual(SKIP, action.verb)

    def test_encrypted_one_whose_key_both_clouds_have(self):
        action = self.decide(
            samples.image(name='new', os_encrypt_key_id='x'),
            samples.image(owner='mine', os_encrypt_key_id='x'),
            encrypted=True,
        )
        self.assertEqual((UPDATE, 'name'), (action.verb, action.reason))

    def test_what_deletes_a_key_is_left_to_the_destination(self):
        there = samples.image(owner='mine', x_key_deletion_policy='y')
        source = samples.image(y_key_deletion_policy='z')
        for exact in False, True:
            action = self.decide(source, there, exact=exact)
            self.assertEqual(UNCHANGED, action.verb)

    def test_dump_keeps_what_deletes_a_key(self):
        there = rules.Rules(
            replica_template.Template(key_policies=True),
            exact=True,
            at_rest=True,
        )
        planner = decisions.Planner(
            image_selection.Selection(), destinations={'dump': there}
        )
        plain = samples.image()
        with_policy = samples.image(x_key_deletion_policy='y')
        for image, replica, verb in (
            (plain, with_policy, UPDATE),
            (with_policy, plain, UPDATE),
            (with_policy, with_policy, UNCHANGED),
        ):
            action = planner.decide(image, replica, 'dump')
            self.assertEqual(verb, action.verb)

    def test_what_deletes_a_key_does_not_come_with_what_was_anothers(self):
        """Whoever set it would have the key deleted by its new owner."""
        policy = {'x_key_deletion_policy': 'on_image_deletion'}
        mine = ownership.Mapped({'a project': 'mine'}, ownership.Same())
        for owner, owners, more in (
            # It goes to another project, or is shown to all.
            ('mine', ownership.Same(), {}),
            ('a project', ownership.Same(), {'visibility': 'public'}),
            # It comes from one.
            ('theirs', mine, {}),
        ):
            image = samples.image(**more)
            action = self.decide(
                image,
                samples.image(owner=owner, **policy),
                owners=owners,
                images=(image.id,),
                adopt=owner == 'theirs',
            )
            self.assertEqual(UPDATE, action.verb)
            fields = [change.field for change in action.changes]
            self.assertIn('x_key_deletion_policy', fields)

    def test_what_is_given_has_nothing_that_its_owner_has_added(self):
        theirs = samples.image(
            owner='a project', kernel_id=KERNEL, tags=['theirs']
        )
        for fields, removed in (
            ({'visibility': 'public'}, {'kernel_id', 'tags'}),
            ({'name': 'new'}, set()),
        ):
            action = self.decide(
                samples.image(**fields), theirs, owners=ownership.Same()
            )
            self.assertEqual(UPDATE, action.verb)
            self.assertEqual(
                removed | set(fields), {c.field for c in action.changes}
            )
            self.assertEqual(bool(removed), action.exact)
        mine = samples.image(owner='mine', kernel_id=KERNEL)
        action = self.decide(samples.image(visibility='public'), mine)
        self.assertFalse(action.exact)
        # Neither does it go with what the runner has noted on his own.
        action = self.decide(samples.image(), mine, owners=ownership.Same())
        self.assertEqual(
            {'owner', 'kernel_id'}, {c.field for c in action.changes}
        )

    def test_mark_counts_on_the_runners_own(self):
        ours = f'north/{ID}'
        first = {'created_at': EARLIER, 'replica_of': ours}
        for owner, mark, verb in (
            ('mine', 'north', UPDATE),
            ('mine', 'south', CONFLICT),
            ('mine', '', CONFLICT),
            ('a project', 'north', CONFLICT),
        ):
            action = self.decide(
                samples.image(name='new', **WEAK),
                samples.image(owner=owner, **first, **WEAK),
                owners=ownership.Mapped(
                    {'a project': owner}, ownership.Owners()
                ),
                mark=mark,
            )
            self.assertEqual(verb, action.verb, (owner, mark))
            self.assertEqual('', action.proof)

    def test_mark_of_another_name_is_a_conflict(self):
        for value, told in (
            (f'south/{ID}', 'replica of south'),
            # Nova has made a snapshot of a replica.
            (f'south/{KERNEL}', ''),
            ('south', ''),
            (7, ''),
        ):
            for image in samples.image(), samples.image(name='new'):
                replica = samples.image(owner='mine', replica_of=value)
                action = self.decide(image, replica, mark='north')
                if told:
                    self.assertEqual(
                        (CONFLICT, told), (action.verb, action.reason)
                    )
                else:
                    self.assertNotEqual(CONFLICT, action.verb)

    def test_mark_of_another_name_counts_whatever_the_source_is(self):
        replica = samples.image(owner='mine', replica_of=f'south/{ID}')
        image = samples.image(
            os_hidden=True, status='deactivated', cinder_encryption_key_id='x'
        )
        action = self.decide(image, replica, mark='north')
        self.assertEqual(
            (CONFLICT, 'replica of south', ()),
            (action.verb, action.reason, action.changes),
        )

    def test_members_that_nobody_needs_to_know(self):
        image = samples.image(visibility='shared', members={})
        for owner, options, verb in (
            ('mine', {}, UNCHANGED),
            ('mine', {'exact': True}, FAIL),
            # What its former owner has given would stay.
            ('theirs', {'adopt': True, 'images': (ID,)}, FAIL),
        ):
            unread = dataclasses.replace(
                samples.image(owner=owner, visibility='shared'),
                unread='its members: HTTP 403',
            )
            action = self.decide(image, unread, members=True, **options)
            self.assertIs(verb, action.told_as or action.verb, options)

    def test_unknown_member_delays_no_withdrawal(self):
        image = samples.image(
            name='new',
            visibility='shared',
            status='deactivated',
            os_hidden=True,
            members={'nowhere': 'accepted'},
        )
        unread = dataclasses.replace(
            samples.image(owner='mine', visibility='shared'),
            unread='its members: a b',
        )
        action = self.decide(image, unread)
        self.assertNotEqual(FAIL, action.told_as)
        action = self.decide(image, unread, members=True)
        self.assertEqual(
            (FAIL, 'os_hidden, status; its members: a b'),
            (action.told_as, action.reason),
        )
        for image_, replica, more, changed in (
            (image, samples.image(owner='mine'), {}, ['os_hidden', 'status']),
            (image, samples.image(owner='theirs'), {}, []),
            # Neither does an owner whom nobody knows.
            (
                image,
                samples.image(owner='mine'),
                {'owners': Nowhere()},
                ['os_hidden', 'status'],
            ),
            (image, samples.image(owner='mine'), {'dumped': True}, []),
            (
                samples.image(visibility='shared', members=image.members),
                samples.image(owner='mine', visibility='public'),
                {},
                ['visibility'],
            ),
        ):
            action = self.decide(image_, replica, members=True, **more)
            self.assertEqual(changed, sorted(c.field for c in action.changes))
            self.assertTrue(
                action.reason.endswith(
                    (
                        'the project nowhere is a member, and --owner mine '
                        'maps none: give --owner or --map-owner',
                        'nobody knows it',
                    )
                ),
                action.reason,
            )
            told = action.told_as if changed else action.verb
            self.assertEqual(FAIL, told)

    def test_missing_mark_is_no_difference_and_set_with_others(self):
        replica = samples.image(owner='mine')
        action = self.decide(samples.image(), replica, mark='north')
        self.assertEqual(UNCHANGED, action.verb)
        action = self.decide(samples.image(name='new'), replica, mark='north')
        self.assertEqual(
            ['name', 'replica_of'], [c.field for c in action.changes]
        )
        self.assertEqual(f'north/{ID}', action.changes[-1].wanted)
        # Not before the data is proven.
        replica = samples.image(owner='mine', os_hidden=False, **WEAK)
        action = self.decide(
            samples.image(os_hidden=True, name='new'), replica, mark='north'
        )
        self.assertEqual(['os_hidden'], [c.field for c in action.changes])

    def test_marks_are_never_replicated(self):
        image = samples.image(
            replica_of=f'north/{ID}', replica_source_hash='sha512:00'
        )
        action = self.decide(image, samples.image(owner='mine'), exact=True)
        self.assertEqual(UNCHANGED, action.verb)
        action = self.decide(
            samples.image(),
            samples.image(owner='mine', **image.marks),
            exact=True,
        )
        self.assertEqual(UNCHANGED, action.verb)

    def test_adopted(self):
        theirs = samples.image(
            owner='theirs', visibility='public', kernel_id=KERNEL, tags=['x']
        )
        action = self.decide(
            samples.image(), theirs, adopt=True, images=(ID,), mark='north'
        )
        self.assertEqual(UPDATE, action.verb)
        self.assertTrue(action.adopts and action.exact)
        self.assertEqual('', action.proof)
        self.assertEqual(
            {'visibility', 'kernel_id', 'tags', 'replica_of'},
            {change.field for change in action.changes},
        )
        self.assertTrue(action.reason.startswith('adopted, '))

    def test_what_cannot_be_changed_is_neither_adopted_nor_given(self):
        for fields in {'disk_format': 'iso'}, {'base': 'x'}:
            theirs = samples.image(owner='theirs', **fields)
            action = self.decide(
                samples.image(visibility='public'), theirs,
                adopt=True, images=(ID,),
            )  # fmt: skip
            self.assertEqual(
                (FAIL, False, ()),
                (action.verb, action.adopts, action.changes),
            )
            self.assertIn(next(iter(fields)), action.reason)
            # His own name for it is his affair.
            action = self.decide(
                samples.image(visibility='public', name='new'),
                samples.image(owner='a project', **fields),
                owners=ownership.Same(),
            )
            self.assertEqual(['name'], [c.field for c in action.changes])
            self.assertEqual([*fields], [c.field for c in action.fixed])
        theirs = samples.image(
            owner='a project',
            visibility='shared',
            disk_format='iso',
            members={'a': 'pending'},
        )
        action = self.decide(
            samples.image(visibility='shared', members={'b': 'pending'}),
            theirs,
            owners=ownership.Same(),
            members=True,
            exact=True,
        )
        # Who is no member any more does not stay one for that.
        self.assertEqual([{}], [c.source for c in action.changes])
        mine = samples.image(owner='mine', disk_format='iso')
        action = self.decide(samples.image(visibility='public'), mine)
        self.assertEqual(['visibility'], [c.field for c in action.changes])

    def test_own_image_that_was_first_is_adopted(self):
        action = self.decide(
            samples.image(name='new'),
            samples.image(owner='mine', created_at=EARLIER),
            adopt=True,
            images=(ID,),
        )
        self.assertEqual(
            (UPDATE, 'adopted, name'), (action.verb, action.reason)
        )
        # It stays as visible as it is.
        self.assertFalse(action.adopts)

    def test_what_is_adopted_is_proven(self):
        theirs = samples.image(owner='theirs')
        adopt = {'adopt': True, 'images': (ID,)}
        action = self.decide(samples.image(**WEAK), theirs, **adopt)
        self.assertEqual(('sha512', True), (action.proof, action.adopts))
        for replica, more in (
            (theirs, {'metadata_only': True}),
            (samples.image(owner='theirs', **WEAK), {}),
            (samples.image(owner='theirs', os_hash_value=None), {}),
        ):
            action = self.decide(
                samples.image(**WEAK, visibility='community'),
                replica,
                **adopt,
                **more,
            )
            self.assertEqual(
                (CONFLICT, UNPROVEN), (action.verb, action.reason)
            )
            self.assertEqual((), action.changes)

    def test_nothing_else_is_adopted(self):
        theirs = samples.image(owner='theirs')
        for image, replica, images in (
            (samples.image(), theirs, ()),
            (samples.image(), theirs, ('image 1',)),
            (samples.image(data=b'DATA'), theirs, (ID,)),
            (
                samples.image(),
                samples.image(owner='theirs', status='queued'),
                (ID,),
            ),
        ):
            action = self.decide(image, replica, adopt=True, images=images)
            self.assertEqual(CONFLICT, action.verb)
            self.assertFalse(action.adopts)
        # Who has been told to adopt it is not told so again.
        action = self.decide(
            samples.image(data=b'DATA'), theirs, adopt=True, images=(ID,)
        )
        self.assertIn(
            'other data under this ID: sha512 differs; source: ', action.reason
        )

    def test_whoever_interrupts_an_adoption_leaves_nothing_behind(self):
        """Its next try finds a record that is the runner's own by then."""
        action = self.decide(
            samples.image(visibility='public'),
            samples.image(owner='mine', kernel_id=KERNEL),
            adopt=True,
            images=(ID,),
        )
        self.assertEqual(
            {'kernel_id', 'visibility'}, {c.field for c in action.changes}
        )

    def test_adoption_that_cannot_be_is_not_called_one(self):
        action = self.decide(
            samples.image(disk_format='qcow2'),
            samples.image(owner='mine', created_at=EARLIER),
            adopt=True,
            images=(ID,),
        )
        self.assertEqual(plan.Verb.FAIL, action.verb)
        self.assertNotIn('adopted', action.reason)

    def test_dump_withdraws_nothing_that_is_not_proven(self):
        withdrawn = samples.image(
            visibility='private', os_hidden=True, status='deactivated'
        )
        there = samples.image(owner='mine', visibility='public')
        bare = samples.image(owner='mine', visibility='public', **WEAK)
        action = self.decide(withdrawn, there, dumped=True)
        self.assertEqual((UPDATE, 'sha512'), (action.verb, action.proof))
        self.assertFalse(action.withdraws)
        self.assertTrue(
            self.decide(samples.image(os_hidden=True, **WEAK), there).withdraws
        )
        for replica, more in (
            (there, {'metadata_only': True}),
            (bare, {}),
            (
                samples.image(
                    owner='mine',
                    visibility='public',
                    replica_of=f'north/{ID}',
                    **WEAK,
                ),
                {'mark': 'north'},
            ),
        ):
            action = self.decide(withdrawn, replica, dumped=True, **more)
            self.assertEqual(
                (CONFLICT, UNPROVEN), (action.verb, action.reason)
            )

    def test_what_is_not_replicated_is_withdrawn_all_the_same(self):
        """Whoever owns it could keep it in use everywhere."""
        there = samples.image(owner='mine')
        for key in (
            'cinder_encryption_key_id',
            'os_encrypt_key_id',
            'hw_ephemeral_encryption_secret_uuid',
        ):
            image = samples.image(
                name='new', status='deactivated', **{key: 'x'}
            )
            action = self.decide(image, there)
            self.assertEqual(
                (UPDATE, ['status']),
                (action.verb, [c.field for c in action.changes]),
            )
            self.assertIn('encrypted with a key of', action.reason)
            self.assertIn(key, action.reason)
        for replica, more in (
            (samples.image(owner='theirs'), {}),
            (samples.image(owner='mine', created_at=EARLIER), {}),
            (samples.image(owner='mine', data=b'DATA'), {}),
            (there, {'dumped': True}),
        ):
            action = self.decide(image, replica, **more)
            self.assertEqual(SKIP, action.verb)

    def test_image_of_the_same_size_serves_nobody(self):
        replica = samples.image(owner='theirs', visibility='community')
        action = self.decide(
            samples.image(**WEAK),
            replica,
            runner=runner('mine', is_admin=False),
        )
        self.assertEqual(CONFLICT, action.verb)

    def test_what_nothing_proves_fails_what_needs_it(self):
        action = self.decide(
            samples.image(os_hidden=True, **WEAK),
            samples.image(owner='mine', **WEAK),
        )
        self.assertEqual(UPDATE, action.verb)
        self.assertTrue(action.fails)
