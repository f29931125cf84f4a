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
