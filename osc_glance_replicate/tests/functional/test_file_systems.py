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
import shutil
import subprocess
import textwrap

from osc_glance_replicate.tests.functional import base
from osc_glance_replicate.tests.functional import dumps

#: What a file system of the name would do, put before any command is.
_LACKS = """
    import errno, fcntl, os, resource, stat

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
        case 'large files':
            resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
"""


class FileSystemTest(dumps.DumpTest):
    alone = False

    def mount(self, *commands):
        """Mount a file system where the dump goes, or skip the test.

        :param commands: of which the first that works is enough; the
            directory is added to each
        """
        self.path.mkdir()
        for command in commands:
            command = *command, self.path
            if (
                shutil.which(command[0])
                and not subprocess.run(command, capture_output=True).returncode
            ):
                break
        else:
            self.skipTest('nothing like that may be mounted here')
        self.addCleanup(
            subprocess.run, ['umount', '--lazy', self.path], check=True
        )

    def device(self, *make):
        """Give a block device with a file system of 32 MiB, or skip the test.

        :param make: command that makes the file system
        """
        if not all(map(shutil.which, (make[0], 'losetup'))):
            self.skipTest(f'there is no {make[0]} here, or no losetup')
        disk = self.scratch / 'disk'
        disk.touch()
        os.truncate(disk, 32 * base.MIB)
        attached = subprocess.run(
            ['losetup', '--find', '--show', disk],
            capture_output=True,
            text=True,
        )
        if attached.returncode:
            self.skipTest('there are no loop devices here')
        device = attached.stdout.strip()
        self.addCleanup(
            subprocess.run, ['losetup', '--detach', device], check=True
        )
        subprocess.run([*make, device], capture_output=True, check=True)
        return device


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
        environment = self.lacking('fsync')
        result = self.dump(*ids, environment=environment)
        self.assertEqual(dict.fromkeys(ids, 'copied'), result.results)
        told = 'The file system of the dump may lose what was just'
        self.assertEqual(1, result.stderr.count(told), result.stderr)
        self.assertEqual(1, result.stderr.count('file system'))
        for image in images:
            self.master.patch(image.id, name='new')
        again = self.dump(*ids, environment=environment)
        self.assertEqual(dict.fromkeys(ids, 'updated'), again.results)
        self.assertEqual(dict.fromkeys(ids, 'ok'), self.verify().results)
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

    def test_large_files(self):
        small, large = (
            self.master.create(os.urandom(count * base.MIB)).id
            for count in (1, 2)
        )
        result = self.dump(
            small, large, environment=self.lacking('large files'), expect=1
        )
        self.assertEqual({small: 'copied', large: 'failed'}, result.results)
        self.assertIn('File too large', result.stdout)
        self.dump(small, large)
        self.assertEqual(
            dict.fromkeys((small, large), 'ok'), self.verify().results
        )

    def test_free_space_that_is_not_told(self):
        image = self.master.create(b'data')
        result = self.dump(image.id, environment=self.lacking('statvfs'))
        self.assertEqual({image.id: 'copied'}, result.results)
        self.assertIn('does not tell how much is free', result.stderr)


class TestSmall(FileSystemTest):
    """A file system of a few MiB, or of a few files."""

    def test_zeros_need_no_room(self):
        self.mount(('mount', '-t', 'tmpfs', '-o', 'size=10M', 'tmpfs'))
        image = self.master.create(bytes(64 * base.MIB))
        result = self.dump(image.id, expect=1)
        self.assertIn('there is no room', result.stderr)
        self.assertIn('--no-room-check', result.stderr)
        result = self.dump(image.id, '--no-room-check')
        self.assertEqual({image.id: 'copied'}, result.results)
        self.assertEqual({image.id: 'ok'}, self.verify().results)

    def test_last_inode(self):
        self.mount(('mount', self.device('mkfs.ext4', '-N', '16')))
        for number in range(os.statvfs(self.path).f_ffree - 5):
            pathlib.Path(self.path, f'taken.{number}').touch()
        pathlib.Path(self.path, 'lost+found').rmdir()
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
        for path in self.path.glob('taken.*'):
            path.unlink()
        self.dump(*ids)
        self.assertEqual(dict.fromkeys(ids, 'ok'), self.verify().results)


class TestDisks(FileSystemTest):
    """Disks as they are carried into a room without network."""

    def carry(self):
        data = os.urandom(3 * base.MIB) + bytes(base.MIB)
        images = [self.master.create(data) for _ in range(2)]
        ids = [image.id for image in images]
        result = self.dump(*ids)
        self.assertEqual(dict.fromkeys(ids, 'copied'), result.results)
        self.assertNotIn('file system', result.stderr)
        self.assertIn('2 unchanged', self.dump(*ids).stderr)
        self.master.patch(ids[0], name='renamed')
        self.assertEqual('updated', self.dump(*ids).results[ids[0]])
        self.assertEqual(dict.fromkeys(ids, 'ok'), self.verify().results)
        self.assertEqual(dict.fromkeys(ids, 'copied'), self.load().results)
        self.assertEqual(data, self.slave.data(ids[0]))
        with self.data_file(images[1]).open('r+b') as file:
            file.write(b'damage')
        self.assertEqual(
            {ids[0]: 'ok', ids[1]: 'damaged'}, self.verify(expect=1).results
        )

    def test_fat(self):
        device = self.device('mkfs.vfat')
        self.mount(('mount', device))
        self.carry()

    def test_exfat(self):
        device = self.device('mkfs.exfat')
        self.mount(('mount', device), ('mount.exfat-fuse', device))
        self.carry()

    def test_ntfs(self):
        device = self.device('mkfs.ntfs', '--fast')
        self.mount(('mount', '-t', 'ntfs3', device), ('ntfs-3g', device))
        self.carry()
