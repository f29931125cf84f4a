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

import contextlib
import errno
import logging
import os
import stat
from unittest import mock

import fixtures
import testtools

from osc_glance_replicate.places.dump import folder
from osc_glance_replicate.tests.doubles import dumps

NO_SPACE = OSError(errno.ENOSPC, 'No space left on device')


class FolderTest(dumps.FilesTest):
    def setUp(self):
        super().setUp()
        self.outside = os.path.join(
            self.useFixture(fixtures.TempDir()).path, 'outside'
        )
        self.put(self.outside, b'untouched')
        self.folder = self.open(self.path)

    def open(self, path, **options):
        opened = folder.Folder(path, **options)
        self.addCleanup(os.close, opened._fd)
        return opened

    def umask(self, mask):
        self.addCleanup(os.umask, os.umask(mask))

    def mode(self, path):
        return stat.S_IMODE(os.stat(path).st_mode)


class TestCare(FolderTest):
    def setUp(self):
        super().setUp()
        self.put('file', b'inside')
        for name, target in (
            ('link', 'file'),
            ('way out', self.outside),
            ('device', '/dev/null'),
            ('dangling', self.outside + '2'),
        ):
            os.symlink(target, self.at(name))
        os.mkfifo(self.at('pipe'))
        os.mkdir(self.at('directory'))
        # A path as long as some TMPDIR makes it is none that can be bound.
        os.mknod(self.at('socket'), stat.S_IFSOCK | 0o600)
        self.odd = set(os.listdir(self.path)) - {'file'}

    def test_whose_a_file_is(self):
        own = os.stat(self.at('file'))
        there = os.stat(self.path)

        def is_own(uid, geteuid=own.st_uid, mode=0o700, new=own.st_uid):
            files = folder.Folder(self.path)
            self.addCleanup(os.close, files._fd)
            directory = mock.Mock(st_uid=there.st_uid, st_mode=mode)
            files.__dict__['_owner_of_new'] = new
            with (
                mock.patch.object(os, 'geteuid', return_value=geteuid),
                mock.patch.object(os, 'fstat', return_value=directory),
            ):
                return files.is_own(mock.Mock(st_uid=uid, st_nlink=1))

        other = own.st_uid + 1
        self.assertTrue(is_own(own.st_uid))
        self.assertFalse(is_own(other))
        # The file system has another ID for this user.
        self.assertTrue(is_own(other, new=other))
        # Root goes on with the dump of a service's user, who owns it all.
        self.assertTrue(is_own(there.st_uid, geteuid=other, new=other))
        for mode in 0o770, 0o1777:
            self.assertFalse(
                is_own(there.st_uid, geteuid=other, new=other, mode=mode)
            )

    def test_whose_a_new_file_is(self):
        before = self.folder.names()
        self.assertEqual(os.geteuid(), self.folder._owner_of_new)
        self.assertEqual(before, self.folder.names())

    def test_nothing_but_a_file_is_opened(self):
        for name in self.odd:
            for flags in (
                os.O_RDONLY,
                os.O_WRONLY | os.O_CREAT,
                os.O_WRONLY | os.O_CREAT | os.O_APPEND,
                os.O_RDWR | os.O_CREAT,
            ):
                opened = self.folder.open(name, flags)
                self.assertRaises(OSError, opened.__enter__)
            self.assertRaises(OSError, self.folder.read, name, 100)
        self.assertEqual(b'untouched', self.content(self.outside))
        self.assertFalse(os.path.exists(self.outside + '2'))

    def test_link_that_comes_at_the_last_moment(self):
        with mock.patch.object(folder.Folder, 'status', return_value=None):
            for name in self.odd:
                opened = self.folder.open(name, os.O_WRONLY | os.O_CREAT)
                self.assertRaises(OSError, opened.__enter__)
        self.assertEqual(b'untouched', self.content(self.outside))
        self.assertFalse(os.path.exists(self.outside + '2'))

    def test_what_is_no_file_is_not_even_opened(self):
        """Some devices do something then."""
        opened = AssertionError('it is opened')
        with mock.patch.object(os, 'open', side_effect=opened):
            for name in self.odd:
                error = self.assertRaises(
                    OSError, self.folder.open(name).__enter__
                )
                self.assertEqual('not a regular file', error.strerror)

    def test_nothing_but_a_file_has_a_status(self):
        for name in self.odd:
            self.assertRaises(OSError, self.folder.status, name)
        self.assertEqual(6, self.folder.status('file').st_size)
        self.assertIsNone(self.folder.status('nothing'))

    def test_nothing_stays_open(self):
        before = self.opened()
        for name in os.listdir(self.path):
            with contextlib.suppress(OSError):
                self.folder.read(name, 100)
        self.assertEqual(before, self.opened())

    def opened(self):
        """Return what is open below the directory, whoever else opens what."""
        found = []
        for fd in os.listdir('/proc/self/fd'):
            # Another thread may close it meanwhile.
            with contextlib.suppress(OSError):
                found.append(os.readlink(f'/proc/self/fd/{fd}'))
        below = os.path.dirname(self.path)
        return sorted(each for each in found if each.startswith(below))

    def test_all_names_are_told(self):
        os.mkdir(os.path.join(os.fsencode(self.path), b'\xff'))
        self.assertEqual(
            {'file', '\udcff', *self.odd}, set(self.folder.names())
        )

    def test_it_is_the_directory_that_was_opened(self):
        os.rename(self.path, self.path + '2')
        self.addCleanup(os.rename, self.path + '2', self.path)
        os.symlink(os.path.dirname(self.outside), self.path)
        self.addCleanup(os.unlink, self.path)
        self.assertEqual(b'inside', self.folder.read('file', 100))
        self.assertIsNone(self.folder.status('outside'))

    def test_links_are_replaced_and_removed_rather_than_followed(self):
        os.symlink(self.outside, self.at('new.part'))
        for name in ('way out', 'new'):
            self.folder.replace(name, b'new')
            self.assertFalse(os.path.islink(self.at(name)))
            self.assertEqual(b'new', self.content(name))
        self.folder.remove('link')
        self.assertEqual(b'inside', self.content('file'))
        self.assertEqual(b'untouched', self.content(self.outside))


class TestRead(FolderTest):
    def test_there_is_a_limit(self):
        self.put('file', b'12345')
        for most in (5, 6, 2**20):
            self.assertEqual(b'12345', self.folder.read('file', most))
        for most in (0, 4):
            error = self.assertRaises(OSError, self.folder.read, 'file', most)
            self.assertEqual(errno.EFBIG, error.errno)
            self.assertIn(str(most), error.strerror)

    def test_limit_is_no_matter_of_memory(self):
        self.put('file', b'')
        os.truncate(self.at('file'), 2**40)
        self.assertRaises(OSError, self.folder.read, 'file', 10)

    def test_pieces_are_put_together(self):
        self.put('file', b'12345')
        read = os.read
        with mock.patch.object(os, 'read', lambda fd, n: read(fd, min(n, 2))):
            self.assertEqual(b'12345', self.folder.read('file', 5))
            self.assertRaises(OSError, self.folder.read, 'file', 4)

    def test_what_is_not_there_is_said(self):
        self.assertRaises(FileNotFoundError, self.folder.read, 'nothing', 100)


class TestReplace(FolderTest):
    def test_mode_does_not_depend_on_the_umask(self):
        for mask in (0, 0o022, 0o077):
            self.umask(mask)
            self.put('old', b'')
            os.chmod(self.at('old'), 0o644)
            for name in ('new', 'old'):
                self.folder.replace(name, b'')
                self.assertEqual(0o600, self.mode(self.at(name)))
                os.unlink(self.at(name))

    def test_old_content_is_never_half_overwritten(self):
        self.put('file', b'the old content')
        with open(self.at('file'), 'rb') as reader:
            self.folder.replace('file', b'new')
            self.assertEqual(b'the old content', reader.read())
        self.assertEqual(b'new', self.content('file'))
        self.assertEqual(['file'], os.listdir(self.path))

    def test_old_content_stays_when_the_disk_is_full(self):
        self.put('file', b'old')
        for function in ('write', 'fsync', 'rename'):
            with mock.patch.object(os, function, side_effect=NO_SPACE):
                self.assertRaises(OSError, self.folder.replace, 'file', b'new')
            self.assertEqual(b'old', self.content('file'))
        self.folder.replace('file', b'new')
        self.assertEqual(b'new', self.content('file'))
        self.assertEqual(['file'], os.listdir(self.path))

    def test_content_is_on_the_disk_before_the_name_and_the_name_after(self):
        events = []

        def note(name):
            function = getattr(os, name)

            def noted(*args, **kwargs):
                if name == 'fsync':
                    path = os.readlink(f'/proc/self/fd/{args[0]}')
                    events.append((name, os.path.basename(path)))
                else:
                    events.append((name, *args))
                return function(*args, **kwargs)

            return mock.patch.object(os, name, noted)

        with note('fsync'), note('rename'):
            self.folder.replace('file', b'new')
        self.assertEqual(
            [
                ('fsync', 'file.part'),
                ('rename', 'file.part', 'file'),
                ('fsync', os.path.basename(self.path)),
            ],
            events,
        )

    def test_removing_what_is_not_there_is_nothing(self):
        self.put('file', b'')
        self.folder.remove('file')
        self.folder.remove('file')
        self.assertEqual([], os.listdir(self.path))


class TestWrite(FolderTest):
    def test_all_bytes_are_written_in_the_right_place(self):
        write, pwrite = os.write, os.pwrite
        with (
            mock.patch.object(
                os, 'write', lambda fd, data: write(fd, data[:2])
            ),
            mock.patch.object(
                os,
                'pwrite',
                lambda fd, data, where: pwrite(fd, data[:2], where),
            ),
            self.folder.open('file', os.O_RDWR | os.O_CREAT) as fd,
        ):
            folder.write(fd, b'12345')
            folder.write(fd, b'67')
            folder.write(fd, b'abcde', 1)
            folder.write(fd, b'')
        self.assertEqual(b'1abcde7', self.content('file'))


class TestCreate(FolderTest):
    def test_only_its_owner_can_look_into_it(self):
        for number, mask in enumerate((0, 0o022, 0o077)):
            self.umask(mask)
            path = self.at(f'{number}')
            self.open(path, create=True)
            self.assertEqual(0o700, self.mode(path))

    def test_parents_are_made(self):
        self.open(self.at('a/b/c'), create=True)
        self.assertEqual(0o700, self.mode(self.at('a/b/c')))

    def test_directory_that_is_there_stays_as_it_is(self):
        os.chmod(self.path, 0o750)
        self.put('file', b'')
        opened = self.open(self.path, create=True)
        self.assertEqual(['file'], opened.names())
        self.assertEqual(0o750, self.mode(self.path))

    def test_link_to_a_directory_is_one(self):
        os.symlink(self.path, self.at('link'))
        self.put('file', b'x')
        for create in (True, False):
            opened = self.open(self.at('link'), create=create)
            self.assertEqual(b'x', opened.read('file', 1))

    def test_what_is_no_directory_is_refused(self):
        os.mkfifo(self.at('pipe'))
        self.put('file', b'')
        for name in ('pipe', 'file'):
            for create in (True, False):
                self.assertRaises(
                    OSError, folder.Folder, self.at(name), create
                )

    def test_none_is_made_unless_asked(self):
        self.assertRaises(FileNotFoundError, folder.Folder, self.at('x'))
        self.assertEqual([], os.listdir(self.path))

    def test_absent_one_has_nothing(self):
        absent = folder.Absent()
        self.assertEqual([], absent.names())
        self.assertIsNone(absent.status('file'))

    def test_room_that_the_system_does_not_tell(self):
        for number in errno.ENOSYS, errno.EACCES:
            refused = OSError(number, 'no')
            with mock.patch('os.fstatvfs', side_effect=refused):
                self.assertIsNone(self.folder.free())
        broken = OSError(errno.EIO, 'broken')
        with mock.patch('os.fstatvfs', side_effect=broken):
            self.assertRaises(OSError, self.folder.free)

    def test_room_is_what_the_system_says(self):
        system = os.statvfs(self.path)
        free = self.folder.free()
        self.assertTrue(0 < free <= system.f_blocks * system.f_frsize)


class TestTolerating(testtools.TestCase):
    def test_what_a_file_system_lacks_is_told_once(self):
        log = self.useFixture(
            fixtures.FakeLogger('osc_glance_replicate', level=logging.WARNING)
        )
        for number in errno.EINVAL, errno.EBADF, errno.EISDIR, errno.EACCES:
            with folder.tolerating('is quaint'):
                raise OSError(number, 'not so')
        self.assertEqual('The file system of the dump is quaint\n', log.output)

    def test_other_errors_are_errors(self):
        for number in errno.EIO, errno.ENOSPC, errno.EDQUOT:
            with testtools.ExpectedException(OSError):
                with folder.tolerating('fails'):
                    raise OSError(number, 'broken')
        with testtools.ExpectedException(PermissionError):
            with folder.tolerating('is locked', folder.UNKNOWN):
                raise OSError(errno.EACCES, 'locked')
