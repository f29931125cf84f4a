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

import hashlib
import os

import fixtures

from osc_glance_replicate.places.dump import checksums
from osc_glance_replicate.places.dump import folder
from osc_glance_replicate.places.dump import noted_hashes
from osc_glance_replicate.tests.doubles import dumps
from osc_glance_replicate.tests.doubles import samples

NAME = f'{samples.image().id}.img'
OTHER = f'{samples.image(2).id}.img'
HASH = hashlib.sha512(b'data').hexdigest()


class TestNotedHashes(dumps.FilesTest):
    def setUp(self):
        super().setUp()
        self.put(NAME, b'data')
        self.folder = folder.Folder(self.path)
        self.addCleanup(os.close, self.folder._fd)
        self.hashes = noted_hashes.NotedHashes(self.folder)

    def note(self, text):
        self.put('SHA512SUMS', text.encode())
        os.utime(self.at('SHA512SUMS'), ns=(0, len(text)))

    def problem(self):
        return self.assertRaises(OSError, self.hashes.of, NAME).strerror

    def test_as_coreutils_take_it(self):
        self.assertEqual('', self.hashes.of(NAME))
        for text in (
            f'{HASH}  {NAME}\n',
            f'{HASH} *{NAME}\n',
            f'{HASH}  {NAME}\r\n',
            f'{HASH.upper()}  {NAME}\n',
            f'# a comment\n{HASH}  {NAME}\n{HASH}  {NAME}\n',
        ):
            self.note(text)
            hashes = noted_hashes.NotedHashes(self.folder)
            self.assertEqual(HASH, hashes.of(NAME), text)
            self.assertEqual('', hashes.of(OTHER))

    def test_what_is_another_algorithms_or_torn(self):
        for text in f'{HASH[:64]}  {NAME}\n', f'{HASH}  {NAME}':
            self.note(text)
            self.assertEqual('', self.hashes.of(NAME))

    def test_two_hashes_of_one_file_are_none(self):
        self.note(f'{HASH}  {NAME}\n{"0" * 128}  {NAME}\n')
        self.assertEqual(f'two hashes of {NAME}', self.problem())
        self.assertEqual('', self.hashes.of(OTHER))

    def test_what_is_noted_later_is_found(self):
        self.assertEqual('', self.hashes.of(NAME))
        self.note(f'{HASH}  {NAME}\n')
        self.assertEqual(HASH, self.hashes.of(NAME))
        self.assertEqual('', self.hashes.of(OTHER))
        self.hashes.add(OTHER, HASH)
        self.assertEqual(HASH, self.hashes.of(OTHER))

    def test_file_is_read_once(self):
        self.note(f'{HASH}  {NAME}\n')
        read = []
        really = checksums.read
        name = f'{checksums.__name__}.read'
        with fixtures.MonkeyPatch(
            name, lambda *args: read.append(args) or really(*args)
        ):
            for _ in range(3):
                self.hashes.of(NAME)
                self.hashes.of(OTHER)
        self.assertEqual(1, len(read))

    def test_file_that_cannot_be_read_is_tried_once(self):
        self.note('a\n' * 1000)
        read = []
        really = checksums.read
        with (
            fixtures.MonkeyPatch(f'{checksums.__name__}._MAX_SIZE', 1999),
            fixtures.MonkeyPatch(
                f'{checksums.__name__}.read',
                lambda *args: read.append(args) or really(*args),
            ),
        ):
            for _ in range(3):
                self.assertIn('more than 1999 bytes', self.problem())
        self.assertEqual(1, len(read))

    def test_what_is_no_file(self):
        os.mkdir(self.at('SHA512SUMS'))
        self.assertEqual('not a regular file', self.problem())

    def test_what_is_a_file_again_is_read(self):
        self.note(f'{HASH}  {NAME}\n')
        self.assertEqual(HASH, self.hashes.of(NAME))
        os.unlink(self.at('SHA512SUMS'))
        os.mkdir(self.at('SHA512SUMS'))
        for _ in range(2):
            self.assertRaises(OSError, self.hashes.of, OTHER)
        os.rmdir(self.at('SHA512SUMS'))
        self.note(f'{HASH}  {NAME}\n')
        self.assertEqual('', self.hashes.of(OTHER))
        self.assertEqual(HASH, self.hashes.of(NAME))
