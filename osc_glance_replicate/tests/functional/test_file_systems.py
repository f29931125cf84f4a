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

"""Dumps on file systems that do less than most."""

import os
import pathlib
import subprocess
import textwrap

from osc_glance_replicate.tests.functional import base
from osc_glance_replicate.tests.functional import dumps

#: What a file system of the name would do, put before any command is.
_LACKS = """
    import errno, fcntl, os, stat

    def refuse(function, number, concerns):
        def refusing(fd, *arguments):
            if concerns(fd):
                raise OSError(getattr(errno, number), os.strerror(
                    getattr(errno, number)))
            return function(fd, *arguments)
        return refusing

    def is_directory(fd):
        return stat.S_ISDIR(os.fstat(fd).st_mode)

    number = os.environ['LACK_ERROR']
    match os.environ['LACK']:
        case 'fsync':
            os.fsync = refuse(os.fsync, number, is_directory)
        case 'flock':
            fcntl.flock = refuse(fcntl.flock, number, lambda fd: True)
        case 'statvfs':
            def nothing(fd):
                return os.statvfs_result((4096, 4096, *(0,) * 8))
            os.fstatvfs = nothing
"""


class FileSystemTest(dumps.DumpTest):
    alone = False


class TestLacks(FileSystemTest):
    """What a file system lacks is told once, and stops nothing."""

    #: It is what a process begins with that is changed.
    preloads = False

    def lacking(self, lack, number='EINVAL'):
        site = self.scratch / 'site'
        site.mkdir(exist_ok=True)
        code = textwrap.dedent(_LACKS)
        (site / 'sitecustomize.py').write_text(code)
        paths = [str(site), os.environ.get('PYTHONPATH', '')]
        return {
            'PYTHONPATH': os.pathsep.join(filter(None, paths)),
            'LACK': lack,
            'LACK_ERROR': number,
        }

    def test_fsync_of_directories(self):
        images = [self.master.create(b'%d' % i) for i in range(2)]
        ids = [image.id for image in images]
        for number in 'EINVAL', 'ENOTSUP', 'EACCES':
            self.path = self.scratch / number
            environment = self.lacking('fsync', number)
            result = self.dump(*ids, environment=environment)
            self.assertEqual(dict.fromkeys(ids, 'copied'), result.results)
            told = 'may lose what was just written'
            self.assertEqual(1, result.stderr.count(told), result.stderr)
            self.assertEqual(dict.fromkeys(ids, 'ok'), self.verify().results)
            for image in images:
                self.master.patch(image.id, name=number)
            again = self.dump(*ids, environment=environment)
            self.assertEqual(dict.fromkeys(ids, 'updated'), again.results)
        self.path = self.scratch / 'broken'
        result = self.dump(
            *ids, environment=self.lacking('fsync', 'EIO'), expect=1
        )
        self.assertIn('Input/output error', result.stderr)
        self.assertEqual(1, len(result.stderr.splitlines()))

    def test_locks(self):
        image = self.master.create(b'data')
        result = self.dump(
            image.id, environment=self.lacking('flock', 'ENOLCK')
        )
        self.assertEqual({image.id: 'copied'}, result.results)
        self.assertIn('lets two dumps write to it at once', result.stderr)

    def test_free_space_that_is_not_told(self):
        image = self.master.create(b'data')
        result = self.dump(image.id, environment=self.lacking('statvfs'))
        self.assertEqual({image.id: 'copied'}, result.results)
        self.assertIn('does not tell how much is free', result.stderr)


class TestSmall(FileSystemTest):
    """A file system of a few MiB, or of a few files."""

    def mount(self, options):
        self.path.mkdir()
        command = 'mount', '-t', 'tmpfs', '-o', options, 'tmpfs', self.path
        if subprocess.run(command, capture_output=True).returncode:
            self.skipTest('nothing may be mounted here')
        self.addCleanup(
            subprocess.run, ['umount', '--lazy', self.path], check=True
        )

    def test_zeros_need_no_room(self):
        self.mount('size=10M')
        image = self.master.create(bytes(64 * base.MIB))
        result = self.dump(image.id, expect=1)
        self.assertIn('there is no room', result.stderr)
        self.assertIn('--no-room-check', result.stderr)
        result = self.dump(image.id, '--no-room-check')
        self.assertEqual({image.id: 'copied'}, result.results)
        self.assertEqual({image.id: 'ok'}, self.verify().results)

    def test_last_inode(self):
        self.mount('nr_inodes=7')
        images = [self.master.create(b'%d' % i) for i in range(8)]
        ids = [image.id for image in images]
        result = self.dump(*ids, expect=1)
        found = list(result.results.values())
        self.assertIn('failed', found)
        self.assertTrue(
            all(
                'No space left' in row['Reason']
                for row in result.rows
                if row['Result'] == 'failed'
            ),
            result.rows,
        )
        for name in self.names():
            path = pathlib.Path(self.path, name)
            # No record without its data.
            if path.suffix == '':
                self.assertTrue(path.with_suffix('.img').exists())
        subprocess.run(
            ['mount', '-o', 'remount,nr_inodes=100', self.path], check=True
        )
        self.dump(*ids)
        self.assertEqual(dict.fromkeys(ids, 'ok'), self.verify().results)
