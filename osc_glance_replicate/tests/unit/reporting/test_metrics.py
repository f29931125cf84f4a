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

import datetime
import os
import pathlib
import sys
import time
from unittest import mock

import fixtures
from prometheus_client import parser
import testtools

from osc_glance_replicate.engine import comparison
from osc_glance_replicate import errors
from osc_glance_replicate.model import difference
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan
from osc_glance_replicate.reporting import metrics
from osc_glance_replicate.reporting import plan_report
from osc_glance_replicate.reporting import report
from osc_glance_replicate.tests.doubles import samples

_OLD, _NEW = '2026-11-01T00:00:00Z', '2026-11-20T00:00:00Z'


def _seconds(text):
    return datetime.datetime.fromisoformat(text).timestamp()


def _outcome(result, to='slave', changed=_NEW, replica=None, **fields):
    image = samples.image(updated_at=changed, **fields)
    action = plan.Action(image, to, plan.Verb.COPY, replica)
    return outcomes.Outcome(action, outcomes.Result(result))


class MetricsTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        directory = self.useFixture(fixtures.TempDir()).path
        self.path = pathlib.Path(directory, 'nightly.prom')

    def run_one(self, items, to=('slave',), verb='livecopy', **troubles):
        """Write the file of a run."""
        fail_fast = troubles.get('fail_fast', False)
        kept = metrics.Metrics(str(self.path), verb, fail_fast)
        told = (
            plan_report.CompareReport()
            if verb == 'compare'
            else report.CopyReport()
        )

        def counted():
            told.to = to
            told.unusable = troubles.get('unusable', {})
            yield from kept.counting(items)
            if trouble := troubles.get('trouble'):
                raise trouble

        list(told.rows(counted))
        if troubles.get('begins', True) is False:
            told.to = ()
        kept.write(told)
        return told

    def values(self, name, **labels):
        """Return the samples of a name, without those labels, in order."""
        return [
            (
                {k: v for k, v in sample.labels.items() if k not in labels},
                sample.value,
            )
            for family in parser.text_string_to_metric_families(
                self.path.read_text()
            )
            for sample in family.samples
            if sample.name == f'glance_replicate_{name}'
            and labels.items() <= sample.labels.items()
        ]

    def value(self, name, **labels):
        """Return the one value of a name, which may have other labels."""
        ((_, value),) = self.values(name, **labels)
        return value


class TestRun(MetricsTest):
    def test_all_is_well(self):
        before = time.time()
        self.run_one([_outcome('copied', data=b'four'), _outcome('unchanged')])
        for name in 'last_run', 'last_success':
            told = self.value(f'{name}_timestamp_seconds')
            self.assertTrue(before <= told <= time.time())
        self.assertEqual(0, self.value('last_run_exit_code'))
        self.assertTrue(0 <= self.value('last_run_duration_seconds') < 60)
        self.assertEqual(4, self.value('bytes'))
        self.assertEqual(1, self.value('destination_usable'))
        counts = {
            labels['result']: value for labels, value in self.values('images')
        }
        self.assertEqual(
            {
                'copied': 1, 'updated': 0, 'unchanged': 1, 'skipped': 0,
                'conflict': 0, 'failed': 0,
            },
            counts,
        )  # fmt: skip
        self.assertEqual(0, self.value('oldest_missing_timestamp_seconds'))
        self.assertEqual(0, self.value('oldest_conflict_timestamp_seconds'))

    def test_labels(self):
        self.run_one([_outcome('copied')])
        ((labels, _),) = self.values('last_run_exit_code')
        self.assertEqual({'job': 'nightly', 'verb': 'livecopy'}, labels)
        ((labels, _),) = self.values('bytes')
        self.assertEqual(
            {'job': 'nightly', 'verb': 'livecopy', 'to': 'slave'}, labels
        )

    def test_oldest(self):
        there = samples.image(status='active')
        self.run_one(
            [
                _outcome('failed', changed=_NEW),
                _outcome('failed', changed=_OLD),
                # It is there, and only not as its source is.
                _outcome('failed', changed='2020-01-01T00:00:00Z',
                         replica=there),
                _outcome('skipped', changed='2020-01-01T00:00:00Z'),
                _outcome('conflict', changed='2021-01-01T00:00:00Z'),
                _outcome('copied', 'other'),
            ],
            to=('slave', 'other'),
        )  # fmt: skip
        for name, to, told in (
            ('missing', 'slave', _seconds(_OLD)),
            ('conflict', 'slave', _seconds('2021-01-01T00:00:00Z')),
            ('missing', 'other', 0),
            ('conflict', 'other', 0),
        ):
            name = f'oldest_{name}_timestamp_seconds'
            self.assertEqual(told, self.value(name, to=to), name)

    def test_success_is_kept_from_before(self):
        self.run_one([_outcome('copied')])
        good = self.value('last_success_timestamp_seconds')
        self.run_one([_outcome('failed')])
        self.assertEqual(good, self.value('last_success_timestamp_seconds'))
        self.assertLess(good, self.value('last_run_timestamp_seconds'))
        self.assertEqual(1, self.value('last_run_exit_code'))

    def test_success_that_never_was(self):
        self.run_one([_outcome('failed')])
        self.assertEqual(0, self.value('last_success_timestamp_seconds'))

    def test_what_is_unknown_goes_on_ageing(self):
        oldest = 'oldest_missing_timestamp_seconds'
        self.run_one([_outcome('failed', changed=_OLD)])
        error = errors.PlaceError('master', 'HTTP 503')
        for troubles in (
            {'trouble': error},
            {'unusable': {'slave': 'down'}},
            {'trouble': error, 'begins': False},
        ):
            self.run_one([], **troubles)
            self.assertEqual(_seconds(_OLD), self.value(oldest), troubles)
        self.run_one([_outcome('copied')])
        self.assertEqual(0, self.value(oldest))

    def test_what_was_not_begun_goes_on_ageing(self):
        """With --fail-fast, the oldest may come after the first failure."""
        oldest = 'oldest_missing_timestamp_seconds'
        self.run_one([_outcome('failed', changed=_OLD)])
        self.run_one([_outcome('failed', changed=_NEW)], fail_fast=True)
        self.assertEqual(_seconds(_OLD), self.value(oldest))
        self.run_one([_outcome('copied')], fail_fast=True)
        self.assertEqual(0, self.value(oldest))

    def test_destination_that_cannot_be_used(self):
        self.run_one(
            [_outcome('copied')], ('slave', 'east'), unusable={'east': 'down'}
        )
        usable = {
            labels['to']: value
            for labels, value in self.values('destination_usable')
        }
        self.assertEqual({'slave': 1, 'east': 0}, usable)
        oldest = 'oldest_missing_timestamp_seconds'
        self.assertEqual([], self.values(oldest, to='east'))

    def test_destination_that_is_left_out_from_now_on(self):
        self.run_one([], ('slave', 'east'))
        self.run_one([], ('slave',))
        self.assertEqual([], self.values('bytes', to='east'))

    def test_other_verbs_stay(self):
        self.run_one([_outcome('failed')], verb='dump')
        dumped = self.values('images', verb='dump')
        self.run_one([_outcome('copied')])
        self.assertEqual(dumped, self.values('images', verb='dump'))
        self.assertEqual(6, len(self.values('images', verb='livecopy')))

    def test_compare(self):
        def finding(found, verb, changed, data=None):
            action = plan.Action(samples.image(updated_at=changed), 'slave',
                                 verb)  # fmt: skip
            return comparison.Finding(action, found, data=data)

        self.run_one(
            [
                finding(difference.Difference.MISSING, plan.Verb.COPY, _OLD),
                finding(difference.Difference.CONFLICT, plan.Verb.CONFLICT,
                        _NEW),
                finding(None, plan.Verb.SKIP, _NEW),
                finding(difference.Difference.SAME, plan.Verb.UNCHANGED, _NEW,
                        outcomes.Result.OK),
            ],
            verb='compare',
        )  # fmt: skip
        self.assertEqual(3, self.value('last_run_exit_code'))
        self.assertEqual(1, self.value('images', result='missing'))
        self.assertEqual(0, self.value('images', result='data'))
        self.assertEqual(1, self.value('images', result='same'))
        oldest = 'oldest_{}_timestamp_seconds'
        self.assertEqual(_seconds(_OLD), self.value(oldest.format('missing')))
        self.assertEqual(_seconds(_NEW), self.value(oldest.format('conflict')))
        self.assertLess(0, self.value('bytes'))

    def test_what_compare_takes_for_missing(self):
        queued = samples.image(status='queued')
        there = samples.image(status='active')
        for found, replica, told in (
            (difference.Difference.MISSING, None, _seconds(_OLD)),
            (difference.Difference.INCOMPLETE, queued, _seconds(_OLD)),
            (difference.Difference.FAILED, None, _seconds(_OLD)),
            (difference.Difference.FAILED, there, 0),
            (difference.Difference.EXTRA, there, 0),
            (difference.Difference.DATA, there, 0),
        ):
            image = samples.image(updated_at=_OLD)
            action = plan.Action(image, 'slave', plan.Verb.COPY, replica)
            self.run_one([comparison.Finding(action, found)], verb='compare')
            self.assertEqual(
                told, self.value('oldest_missing_timestamp_seconds'), found
            )

    def test_image_of_long_ago(self):
        self.run_one([_outcome('failed', changed='1960-01-01T00:00:00Z')])
        self.assertEqual(1, self.value('oldest_missing_timestamp_seconds'))

    def test_names_are_values_and_nothing_else(self):
        evil = 'a"} 1\nglance_replicate_bytes{to="\\x'
        self.run_one([_outcome('copied', evil)], (evil,))
        ((labels, _),) = self.values('bytes')
        self.assertEqual(evil, labels['to'])

    def test_image_that_does_not_say_when(self):
        before = time.time()
        self.run_one([_outcome('failed', changed=None, created_at=None)])
        told = self.value('oldest_missing_timestamp_seconds')
        self.assertTrue(before <= told <= time.time())


class TestFile(MetricsTest):
    def test_everybody_may_read_it(self):
        before = os.umask(0o077)
        self.addCleanup(os.umask, before)
        self.run_one([])
        self.assertEqual(0o100644, self.path.stat().st_mode)

    def test_no_other_name_is_collected_meanwhile(self):
        metrics.Metrics(str(self.path), 'dump')
        self.assertEqual([], list(self.path.parent.glob('*.prom')))
        kept = metrics.Metrics(str(self.path), 'dump')
        (part,) = self.path.parent.iterdir()
        self.assertFalse(part.name.endswith('.prom'))
        kept.write(report.CopyReport())
        self.assertEqual([self.path], list(self.path.parent.iterdir()))

    def test_file_of_somebody_else_stays(self):
        for content in (
            'node_load1 0.5\n',
            '# HELP x\nno metrics at all',
            'glance_replicate_images{to="x} 1\n',
            'glance_replicate_unheard_of 1\n',
            '\udcff',
        ):
            self.path.write_bytes(content.encode('utf-8', 'surrogateescape'))
            error = self.assertRaises(
                errors.ReplicateError, metrics.Metrics, str(self.path), 'dump'
            )
            self.assertIn('nightly.prom is no file of --metrics', str(error))
            self.assertNotIn('\n', str(error))
            self.assertEqual(
                [self.path], list(self.path.parent.iterdir()), content
            )

    def test_empty_file_is_filled(self):
        self.path.touch()
        self.run_one([])
        self.assertEqual(1, len(self.values('last_run_exit_code')))

    def test_huge_file(self):
        with self.path.open('wb') as file:
            file.truncate(1 << 30)
        error = self.assertRaises(
            errors.ReplicateError, metrics.Metrics, str(self.path), 'dump'
        )
        self.assertIn('Cannot write the metrics to', str(error))

    def test_no_such_directory(self):
        error = self.assertRaises(
            errors.ReplicateError, metrics.Metrics, '/nix/x.prom', 'dump'
        )
        self.assertIn('/nix/x.prom: No such file or directory', str(error))

    def test_prometheus_client_is_not_there(self):
        with mock.patch.dict(sys.modules, prometheus_client=None):
            error = self.assertRaises(
                errors.ReplicateError, metrics.Metrics, str(self.path), 'dump'
            )
        self.assertIn("pip install 'osc-glance-replicate[metrics]'",
                      str(error))  # fmt: skip
