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

import copy
import os
from unittest import mock

import hypothesis
from hypothesis import strategies
import testtools

from osc_glance_replicate import catalogue
from osc_glance_replicate import plan
from osc_glance_replicate import report
from osc_glance_replicate.tests import catalogues
from osc_glance_replicate.tests import model

WRITES = frozenset((plan.Verb.COPY, plan.Verb.UPDATE))

SETTINGS = hypothesis.settings(
    max_examples=400,
    deadline=None,
    database=None,
    derandomize=bool(os.environ.get('CI')),
    suppress_health_check=list(hypothesis.HealthCheck),
)


def make_plan(case):
    planner = plan.Planner(
        case.selection, metadata_only=case.metadata_only, extra=case.extra
    )
    rows = catalogue.rows(
        case.source, case.destinations, case.selection, whole=case.extra
    )
    names = [destination.name for destination in case.destinations]
    return list(planner.plan(rows, names))


def carry_out(case, actions):
    """Do what a plan says, once more where another upload is in the way."""
    by_name = {place.name: place for place in case.destinations}
    results = {}
    for action in actions:
        place = by_name[action.to]
        results[action.image.id, action.to] = place.apply(action, case.source)
    return results


def compare(actions):
    """Give what compare tells of a plan, and its exit code."""
    tell = report.Differences(for_people=False)
    return list(tell.rows(actions)), tell.exit_code


class TestPlanner(testtools.TestCase):
    @SETTINGS
    @hypothesis.given(catalogues.cases(catalogues.Kind()))
    def test_second_plan_is_empty(self, case):
        before = copy.deepcopy(case.source.stored)
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

        self.assertEqual(before, case.source.stored)
        taken = {
            (image_id, place.name)
            for place in case.destinations
            for image_id in place.taken
        }
        for was, now in zip(first, second, strict=True):
            key = now.image.id, now.to
            if was.verb in WRITES and key not in taken:
                self.assertEqual(plan.Verb.UNCHANGED, now.verb, (was, now))
                self.assertNotEqual('failed', results[key])
            else:
                # Nothing happened to it, and so nothing is said anew.
                self.assertEqual(was.verb, now.verb, (was, now))

        visible = [a for a in second if (a.image.id, a.to) not in taken]
        rows, code = compare(visible)
        verbs = {action.verb for action in visible}
        for _, _, _, difference, _ in rows:
            self.assertIn(
                difference, ('conflict', 'incomplete', 'failed', 'extra')
            )
        self.assertEqual(
            sum(
                action.verb
                in (plan.Verb.CONFLICT, plan.Verb.FAIL, plan.Verb.EXTRA)
                for action in visible
            ),
            len(rows),
        )
        if plan.Verb.FAIL in verbs:
            self.assertEqual(1, code)
        else:
            self.assertEqual(report.DIFFERENT if rows else 0, code)

    @SETTINGS
    @hypothesis.given(catalogues.cases(catalogues.Kind()))
    def test_what_is_the_same_is_the_same_indeed(self, case):
        carry_out(case, make_plan(case))
        by_name = {place.name: place for place in case.destinations}
        for action in make_plan(case):
            if action.verb is not plan.Verb.UNCHANGED:
                continue
            image = case.source.stored[action.image.id]
            replica = by_name[action.to].stored[action.image.id]
            self.assertEqual(len(image.data), len(replica.data))
            if 'size only' not in action.reason:
                self.assertEqual(image.data, replica.data)
            self.assertEqual(image.record['status'], replica.record['status'])
            for field, default in model.SHARED.items():
                self.assertEqual(
                    image.record.get(field, default),
                    replica.record.get(field, default),
                )
            self.assertLessEqual(
                model.properties(image.record).items(),
                model.properties(replica.record).items(),
            )
            self.assertLessEqual(
                set(image.record.get('tags', ())),
                set(replica.record.get('tags', ())),
            )

    @SETTINGS
    @hypothesis.given(catalogues.cases(catalogues.Kind()))
    def test_all_that_is_meant_is_planned(self, case):
        """Each image that is to be copied is there after, or is named."""
        actions = make_plan(case)
        carry_out(case, actions)
        planned = {(action.image.id, action.to): action for action in actions}
        for image_id, image in case.source.stored.items():
            record = case.source.find(image_id)
            meant = (
                image_id in case.selection.images
                if case.selection.images
                else True
            ) and case.selection.matches(record)
            for place in case.destinations:
                action = planned.get((image_id, place.name))
                if not meant:
                    self.assertTrue(
                        action is None
                        or action.verb in (plan.Verb.SKIP, plan.Verb.FAIL)
                    )
                    continue
                self.assertIsNotNone(action)
                if (
                    image.record['status'] == 'active'
                    and not image.record.get('os_hidden')
                    and not case.metadata_only
                    and action.verb is plan.Verb.SKIP
                ):
                    self.assertRegex(action.reason, 'encrypted|volume-backed')

    @SETTINGS
    @hypothesis.given(
        catalogues.cases(catalogues.Kind(formats=True), most_destinations=1)
    )
    def test_formats_of_data_are_no_update(self, case):
        """Nobody can change them: that is a conflict, not a plan."""
        self._check_converges(case)

    @SETTINGS
    @hypothesis.given(
        catalogues.cases(
            catalogues.Kind(unpatchable=True), most_destinations=1
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
                if action.verb in WRITES
                and action.image.id not in case.destinations[0].taken
            ],
        )


class TestModel(testtools.TestCase):
    """The model does notice what a plan must not say."""

    @SETTINGS
    @hypothesis.given(
        catalogues.cases(catalogues.Kind()),
        strategies.sampled_from(sorted(WRITES, key=str)),
    )
    def test_overwriting_and_deleting_are_noticed(self, case, verb):
        (place, *_) = case.destinations
        for action in make_plan(case):
            if action.to != place.name or action.verb is plan.Verb.EXTRA:
                continue
            image = case.source.stored[action.image.id]
            replica = place.stored.get(action.image.id)
            if verb is plan.Verb.COPY and replica and replica.data is not None:
                self.assertRaises(
                    model.Forbidden,
                    place.apply,
                    action.instead(verb, ''),
                    case.source,
                )
            if verb is plan.Verb.UPDATE and replica and replica.data is None:
                self.assertRaises(
                    model.Forbidden,
                    place.apply,
                    action.instead(verb, '', changes=(mock.ANY,)),
                    case.source,
                )
            if replica and replica.data not in (None, image.data):
                self.assertRaises(
                    model.Forbidden,
                    place.apply,
                    action.instead(plan.Verb.UPDATE, ''),
                    case.source,
                )
