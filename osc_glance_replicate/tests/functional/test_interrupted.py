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

"""Runs that are ended, or whose output goes nowhere."""

import os
import pathlib
import re
import signal
import subprocess
import threading
import time

from osc_glance_replicate.tests.functional import base
from osc_glance_replicate.tests.functional import faults
from osc_glance_replicate.tests.functional import links


class TestSignals(links.BrokenLinksTest):
    alone = False

    def test_ends_at_once_and_the_next_run_completes(self):
        small = self.image(1000, name='small')
        big = [self.image(name=f'big {number}') for number in range(2)]
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            self._hold(*big)
            process = self.start_copy('--show-all')
            for image in big:
                self.await_upload(image)
            self._await_status(small, 'active')
            process.send_signal(number)
            start = time.monotonic()
            result = self.finish(process, expect=code)
            self.assertLess(time.monotonic() - start, base.AT_ONCE)
            # The report is complete, and says what it is that is missing.
            results = {row['Name']: row['Result'] for row in result.rows}
            done = 'copied' if number == signal.SIGINT else 'unchanged'
            self.assertEqual(
                {'small': done, 'big 0': 'failed', 'big 1': 'failed'}, results
            )
            for row in result.rows:
                if row['Result'] == 'failed':
                    self.assertIn('next run', row['Reason'])
            self.assertEqual(1, len(result.stderr.splitlines()), result.stderr)
            self.assertIn('interrupted', result.stderr)
            for image in big:
                self._await_status(image, 'queued')
                self.assertNothingActive(image)
            self.destination.calls.clear()
        result = self.copy()
        self.assertEqual({i.id: 'copied' for i in big}, result.results)
        for image in small, *big:
            self.assertCopied(image)

    def _hold(self, *images):
        """Let images come so far, and no further."""
        stall = self.hold(5 * base.MIB // 2)
        for image in images:
            self.source.on(
                'GET', f'{image.id}/file$', faults.Fault(download=stall)
            )

    def _await_status(self, image, status):
        self.wait_for(
            lambda: (
                image.id in self.slave.ids()
                and self.slave.get(image.id).status == status
            )
        )

    def test_second_signal_ends_whatever_happens(self):
        image = self.image()
        asked = threading.Event()
        wait = faults.Fault(
            before=lambda call: (asked.set(), self.held.wait())
        )
        self.destination.on('POST', '/images$', wait, times=None)
        # After the first a run has a second to end by itself, and may.
        for _ in range(10):
            asked.clear()
            if self._interrupt_twice(asked) == -signal.SIGINT:
                break
        else:
            self.fail('no run has met a second signal')
        self.assertNothingActive(image)

    def _interrupt_twice(self, asked):
        """Interrupt a run when the destination was asked, and once more.

        :returns: its exit code
        """
        process = self.start_script(
            *self.words(), environment=self.environment
        )
        self.wait_for(asked.is_set)
        process.send_signal(signal.SIGINT)
        self.wait_for(lambda: not _heeds(process, signal.SIGINT))
        process.send_signal(signal.SIGINT)
        result = self.finish(process, expect=None)
        self.assertIn(result.code, (-signal.SIGINT, 130))
        self.assertNotIn('Traceback', result.stderr)
        return result.code


class TestOutput(links.BrokenLinksTest):
    """A report that cannot be written is no reason to stop, nor to be glad."""

    alone = False

    def test_nobody_reads(self):
        image = self.image(1000)
        read, write = os.pipe()
        os.close(read)
        full = os.open('/dev/full', os.O_WRONLY)
        for number, stdout in enumerate((write, full)):
            process = self.start_script(
                *self.words('--show-all'), stdout=stdout,
                environment=self.environment,
            )  # fmt: skip
            result = self.finish(process, expect=1)
            os.close(stdout)
            self.assertNotIn('Traceback', result.stderr)
            self.assertNotIn('Exception ignored', result.stderr)
            self.assertLessEqual(len(result.stderr.splitlines()), 2)
            self.assertCopied(image)
            self.assertEqual(1, len(self.puts(image)), number)

    def test_nobody_hears(self):
        image = self.image(1000)
        with open('/dev/full', 'wb') as full:
            process = self.start_script(
                '--os-cloud', 'master', 'image', 'replicate', 'compare',
                '-f', 'json', '--to', 'slave', image.id, stderr=full,
            )  # fmt: skip
        result = self.finish(process, expect=3)
        self.assertEqual(1, len(result.rows))

    def test_streams_are_closed(self):
        image = self.image(1000)
        command = subprocess.run(
            [
                'sh', '-c', 'exec "$0" "$@" >&- 2>&-', base.OPENSTACK,
                '--os-cloud', 'master', 'image', 'replicate', 'livecopy',
                '--to', 'slave', image.id,
            ],
            env={**os.environ, **self.environment},
        )  # fmt: skip
        # There is no report, and nobody to be told so.
        self.assertEqual(1, command.returncode)
        self.assertCopied(image)

    def test_no_such_column(self):
        """It is known before anything is done: what was could not be told."""
        image = self.image(1000)
        result = self.openstack(
            '--os-cloud', 'master', 'image', 'replicate', 'livecopy',
            '--to', 'slave', image.id, '-c', 'State', expect=2,
        )  # fmt: skip
        self.assertIn("['State']", result.stderr.splitlines()[-1])
        self.assertEqual('', result.stdout)
        self.assertNotIn(image.id, self.slave.ids())

    def test_log_has_no_room(self):
        image = self.image(1000)
        # Something to write into it.
        self.destination.on(
            'PUT', '/file$', faults.Fault(answer=faults.Answer(503))
        )
        result = self.openstack(
            '--os-cloud', 'master', '--log-file', '/dev/full',
            'image', 'replicate', 'livecopy', '-f', 'json', '--to', 'slave',
            image.id, environment=self.environment,
        )  # fmt: skip
        self.assertNotIn('Traceback', result.stderr)
        self.assertEqual({image.id: 'copied'}, result.results)
        self.assertCopied(image, puts=2)


def _heeds(process, number):
    """Say whether a process does something of its own about a signal."""
    if process.poll() is not None:
        return False
    status = pathlib.Path(f'/proc/{process.pid}/status').read_text()
    (caught,) = re.findall(r'^SigCgt:\s*(\w+)$', status, re.M)
    return bool(int(caught, 16) >> (number - 1) & 1)
