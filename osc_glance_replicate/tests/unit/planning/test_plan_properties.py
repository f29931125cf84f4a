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

"""The planner held against a model of Glance, for any two catalogues."""

import collections
import copy
from unittest import mock

import hypothesis
from hypothesis import strategies
import testtools

from osc_glance_replicate.engine import comparison
from osc_glance_replicate.model import plan
from osc_glance_replicate.planning import alignment
from osc_glance_replicate.planning import decisions
from osc_glance_replicate.planning import order
from osc_glance_replicate.reporting import plan_report
from osc_glance_replicate.tests.oracle import catalogues
from osc_glance_replicate.tests.oracle import examples
from osc_glance_replicate.tests.oracle import model

WRITES = frozenset((plan.Verb.COPY, plan.Verb.UPDATE))


def make_plan(case):
    planner = decisions.Planner(
        case.selection, metadata_only=case.metadata_only, extra=case.extra
    )
    rows = alignment.rows(
        case.source, case.destinations, case.selection, whole=case.extra
    )
    names = [destination.name for destination in case.destinations]
    sequence = order.Order(
        planner,
        names,
        lambda image_id: alignment.row(
            case.source, case.destinations, image_id
        ),
    )
    return list(sequence.actions(rows))


def carry_out(case, actions):
    """Do what a plan says.

    :returns: what livecopy reports, by ID and destination
    """
    by_name = {place.name: place for place in case.destinations}
    results = {}
    for action in actions:
        place = by_name[action.to]
        results[action.image.id, action.to] = place.apply(action, case.source)
    return results


def is_taken(case, action):
    """Say whether only a write can tell that an ID is in use there."""
    return action.replica is None and any(
        place.name == action.to and place.occupied(action.image.id)
        for place in case.destinations
    )


class TestPlanner(testtools.TestCase):
    @examples.settings(150)
    @hypothesis.given(catalogues.cases(catalogues.Kind()))
    def test_second_plan_is_empty(self, case):
        source = copy.deepcopy(case.source.stored)
        first = make_plan(case)
        results = carry_out(case, first)
        # The runner waits for other uploads, and plans that image anew.
        for place in case.destinations:
            place.settle()
        results |= {
            key: result
            for key, result in carry_out(case, make_plan(case)).items()
            if results[key] == 'failed'
        }
        second = make_plan(case)

        self.assertEqual(source, case.source.stored)
        self._check_complete(case, first)
        for was, now in zip(first, second, strict=True):
            self.assertEqual(
                now.verb is plan.Verb.FAIL,
                any(
                    catalogues.is_broken(image.record)
                    for image in (was.image, was.replica)
                    if image and was.verb is not plan.Verb.EXTRA
                ),
            )
            key = now.image.id, now.to
            if was.told_as:
                # Or what was taken away was all that differed.
                self.assertIn(
                    now.verb, (was.told_as, plan.Verb.UNCHANGED), (was, now)
                )
            elif was.proof and results[key] == 'conflict':
                # It is found out anew each time.
                self.assertEqual(was.proof, now.proof, (was, now))
            elif was.verb in WRITES and now.verb is plan.Verb.SKIP:
                # It was withdrawn, and follows in nothing else.
                self.assertRegex(now.reason, 'encrypted|volume-backed')
            elif was.verb in WRITES and not is_taken(case, now):
                self.assertEqual(plan.Verb.UNCHANGED, now.verb, (was, now))
                self.assertNotEqual('failed', results[key])
            else:
                # Nothing happened to it, and so nothing is said anew.
                self.assertEqual(was.verb, now.verb, (was, now))
            if now.verb is plan.Verb.UNCHANGED:
                self._check_replica(case, now)
        self._check_comparison(
            [action for action in second if not is_taken(case, action)]
        )

    def _check_complete(self, case, actions):
        """Whatever is meant is planned, and skipped for a reason only."""
        planned = {(action.image.id, action.to): action for action in actions}
        named = case.selection.images
        for image in (
            map(case.source.find, named) if named else case.source.images()
        ):
            meant = case.selection.matches(image)
            for place in case.destinations:
                action = planned.get((image.id, place.name))
                if not meant:
                    self.assertIn(
                        action and action.verb,
                        (None, plan.Verb.SKIP, plan.Verb.FAIL),
                    )
                elif (
                    image.record['status'] == 'active'
                    and not image.record.get('os_hidden')
                    and not case.metadata_only
                    and action.verb is plan.Verb.SKIP
                ):
                    self.assertRegex(action.reason, 'encrypted|volume-backed')
                else:
                    self.assertIsNotNone(action)

    def _check_replica(self, case, action):
        """What the planner finds equal is equal, whoever looks at it."""
        (place,) = (p for p in case.destinations if p.name == action.to)
        image = case.source.stored[action.image.id]
        replica = place.stored[action.image.id]
        self.assertEqual(len(image.data), len(replica.data))
        if 'verified by size only: no hash recorded' not in action.reason:
            self.assertEqual(image.data, replica.data)
        self.assertEqual(image.record['status'], replica.record['status'])
        for field, default in model.SHARED.items():
            self.assertEqual(
                image.record.get(field, default),
                replica.record.get(field, default),
                field,
            )
        self.assertLessEqual(
            model.properties(image.record).items(),
            model.properties(replica.record).items(),
        )
        self.assertLessEqual(
            set(image.record.get('tags', ())),
            set(replica.record.get('tags', ())),
        )

    def _check_comparison(self, actions):
        """Compare tells of nothing but what livecopy could not change."""
        tell = plan_report.CompareReport(for_people=False)
        rows = list(tell.rows(lambda: map(comparison.planned, actions)))
        remaining = collections.Counter(
            action.verb
            for action in actions
            if action.verb
            in (plan.Verb.CONFLICT, plan.Verb.FAIL, plan.Verb.EXTRA)
            # Its data proved to be another.
            or action.proof
        )
        self.assertEqual(remaining.total(), len(rows))
        for _, _, _, difference, _, _ in rows:
            self.assertIn(
                difference,
                ('conflict', 'incomplete', 'failed', 'extra', 'metadata'),
            )
        expected = plan_report.DIFFERENT if rows else 0
        self.assertEqual(
            1 if remaining[plan.Verb.FAIL] else expected, tell.exit_code
        )

    @examples.settings(60)
    @hypothesis.given(
        catalogues.cases(
            catalogues.Kind(formats=True, alike=True), most_destinations=1
        )
    )
    def test_formats_of_data_are_no_update(self, case):
        """Nobody can change them: that is a conflict, not a plan."""
        self._check_converges(case)

    @examples.settings(60)
    @hypothesis.given(
        catalogues.cases(
            catalogues.Kind(unpatchable=True, alike=True), most_destinations=1
        )
    )
    def test_what_no_patch_can_set_is_no_update(self, case):
        """Neither is it for the property names that Glance mistakes."""
        self._check_converges(case)

    def _check_converges(self, case):
        for _ in range(2):
            carry_out(case, make_plan(case))
            for place in case.destinations:
                place.settle()
        self.assertEqual(
            [],
            [
                action
                for action in make_plan(case)
                if action.verb in WRITES and not is_taken(case, action)
            ],
        )


class TestModel(testtools.TestCase):
    """The model does notice what a plan must not say."""

    @examples.settings(30)
    @hypothesis.given(
        catalogues.cases(catalogues.Kind()),
        strategies.sampled_from(sorted(WRITES, key=str)),
    )
    def test_overwriting_and_deleting_are_noticed(self, case, verb):
        (place, *_) = case.destinations
        for action in make_plan(case):
            image = case.source.stored.get(action.image.id)
            if action.to != place.name or image is None:
                continue
            replica = place.stored.get(action.image.id)
            if verb is plan.Verb.COPY and replica and replica.data is not None:
                self.assertRaises(
                    model.Forbidden,
                    place.apply,
                    action.with_verb(verb, ''),
                    case.source,
                )
            if verb is plan.Verb.UPDATE and replica and replica.data is None:
                self.assertRaises(
                    model.Forbidden,
                    place.apply,
                    action.with_verb(verb, '', changes=(mock.ANY,)),
                    case.source,
                )
            if replica and replica.data not in (None, image.data):
                name = plan.Change('name', 'new', 'old')
                self.assertRaises(
                    model.Forbidden,
                    place.apply,
                    # Neither is it read, nor does it take anything away.
                    action.with_verb(
                        plan.Verb.UPDATE, '', changes=(name,), proof=''
                    ),
                    case.source,
                )
