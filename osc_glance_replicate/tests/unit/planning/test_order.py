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

import hypothesis
from hypothesis import strategies
import testtools

from osc_glance_replicate import errors
from osc_glance_replicate.model import image_selection
from osc_glance_replicate.model import ownership
from osc_glance_replicate.model import plan
from osc_glance_replicate.model import replica_template
from osc_glance_replicate.planning import company
from osc_glance_replicate.planning import decisions
from osc_glance_replicate.planning import order
from osc_glance_replicate.planning import rules
from osc_glance_replicate.tests.doubles import samples

COPY, FAIL, UNCHANGED = plan.Verb.COPY, plan.Verb.FAIL, plan.Verb.UNCHANGED
SKIP = plan.Verb.SKIP

ARI, AKI = samples.image(8), samples.image(7)
AMI = samples.image(1, kernel_id=AKI.id, ramdisk_id=ARI.id)


class OrderTest(testtools.TestCase):
    def actions(
        self,
        rows,
        known=(),
        to=('slave',),
        there=None,
        members=company.nobody,
        lost=(),
        **options,
    ):
        """Plan.

        :param known: rows that can be looked up
        :param there: what holds at the first destination
        :param members: of images of the source
        :param lost: destinations for which nothing more is planned
        """
        options.setdefault('selection', image_selection.Selection())
        if there:
            options['destinations'] = {to[0]: there}
        found = {row[0].id: row for row in known}
        sequence = order.Order(
            decisions.Planner(**options),
            to,
            lambda image_id: found.get(image_id, [None] * (len(to) + 1)),
            members,
            lost,
        )
        return list(sequence.actions(rows))


class TestOrder(OrderTest):
    def test_a_defect_is_of_one_image(self):
        rows = [[samples.image(1), None], [samples.image(2), None]]

        class Planner(decisions.Planner):
            def decide(self, image, *args):
                if image.id == rows[0][0].id:
                    raise TypeError('no\nmapping')
                return super().decide(image, *args)

        planner = Planner(image_selection.Selection())
        failed, other = order.Order(planner, ('slave',), self.fail).actions(
            rows
        )
        self.assertEqual(FAIL, failed.verb)
        self.assertEqual('unexpected TypeError: no\\nmapping', failed.reason)
        self.assertEqual(COPY, other.verb)

    def test_one_action_per_image_and_destination(self):
        one, two, other = samples.image(1), samples.image(2), samples.image(3)
        rows = [[one, one, None], [two, None, two], [None, other, None]]
        self.assertEqual(
            [
                (one.id, 'a', UNCHANGED),
                (one.id, 'b', COPY),
                (two.id, 'a', COPY),
                (two.id, 'b', UNCHANGED),
            ],
            [
                (action.image.id, action.to, action.verb)
                for action in self.actions(rows, to=('a', 'b'))
            ],
        )

    def test_nothing_is_planned_for_one_that_cannot_be_asked(self):
        rows = [
            [samples.image(1), None, None],
            [None, samples.image(2), samples.image(2)],
        ]
        self.assertEqual(
            [(samples.image(1).id, 'b'), (samples.image(2).id, 'b')],
            [
                (action.image.id, action.to)
                for action in self.actions(
                    rows, to=('a', 'b'), lost={'a'}, extra=True
                )
            ],
        )

    def test_one_that_tells_no_formats_is_lost_alone(self):
        lost = {}

        class Planner(decisions.Planner):
            def decide(self, image, replica, to, *args):
                if to == 'a':
                    raise errors.PlaceError('a', 'HTTP 503')
                return super().decide(image, replica, to, *args)

        def plan_with(lose):
            planner = Planner(image_selection.Selection())
            rows = [[samples.image(n), None, None] for n in (1, 2)]
            return list(
                order.Order(
                    planner, ('a', 'b'), self.fail, company.nobody, lost, lose
                ).actions(rows)
            )

        found = plan_with(lost.__setitem__)
        self.assertEqual(['b', 'b'], [action.to for action in found])
        self.assertEqual(['a'], list(lost))
        lost.clear()
        self.assertRaises(errors.PlaceError, plan_with, None)

    def test_one_whose_keystone_fails_is_lost_alone(self):
        lost = {}

        class Planner(decisions.Planner):
            def decide(self, image, replica, to, *args):
                if to == 'a':
                    raise errors.CloudError(trouble, 'its Keystone is down')
                return super().decide(image, replica, to, *args)

        def plan():
            planner = Planner(image_selection.Selection())
            return [
                action.to
                for action in order.Order(
                    planner, ('a', 'b'), self.fail, company.nobody, lost,
                    lost.__setitem__,
                ).actions([[samples.image(1), None, None]])
            ]  # fmt: skip

        trouble = 'a'
        self.assertEqual(['b'], plan())
        self.assertEqual(['a'], list(lost))
        # That of the source ends the run.
        lost.clear()
        trouble = 'master'
        self.assertRaises(errors.CloudError, plan)

    def test_rows_are_planned_as_they_are_read(self):
        def rows():
            yield [samples.image(1), None]
            self.fail('it was read ahead')

        sequence = order.Order(
            decisions.Planner(image_selection.Selection()),
            ['slave'],
            self.fail,
        )
        self.assertEqual(COPY, next(sequence.actions(rows())).verb)


class TestReferences(OrderTest):
    def ids(self, actions):
        return [action.image.id for action in actions]

    def test_what_an_image_needs_comes_along_first(self):
        known = [[ARI, None], [AKI, None]]
        actions = self.actions([[AMI, None]], known, selection=only(AMI))
        self.assertEqual([ARI.id, AKI.id, AMI.id], self.ids(actions))
        self.assertEqual(
            [(), (ARI.id,), (ARI.id, AKI.id)], [a.after for a in actions]
        )
        self.assertEqual([True, True, False], [a.referred for a in actions])

    def test_whatever_is_not_selected_or_hidden(self):
        hidden = samples.image(8, os_hidden=True)
        actions = self.actions(
            [[AMI, None]],
            [[hidden, None], [AKI, None]],
            selection=image_selection.Selection(names=['image 1']),
        )
        self.assertEqual([COPY] * 3, [action.verb for action in actions])

    def test_never_what_is_excluded(self):
        for glob in AKI.name, AKI.id:
            chosen = image_selection.Selection(excludes=[glob])
            for aki, result in ((None, FAIL), (AKI, COPY)):
                known = [[ARI, None], [AKI, aki]]
                rows = [*known, [AMI, None]]
                for listed in rows, rows[2:]:
                    actions = {
                        action.image.id: action
                        for action in self.actions(
                            listed, known, selection=chosen
                        )
                    }
                    self.assertEqual(SKIP, actions[AKI.id].verb)
                    self.assertEqual(result, actions[AMI.id].verb)
                    if result is FAIL:
                        self.assertIn(AKI.id, actions[AMI.id].reason)

    def test_hidden_one_that_is_listed(self):
        hidden = samples.image(8, os_hidden=True)
        rows = [[AMI, None], [hidden, None], [AKI, None]]
        for chosen in (image_selection.Selection(), only(AMI, hidden, AKI)):
            actions = self.actions(rows, rows, selection=chosen)
            verbs = [(a.image.id, a.verb) for a in actions if a.verb is COPY]
            self.assertEqual(
                [(i, COPY) for i in (AKI.id, hidden.id, AMI.id)], verbs
            )

    def test_what_is_listed_anyway_is_planned_once(self):
        for chosen in (image_selection.Selection(), only(AMI, AKI, ARI)):
            rows = [[AMI, None], [AKI, None], [ARI, None]]
            actions = self.actions(rows, rows, selection=chosen)
            self.assertEqual([AKI.id, ARI.id, AMI.id], self.ids(actions))
            self.assertEqual((ARI.id, AKI.id), actions[-1].after)

    def test_two_that_need_the_same(self):
        twin = samples.image(2, kernel_id=AKI.id)
        single = samples.image(1, kernel_id=AKI.id)
        actions = self.actions(
            [[single, None], [twin, None]],
            [[AKI, None]],
            selection=only(single, twin),
        )
        self.assertEqual([AKI.id, single.id, twin.id], self.ids(actions))

    def test_needs_of_what_is_needed(self):
        kernel = samples.image(7, ramdisk_id=ARI.id)
        image = samples.image(1, kernel_id=kernel.id)
        actions = self.actions(
            [[image, None]],
            [[kernel, None], [ARI, None]],
            selection=only(image),
        )
        self.assertEqual([ARI.id, kernel.id, image.id], self.ids(actions))

    def test_missing_one_is_a_failure_that_names_it(self):
        *_, action = self.actions([[AMI, None]], [[AKI, None]])
        self.assertEqual(FAIL, action.verb)
        self.assertIn(f'ramdisk_id {ARI.id} is not there', action.reason)
        self.assertIn('--dont-replicate', action.reason)

    def test_one_that_cannot_be_copied_is_a_failure(self):
        dead = samples.image(8, status='deactivated')
        *_, action = self.actions([[AMI, None]], [[dead, None], [AKI, None]])
        self.assertEqual(FAIL, action.verb)
        self.assertIn('deactivated', action.reason)

    def test_replica_without_what_it_needs_is_kept_up_to_date(self):
        *_, action = self.actions([[AMI, AMI]], [[AKI, AKI]])
        self.assertEqual(UNCHANGED, action.verb)

    def test_what_is_skipped_is_needed_all_the_same(self):
        image = samples.image(1, kernel_id=AKI.id)
        dead = samples.image(
            7,
            status='queued',
            size=None,
            os_hash_value=None,
            checksum=None,
        )
        hidden = samples.image(7, visibility='private')
        other = samples.image(7, data=b'evil')
        mine = rules.Rules(runner=ownership.Runner(frozenset(['a project'])))
        for kernel, there, verb in (
            (dead, AKI, FAIL),
            (hidden, other, FAIL),
            (hidden, AKI, COPY),
            (hidden, samples.image(7, status='deactivated'), FAIL),
        ):
            *_, action = self.actions(
                [[image, None]],
                [[kernel, there]],
                there=mine,
                selection=only(image)
                if kernel is dead
                else image_selection.Selection(
                    images=[image.id], excludes=[kernel.id]
                ),
            )
            self.assertEqual(verb, action.verb, (kernel, there, action))

    def test_update_gives_nothing_without_what_it_needs(self):
        replica = samples.image(1, owner='mine')
        theirs = samples.image(7, owner='demo', data=b'evil')
        for fields, have, changed, told in (
            # It would boot from another's kernel.
            ({'kernel_id': AKI.id, 'name': 'new'}, {}, [], FAIL),
            (
                {'kernel_id': AKI.id, 'os_hidden': True},
                {},
                ['os_hidden'],
                FAIL,
            ),
            (
                {'kernel_id': AKI.id, 'visibility': 'public'},
                {'kernel_id': AKI.id},
                [],
                FAIL,
            ),
            # It refers to that already.
            (
                {'kernel_id': AKI.id, 'name': 'new'},
                {'kernel_id': AKI.id},
                ['name'],
                None,
            ),
        ):
            image = samples.image(1, **fields)
            there = dataclasses.replace(
                replica, record={**replica.record, **have}
            )
            *_, action = self.actions(
                [[image, there]],
                [[AKI, theirs]],
                there=rules.Rules(
                    runner=ownership.Runner(frozenset(['mine']))
                ),
                selection=only(image),
            )
            self.assertEqual(changed, [c.field for c in action.changes])
            found = action.told_as or (
                action.verb if action.verb is FAIL else None
            )
            self.assertEqual(told, found)
            if told:
                self.assertIn(f'{AKI.id}, which it needs, is', action.reason)
            self.assertEqual((), action.after)

    def test_nothing_is_adopted_without_what_it_needs(self):
        image = samples.image(1, kernel_id=AKI.id)
        action = self.actions(
            [[image, samples.image(1, kernel_id=AKI.id, owner='demo')]],
            [[AKI, samples.image(7, data=b'evil')]],
            there=rules.Rules(runner=ownership.Runner(frozenset(['mine']))),
            selection=only(image),
            adopt=True,
        )[-1]
        self.assertEqual((FAIL, ()), (action.verb, action.changes))
        self.assertIn(f'{AKI.id}, which it needs, is', action.reason)

    def test_what_is_lost_by_an_adoption_without_its_kernel(self):
        """It would be adopted with all that was to be left out."""
        image = samples.image(1, kernel_id=AKI.id, visibility='community')
        theirs = samples.image(1, owner='demo', visibility='public')
        for kernel, verb in (
            (samples.image(7, data=b'evil', owner='demo'), FAIL),
            (None, plan.Verb.UPDATE),
        ):
            action = self.actions(
                [[image, theirs]],
                [[AKI, kernel]],
                there=rules.Rules(
                    runner=ownership.Runner(frozenset(['mine']))
                ),
                selection=only(image),
                adopt=True,
            )[-1]
            self.assertEqual(verb, action.verb)
            self.assertEqual(verb is not FAIL, action.adopts)
            if action.adopts:
                self.assertEqual((AKI.id,), action.after)
                self.assertEqual('', action.lacks)

    def test_what_is_only_lost_needs_no_proof_and_tells_all(self):
        unhashed = {'os_hash_value': None, 'checksum': None}
        image = samples.image(
            1, kernel_id=AKI.id, os_hidden=True, name='new', **unhashed
        )
        action = self.actions(
            [[image, samples.image(1, disk_format='iso')]],
            [[AKI, samples.image(7, data=b'evil')]],
            selection=only(image),
        )[-1]
        self.assertEqual(
            (['os_hidden'], '', (), FAIL, 0),
            (
                [c.field for c in action.changes],
                action.proof,
                action.fixed,
                action.told_as,
                action.to_read,
            ),
        )

    def test_kernel_that_is_there_does(self):
        """Whatever keeps it from being brought up to date."""
        image = samples.image(1, kernel_id=AKI.id, visibility='public')
        replica = samples.image(1, kernel_id=AKI.id, owner='mine')
        mine = rules.Rules(runner=ownership.Runner(frozenset(['mine'])))
        first = {'created_at': '2025-01-01T00:00:00Z'}
        for kernel, there in (
            (
                samples.image(7, name='new'),
                samples.image(7, owner='mine', **first),
            ),
            (
                samples.image(7),
                samples.image(7, owner='mine', disk_format='iso'),
            ),
            # It was deleted at the source since.
            (None, samples.image(7, owner='mine')),
        ):
            order_ = self.order([[kernel, there]], mine, only(image))
            action = list(order_.actions([[image, replica]]))[-1]
            self.assertEqual(
                ['visibility'], [c.field for c in action.changes], action
            )
        gone = self.order(
            [[None, samples.image(7, owner='demo')]], mine, only(image)
        )
        action = list(gone.actions([[image, replica]]))[-1]
        self.assertEqual(FAIL, action.verb)

    def order(self, known, there, selection):
        """Plan where the source may lack what the destination has."""
        found = {next(filter(None, row)).id: row for row in known}
        return order.Order(
            decisions.Planner(selection, destinations={'slave': there}),
            ['slave'],
            lambda image_id: found.get(image_id, [None, None]),
        )

    def test_kernel_that_is_published_with_it(self):
        shown = {'visibility': 'public'}
        image = samples.image(1, kernel_id=AKI.id, owner='a', **shown)
        kernel = samples.image(7, owner='b', **shown)
        mine = rules.Rules(runner=ownership.Runner(frozenset(['mine'])))
        actions = self.actions(
            [
                [image, samples.image(1, kernel_id=AKI.id, owner='mine')],
                [kernel, samples.image(7, owner='mine')],
            ],
            [[kernel, samples.image(7, owner='mine')]],
            there=mine,
        )
        self.assertEqual(
            [['visibility'], ['visibility']],
            [[c.field for c in action.changes] for action in actions],
        )
        # Where that stays private, nobody could boot it.
        *_, action = self.actions(
            [[image, samples.image(1, kernel_id=AKI.id, owner='mine')]],
            [
                [
                    samples.image(7, owner='b', **shown),
                    samples.image(7, owner='mine'),
                ]
            ],
            there=mine,
            selection=only(image),
        )
        self.assertEqual(FAIL, action.verb)
        self.assertIn('its kernel stays private', action.reason)

    def test_what_an_image_needs_is_what_it_needed_when_it_was_listed(self):
        """Its owner could have it vanish, or be planned twice."""
        plain = samples.image(2)
        needy = samples.image(2, kernel_id=AKI.id)
        first = samples.image(1, kernel_id=plain.id)
        for listed, found in (needy, plain), (plain, needy):
            actions = self.actions(
                [[first, None], [listed, None]],
                [[found, None], [AKI, None]],
            )
            ids = [action.image.id for action in actions]
            self.assertEqual(1, ids.count(plain.id), ids)
            self.assertEqual({COPY}, {action.verb for action in actions})
            self.assertLess(ids.index(plain.id), ids.index(first.id))

    def test_withdrawal_waits_for_no_kernel(self):
        image = samples.image(
            1, kernel_id=AKI.id, status='deactivated', name='new'
        )
        *_, action = self.actions(
            [[image, samples.image(1)]], [[AKI, None]], selection=only(image)
        )
        self.assertEqual(
            (['status'], ()), ([c.field for c in action.changes], action.after)
        )
        self.assertEqual(
            f'status; {AKI.id}, which it needs, comes first: run again',
            action.reason,
        )
        self.assertEqual(FAIL, action.told_as)
        # To read its data may take as long.
        unhashed = {'os_hash_value': None, 'checksum': None}
        kernel = samples.image(7, name='new', **unhashed)
        *_, action = self.actions(
            [[image, samples.image(1)]],
            [[kernel, samples.image(7)]],
            selection=only(image),
        )
        self.assertEqual(['status'], [c.field for c in action.changes])
        image = samples.image(1, kernel_id=AKI.id, name='new')
        *_, action = self.actions(
            [[image, samples.image(1)]], [[AKI, None]], selection=only(image)
        )
        self.assertEqual((AKI.id,), action.after)
        # It refers to that already.
        *_, action = self.actions(
            [[image, samples.image(1, kernel_id=AKI.id)]],
            [[AKI, None]],
            selection=only(image),
        )
        self.assertEqual((), action.after)
        image = samples.image(1, kernel_id=AKI.id, name='new')
        *_, action = self.actions(
            [[image, samples.image(1)]], [[AKI, None]], selection=only(image)
        )
        self.assertEqual(
            ['kernel_id', 'name'], sorted(c.field for c in action.changes)
        )

    def test_whoever_refers_to_it_is_no_reason_for_it_to_fail(self):
        chain = [
            [samples.image(n, kernel_id=samples.image(n + 1).id), None]
            for n in range(11, 15)
        ]
        victim = samples.image(15, kernel_id=AKI.id)
        rows = [*chain, [victim, None]]
        actions = self.actions(rows, [*rows, [AKI, None]])
        by_id = {action.image.id: action for action in actions}
        self.assertEqual(COPY, by_id[victim.id].verb)
        self.assertEqual(FAIL, by_id[chain[0][0].id].verb)

    def test_what_only_rests_needs_nothing(self):
        *_, action = self.actions(
            [[AMI, None]], there=rules.Rules(at_rest=True)
        )
        self.assertEqual((COPY, ()), (action.verb, action.after))

    def test_circles_end(self):
        one = samples.image(1, kernel_id=samples.image(2).id)
        two = samples.image(2, kernel_id=one.id)
        itself = samples.image(3, kernel_id=samples.image(3).id)
        rows = [[one, None], [two, None], [itself, None]]
        actions = self.actions(rows, rows)
        self.assertEqual({FAIL}, {action.verb for action in actions})
        self.assertEqual(3, len(actions))
        self.assertIn('leads back', actions[0].reason)

    def test_long_chains_end(self):
        chain = [
            [samples.image(n, kernel_id=samples.image(n + 1).id), None]
            for n in range(1, 2000)
        ]
        actions = self.actions(chain[:1], chain, selection=only(chain[0][0]))
        self.assertLess(len(actions), 10)
        self.assertEqual({FAIL}, {action.verb for action in actions})

    def test_left_out_property_needs_nothing(self):
        template = replica_template.Template(left_out=['*_id'])
        (action,) = self.actions([[AMI, None]], there=rules.Rules(template))
        self.assertEqual((COPY, ()), (action.verb, action.after))

    def test_destinations_may_need_different_images(self):
        template = replica_template.Template(left_out=['*_id'])
        *_, one, other = self.actions(
            [[AMI, None, None]],
            [[AKI, None, None], [ARI, None, None]],
            to=('one', 'other'),
            there=rules.Rules(template),
        )
        self.assertEqual(('one', COPY, ()), (one.to, one.verb, one.after))
        self.assertEqual((COPY, (ARI.id, AKI.id)), (other.verb, other.after))
        one, other = self.actions(
            [[AMI, None, None]],
            to=('one', 'other'),
            there=rules.Rules(template),
        )
        self.assertEqual((COPY, FAIL), (one.verb, other.verb))

    def test_relic_is_no_reference(self):
        image = samples.image(1, kernel_id='aki-12345678', ramdisk_id='')
        (action,) = self.actions([[image, None]])
        self.assertEqual(COPY, action.verb)

    @hypothesis.settings(
        deadline=None,
        derandomize=True,
        database=None,
        # A slow machine makes examples slowly.
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
    )
    @hypothesis.given(
        strategies.lists(
            strategies.tuples(
                strategies.integers(0, 7),
                strategies.integers(0, 7),
                strategies.sampled_from(['active', 'queued']),
            ),
            max_size=6,
        ),
        strategies.sets(strategies.integers(1, 6)),
    )
    def test_whatever_refers_to_whatever(self, graph, chosen):
        """Each is planned once, and copied after what it needs only."""
        images = [
            samples.image(
                number,
                status=status,
                **{
                    field: samples.image(other).id
                    for field, other in (('kernel_id', a), ('ramdisk_id', b))
                    if other
                },
            )
            for number, (a, b, status) in enumerate(graph, start=1)
        ]
        rows = [[image, None] for image in images]
        names = [images[n - 1] for n in chosen if n <= len(images)]
        if names:
            listed = [[image, None] for image in names]
            actions = self.actions(listed, rows, selection=only(*names))
        else:
            actions = self.actions(rows, rows)
        ids = self.ids(actions)
        self.assertEqual(len(set(ids)), len(ids))
        self.assertLessEqual({image.id for image in names}, set(ids))
        copied = set()
        for action in actions:
            if action.verb is COPY:
                needed = set(action.image.references.values())
                self.assertLessEqual(needed, copied)
                self.assertLessEqual(needed, set(action.after))
                copied.add(action.image.id)


def only(*images):
    return image_selection.Selection(images=[image.id for image in images])
