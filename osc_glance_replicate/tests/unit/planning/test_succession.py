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

"""Names that do not vanish."""

import dataclasses
import itertools

import testtools

from osc_glance_replicate import errors
from osc_glance_replicate.model import image_selection
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import ownership
from osc_glance_replicate.model import plan
from osc_glance_replicate.planning import decisions
from osc_glance_replicate.planning import rules
from osc_glance_replicate.planning import succession
from osc_glance_replicate.tests.doubles import samples

COPY, FAIL, UPDATE = plan.Verb.COPY, plan.Verb.FAIL, plan.Verb.UPDATE

NAME = 'debian-13'

SHOWN = plan.Change('os_hidden', False, True)
GIVEN = plan.Change('name', NAME, 'staged')
RENAMED = plan.Change('name', 'old', NAME)
HIDDEN = plan.Change('os_hidden', True, False)
REMOVED = plan.Change('members', {}, {'b': 'accepted'}, exact=True)


def succession_at(**there):
    planner = decisions.Planner(
        image_selection.Selection(),
        destinations={to: rules.Rules(**there) for to in ('slave', 'other')},
    )
    return succession.Succession(planner)


def copy(number, to='slave', gets=None, after=(), **fields):
    image = samples.image(number, **{'name': NAME, **fields})
    return plan.Action(image, to, COPY, owner=gets, after=after)


def update(
    number, *changes, to='slave', image=None, replica=None, verb=UPDATE, **more
):
    return plan.Action(
        samples.image(number, **{'name': 'old', **(image or {})}),
        to,
        verb,
        samples.image(number, **{'name': NAME, **(replica or {})}),
        changes=changes or (RENAMED,),
        withdraws=True,
        **more,
    )


def bring(number, *changes, replica=None, image=None, **more):
    """Show what was staged before."""
    return update(
        number,
        *(changes or (SHOWN,)),
        image={'name': NAME, **(image or {})},
        replica={'os_hidden': True, **(replica or {})},
        **more,
    )


def refuse(number, verb=FAIL, **more):
    """Plan an image that is not brought."""
    return dataclasses.replace(copy(number), verb=verb, reason='why', **more)


def rename(number, old, new):
    return update(
        number,
        plan.Change('name', new, old),
        image={'name': new},
        replica={'name': old},
    )


class Owner(str):
    """Counts how often one who is to own a replica is compared."""

    __slots__ = ()
    compared = 0

    def __eq__(self, other):
        Owner.compared += 1
        return super().__eq__(other)

    def __ne__(self, other):
        return not self == other

    __hash__ = str.__hash__


def id_of(number):
    return samples.image(number).id


class TestSuccession(testtools.TestCase):
    def follow(self, *actions, **there):
        return list(succession_at(**there).follow(actions))

    def awaited(self, *actions, **there):
        """Return for what each waits, in the order in which they come."""
        return [
            (
                action.image.id,
                action.successor and action.successor.id,
            )
            for action in self.follow(*actions, **there)
        ]

    def assertWaits(self, leaving, coming, strange=False, **there):
        for actions in (leaving, coming), (coming, leaving):
            *_, followed = self.follow(*actions, **there)
            self.assertEqual(
                plan.Successor(coming.image.id, strange), followed.successor
            )

    def assertGoesOn(self, leaving, coming, **there):
        for actions in (leaving, coming), (coming, leaving):
            for action in self.follow(*actions, **there):
                self.assertIsNone(action.successor)

    def test_who_gives_up_a_name_waits_for_who_brings_it(self):
        for changes in (RENAMED,), (HIDDEN,), (HIDDEN, RENAMED):
            self.assertWaits(update(1, *changes), copy(2))
        # Clients find what is hidden where there is no other of the name.
        self.assertWaits(update(1, replica={'os_hidden': True}), copy(2))

    def test_others_do_not(self):
        other = plan.Change('min_ram', 2, 1)
        for leaving, coming in (
            (update(1), copy(2, name='other')),
            (update(1), copy(2, to='other')),
            (update(1), copy(2, os_hidden=True)),
            (update(1, replica={'name': None}), copy(2, name=None)),
            (update(1, other), copy(2)),
            (update(1, plan.Change('os_hidden', False, True)), copy(2)),
            # It is lost to users anyway.
            (update(1, replica={'status': 'deactivated'}), copy(2)),
            # Its own place is among those that the other one needs.
            (update(1), copy(2, after=(id_of(1),))),
            (update(1, verb=plan.Verb.UNCHANGED), copy(2)),
        ):
            self.assertGoesOn(leaving, coming)

    def test_what_was_staged_brings_a_name(self):
        wider = plan.Change('visibility', 'public', 'private')
        added = plan.Change('members', {'b': 'accepted'}, {})
        again = plan.Change('status', 'active', 'deactivated')
        for changes in (SHOWN,), (GIVEN,), (wider,), (added,), (again,):
            self.assertWaits(update(1), bring(2, *changes))
        for other in (
            bring(2, plan.Change('min_ram', 2, 1)),
            bring(2, image={'os_hidden': True}),
            bring(2, image={'status': 'deactivated'}),
            bring(2, image={'name': 'other'}),
        ):
            self.assertGoesOn(update(1), other)

    def test_what_is_refused_is_told_in_the_plan(self):
        """That is as it would be if it were refused in the run."""
        conflict = plan.Verb.CONFLICT
        visible = samples.image(2, name=NAME)
        for refused in (
            refuse(2),
            refuse(2, conflict),
            refuse(2, conflict, replica=visible),
            # It only loses something.
            bring(
                2,
                plan.Change('visibility', 'private', 'shared'),
                told_as=FAIL,
            ),
            refuse(
                2,
                usable=True,
                replica=samples.image(2, name=NAME, os_hidden=True),
            ),
            refuse(2, usable=True, replica=samples.image(2, name='staged')),
            refuse(
                2,
                usable=True,
                replica=visible,
                shaped=samples.image(2, name=NAME, visibility='public'),
            ),
        ):
            refused = dataclasses.replace(refused, reason='why')
            for actions in (update(1), refused), (refused, update(1)):
                first, stays = self.follow(*actions)
                self.assertIs(refused, first)
                self.assertEqual((FAIL, ()), (stays.verb, stays.changes))
                self.assertEqual(
                    f'waits for {id_of(2)}, which brings the name: why',
                    stays.reason,
                )
            _, hidden = self.follow(update(1, HIDDEN), refused)
            self.assertEqual((UPDATE, None), (hidden.verb, hidden.told_as))
            self.assertTrue(hidden.successor.unfit)

    def test_what_is_refused_and_there_already(self):
        there = samples.image(2, name=NAME, visibility='public')
        refused = refuse(2, usable=True, replica=there)
        self.assertGoesOn(update(1), refused)
        old = samples.image(2, name=NAME, visibility=None)
        self.assertGoesOn(update(1), refuse(2, usable=True, replica=old))
        # Nobody knows what it would be.
        defective = dataclasses.replace(
            refuse(2), image=samples.image(2, name=NAME, size='x')
        )
        self.assertIsNotNone(defective.image.defect)
        self.assertGoesOn(update(1), defective)

    def test_one_that_comes_is_waited_for_rather(self):
        for others in (refuse(2), copy(3)), (copy(3), refuse(2)):
            *_, followed = self.follow(*others, update(1))
            self.assertEqual(plan.Successor(id_of(3)), followed.successor)
        # A stranger is no better than one that is refused.
        mine = ownership.Runner(owners=frozenset(['a']), project='a')
        public = {'visibility': 'community', 'owner': 'a'}
        leaving = update(1, image=public, replica=public)
        own = refuse(2, image=samples.image(2, name=NAME, **public))
        stranger = copy(3, gets='b', **{**public, 'owner': 'b'})
        *_, stays = self.follow(leaving, stranger, own, runner=mine)
        self.assertIs(FAIL, stays.verb)

    def test_one_after_the_other(self):
        """Each comes after what it waits for, in whatever order they are."""
        actions = [
            rename(1, 'old', 'older'),
            rename(2, NAME, 'old'),
            copy(3),
        ]
        for order in itertools.permutations(actions):
            self.assertEqual(
                [
                    (id_of(3), None),
                    (id_of(2), id_of(3)),
                    (id_of(1), id_of(2)),
                ],
                self.awaited(*order),
            )

    def test_who_has_to_let_one_pass_waits_for_the_next(self):
        self.assertEqual(
            [
                (id_of(2), None),
                (id_of(3), None),
                (id_of(1), id_of(3)),
                (id_of(4), None),
            ],
            self.awaited(
                update(1), copy(2, after=(id_of(1),)), copy(3), copy(4)
            ),
        )

    def test_nor_behind_one_that_only_loses_members(self):
        loses = dataclasses.replace(
            rename(2, NAME, 'old'),
            changes=(plan.Change('name', 'old', NAME), REMOVED),
        )
        _, losing, stays = self.follow(
            rename(1, 'old', 'older'), loses, copy(3)
        )
        self.assertEqual((REMOVED,), losing.changes)
        self.assertEqual((FAIL, ()), (stays.verb, stays.changes))

    def test_none_of_them_moves_where_the_first_is_refused(self):
        for order in itertools.permutations(
            [rename(1, 'old', 'older'), rename(2, NAME, 'old'), refuse(3)]
        ):
            followed = self.follow(*order)
            self.assertEqual([FAIL] * 3, [each.verb for each in followed])
            self.assertEqual(
                f'waits for {id_of(2)}, which brings the name: waits for '
                f'{id_of(3)} itself',
                followed[-1].reason,
            )
        # That lies in the image all the way.
        hides = update(1, HIDDEN, replica={'name': 'old'})
        followed = self.follow(hides, rename(2, NAME, 'old'), refuse(3))
        self.assertEqual([FAIL, FAIL, UPDATE], [a.verb for a in followed])

    def test_a_swap_is_carried_out(self):
        swap = [rename(1, 'a', 'b'), rename(2, 'b', 'a')]
        for first, second in swap, swap[::-1]:
            self.assertEqual(
                [
                    (second.image.id, None),
                    (first.image.id, second.image.id),
                ],
                self.awaited(first, second),
            )
        ring = [
            rename(1, 'a', 'b'), rename(2, 'b', 'c'), rename(3, 'c', 'a'),
        ]  # fmt: skip
        for order in itertools.permutations(ring):
            told = self.awaited(*order)
            self.assertIsNone(told[0][1])
            for before, after in itertools.pairwise(told):
                self.assertEqual(before[0], after[1])

    def test_not_all_are_compared_with_all(self):
        """Anyone can make thousands of a name that another one gives up."""
        count = 100
        runner = ownership.Runner(owners=frozenset(['x']), project='x')
        for owner, seen, waits in (
            ('b', 'community', True),
            ('a', 'community', True),
            ('a', 'private', True),
            ('b', 'private', False),
        ):
            actions = [
                update(
                    number,
                    replica={'owner': 'a', 'visibility': seen},
                )
                for number in range(count)
            ]
            actions += [
                copy(
                    number,
                    gets=Owner(owner),
                    visibility=seen,
                )
                for number in range(count, 2 * count)
            ]
            for order in actions, actions[::-1]:
                Owner.compared = 0
                followed = self.follow(*order, runner=runner)
                told = [action for action in followed if action.successor]
                self.assertEqual(count if waits else 0, len(told))
                self.assertLess(Owner.compared, 4 * count)

    def test_those_that_cannot_be_waited_for_are_no_burden(self):
        chain = [rename(number, f'{number}', 'x') for number in range(1000)]
        followed = self.follow(*chain, rename(1000, 'x', '0'))
        self.assertEqual(1001, len({action.key for action in followed}))

    def test_what_withdraws_never_waits(self):
        for change in (
            plan.Change('status', 'deactivated', 'active'),
            plan.Change('visibility', 'community', 'public'),
        ):
            leaving = update(1, RENAMED, HIDDEN, change)
            # Not even until the plan is known.
            followed = iter(succession_at().follow([leaving, copy(2)]))
            self.assertEqual(leaving, next(followed))

    def test_nor_does_who_is_no_member_any_more(self):
        leaving = update(1, HIDDEN, REMOVED)
        _, losing = self.follow(copy(2), leaving)
        self.assertEqual(
            (UPDATE, FAIL, (REMOVED,), None),
            (losing.verb, losing.told_as, losing.changes, losing.successor),
        )
        self.assertEqual(
            f'members; waits for {id_of(2)}, which brings the name: run again',
            losing.reason,
        )
        self.assertEqual([leaving], self.follow(leaving))

    def test_of_one_owner(self):
        mine = ownership.Runner(owners=frozenset(['a']), project='a')
        other = {'owner': 'another'}
        for is_one, leaving, coming in (
            (True, update(1, replica={'owner': 'a'}), copy(2)),
            (True, update(1, replica={'owner': 'b'}), copy(2, gets='b')),
            (True, update(1, replica={'owner': 'a'}), copy(2, gets='a')),
            (False, update(1, replica={'owner': 'b'}), copy(2)),
            (False, update(1, replica={'owner': 'b'}), copy(2, gets='c')),
            (False, update(1, replica={'owner': 'a'}), copy(2, **other)),
            (False, update(1, replica={'owner': 'a'}, image=other), copy(2)),
        ):
            check = self.assertWaits if is_one else self.assertGoesOn
            check(leaving, coming, runner=mine)

    def test_of_different_owners(self):
        mine = ownership.Runner(owners=frozenset(['a']), project='a')
        for old, source, new, waits, strange in (
            ('public', 'public', 'public', True, False),
            ('community', 'public', 'public', True, False),
            ('community', 'community', 'community', True, True),
            ('public', 'shared', 'public', True, True),
            ('public', 'community', 'community', False, None),
            ('shared', 'shared', 'shared', False, None),
            ('private', 'public', 'public', False, None),
        ):
            leaving = update(1, replica={'owner': 'a', 'visibility': old})
            coming = copy(2, gets='b', visibility=source)
            shaped = samples.image(2, name=NAME, visibility=new)
            coming = dataclasses.replace(coming, shaped=shaped)
            if waits:
                self.assertWaits(leaving, coming, strange, runner=mine)
            else:
                self.assertGoesOn(leaving, coming, runner=mine)

    def test_what_a_stranger_brings_is_waited_for_last(self):
        public = {'visibility': 'community', 'owner': 'a'}
        leaving = update(2, image=public, replica=public)
        stranger = copy(1, gets='b', **{**public, 'owner': 'b'})
        own = copy(3, gets='a', **public)
        self.assertEqual(
            [(id_of(1), None), (id_of(3), None), (id_of(2), id_of(3))],
            self.awaited(stranger, leaving, own),
        )
        self.assertEqual(
            [(id_of(1), None), (id_of(2), id_of(1))],
            self.awaited(stranger, leaving),
        )

    def test_only_what_gives_a_name_up_is_held_back(self):
        other = update(4, plan.Change('min_ram', 2, 1))
        self.assertEqual(
            [
                (id_of(4), None),
                (id_of(3), None),
                (id_of(1), id_of(3)),
                (id_of(5), None),
                (id_of(2), None),
            ],
            self.awaited(
                update(1),
                update(2, replica={'name': 'nobody brings'}),
                other,
                copy(3),
                copy(5, name='next'),
            ),
        )

    def test_what_is_read_once_stays_together(self):
        there = [(copy(2), copy(2, 'other')), (copy(3), copy(3, 'other'))]
        followed = self.follow(
            update(1), update(1, to='other'), *there[0], *there[1]
        )
        self.assertEqual(
            [id_of(number) for number in (2, 2, 1, 1, 3, 3)],
            [action.image.id for action in followed],
        )
        self.assertEqual(
            ['slave', 'other'], [action.to for action in followed[2:4]]
        )

    def test_nobody_asks_for_names_in_a_dump(self):
        self.assertGoesOn(update(1), copy(2), at_rest=True)
        leaving = update(1)
        self.assertEqual(
            leaving, self.follow(leaving, copy(2), at_rest=True)[0]
        )

    def test_a_plan_that_breaks_off(self):
        def actions():
            yield update(1)
            yield update(2, replica={'name': 'other'})
            yield copy(3)
            raise errors.PlaceError('slave', 'broke')

        followed = []
        with testtools.ExpectedException(errors.PlaceError):
            followed.extend(self._noting(actions(), followed))
        copied, waits, undecided = followed
        self.assertEqual(COPY, copied.verb)
        self.assertEqual(id_of(3), waits.successor.id)
        self.assertEqual((FAIL, ()), (undecided.verb, undecided.changes))
        self.assertIn('not all images could be listed', undecided.reason)

    def test_what_is_not_planned_any_more_may_bring_a_name(self):
        lost = {'slave'}
        planner = decisions.Planner(image_selection.Selection())
        found = list(
            succession.Succession(planner, lost).follow(
                [
                    update(1),
                    update(1, to='other'),
                    update(2, replica={'name': 'x'}),
                    copy(3),
                ]
            )
        )
        ends = {(a.to, a.image.id): a for a in found}
        self.assertEqual(id_of(3), ends['slave', id_of(1)].successor.id)
        self.assertIs(FAIL, ends['slave', id_of(2)].verb)
        self.assertIs(UPDATE, ends['other', id_of(1)].verb)

    def test_nobody_moves_behind_what_is_undecided(self):
        def actions():
            yield rename(1, 'b', 'c')
            yield rename(2, 'a', 'b')
            raise errors.PlaceError('slave', 'broke')

        followed = []
        with testtools.ExpectedException(errors.PlaceError):
            followed.extend(self._noting(actions(), followed))
        self.assertEqual(
            [(id_of(2), FAIL), (id_of(1), FAIL)],
            [(action.image.id, action.verb) for action in followed],
        )

    def _noting(self, actions, noted):
        for action in succession_at().follow(actions):
            noted.append(action)
        return ()


class TestLost(testtools.TestCase):
    def lost(self, action, cause, strange=False):
        action = dataclasses.replace(
            action, successor=plan.Successor('new', strange)
        )
        return succession.lost(action, 'why', cause)

    def test_who_waits_stays_as_it_is(self):
        for change in RENAMED, HIDDEN:
            action = self.lost(update(1, change), outcomes.Cause.ELSEWHERE)
            self.assertEqual((FAIL, ()), (action.verb, action.changes))
            self.assertEqual(
                'waits for new, which brings the name: why',
                outcomes.as_planned(action).reason,
            )

    def test_an_image_that_never_comes_keeps_nobody_elses_in_use(self):
        image, unclear = outcomes.Cause.IMAGE, outcomes.Cause.UNCLEAR
        for cause, strange, goes_on in (
            (image, False, True),
            (image, True, True),
            (unclear, True, True),
            (unclear, False, False),
        ):
            action = self.lost(update(1, HIDDEN), cause, strange)
            self.assertEqual(UPDATE if goes_on else FAIL, action.verb)
            self.assertIsNone(action.told_as)
            action = self.lost(update(1, RENAMED), cause, strange)
            self.assertEqual(FAIL, action.verb)

    def test_then_only_the_name_stays(self):
        action = self.lost(update(1, RENAMED, HIDDEN), outcomes.Cause.IMAGE)
        self.assertEqual(
            (UPDATE, FAIL, (HIDDEN,)),
            (action.verb, action.told_as, action.changes),
        )
        self.assertEqual(
            'os_hidden; waits for new, which brings the name: why',
            outcomes.as_planned(action).reason,
        )

    def test_what_is_another_ones_is_not_changed_before_it_is_proven(self):
        for fields in {'adopts': True}, {'proof': 'sha512'}:
            waiting = dataclasses.replace(
                update(1, RENAMED, HIDDEN), withdraws=False, **fields
            )
            action = self.lost(waiting, outcomes.Cause.IMAGE)
            self.assertEqual((FAIL, False), (action.verb, action.adopts))

    def test_what_waits_for_nothing(self):
        action = update(1)
        self.assertIs(
            action, succession.lost(action, 'why', outcomes.Cause.IMAGE)
        )
