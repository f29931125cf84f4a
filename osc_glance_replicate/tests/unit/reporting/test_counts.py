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

import testtools

from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan
from osc_glance_replicate.reporting import counts
from osc_glance_replicate.tests.doubles import samples

Result = outcomes.Result


class TestCounts(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.counts = counts.CountingListener()

    def test_what_is_planned_and_what_has_ended(self):
        copied = samples.action(1)
        updated = samples.action(2, plan.Verb.UPDATE)
        self.counts.planned([copied, updated])
        self.assertEqual(4_000_000, self.counts.size)
        self.assertEqual('0 of 2+ images', self.counts.words)
        for action, result, size in (
            (copied, Result.FAILED, 4_000_000),
            (updated, Result.UPDATED, 0),
        ):
            outcome = outcomes.Outcome(action, result)
            self.assertEqual(size, self.counts.count(outcome))
        self.counts.complete = True
        self.counts.retries = 3
        self.assertEqual(
            '2 of 2 images, 1 failed, 3 retried', self.counts.words
        )

    def test_who_is_down_is_told(self):
        self.counts.planned([samples.action(1)])
        self.counts.down('r2', 0.0)
        self.assertEqual('0 of 1+ images, r2 is down', self.counts.words)
        self.counts.up('r2')
        self.assertEqual('0 of 1+ images', self.counts.words)

    def test_what_was_not_planned_counts_if_it_needs_attention(self):
        there = outcomes.Outcome(samples.action(1), Result.UNCHANGED)
        self.assertIsNone(self.counts.count(there))
        clash = outcomes.Outcome(samples.action(2), Result.CONFLICT)
        self.assertEqual(0, self.counts.count(clash))
        self.assertEqual('1 of 1+ images, 1 failed', self.counts.words)


class TestTitle(testtools.TestCase):
    def test_no_name_steers_the_terminal(self):
        for name, to, words in (
            ('debian', 'slave', ' debian to slave'),
            ('', '', ''),
            ('a\x1b', 'slave', r' a\x1b to slave'),
            ('', 'sl\x1bave', r' to sl\x1bave'),
            ('x' * 256, '', f' {"x" * 255}… (256 characters)'),
        ):
            action = samples.action(name=name, to=to)
            self.assertEqual(action.image.id + words, counts.title(action))

    def test_what_is_read_where_it_is(self):
        action = samples.action(name='', verb=plan.Verb.READ)
        self.assertEqual(f'{action.image.id} at slave', counts.title(action))
