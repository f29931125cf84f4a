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
import os
import pty
import re

from rich import cells
from rich import console
import testtools

from osc_glance_replicate import errors
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.reporting import display
from osc_glance_replicate.tests.doubles import clocks
from osc_glance_replicate.tests.doubles import samples

action = samples.action


def left_on_terminal(written):
    """Return the lines that have not been erased."""
    lines, row = [''], 0
    for part in re.findall(r'\x1b\[\?25.|\x1b\[[0-9]*[A-Z]|.|\n', written):
        if part == '\n':
            row += 1
            lines += [''] * (row == len(lines))
        elif part == '\x1b[1A':
            row -= 1
        elif part == '\x1b[2K':
            lines[row] = ''
        elif part.isprintable():
            lines[row] += part
    return list(filter(None, map(str.strip, lines)))


class TestDisplay(testtools.TestCase):
    def display(self, width=80, rows_follow=False):
        self.stream = io.StringIO()
        self.clock = clocks.Clock()
        self.terminal = console.Console(
            file=self.stream,
            force_terminal=True,
            width=width,
            height=25,
            get_time=self.clock.monotonic,
        )
        return display.Display(self.terminal, rows_follow)

    def shown(self, display, width=80):
        """Give the lines that are on the terminal."""
        # Whatever the caller sets: FORCE_COLOR colours paper, too.
        paper = console.Console(
            file=io.StringIO(), force_terminal=False, width=width
        )
        with paper.capture() as capture:
            paper.print(display._progress.get_renderable())
        return capture.get().splitlines()

    def test_what_waits_for_one_that_is_down_is_not_shown(self):
        display = self.display()
        waiting, going = action(1, name='waits'), action(2, name='goes')
        display.planned([waiting, going])
        for each in waiting, going:
            display.begun(each)
            display.sent(each, 500_000)
        display.put_off(waiting)
        display.down('slave', 0.0)
        total, *lines = self.shown(display)
        self.assertIn('slave is down', total)
        self.assertIn('0.5/8.0 MB', total)
        (line,) = lines
        self.assertIn('goes', line)
        display.up('slave')
        display.begun(waiting)
        total, *lines = self.shown(display)
        self.assertEqual(2, len(lines))
        self.assertNotIn('down', total)

    def test_fits_whatever_the_names_are(self):
        for width in 80, 200:
            display = self.display(width)
            names = (
                'debian-12',
                '長' * 300,
                'x' * 255,
                '[red]a[/red]\x1b[2J',
                '',
                '\N{PENGUIN}\N{FOX FACE}' * 99,
            )
            actions = [action(i, name=name) for i, name in enumerate(names, 1)]
            for each in actions:
                display.planned([each])
                display.begun(each)
                display.sent(each, 1_000_000)
            display.all_planned()
            total, *lines = self.shown(display, width)
            self.assertIn('0 of 6 images', total)
            self.assertIn('25%', total)
            self.assertIn('6.0/24.0 MB', total)
            self.assertEqual(6, len(lines))
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

    def test_less_is_shown_where_there_is_no_room(self):
        for width in 20, 40, 67:
            display = self.display(width)
            one = action(name='debian-12', to='recovery:RegionTwo')
            display.planned([one])
            display.begun(one)
            display.sent(one, 1_000_000)
            total, line = self.shown(display, width)
            self.assertIn('0 of 1+ images', total)
            self.assertIn('debian-12 ', line)
            self.assertIn('25%', line)
            self.assertEqual(width > 20, '1.0/4.0 MB' in line)
            self.assertLessEqual(cells.cell_len(line), width)

    def test_what_needs_an_eye_is_seen_beside_long_destinations(self):
        display = self.display()
        for number in range(1, 100):
            copied = action(number, to='recovery:RegionTwo-of-the-south')
            display.planned([copied])
            trouble = errors.TransientError('slave', 'HTTP 503')
            display.retried(copied, trouble)
            if number < 90:
                display.ended(outcomes.Outcome(copied, outcomes.Result.FAILED))
            else:
                display.begun(copied)
        total, *_ = self.shown(display)
        self.assertIn('of 99+ images, 89 failed, 99 retried ', total)

    def test_what_was_sent_in_vain_does_not_count(self):
        display = self.display()
        one, other = action(1), action(2)
        display.planned([one])
        display.planned([other])
        display.all_planned()
        for each in one, other:
            display.begun(each)
            display.sent(each, 3_000_000)
        display.retried(one, errors.TransientError('slave', 'HTTP 503'))
        display.begun(one)
        total, *lines = self.shown(display)
        self.assertIn('3.0/8.0 MB', total)
        self.assertIn('1 retried', total)
        self.assertIn('0%', lines[0])
        display.ended(
            outcomes.Outcome(other, outcomes.Result.CONFLICT, 'slave: taken')
        )
        # What is fetched by the destination is sent by nobody here.
        display.ended(outcomes.Outcome(one, outcomes.Result.COPIED))
        (total,) = self.shown(display)
        self.assertIn('2 of 2 images, 1 failed', total)
        self.assertIn('4.0/4.0 MB', total)
        told = ' '.join(self.stream.getvalue().split())
        self.assertIn(f'trying again: {one.image.id}', told)
        self.assertIn('slave: HTTP 503', told)
        self.assertIn(f'conflict: {other.image.id}', told)

    def fail_some(self, display, count):
        for number in range(count):
            display.ended(
                outcomes.Outcome(
                    action(number),
                    outcomes.Result.FAILED,
                    f'slave: number {number} has failed' + ' for that' * 12,
                )
            )

    def test_troubles_that_rows_will_tell_are_gone_in_the_end(self):
        display = self.display(rows_follow=True)
        display.start()
        self.fail_some(display, 5)
        shown = '\n'.join(self.shown(display))
        self.assertNotIn('number 1 ', shown)
        for number in 2, 3, 4:
            self.assertIn(f'number {number} ', shown)
        display.stop()
        self.assertEqual([], left_on_terminal(self.stream.getvalue()))

    def test_what_is_on_its_way_is_seen_beside_long_troubles(self):
        display = self.display(rows_follow=True)
        one = action(9, name='on its way')
        display.planned([one])
        display.begun(one)
        for number in range(3):
            display.ended(
                outcomes.Outcome(
                    action(number), outcomes.Result.FAILED, 'why [/b] ' * 400
                )
            )
        lines = self.shown(display)
        self.assertLess(len(lines), 15)
        self.assertIn('on its way', lines[-1])
        self.assertIn('why [/b]', lines[0])

    def test_markup_of_others_is_text(self):
        display = self.display()
        display.ended(
            outcomes.Outcome(
                action(1), outcomes.Result.FAILED, 'why [/b] [red]not[/red]'
            )
        )
        display.ended(
            outcomes.Outcome(action(2), outcomes.Result.FAILED, ':bomb:')
        )
        told = ' '.join(self.stream.getvalue().split())
        self.assertIn('why [/b] [red]not[/red]', told)
        self.assertIn(':bomb:', told)

    def test_troubles_that_nothing_else_tells_stay(self):
        display = self.display()
        display.start()
        self.fail_some(display, 5)
        display.stop()
        left = left_on_terminal(self.stream.getvalue())
        self.assertEqual(
            5, sum(line.startswith('failed: ') for line in left), left
        )

    def test_words_and_ids_stay_whole(self):
        for rows_follow in True, False:
            display = self.display(rows_follow=rows_follow)
            self.fail_some(display, 3)
            lines = self.stream.getvalue().splitlines()
            if rows_follow:
                lines = self.shown(display)
            lines = [line for line in lines if ' images, ' not in line]
            text = '\n'.join(lines)
            for number in range(3):
                self.assertIn(action(number).image.id, text)
            for line in lines:
                self.assertLessEqual(len(line.rstrip()), 80)
                # No other word begins a line.
                known = 'failed: slave: number 0 1 2 has failed for that'
                first = line.split()[0]
                self.assertIn(first, known.split())

    def test_nothing_is_sent_backwards(self):
        display = self.display()
        one, other = action(1), action(2)
        display.planned([one])
        display.planned([other])
        for each in one, other:
            display.begun(each)
            display.sent(each, 1_000)
            self.clock.sleep(1)
            display.sent(each, 2_000_000)
        display.retried(one, errors.TransientError('slave', 'HTTP 503'))
        display.ended(
            outcomes.Outcome(other, outcomes.Result.FAILED, 'interrupted')
        )
        total = self.shown(display)[0]
        self.assertIn('MB/s', total)
        self.assertNotIn(' -', total)

    def test_what_is_checked_is_not_sent(self):
        display = self.display()
        one = action()
        display.planned([one])
        display.begun(one)
        display.checked(one, 3_000_000)
        total, line = self.shown(display)
        self.assertIn('0.0/4.0 MB', total)
        self.assertIn('checking', line)
        self.assertIn('3.0/4.0 MB', line)
        # It breaks, and is checked again, which goes well.
        display.retried(one, errors.TransientError('slave', 'HTTP 503'))
        display.begun(one)
        display.checked(one, 4_000_000)
        display.sent(one, 1_000_000)
        for line in self.shown(display):
            self.assertIn('1.0/4.0 MB', line)
        self.assertIn('slave', line)
        self.assertNotIn('checking', line)

    def test_rate_while_the_plan_goes_on(self):
        display = self.display()
        one = action()
        display.planned([one])
        display.begun(one)
        for _ in range(4):
            display.sent(one, 1_000_000)
            self.clock.sleep(1)
        display.planned([action(2)])
        total, _ = self.shown(display)
        self.assertIn('4.0/8.0 MB', total)
        self.assertIn('MB/s', total)

    def test_terminal_that_is_gone(self):
        """No run ends for that."""
        ours, theirs = pty.openpty()
        terminal = os.fdopen(theirs, 'w')
        shown = display.Display(console.Console(file=terminal))
        shown.start()
        os.close(ours)
        one = action()
        shown.planned([one])
        shown.begun(one)
        shown.sent(one, 1000)
        shown.retried(one, errors.TransientError('slave', 'HTTP 503'))
        shown.ended(
            outcomes.Outcome(one, outcomes.Result.FAILED, 'slave: HTTP 503')
        )
        shown.stop()
        # What could not be written is not to be tried again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), theirs)
