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

from osc_glance_replicate import errors
from osc_glance_replicate.model import image_selection
from osc_glance_replicate.model import ownership
from osc_glance_replicate.model import plan
from osc_glance_replicate.model import replica_template
from osc_glance_replicate.planning import company
from osc_glance_replicate.planning import rules
from osc_glance_replicate.tests.doubles import samples
from osc_glance_replicate.tests.unit.planning import test_order

COPY, FAIL = plan.Verb.COPY, plan.Verb.FAIL
SKIP, UPDATE = plan.Verb.SKIP, plan.Verb.UPDATE
CONFLICT = plan.Verb.CONFLICT


class TestCompany(test_order.OrderTest):
    """An image of a tenant's refers to a kernel of the administrator's."""

    def follow(
        self,
        kernel=(),
        replica=None,
        image=(),
        also=(),
        visibility=None,
        owners=None,
        **options,
    ):
        """Plan the tenant's image, and what comes along with it.

        :param kernel: fields of the kernel
        :param replica: the kernel's fields at the destination, if it is there
        :param image: fields of the image
        :param also: other images that are selected
        :param visibility: of all replicas, by option
        :param owners: whose replicas are; the runner's if not given
        :returns: the kernel's action, if there is any, and the image's
        """
        with_members = 'members' in kernel
        kernel = samples.image(7, **{'owner': 'admin', **dict(kernel)})
        fields = {'owner': 'demo', 'kernel_id': kernel.id, **dict(image)}
        image = samples.image(1, **fields)
        there = replica and samples.image(
            7, **{**kernel.record, 'owner': 'runner', **replica}
        )
        at_slave = rules.Rules(
            replica_template.Template(
                visibility=visibility,
                owners=owners or ownership.Owners(),
                members=with_members,
            ),
            runner=ownership.Runner(frozenset(['runner']), project='runner'),
            at_rest=options.pop('at_rest', False),
        )
        options.setdefault('selection', test_order.only(image, *also))
        actions = {
            action.image.id: action
            for action in self.actions(
                [[each, None] for each in (image, *also)],
                [[kernel, there]],
                there=at_slave,
                **options,
            )
        }
        return actions.get(kernel.id), actions[image.id]

    def test_what_the_owner_of_the_image_may_see_comes_along(self):
        asked = []

        def members(image):
            asked.append(image.id)
            return {'demo': 'rejected'}

        for kernel in (
            {'visibility': 'public'},
            {'visibility': 'community'},
            {'visibility': 'shared'},
            {'owner': 'demo'},
            {'owner': 'demo', 'visibility': 'shared'},
        ):
            needed, action = self.follow(kernel, members=members)
            self.assertEqual((COPY, COPY), (needed.verb, action.verb), kernel)
        self.assertEqual(1, len(asked))

    def test_what_he_may_not_see_does_not(self):
        def unreadable(image):
            raise errors.RefusedError('master', 'HTTP 403')

        for kernel, words, members in (
            ({}, 'is private, and project demo', company.nobody),
            ({'visibility': 'shared'}, 'is shared', lambda image: {'p': 'x'}),
            ({'visibility': 'shared'}, 'HTTP 403', unreadable),
        ):
            for at_rest, chosen in (
                (False, test_order.only(samples.image(1))),
                (False, image_selection.Selection(owner='demo')),
                (True, image_selection.Selection(owner='demo')),
            ):
                needed, action = self.follow(
                    kernel, members=members, at_rest=at_rest, selection=chosen
                )
                self.assertIsNone(needed)
                self.assertEqual(COPY if at_rest else FAIL, action.verb)
                if not at_rest:
                    self.assertIn(
                        f'kernel_id {test_order.AKI.id} is', action.reason
                    )
                    self.assertIn(words, action.reason)

    def test_what_is_selected_itself_is_no_matter(self):
        kernel = samples.image(7, owner='admin')
        for chosen in (
            image_selection.Selection(),
            test_order.only(kernel, samples.image(1)),
        ):
            _, action = self.follow(also=[kernel], selection=chosen)
            self.assertEqual(COPY, action.verb)

    def test_who_is_no_administrator_may_see_all_that_he_sees(self):
        needed, action = self.follow({'owner': 'runner'}, reader='runner')
        self.assertEqual((COPY, COPY), (needed.verb, action.verb))
        # A role of another name does not make him one.
        needed, action = self.follow(reader='runner')
        self.assertEqual((None, FAIL), (needed, action.verb))

    def test_it_gets_no_more_visibility_than_it_has(self):
        for kernel, option, result in (
            ('community', 'public', 'community'),
            ('public', 'public', 'public'),
            ('public', 'community', 'community'),
            ('public', None, 'public'),
        ):
            needed, action = self.follow(
                {'visibility': kernel}, visibility=option
            )
            self.assertEqual(result, needed.wanted.visibility)
            self.assertTrue(needed.capped)
            self.assertEqual(COPY, action.verb)

    def test_one_of_the_same_owner_goes_as_the_image_does(self):
        needed, action = self.follow({'owner': 'demo'}, visibility='public')
        self.assertEqual('public', needed.wanted.visibility)
        self.assertEqual((COPY, COPY), (needed.verb, action.verb))
        self.follow({'owner': 'demo'}, image={'visibility': 'public'})
        self.assertEqual(COPY, action.verb)

    def test_image_whose_users_could_not_see_it_fails(self):
        shared = {'visibility': 'shared'}
        public = {'visibility': 'public'}

        def members(image):
            return {'demo': 'accepted'}

        same = ownership.Same()
        known = {**shared, 'members': {'demo': 'accepted'}}
        for kernel, image, options, result in (
            (shared, {}, {'visibility': 'public'}, FAIL),
            (shared, public, {}, FAIL),
            (shared, shared, {}, COPY),
            (shared, {}, {}, COPY),
            (public, public, {}, COPY),
            (public, {}, {'visibility': 'private'}, COPY),
            # Replicas belong to whom their sources do. Whether the kernel has
            # its members there depends on --members.
            (shared, {}, {'owners': same}, FAIL),
            (known, {}, {'owners': same}, COPY),
            (known, known, {'owners': same}, COPY),
            (
                known,
                {**shared, 'members': {'other': 'accepted'}},
                {'owners': same},
                FAIL,
            ),
            (public, {}, {'owners': same}, COPY),
        ):
            needed, action = self.follow(
                kernel, image=image, members=members, **options
            )
            self.assertEqual(COPY, needed.verb)
            case = kernel, image, options
            self.assertEqual(result, action.verb, (case, action.reason))
            if result is FAIL:
                self.assertIn('its kernel stays shared', action.reason)

    def test_replica_of_anothers_is_left_as_it_is(self):
        """An image that refers to it withdraws and changes nothing."""
        for replica, option, result in (
            ({'visibility': 'public'}, 'private', COPY),
            ({'visibility': 'public'}, 'community', COPY),
            ({'name': 'renamed', 'visibility': 'private'}, 'community', FAIL),
        ):
            needed, action = self.follow(
                {'visibility': 'public'}, replica, visibility=option
            )
            self.assertEqual((SKIP, True), (needed.verb, needed.routine))
            self.assertEqual(result, action.verb, (replica, option))
            if result is FAIL:
                self.assertIn('its kernel stays private', action.reason)
        # Of another project it is no replica.
        needed, action = self.follow(
            {'visibility': 'public'}, {'owner': 'x', 'visibility': 'private'}
        )
        self.assertEqual((CONFLICT, FAIL), (needed.verb, action.verb))
        # Its own is brought up to date as it always was.
        needed, _ = self.follow({'owner': 'demo'}, {'name': 'renamed'})
        self.assertEqual(UPDATE, needed.verb)
        # So is a dump, in which nothing is given away.
        needed, _ = self.follow(
            {'visibility': 'public'}, {'name': 'renamed'}, at_rest=True
        )
        self.assertEqual(UPDATE, needed.verb)

    def test_kernel_that_is_withdrawn_is_so_whoever_needs_it(self):
        needed, _ = self.follow(
            {'visibility': 'public', 'status': 'deactivated', 'name': 'new'},
            {'status': 'active', 'name': 'old'},
            visibility='private',
        )
        self.assertEqual(UPDATE, needed.verb)
        self.assertEqual(['status'], [c.field for c in needed.changes])

    def test_whoever_comes_first_decides_nothing(self):
        """IDs can be chosen so that a tenant's image comes first, or last."""
        for number in 2, 900:
            own = samples.image(
                number, owner='admin', kernel_id=test_order.AKI.id
            )
            needed, theirs = self.follow(also=[own], visibility='community')
            self.assertEqual(
                (COPY, 'community', False),
                (needed.verb, needed.wanted.visibility, needed.capped),
            )
            self.assertEqual(FAIL, theirs.verb)
            needed, theirs = self.follow(
                {'visibility': 'public'}, also=[own], visibility='private'
            )
            self.assertFalse(needed.capped)

    def test_what_is_not_copied_vouches_for_nothing(self):
        for fields in {'status': 'deactivated'}, {'os_hidden': True}:
            own = samples.image(
                2, owner='admin', kernel_id=test_order.AKI.id, **fields
            )
            needed, _ = self.follow(
                {'visibility': 'community'}, also=[own], visibility='public'
            )
            self.assertEqual(
                ('community', True), (needed.wanted.visibility, needed.capped)
            )

    def test_what_it_needs_itself_is_no_way_round(self):
        ramdisk = samples.image(8, owner='admin')
        kernel = samples.image(
            7, owner='admin', visibility='public', ramdisk_id=ramdisk.id
        )
        image = samples.image(1, owner='demo', kernel_id=kernel.id)
        at_slave = rules.Rules(
            replica_template.Template(visibility='community')
        )
        actions = self.actions(
            [[image, None]],
            [[kernel, None], [ramdisk, None]],
            there=at_slave,
            selection=test_order.only(image),
        )
        self.assertEqual(
            [('private', True), ('community', True), ('community', False)],
            [(a.wanted.visibility, a.capped) for a in actions],
        )
        self.assertEqual(FAIL, actions[1].verb)
        self.assertIn('its ramdisk stays private', actions[1].reason)

    def test_in_a_dump_it_comes_if_it_is_there_and_as_it_is_there(self):
        """Owners are the word of whoever wrote the dump."""
        needed, action = self.follow(dumped=True)
        self.assertEqual((COPY, COPY), (needed.verb, action.verb))
        for owner in 'admin', 'demo':
            needed, action = self.follow(
                {'owner': owner}, visibility='public', dumped=True
            )
            self.assertEqual('private', needed.wanted.visibility)
            self.assertEqual(FAIL, action.verb)
            self.assertIn('its kernel stays private', action.reason)
        needed, action = self.follow(
            {'owner': 'demo'}, image={'visibility': 'public'}, dumped=True
        )
        self.assertEqual((COPY, COPY), (needed.verb, action.verb))
