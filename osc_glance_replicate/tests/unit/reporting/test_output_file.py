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
import gc
import os
import stat
from unittest import mock

from osc_glance_replicate.reporting import output_file
from osc_glance_replicate.tests.doubles import dumps

#: Users that are not root.
_OURS, _OTHER = 12345, 12346


class OutputFileTest(dumps.FilesTest):
    def setUp(self):
        super().setUp()
        self.put('outside', b'untouched')

    def write(self, name, content=b'new'):
        output_file.OutputFile(self.at(name)).write(content)

    def names(self):
        return set(os.listdir(self.path)) - {'outside'}


class TestWrite(OutputFileTest):
    def test_it_is_whole_and_for_its_owner(self):
        self.addCleanup(os.umask, os.umask(0))
        write = os.write
        with mock.patch.object(
            os, 'write', lambda fd, data: write(fd, data[:2])
        ):
            self.write('file', b'12345')
        self.assertEqual(b'12345', self.content('file'))
        mode = stat.S_IMODE(os.stat(self.at('file')).st_mode)
        self.assertEqual(0o600, mode)
        self.assertEqual({'file'}, self.names())

    def test_paths_of_all_kinds(self):
        os.mkdir(self.at('directory'))
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.at('directory'))
        for path in (
            'name',
            './/./name',
            '../directory/name',
            self.at('directory//./name'),
            '/../' + self.at('directory/name'),
        ):
            output_file.OutputFile(path).write(path.encode())
            self.assertEqual(path.encode(), self.content('directory/name'))
            self.assertEqual(['name'], os.listdir('.'))
            os.unlink('name')

    def test_what_is_there_and_no_file(self):
        os.mkdir(self.at('directory'))
        os.mkfifo(self.at('pipe'))
        before = self.names()
        for name in 'directory', 'directory/', 'pipe', '', '.', '..':
            error = self.assertRaises(OSError, self.write, name)
            self.assertEqual('it is there, and no file', error.strerror)
        for path in '/', '', '/dev/null':
            self.assertRaises(OSError, output_file.OutputFile, path)
        self.assertEqual(before, self.names())

    def test_no_directory(self):
        for name in 'ghost/file', 'outside/file':
            self.assertRaises(OSError, self.write, name)

    def opened(self):
        """Return what this process has open of the directory."""
        links = []
        for fd in os.listdir('/proc/self/fd'):
            with contextlib.suppress(OSError):
                links.append(os.readlink(f'/proc/self/fd/{fd}'))
        here = os.path.realpath(self.at(''))
        return [link for link in links if f'{link}/'.startswith(here)]

    def test_nothing_is_left_of_what_failed(self):
        self.put('file', b'old')
        full = OSError(errno.ENOSPC, 'No space left on device')
        for function in 'write', 'rename':
            with mock.patch.object(os, function, side_effect=full):
                self.assertRaises(OSError, self.write, 'file')
            self.assertEqual({'file'}, self.names())
        self.assertEqual(b'old', self.content('file'))
        for name in 'ghost/file', 'outside/file', '.':
            self.assertRaises(OSError, self.write, name)
        self.assertEqual([], self.opened())

    def test_nothing_is_left_of_what_is_never_written(self):
        file = output_file.OutputFile(self.at('file'))
        self.assertEqual(1, len(self.names()))
        del file
        gc.collect()
        self.assertEqual(set(), self.names())

    def test_part_is_a_new_file(self):
        """Whoever knew its name could not put another there."""
        with mock.patch('secrets.token_hex', return_value='known'):
            part = self.at('file.known.part')
            for plant in os.link, os.symlink:
                plant(self.at('outside'), part)
                self.assertRaises(FileExistsError, self.write, 'file')
                self.assertTrue(os.path.lexists(part))
                os.unlink(part)
        self.assertEqual(b'untouched', self.content('outside'))

    def test_directory_stays_the_one_it_was(self):
        os.mkdir(self.at('directory'))
        file = output_file.OutputFile(self.at('directory/file'))
        os.rename(self.at('directory'), self.at('moved'))
        os.mkdir(self.at('elsewhere'))
        os.symlink('elsewhere', self.at('directory'))
        file.write(b'new')
        self.assertEqual(b'new', self.content('moved/file'))
        self.assertEqual([], os.listdir(self.at('elsewhere')))


class TestLinks(OutputFileTest):
    def test_ones_of_our_own_are_followed(self):
        os.makedirs(self.at('a/b'))
        for name, target in (
            ('link', 'a/b/file'),
            ('again', 'link'),
            ('absolute', self.at('link')),
            ('to directory', 'a/b'),
            ('a/up', '../a/./b/'),
        ):
            os.symlink(target, self.at(name))
        before = self.names()
        for name in (
            'link',
            'again',
            'absolute',
            'to directory/file',
            'a/up/file',
        ):
            self.write(name, name.encode())
            self.assertEqual(name.encode(), self.content('a/b/file'))
            os.unlink(self.at('a/b/file'))
        self.assertEqual(before, self.names())

    def test_ones_without_end(self):
        os.symlink('loop', self.at('loop'))
        for name in 'loop', 'loop/file':
            error = self.assertRaises(OSError, self.write, name)
            self.assertEqual(errno.ELOOP, error.errno)

    def test_one_that_comes_later_is_replaced(self):
        file = output_file.OutputFile(self.at('file'))
        os.symlink('outside', self.at('file'))
        file.write(b'new')
        self.assertEqual(b'untouched', self.content('outside'))
        self.assertEqual(b'new', self.content('file'))


class TestOthers(OutputFileTest):
    """In a directory like /tmp, and in that of another user."""

    def setUp(self):
        if os.geteuid():
            self.skipTest('only root becomes other users')
        super().setUp()
        os.chmod(self.path, 0o1777)
        for user in _OURS, _OTHER:
            os.mkdir(self.at(f'{user}'))
            os.chown(self.at(f'{user}'), user, -1)

    def plant(self, name, owner, target='outside'):
        with self.as_user(owner):
            os.symlink(os.path.relpath(target, os.path.dirname(name) or '.'),
                       self.at(name))  # fmt: skip

    def test_links(self):
        for name, owner, reader, followed in (
            ('x', _OTHER, _OURS, False),
            ('x', _OTHER, 0, False),
            ('x', _OURS, _OURS, True),
            ('x', _OURS, _OTHER, False),
            ('x', 0, _OURS, True),
            (f'{_OTHER}/x', _OTHER, 0, False),
            (f'{_OURS}/x', _OURS, _OURS, True),
        ):
            self.plant(name, owner, f'{_OURS}/target')
            what = (name, owner, reader)
            with self.as_user(reader):
                if followed:
                    self.write(name)
                    self.assertEqual(
                        b'new', self.content(f'{_OURS}/target'), what
                    )
                    os.unlink(self.at(f'{_OURS}/target'))
                else:
                    error = self.assertRaises(OSError, self.write, name)
                    self.assertEqual(
                        'x is a link of another user', error.strerror, what
                    )
            os.unlink(self.at(name))
            self.assertEqual([], os.listdir(self.at(f'{_OURS}')), what)

    def test_links_on_the_way(self):
        self.plant('way', _OTHER, f'{_OURS}')
        with self.as_user(_OURS):
            error = self.assertRaises(OSError, self.write, 'way/file')
        self.assertEqual('way is a link of another user', error.strerror)
        self.assertEqual([], os.listdir(self.at(f'{_OURS}')))

    def test_link_in_a_directory_where_only_we_can_write(self):
        """Whosever it is: it was put there with our consent."""
        for mode, followed in (0o755, True), (0o775, False), (0o757, False):
            link = self.at(f'{_OURS}/x')
            os.chmod(os.path.dirname(link), mode)
            os.symlink('target', link)
            os.chown(link, _OTHER, -1, follow_symlinks=False)
            with self.as_user(_OURS):
                if followed:
                    self.write(f'{_OURS}/x')
                    os.unlink(self.at(f'{_OURS}/target'))
                else:
                    self.assertRaises(OSError, self.write, f'{_OURS}/x')
            os.unlink(link)

    def test_second_name_of_a_link_of_ours(self):
        self.plant(f'{_OURS}/x', _OURS, f'{_OURS}/target')
        link = self.at('x')
        os.link(self.at(f'{_OURS}/x'), link, follow_symlinks=False)
        with self.as_user(_OURS):
            self.assertRaises(OSError, self.write, 'x')

    def test_file_that_cannot_be_replaced_is_known_at_once(self):
        with self.as_user(_OTHER):
            self.put('file', b'his')
            os.chmod(self.at('file'), 0o666)
        with self.as_user(_OURS):
            path = self.at('file')
            error = self.assertRaises(OSError, output_file.OutputFile, path)
        self.assertEqual('it belongs to another user', error.strerror)
        self.assertEqual(b'his', self.content('file'))
        self.write('file')
        self.assertEqual(b'new', self.content('file'))
