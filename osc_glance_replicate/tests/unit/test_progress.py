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

from rich import cells
from rich import console
import testtools

from osc_glance_replicate import errors
from osc_glance_replicate import plan
from osc_glance_replicate import progress
from osc_glance_replicate import task
from osc_glance_replicate.tests.unit import base
from osc_glance_replicate import watch


def action(number=1, verb=plan.Verb.COPY, **fields):
    image = base.image(number, **{'size': 4_000_000, **fields})
    return plan.Action(image, 'slave', verb)


class TestLines(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.stream = io.StringIO()
        self.lines = progress.Lines(self.stream)

    def told(self):
        told = self.stream.getvalue().splitlines()
        self.stream.truncate(self.stream.seek(0))
        return told

    def test_one_for_each_image_that_has_ended(self):
        one, other = action(1, name='one'), action(2, name='other')
        self.lines.planned([one])
        self.lines.begun(one)
        self.lines.sent(one, 4_000_000)
        self.lines.ended(task.Outcome(one, 'copied'))
        self.assertEqual(
            [f'copied: {one.image.id} one to slave, 4.0 MB in 0 s '
             '(1 of 1+ images)'],
            self.told(),
        )  # fmt: skip
        self.lines.planned([other])
        self.lines.all_planned()
        self.lines.ended(task.Outcome(other, 'failed', 'slave: no\x1b[2J'))
        self.assertEqual(
            [f'failed: {other.image.id} other to slave: slave: no\\x1b[2J '
             '(2 of 2 images, 1 failed)'],
            self.told(),
        )  # fmt: skip

    def test_none_for_what_was_not_to_be_done(self):
        there = action(verb=plan.Verb.UNCHANGED)
        self.lines.ended(task.Outcome(there, 'unchanged'))
        self.assertEqual([], self.told())

    def test_tries(self):
        one = action(name='a\nb')
        self.lines.planned([one])
        self.lines.retried(one, errors.TransientError('slave', 'HTTP 503'))
        self.assertEqual(
            [f'trying again: {one.image.id} a\\nb to slave: slave: HTTP 503'],
            self.told(),
        )

    def test_nobody_can_be_told(self):
        """No image fails for that."""
        one = action()
        with open('/dev/full', 'w') as full:
            lines = progress.Lines(full)
            lines.planned([one])
            lines.retried(one, errors.TransientError('slave', 'HTTP 503'))
            lines.ended(task.Outcome(one, 'copied'))
            # What could not be written is not to be tried again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), full.fileno())


class TestDisplay(testtools.TestCase):
    def display(self, width):
        self.stream = io.StringIO()
        self.terminal = console.Console(
            file=self.stream, force_terminal=True, width=width, height=25
        )
        return progress.Display(self.terminal)

    def shown(self, display, width):
        """Give the lines that are on the terminal."""
        paper = console.Console(file=io.StringIO(), width=width)
        with paper.capture() as capture:
            paper.print(display._progress.get_renderable())
        return capture.get().splitlines()

    def test_fits_whatever_the_names_are(self):
        for width in 80, 200:
            display = self.display(width)
            names = (
                'debian-12',
                '長' * 300,
                'x' * 255,
                '[red]a[/red]\x1b[2J',
                '',
            )
            actions = [action(i, name=name) for i, name in enumerate(names, 1)]
            for each in actions:
                display.planned([each])
                display.begun(each)
                display.sent(each, 1_000_000)
            display.all_planned()
            total, *lines = self.shown(display, width)
            self.assertIn('0 of 5 images', total)
            self.assertIn('25%', total)
            self.assertIn('5.0/20.0 MB', total)
            self.assertEqual(5, len(lines))
            for line in total, *lines:
                self.assertLessEqual(cells.cell_len(line), width)
                self.assertTrue(line.isprintable(), line)
            for line in lines:
                self.assertIn('25%', line)
                self.assertIn('1.0/4.0 MB', line)
                self.assertIn('slave', line)
            self.assertTrue(lines[0].startswith('debian-12 '))
            self.assertIn('…', lines[1])
            self.assertIn('[red]a', lines[3])
            # One without a name is told by its ID.
            self.assertTrue(lines[4].startswith(actions[4].image.id[:20]))

    def test_what_was_sent_in_vain_does_not_count(self):
        display = self.display(80)
        one, other = action(1), action(2)
        display.planned([one])
        display.planned([other])
        display.all_planned()
        for each in one, other:
            display.begun(each)
            display.sent(each, 3_000_000)
        display.retried(one, errors.TransientError('slave', 'HTTP 503'))
        display.begun(one)
        total, *lines = self.shown(display, 80)
        self.assertIn('3.0/8.0 MB', total)
        self.assertIn('1 retried', total)
        self.assertIn('0%', lines[0])
        display.ended(task.Outcome(other, 'conflict', 'slave: taken'))
        # What is fetched by the destination is sent by nobody here.
        display.ended(task.Outcome(one, 'copied'))
        self.assertEqual(1, len(self.shown(display, 80)))
        (total,) = self.shown(display, 80)
        self.assertIn('2 of 2 images, 1 failed', total)
        self.assertIn('4.0/4.0 MB', total)
        told = self.stream.getvalue()
        self.assertIn(f'trying again: {one.image.id}', told)
        self.assertIn('slave: HTTP 503', told)
        self.assertIn(f'conflict: {other.image.id}', told)


class TestWatching(testtools.TestCase):
    def watcher(self, stream, wanted=None, verbose=False):
        with progress.watching(stream, wanted, verbose) as watcher:
            return type(watcher)

    def test_as_wanted_and_as_the_stream_allows(self):
        pipe = io.StringIO()
        self.assertIs(watch.Nobody, self.watcher(pipe))
        self.assertIs(progress.Lines, self.watcher(pipe, wanted=True))
        self.assertIs(progress.Lines, self.watcher(pipe, verbose=True))
        self.assertIs(
            watch.Nobody, self.watcher(pipe, wanted=False, verbose=True)
        )
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        with open(theirs, 'w') as terminal:
            self.assertIs(progress.Display, self.watcher(terminal))
            self.assertIs(watch.Nobody, self.watcher(terminal, wanted=False))

    def test_warnings_are_not_written_into_it(self):
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        with open(theirs, 'w') as terminal:
            handler = logging.StreamHandler(terminal)
            root = logging.getLogger()
            root.addHandler(handler)
            self.addCleanup(root.removeHandler, handler)
            with progress.watching(terminal, None, False):
                self.assertIsNot(terminal, handler.stream)
            self.assertIs(terminal, handler.stream)
