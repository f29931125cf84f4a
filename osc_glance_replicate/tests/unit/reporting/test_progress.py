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

import io
import logging
import os
import pty

import fixtures
import testtools

from osc_glance_replicate import errors
from osc_glance_replicate.execution import events
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan
from osc_glance_replicate.reporting import display
from osc_glance_replicate.reporting import progress
from osc_glance_replicate.tests.doubles import clocks
from osc_glance_replicate.tests.doubles import samples

action = samples.action


class TestLines(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.stream = io.StringIO()
        self.lines = progress.ProgressLog(self.stream)
        self.clock = clocks.Clock()
        self.useFixture(
            fixtures.MonkeyPatch(f'{progress.__name__}.time', self.clock)
        )

    def told(self):
        told = self.stream.getvalue().splitlines()
        self.stream.truncate(self.stream.seek(0))
        return told

    def test_one_for_each_image_that_has_ended(self):
        one, other = action(1, name='one'), action(2, name='other')
        self.lines.planned([one])
        self.lines.begun(one)
        self.clock.sleep(7)
        self.lines.sent(one, 4_000_000)
        self.lines.ended(outcomes.Outcome(one, outcomes.Result.COPIED))
        self.assertEqual(
            [f'copied: {one.image.id} one to slave, 4.0 MB in 7 s '
             '(1 of 1+ images)'],
            self.told(),
        )  # fmt: skip
        self.lines.planned([other])
        self.lines.all_planned()
        self.lines.ended(
            outcomes.Outcome(other, outcomes.Result.FAILED, 'slave: no\x1b[2J')
        )
        self.assertEqual(
            [f'failed: {other.image.id} other to slave: no\\x1b[2J '
             '(2 of 2 images, 1 failed)'],
            self.told(),
        )  # fmt: skip

    def test_none_for_what_was_not_to_be_done(self):
        there = action(verb=plan.Verb.UNCHANGED)
        self.lines.ended(outcomes.Outcome(there, outcomes.Result.UNCHANGED))
        self.assertEqual([], self.told())

    def test_what_cannot_be_done_is_told_all_the_same(self):
        clash = action(verb=plan.Verb.CONFLICT)
        self.lines.ended(
            outcomes.Outcome(clash, outcomes.Result.CONFLICT, 'sha512 differs')
        )
        self.assertEqual(
            [f'conflict: {clash.image.id} image 1 to slave: sha512 differs '
             '(1 of 1+ images, 1 failed)'],
            self.told(),
        )  # fmt: skip

    def test_tries(self):
        one = action(name='a\nb')
        self.lines.planned([one])
        self.lines.retried(one, errors.TransientError('slave', 'HTTP 503'))
        self.assertEqual(
            [f'trying again: {one.image.id} a\\nb to slave: HTTP 503'],
            self.told(),
        )

    def test_nobody_can_be_told(self):
        """No image fails for that."""
        one = action()
        with open('/dev/full', 'w') as full:
            lines = progress.ProgressLog(full)
            lines.planned([one])
            lines.retried(one, errors.TransientError('slave', 'HTTP 503'))
            lines.ended(outcomes.Outcome(one, outcomes.Result.COPIED))
            # What could not be written is not to be tried again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), full.fileno())


class TestListening(testtools.TestCase):
    def listener(self, stream, wanted=None, verbose=False):
        with progress.listening(stream, wanted, 1 + verbose) as listener:
            return type(listener)

    def test_as_wanted_and_as_the_stream_allows(self):
        pipe = io.StringIO()
        self.assertIs(events.Listener, self.listener(pipe))
        self.assertIs(progress.ProgressLog, self.listener(pipe, wanted=True))
        self.assertIs(progress.ProgressLog, self.listener(pipe, verbose=True))
        self.assertIs(
            events.Listener, self.listener(pipe, wanted=False, verbose=True)
        )
        # What many a CI sets does not make a terminal of a pipe.
        for name in 'FORCE_COLOR', 'TTY_COMPATIBLE', 'TTY_INTERACTIVE':
            with fixtures.EnvironmentVariable(name, '1'):
                self.assertIs(events.Listener, self.listener(pipe))
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        with open(theirs, 'w') as terminal:
            self.useFixture(fixtures.EnvironmentVariable('TERM', 'dumb'))
            self.assertIs(events.Listener, self.listener(terminal))
            self.useFixture(fixtures.EnvironmentVariable('TERM', 'xterm'))
            self.assertIs(display.Display, self.listener(terminal))
            self.assertIs(
                events.Listener, self.listener(terminal, wanted=False)
            )

    def test_warnings_are_not_written_into_it(self):
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        with open(theirs, 'w') as terminal:
            handler = logging.StreamHandler(terminal)
            root = logging.getLogger()
            root.addHandler(handler)
            self.addCleanup(root.removeHandler, handler)
            with progress.listening(terminal, None, 1):
                self.assertIsNot(terminal, handler.stream)
            self.assertIs(terminal, handler.stream)
