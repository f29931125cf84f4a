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

"""What a person sees while a run goes on, on a real terminal."""

import fcntl
import json
import os
import pathlib
import pty
import re
import shutil
import signal
import struct
import termios
import threading

import fixtures

from osc_glance_replicate.tests.functional import faults
from osc_glance_replicate.tests.functional import links

_CONTROL = re.compile(r'\x1b\[[0-9;?]*[A-Za-z]')


class TestProgress(links.BrokenLinksTest):
    def watched(self, *arguments, width=80, expect=0):
        """Run a livecopy whose stderr is a terminal, and give what it shows.

        :returns: its results, and all that was written to the terminal
        """
        ours, theirs = pty.openpty()
        size = struct.pack('HHHH', 25, width, 0, 0)
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, size)
        shown = bytearray()

        def read():
            # The last of those who write hangs up.
            try:
                while data := os.read(ours, 65536):
                    shown.extend(data)
            except OSError:
                pass

        reader = threading.Thread(target=read)
        reader.start()
        with os.fdopen(theirs, 'wb') as terminal:
            process = self.start(
                '--os-cloud', 'master', 'image', 'replicate', 'livecopy',
                '-f', 'json', '--to', 'slave', *arguments, stderr=terminal,
                environment={**self.environment, 'TERM': 'xterm'},
            )  # fmt: skip
        result = self.finish(process, expect=expect)
        reader.join()
        os.close(ours)
        return json.loads(result.stdout), shown.decode()

    def test_terminal(self):
        self.destination.on(
            'PUT', '/file$', faults.Fault(answer=faults.Answer(503))
        )
        name = 'an image with a name that is longer than a line ' * 3
        self.image(name=name)
        for width in 80, 200:
            broken = self.master.create(b'data', name='broken')
            self.master.stored(broken.id).write_bytes(b'evil')
            rows, shown = self.watched(
                '--bandwidth', '2Mi', width=width, expect=1
            )
            self.assertIn('failed', {row['Result'] for row in rows})
            text = _CONTROL.sub('', shown)
            self.assertIn('of 2 images', text)
            self.assertIn('an image with a name', text)
            self.assertIn(f'failed: {broken.id} broken to slave: ', text)
            self.assertRegex(text, r'[0-9.]+/3\.1 MB')
            self.assertRegex(text, r'[0-9.]+ MB/s')
            # It is gone in the end, and the summary is what is left.
            *lines, last = re.split('[\r\n]+', text.rstrip())
            self.assertRegex(last, r'^.*1 copied.*1 failed|1 failed.*1 copied')
            for line in lines:
                if 'failed: ' not in line and 'again: ' not in line:
                    self.assertLessEqual(len(line), width, line)
            self.slave.wipe()
            if width == 80:
                self.assertIn('trying again: ', text)
                self.assertIn('503', text)
            self.slave.wipe()
            self.master.wipe()
            self.data.clear()
            self.image(name=name)

    def test_no_terminal(self):
        image = self.image(1000, name='small')
        quiet = self.copy()
        self.assertEqual(1, len(quiet.stderr.splitlines()), quiet.stderr)
        for arguments in ('-v',), ():
            self.slave.wipe()
            options = () if arguments else ('--progress',)
            told = self.openstack(
                *arguments, '--os-cloud', 'master', 'image', 'replicate',
                'livecopy', '-f', 'json', '--to', 'slave', *options,
                environment=self.environment,
            )  # fmt: skip
            self.assertEqual({image.id: 'copied'}, told.results)
            self.assertIn(
                f'copied: {image.id} small to slave, 1.0 kB in ', told.stderr
            )
            self.assertIn('(1 of 1', told.stderr)
            self.assertNotIn('\x1b', told.stderr)

    def test_not_wanted(self):
        self.image(1000)
        for arguments in (['--no-progress'],):
            _, shown = self.watched(*arguments)
            self.assertNotIn('\x1b', shown)
            self.assertEqual(1, len(shown.splitlines()), shown)


class TestReport(links.BrokenLinksTest):
    """The page that --report leaves."""

    alone = False

    def setUp(self):
        super().setUp()
        directory = self.useFixture(fixtures.TempDir()).path
        self.path = pathlib.Path(directory, 'run.html')
        self.report = '--report', str(self.path)

    def test_what_was_done_and_what_not(self):
        image = self.image(1000, name='one & <two>')
        broken = self.image(4, name='broken')
        self.master.stored(broken.id).write_bytes(b'evil')
        planned = self.livecopy('--dry-run', *self.report, *self.data)
        self.assertIn('Dry run: 2 copy', self.path.read_text())
        self.assertEqual(2, len(planned.rows))
        result = self.copy(*self.report, expect=1)
        page = self.path.read_text()
        (reason,) = (
            row['Reason'] for row in result.rows if row['ID'] == broken.id
        )
        summary = result.stderr.splitlines()[-1]
        for text in (
            image.id,
            'one &amp; &lt;two&gt;',
            broken.id,
            reason,
            summary,
            'master to slave',
            '>slave: 1.0 kB, at most ',
        ):
            self.assertIn(text, page)
        self.assertEqual({}, self.copy(image.id, *self.report).results)
        self.assertIn('1 unchanged', self.path.read_text())

    def test_interrupted(self):
        image = self.image()
        stall = faults.Fault(download=self.hold())
        self.source.on('GET', '/file$', stall)
        process = self.start_copy(*self.report)
        self.await_upload(image)
        process.send_signal(signal.SIGINT)
        self.finish(process, expect=130)
        page = self.path.read_text()
        self.assertIn('interrupted; the next run completes it', page)

    def test_cloud_that_cannot_be_used(self):
        """Who looks in the morning does not see the page of the day before."""
        self.path.write_text('all is well')
        self.openstack(
            '--os-cloud', 'master', 'image', 'replicate', 'livecopy',
            '--to', 'ghost', *self.report, expect=1,
        )  # fmt: skip
        page = self.path.read_text()
        self.assertIn("Cannot use cloud 'ghost': ", page)
        self.assertIn('<h1>image replicate livecopy</h1>', page)

    def test_link_that_another_user_has_put_there(self):
        image = self.image(1000)
        mine = self.path.with_name('mine')
        mine.write_text('untouched')
        shared = self.path.with_name('shared')
        shared.mkdir()
        shared.chmod(0o1777)
        link = shared / 'run.html'
        link.symlink_to(mine)
        os.chown(link, 12345, 12345, follow_symlinks=False)
        result = self.livecopy('--report', str(link), image.id, expect=1)
        (line,) = result.stderr.splitlines()
        self.assertIn(f'{link}: run.html is a link of another user', line)
        self.assertEqual('untouched', mine.read_text())
        self.assertEqual([link], list(shared.iterdir()))
        self.assertNotIn(image.id, self.slave.ids())

    def test_nowhere_to_write(self):
        """It is known before anything is done."""
        image = self.image(1000)
        ghost = str(self.path.parent / 'ghost' / 'run.html')
        result = self.livecopy('--report', ghost, image.id, expect=1)
        self.assertEqual(1, len(result.stderr.splitlines()), result.stderr)
        self.assertIn(ghost, result.stderr)
        self.assertNotIn(image.id, self.slave.ids())
        # Where there is none any more in the end, the rest is done.
        self.source.on(
            'GET', '/file$',
            faults.Fault(before=lambda call: shutil.rmtree(self.path.parent)),
        )  # fmt: skip
        result = self.copy(*self.report, expect=1)
        self.assertEqual({image.id: 'copied'}, result.results)
        self.assertIn(str(self.path), result.stderr)
        self.path.parent.mkdir()
