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

import concurrent.futures
import hashlib
import itertools
import os
import stat
import subprocess
import threading
import tracemalloc
from unittest import mock

import fixtures

from osc_glance_replicate.places.dump import checksums
from osc_glance_replicate.places.dump import folder
from osc_glance_replicate.tests.doubles import clocks
from osc_glance_replicate.tests.doubles import dumps
from osc_glance_replicate.tests.doubles import samples


class TestChecksums(dumps.FilesTest):
    def setUp(self):
        super().setUp()
        self.folder = folder.Folder(self.path)
        self.addCleanup(os.close, self.folder._fd)
        self.start_again()

    def start_again(self):
        """Make what the next run would make."""
        self.checksums = checksums.Checksums(self.folder)

    def content(self, name='SHA512SUMS'):
        return super().content(name)

    def add(self, number=1, data=b'data', **fields):
        """Note an image whose data is there.

        :returns: the line that it should have
        """
        image = samples.image(number, data, **fields)
        self.put(f'{image.id}.img', data)
        self.checksums.add(image.digests, f'{image.id}.img')
        digest = hashlib.sha512(data).hexdigest()
        return f'{digest}  {image.id}.img\n'.encode()

    def sums(self):
        return {name for name in os.listdir(self.path) if 'SUMS' in name}

    def test_each_image_has_one_line(self):
        lines = [self.add(number, b'%d' % number) for number in (2, 1, 3)]
        self.assertEqual(b''.join(lines), self.content())
        self.assertEqual({'SHA512SUMS'}, self.sums())
        mode = os.stat(self.at('SHA512SUMS')).st_mode
        self.assertEqual(0o600, stat.S_IMODE(mode))

    def test_line_is_on_the_disk_where_the_hash_is_nowhere_else(self):
        for number, durably in (1, True), (2, False):
            image = samples.image(number)
            self.put(f'{image.id}.img', b'data')
            synced = []
            with fixtures.MonkeyPatch('os.fsync', synced.append):
                self.checksums.add(
                    image.digests, f'{image.id}.img', durably=durably
                )
            self.assertEqual(durably, bool(synced))

    def test_contradiction_is_no_matter_of_the_last_line(self):
        first, second = self.add(1), self.add(2)
        other = b'0' * 128 + first[128:]
        self.put('SHA512SUMS', first + other + second + b'junk\n')
        self.start_again()
        self.add(2)
        self.assertEqual(first + other + second, self.content())
        self.start_again()
        self.add(1)
        self.assertEqual(first + second, self.content())

    def test_line_that_is_there_is_not_written_again(self):
        line = self.add()
        before = os.stat(self.at('SHA512SUMS'))
        self.add()
        self.start_again()
        self.add()
        after = os.stat(self.at('SHA512SUMS'))
        self.assertEqual(line, self.content())
        self.assertEqual(before.st_ino, after.st_ino)
        self.assertEqual(before.st_mtime_ns, after.st_mtime_ns)

    def test_next_run_goes_on_at_the_end(self):
        first = self.add(1)
        before = os.stat(self.at('SHA512SUMS'))
        self.start_again()
        second = self.add(2)
        self.assertEqual(first + second, self.content())
        self.assertEqual(before.st_ino, os.stat(self.at('SHA512SUMS')).st_ino)

    def test_torn_last_line_is_mended(self):
        first, second = self.add(1), self.add(2)
        for length in (1, 64, 128, 129, 130, 140, len(second) - 1):
            self.put('SHA512SUMS', first + second[:length])
            self.start_again()
            self.add(1)
            self.assertEqual(first, self.content())
            self.add(2)
            self.assertEqual(first + second, self.content())

    def test_lines_that_mean_nothing_are_left_out(self):
        first, second, gone = self.add(1), self.add(2), self.add(3)
        os.unlink(self.at(f'{samples.image(3).id}.img'))
        self.put('other.img', b'')
        for more in (
            gone,
            b'\n',
            b'\xff\xfe\n',
            b'00  other.img\n',
            b'00  ../../../../../../../../../etc/passwd.img\n',
            b'# a comment\n',
            first.replace(b'  ', b' *'),
            first.replace(b'\n', b'\r\n'),
            first,
        ):
            for content in (first + second + more, more + first + second):
                self.put('SHA512SUMS', content)
                self.start_again()
                self.add(2)
                self.assertEqual(
                    sorted([first, second]),
                    sorted(self.content().splitlines(keepends=True)),
                )

    def test_other_digest_takes_the_place_of_the_old_one(self):
        self.add(1, b'old')
        second = self.add(2)
        first = self.add(1, b'new')
        self.assertEqual(first + second, self.content())
        self.start_again()
        first = self.add(1, b'newer')
        self.assertEqual(first + second, self.content())

    def test_digest_that_could_not_be_written_is_written_next_time(self):
        old = self.add(1, b'old')
        full = mock.Mock(side_effect=OSError)
        for name in 'os.fsync', 'os.rename':
            with fixtures.MonkeyPatch(name, full):
                self.assertRaises(OSError, self.add, 1, b'new')
            self.assertEqual(old, self.content())
        self.assertEqual(self.add(1, b'new'), self.content())

    def test_there_is_a_file_for_each_algorithm(self):
        for number, algorithm in enumerate(
            ('md5', 'sha1', 'sha224', 'sha256', 'sha384', 'sha512')
        ):
            value = hashlib.new(algorithm, b'data').hexdigest()
            self.add(number, os_hash_algo=algorithm, os_hash_value=value)
            line = f'{value}  {samples.image(number).id}.img\n'
            name = f'{algorithm.upper()}SUMS'
            self.assertEqual(line.encode(), self.content(name))
        self.assertEqual(6, len(self.sums()))

    def test_coreutils_verify_a_dump_by_it(self):
        self.add(1, b'some data')
        self.add(2, b'other data')
        self.add(3, os_hash_algo=None, os_hash_value=None)
        for command in ('sha512sum', 'md5sum'):
            subprocess.run(
                [
                    command,
                    '--check',
                    '--strict',
                    '--quiet',
                    f'{command[:-3].upper()}SUMS',
                ],
                cwd=self.path,
                check=True,
            )

    def test_foreign_algorithm_falls_back_to_md5(self):
        for number, algorithm in enumerate(
            ('sha9000', 'blake2b', 'SHA512', '../sha512', 'sha3_512', '')
        ):
            self.add(number, os_hash_algo=algorithm)
        self.assertEqual({'MD5SUMS'}, self.sums())
        self.assertEqual(6, self.content('MD5SUMS').count(b'\n'))

    def test_what_cannot_be_checked_is_left_out(self):
        for fields in (
            {'os_hash_algo': 'sha9000'},
            {'os_hash_value': 'no hex'},
            {'os_hash_value': 'ab\n'},
            {'os_hash_value': '\nab'},
            {'os_hash_value': '../'},
            {'os_hash_value': '\ud800'},
            {'os_hash_value': '\uff11'},
            {'os_hash_value': None},
        ):
            self.add(checksum=None, **fields)
        self.assertEqual(set(), self.sums())

    def test_digits_are_written_as_coreutils_do(self):
        value = hashlib.sha512(b'data').hexdigest()
        line = self.add(os_hash_value=value.upper())
        self.assertEqual(line, self.content())

    def test_many_at_a_time(self):
        self.put('SHA512SUMS', b'a line that means nothing\n')
        names = self.folder.names
        begun = itertools.count(1)
        all_begun = threading.Event()

        def names_when_all_want_them():
            all_begun.wait(clocks.PATIENCE)
            return names()

        def add(number):
            if next(begun) == 8:
                all_begun.set()
            return self.add(number)

        self.folder.names = names_when_all_want_them
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            lines = pool.map(add, range(100))
        self.assertEqual(
            sorted(lines), sorted(self.content().splitlines(keepends=True))
        )

    def test_file_that_gets_another_link_is_not_written_to(self):
        outside = os.path.join(self.useFixture(fixtures.TempDir()).path, 'x')
        first = self.add(1)
        for number in 2, 3:
            with open(outside, 'wb') as file:
                file.write(b'untouched')
            os.unlink(self.at('SHA512SUMS'))
            os.link(outside, self.at('SHA512SUMS'))
            first += self.add(number)
            self.assertEqual(first, self.content())
            self.assertEqual(b'untouched', self.content(outside))

    def test_file_of_another_user_is_not_added_to(self):
        if os.geteuid():
            self.skipTest('only root gives files away')
        first = self.add(1)
        os.chown(self.at('SHA512SUMS'), 12345, -1)
        self.start_again()
        with open(self.at('SHA512SUMS'), 'rb') as his:
            second = self.add(2)
            self.assertEqual(first, his.read())
        self.assertEqual(first + second, self.content())

    def test_what_is_no_file_is_not_written_to(self):
        outside = os.path.join(self.useFixture(fixtures.TempDir()).path, 'x')
        with open(outside, 'wb') as file:
            file.write(b'untouched')
        path = self.at('SHA512SUMS')
        for make in (
            lambda: os.symlink(outside, path),
            lambda: os.symlink(outside + '2', path),
            lambda: os.mkfifo(path),
        ):
            make()
            self.start_again()
            self.assertRaises(OSError, self.add)
            os.unlink(path)
        self.assertEqual(b'untouched', self.content(outside))
        self.assertFalse(os.path.exists(outside + '2'))

    def test_lines_are_read_in_blocks(self):
        lines = [self.add(number) for number in (1, 2, 3)]
        junk = b'no line of ours' * 40 + b'\n'
        for size in range(1, 500, 7):
            name = f'{checksums.__name__}._BLOCK'
            with fixtures.MonkeyPatch(name, size):
                self.put('SHA512SUMS', lines[0] + junk + lines[1] + lines[2])
                self.start_again()
                self.add(1)
            self.assertEqual(b''.join(lines), self.content())

    def test_short_lines_take_no_memory(self):
        line = self.add(1)
        for junk in b'a\n', b'\n', b'a', line:
            self.put('SHA512SUMS', line + junk * (8 * 2**20 // len(junk)))
            self.start_again()
            tracemalloc.start()
            self.addCleanup(tracemalloc.stop)
            self.add(1)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            self.assertLess(peak, 6 * 2**20)
            self.assertEqual(line, self.content())

    def test_file_without_end_is_not_read(self):
        self.put('SHA512SUMS', b'a\n' * 1000)
        name = f'{checksums.__name__}._MAX_SIZE'
        with fixtures.MonkeyPatch(name, 1999):
            error = self.assertRaises(OSError, self.add)
        self.assertIn('more than 1999 bytes', str(error))
