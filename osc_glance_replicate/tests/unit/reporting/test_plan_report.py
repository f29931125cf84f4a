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

from osc_glance_replicate.engine import comparison
from osc_glance_replicate.model import difference as differences
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan
from osc_glance_replicate.reporting import plan_report
from osc_glance_replicate import signals
from osc_glance_replicate.tests.doubles import samples


def found(*actions):
    """Return what records tell of images."""
    return map(comparison.planned, actions)


class TestDifferences(testtools.TestCase):
    def test_named_image_that_is_not_compared(self):
        for routine, summary in (
            (True, 'no images'),
            (False, 'no images; 1 not compared: livecopy --dry-run tells why'),
        ):
            told = plan_report.CompareReport()
            skipped = plan.Action(
                samples.image(), 'slave', plan.Verb.SKIP, routine=routine
            )
            self.assertEqual([], list(told.rows(lambda: found(skipped))))
            self.assertEqual(summary, told.summary)
            self.assertEqual(0, told.exit_code)

    def test_destination_that_cannot_be_used_is_unknown(self):
        told = plan_report.CompareReport(for_people=False)
        told.unusable = {'r2': 'is down'}
        action = samples.action(1)
        self.assertEqual(
            [
                (action.image.id, '', 'slave', 'missing', '', []),
                (None, None, 'r2', 'unknown', 'is down', []),
            ],
            [(*row[:1], '', *row[2:]) if row[0] else row
             for row in told.rows(lambda: found(action))],
        )  # fmt: skip
        # Not 3: what differs is not known.
        self.assertEqual(1, told.exit_code)
        self.assertIn('unknown: r2', told.summary)

    def test_what_serves_is_the_same(self):
        told = plan_report.CompareReport(show_all=True)
        served = plan.Action(
            samples.image(),
            'slave',
            plan.Verb.SKIP,
            reason='public there',
            serves=True,
        )
        ((*_, difference, detail),) = told.rows(lambda: found(served))
        self.assertEqual(('same', 'public there'), (difference, detail))
        self.assertEqual(0, told.exit_code)

    def test_what_nothing_proves_is_a_conflict(self):
        told = plan_report.CompareReport()
        action = plan.Action(
            samples.image(),
            'slave',
            plan.Verb.UPDATE,
            samples.image(),
            changes=(plan.Change('name', 'a', 'b'),),
            told_as=plan.Verb.CONFLICT,
            reason='why',
        )
        ((*_, difference, detail),) = told.rows(lambda: found(action))
        self.assertEqual(('conflict', 'why'), (difference, detail))
        told = plan_report.CompareReport()
        action = dataclasses.replace(action, told_as=plan.Verb.FAIL)
        ((*_, difference, detail),) = told.rows(lambda: found(action))
        self.assertEqual(('failed', 'why'), (difference, detail))
        self.assertEqual(1, told.exit_code)

    def test_what_waits_says_so(self):
        waits = 'waits for new, which brings the name'
        action = plan.Action(
            samples.image(), 'slave', plan.Verb.UPDATE,
            changes=(plan.Change('name', 'old', 'a'),), reason='why',
            successor=plan.Successor('new'),
        )  # fmt: skip
        for told_as, detail, fields in (
            (
                None,
                f"name: 'old' (slave: 'a'); {waits}",
                [{'field': 'name', 'source': 'old', 'destination': 'a'}],
            ),
            (plan.Verb.FAIL, f'why; {waits}', []),
        ):
            action = dataclasses.replace(action, told_as=told_as)
            for for_people, last in (
                (True, [detail]),
                (False, [detail, fields]),
            ):
                told = plan_report.CompareReport(for_people=for_people)
                (row,) = told.rows(lambda action=action: found(action))
                self.assertEqual(last, list(row[4:]))

    def test_what_is_incomplete_says_what_completes_it(self):
        image = samples.image()
        for status, verb, told in (
            ('queued', 'livecopy', 'queued there, no data; livecopy'),
            ('active', 'dump', 'not whole there; dump'),
        ):
            action = plan.Action(
                image, 'slave', plan.Verb.COPY, samples.image(status=status)
            )
            report = plan_report.CompareReport(completed_by=verb)
            ((*_, difference, detail),) = report.rows(
                lambda action=action: found(action)
            )
            self.assertEqual('incomplete', difference)
            self.assertEqual(f'{told} completes it', detail)

    def test_what_is_read_to_prove_counts(self):
        told = plan_report.SizeReport()
        told.begin(['slave'])
        for proof, size in ('sha512', 4), ('', 0):
            action = plan.Action(
                samples.image(), 'slave', plan.Verb.UPDATE, proof=proof
            )
            told.begin(['slave'])
            (row,) = told.rows(lambda action=action: [action])
            self.assertEqual(('slave', 0, size), row[:3])

    def test_long_values_hide_no_other(self):
        long = 'x' * 100_000
        changes = (
            plan.Change(long, long, None),
            plan.Change('tags', [long], []),
            plan.Change('name', 'old', 'new'),
        )
        action = plan.Action(
            samples.image(name=long), 'slave', plan.Verb.UPDATE,
            changes=changes,
        )  # fmt: skip
        for for_people in True, False:
            told = plan_report.CompareReport(for_people=for_people)
            ((_, name, *_, detail),) = told.rows(lambda: found(action))
            if for_people:
                self.assertLess(len(name), 300)
                self.assertLess(len(detail), 1000)
                self.assertIn("name: 'old' (slave: 'new')", detail)
            else:
                self.assertEqual((long, long), (name, detail[0]['source']))

    def test_what_to_do_next(self):
        told = plan_report.CompareReport()
        failed = plan.Action(samples.image(), 'slave', plan.Verb.FAIL, 'why')
        list(told.rows(lambda: found(failed)))
        self.assertEqual(
            '1 failed; see Detail, mend it and run the same command again',
            told.summary,
        )
        self.assertEqual(1, told.exit_code)

    def test_record_without_data(self):
        """Whatever livecopy would make of it."""
        for verb in plan.Verb.COPY, plan.Verb.CONFLICT:
            told = plan_report.CompareReport()
            queued = plan.Action(
                samples.image(), 'slave', verb, samples.image(status='queued')
            )
            ((*_, difference, _),) = told.rows(lambda: found(queued))
            self.assertEqual('incomplete', difference)


class TestData(testtools.TestCase):
    """What became of data that was to be read."""

    def rows(self, *findings, **options):
        self.told = plan_report.CompareReport(**options)
        return list(self.told.rows(lambda: findings))

    def finding(self, difference, data, detail='', **fields):
        action = samples.action(verb=plan.Verb.UNCHANGED)
        return comparison.Finding(action, difference, detail, data, **fields)

    def test_what_was_read(self):
        same = self.finding(differences.Difference.SAME, outcomes.Result.OK)
        edited = self.finding(None, outcomes.Result.OK)
        self.assertEqual([], self.rows(same, edited))
        self.assertEqual('1 same; 8.0 MB verified in 0 s', self.told.summary)
        self.assertEqual(0, self.told.exit_code)
        ((*_, detail),) = self.rows(same, show_all=True)
        self.assertEqual('', detail)

    def test_damage_is_a_difference(self):
        rotten = self.finding(
            differences.Difference.DATA, outcomes.Result.DAMAGED, 'bits'
        )
        ((*_, difference, detail, fields),) = self.rows(
            rotten, for_people=False
        )
        self.assertEqual(('data', 'bits', []), (difference, detail, fields))
        self.assertEqual(3, self.told.exit_code)
        self.assertIn('1 data; 0 bytes verified in', self.told.summary)

    def test_what_could_not_be_read_comes_first(self):
        rotten = self.finding(
            differences.Difference.DATA, outcomes.Result.DAMAGED
        )
        unread = self.finding(
            differences.Difference.UNREAD, outcomes.Result.UNREAD, 'why'
        )
        self.assertEqual(2, len(self.rows(rotten, unread)))
        self.assertEqual(1, self.told.exit_code)
        self.assertIn('see Detail, mend it', self.told.summary)

    def test_what_is_deactivated_is_told_once(self):
        closed = [
            self.finding(difference, outcomes.Result.SKIPPED, 'not read')
            for difference in (differences.Difference.SAME, None)
        ]
        self.assertEqual([], self.rows(*closed))
        (told,) = self.told.problems
        self.assertIn('2 in slave', told)
        self.assertEqual(0, self.told.exit_code)
        self.assertNotIn('not compared', self.told.summary)

    def test_what_got_no_answer_is_one_row(self):
        unread = [
            self.finding(
                differences.Difference.UNREAD,
                outcomes.Result.UNREAD,
                f'slave is silent (req-{number})',
                unanswered=1.0,
            )
            for number in range(5)
        ]
        ((*_, to, difference, detail),) = self.rows(*unread, fold=True)
        self.assertEqual(
            ('slave', 'unread', '5 images: slave is silent'),
            (to, difference, detail),
        )
        self.assertEqual(5, len(self.rows(*unread)))

    def test_interrupted(self):
        def findings():
            yield self.finding(
                differences.Difference.DATA, outcomes.Result.DAMAGED
            )
            raise signals.Ended(2)

        told = plan_report.CompareReport()
        self.assertEqual(1, len(list(told.rows(findings))))
        self.assertEqual(130, told.exit_code)
        self.assertIn('interrupted: run the same', told.summary)


class TestSizes(testtools.TestCase):
    def test_destination_that_cannot_be_used_has_no_numbers(self):
        for options, row in (
            ({}, ('r2', '', '', '')),
            ({'for_people': False}, ('r2', None, None, None)),
        ):
            told = plan_report.SizeReport(**options)
            told.begin(['slave', 'r2'])
            told.unusable = {'r2': 'is down'}
            action = samples.action(1)
            self.assertEqual(
                [('slave', 1, action.image.size, '4.0 MB'), row],
                list(told.rows(lambda action=action: [action])),
            )
            self.assertEqual(1, told.exit_code)
            self.assertEqual('not known: r2', told.summary)
