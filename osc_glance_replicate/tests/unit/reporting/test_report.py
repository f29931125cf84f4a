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

import errno
import os
import signal

import fixtures
import testtools

from osc_glance_replicate.engine import verify
from osc_glance_replicate import errors
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan
from osc_glance_replicate.reporting import report
from osc_glance_replicate import signals
from osc_glance_replicate.tests.doubles import dumps
from osc_glance_replicate.tests.doubles import samples


def outcome(result, *, routine=False, **fields):
    action = plan.Action(
        samples.image(**fields), 'slave', plan.Verb.COPY, routine=routine
    )
    return outcomes.Outcome(action, outcomes.Result(result), 'why\x1b')


class TestReport(testtools.TestCase):
    def report(self, outcomes, **options):
        options = {
            'show_all': False,
            'dry_run': False,
            **options,
        }
        self.told = report.CopyReport(**options)
        return list(self.told.rows(lambda: outcomes))

    def test_row(self):
        (row,) = self.report([outcome('copied', name='a\nb')])
        self.assertEqual(
            (samples.image().id, r'a\nb', 4, 'slave', 'copied', r'why\x1b'),
            row,
        )

    def test_what_belongs_to_one_other_project_is_one_row(self):
        def conflict(
            number, project, more=': run as it, or --owner as before'
        ):
            action = plan.Action(
                samples.image(number),
                'slave',
                plan.Verb.CONFLICT,
                samples.image(number),
                reason=f'belongs to project {project} there{more}',
                foreign=project,
            )
            return outcomes.as_planned(action)

        told = [
            conflict(1, 'demo'),
            conflict(2, 'alt'),
            conflict(3, 'demo', ', deactivated at its source'),
            conflict(4, 'demo'),
        ]
        rows = self.report(told, fold=True)
        self.assertEqual(3, len(rows))
        self.assertIn('deactivated at its source', rows[0][-1])
        self.assertEqual(
            (
                *('', '', '', 'slave', 'conflict'),
                '2 belong to project demo there: run as it, or --owner as '
                'before',
            ),
            rows[1],
        )
        self.assertIn('belongs to project alt there: ', rows[2][-1])
        self.assertIn('4 conflict', self.told.summary)
        for options in {}, {'fold': True, 'show_all': True}:
            self.assertEqual(4, len(self.report(told, **options)))

    def test_table_ends_with_what_failed(self):
        told = [
            outcomes.Outcome(
                plan.Action(samples.image(number), 'slave', plan.Verb.COPY),
                result,
            )
            for number, result in enumerate(
                (
                    outcomes.Result.FAILED,
                    outcomes.Result.COPIED,
                    outcomes.Result.CONFLICT,
                    outcomes.Result.UPDATED,
                )
            )
        ]
        for options, numbers in (
            ({'fold': True}, [1, 3, 0, 2]),
            ({'fold': True, 'show_all': True}, [1, 3, 0, 2]),
            # Who reads them one by one has each at once.
            ({}, [0, 1, 2, 3]),
        ):
            rows = self.report(told, **options)
            self.assertEqual(
                [samples.image(number).id for number in numbers],
                [row[0] for row in rows],
            )

    def test_what_is_folded_is_told_of_when_the_run_breaks_off(self):
        def broken():
            action = plan.Action(
                samples.image(2),
                'slave',
                plan.Verb.CONFLICT,
                reason=plan.left_to('demo'),
                foreign='demo',
            )
            yield outcomes.as_planned(action)
            raise errors.PlaceError('slave', 'gone')

        (row,) = self.report(broken(), fold=True)
        self.assertEqual(plan.left_to('demo'), row[-1])

    def unanswered(self, number, reason, to='slave'):
        action = plan.Action(samples.image(number), to, plan.Verb.COPY)
        return outcomes.failed(action, reason, unanswered=1.0)

    def test_what_got_no_answer_is_one_row(self):
        down = 'slave is down since 01:44: not tried'
        told = [
            *(self.unanswered(number, down) for number in (1, 2, 3)),
            *(self.unanswered(number, 'refused') for number in (4, 5)),
            self.unanswered(6, 'refused', 'other'),
            outcome('failed', number=7),
        ]
        rows = self.report(told, fold=True)
        self.assertEqual(
            [
                'why\\x1b',
                'slave is down since 01:44: 3 images not tried',
                '2 images: refused',
                'refused',
            ],
            [row[-1] for row in rows],
        )
        self.assertEqual(('', '', '', 'slave', 'failed'), rows[1][:-1])
        self.assertEqual('other', rows[3][3])
        self.assertIn('7 failed', self.told.summary)
        self.assertEqual(7, len(self.report(told, fold=True, show_all=True)))
        # For programs it is complete.
        rows = self.report(told, for_people=False)
        self.assertEqual([down] * 3, [row[-1] for row in rows[:3]])

    def test_destination_that_cannot_be_used_has_a_row(self):
        problem = "Cannot use cloud 'r2': is down\x1b"
        for options, row in (
            ({}, ('', '', '', 'r2', 'failed', f'{problem[:-1]}\\x1b')),
            (
                {'for_people': False},
                (None, None, None, 'r2', 'failed', problem),
            ),
        ):
            told = report.CopyReport(**options)
            told.unusable = {'r2': problem}
            copied = outcome('copied')
            self.assertEqual(row, list(told.rows(lambda: [copied]))[-1])
            self.assertEqual(1, told.exit_code)
            self.assertIn('not used: r2; see Reason', told.summary)
        # A listing may break after images have arrived.
        told.unusable = {'r2': problem, 'slave': problem}
        self.assertIn('not used: r2; not finished: slave;', told.summary)
        told = report.CopyReport(tell_unusable=False)
        told.unusable = {'r2': problem}
        self.assertEqual([], list(told.rows(lambda: [])))
        self.assertEqual(1, told.exit_code)

    def test_dry_run_without_a_destination_is_a_failure(self):
        told = report.CopyReport(dry_run=True)
        self.assertEqual(0, told.exit_code)
        told.unusable = {'r2': 'is down'}
        self.assertEqual(1, told.exit_code)

    def test_no_field_of_a_record_steers_the_terminal(self):
        evil = '\x1b[2J'
        fields = dict.fromkeys(samples.image().record, evil)
        (row,) = self.report([outcome('failed', **fields)])
        self.assertNotIn('\x1b', ''.join(map(str, row)))

    def test_machines_get_names_as_they_are(self):
        (row,) = self.report(
            [outcome('copied', name='a\nb')], for_people=False
        )
        self.assertEqual('a\nb', row[1])

    def test_long_names_widen_no_table(self):
        long = 'x' * 100_000
        (row,) = self.report([outcome('failed', name=long, id=long)])
        self.assertLess(max(len(str(cell)) for cell in row), 300)
        (row,) = self.report([outcome('failed', name=long)], for_people=False)
        self.assertEqual(long, row[1])

    def test_rows_that_need_no_eye(self):
        outcomes = [outcome('unchanged', routine=True), outcome('failed')]
        self.assertEqual(1, len(self.report(outcomes)))
        self.assertEqual(2, len(self.report(outcomes, show_all=True)))
        self.assertIn('1 failed, 1 unchanged', self.told.summary)

    def test_exit_code(self):
        for result, code in (
            ('copied', 0),
            ('updated', 0),
            ('unchanged', 0),
            ('skipped', 0),
            ('conflict', 1),
            ('failed', 1),
        ):
            self.report([outcome('copied'), outcome(result)])
            self.assertEqual(code, self.told.exit_code)
            self.report([outcome(result)], dry_run=True)
            self.assertEqual(0, self.told.exit_code)

    def test_early_end_is_kept_until_the_rows_are_shown(self):
        def outcomes(trouble):
            yield outcome('copied')
            raise trouble

        for trouble, code in (
            (errors.PlaceError('master', 'gone'), 1),
            (ValueError('a defect of ours'), 1),
            (signals.Ended(signal.SIGINT), 130),
            (signals.Ended(signal.SIGTERM), 143),
        ):
            self.assertEqual(1, len(self.report(outcomes(trouble))))
            self.assertIs(trouble, self.told.trouble)
            self.assertEqual(code, self.told.exit_code)

    def test_trouble_before_the_first_row(self):
        def cloud():
            raise errors.CloudError('slave', 'gone')

        told = report.CopyReport()
        self.assertEqual([], list(told.rows(cloud)))
        self.assertEqual(1, told.exit_code)
        self.assertEqual('', told.summary)

    def test_summary_counts_bytes_that_moved(self):
        self.report([outcome('copied', size=10**9), outcome('updated')])
        self.assertIn('1.0 GB in', self.told.summary)
        self.report([outcome('copy', size=10**9)], dry_run=True)
        self.assertEqual('Dry run: 1 copy; 1.0 GB to copy', self.told.summary)

    def test_summary_says_what_to_do_next(self):
        self.report([outcome('copied'), outcome('updated')])
        self.assertTrue(self.told.summary.endswith(' in 0 s'))
        for result in 'failed', 'conflict':
            self.report([outcome('copied'), outcome(result)])
            self.assertEqual(
                '4 bytes in 0 s; see Reason, mend it and run the same command '
                'again',
                self.told.summary.split('; ', 1)[1],
            )
            self.report([outcome(result)], dry_run=True)
            self.assertEqual(
                f'Dry run: 1 {result}; 0 bytes to copy; see Reason, mend it',
                self.told.summary,
            )

    def test_summary_of_what_was_interrupted(self):
        def outcomes():
            yield outcome('failed')
            raise signals.Ended(signal.SIGINT)

        self.report(outcomes())
        self.assertEqual(
            '1 failed; 0 bytes in 0 s; interrupted: run the same command '
            'again for the rest',
            self.told.summary,
        )


class TestVerifyReport(dumps.VerifyTest):
    def test_what_to_do_next(self):
        image = self.put_image()
        self.assertTrue(self.told().summary.endswith(' s'))
        self.put(f'{image.id}.img', b'datA')
        self.assertIn(
            '1 damaged; 0 bytes verified in 0 s; remove what is damaged, '
            'then dump or copy it again',
            self.told().summary,
        )
        self.put(f'{image.id}.img', b'da')
        self.assertTrue(
            self.told().summary.endswith(' s; dump or copy it again')
        )

    def test_files_of_another_user(self):
        image = self.put_image()

        def open_or_not(name, *arguments, **options):
            if name == closed:
                raise PermissionError(errno.EACCES, 'Permission denied')
            return os_open(name, *arguments, **options)

        # Root may read anything.
        os_open = os.open
        self.useFixture(fixtures.MonkeyPatch('os.open', open_or_not))
        for closed in image.id, f'{image.id}.img':
            (finding,) = self.verify()
            self.assertEqual('unread', finding.result)
            self.assertIn('Permission denied', finding.reason)
            tell = self.told()
            self.assertEqual(1, tell.exit_code)
            self.assertIn('as a user who may read', tell.summary)
            self.assertNotIn('remove', tell.summary)

    def test_interrupted(self):
        def findings():
            yield verify.Finding(
                '', '', 4, outcomes.Result.UNREAD, 'interrupted'
            )
            raise signals.Ended(signal.SIGINT)

        tell = report.VerifyReport()
        list(tell.rows(findings))
        self.assertTrue(
            tell.summary.endswith(
                '; interrupted: run the same command again for the rest'
            )
        )
