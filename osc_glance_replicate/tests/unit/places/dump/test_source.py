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
import os
import time
from unittest import mock

import fixtures

from osc_glance_replicate import errors
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.places import dump
from osc_glance_replicate.places.dump import records
from osc_glance_replicate.tests.doubles import dumps
from osc_glance_replicate.tests.doubles import samples
from osc_glance_replicate.transfer import image_reading
from osc_glance_replicate.transfer import upload_body


class TestImages(dumps.DirectoryTest):
    def test_order_of_ids_is_that_of_every_place(self):
        numbers = [0xB << 124, 0xA << 124, 0xC << 124, 1]
        ids = [samples.image(number).id for number in numbers]
        ids[0] = ids[0].upper()
        for number, image_id in zip(numbers, ids, strict=True):
            self.put_image(number, id=image_id)
        self.assertEqual(
            [ids[3], ids[1], ids[2], ids[0]],
            [image.id for image in self.place.images()],
        )

    def test_it_is_the_record_that_was_written(self):
        image = self.put_image(os_distro='debian')
        self.assertEqual([image], list(self.place.images()))
        self.assertEqual(image, self.place.find(image.id))
        self.assertIsNone(image.defect)

    def test_what_is_no_id_is_no_image(self):
        image = samples.image()
        for name in (
            '.lock',
            'SHA512SUMS',
            'notes',
            f'{image.id}.img',
            f'{image.id}.img.part',
            f'{image.id}.part',
            f'{image.id}\n',
            f' {image.id}',
            image.id.replace('-', ''),
            image.id.replace('0', '\u0660'),
        ):
            self.put(name, records.serialize(image))
        self.assertEqual([], list(self.place.images()))

    def test_hash_that_was_computed_is_what_the_data_is_held_against(self):
        without = {'os_hash_value': None, 'checksum': None}
        image = self.put_image(**without)
        other = self.put_image(2)
        foreign = self.put_image(3, os_hash_algo='sm3', checksum=None)
        for text, digests in (
            ('', {}),
            (f'{"a" * 128}  {image.id}.img\n', {'sha512': 'a' * 128}),
            (f'{"a" * 64}  {image.id}.img\n', {}),
            (f'{"a" * 128}  {other.id}.img\n', {}),
        ):
            self.put('SHA512SUMS', text.encode())
            place = dump.Source(self.path)
            self.assertEqual(digests, place.find(image.id).digests)
            for sound in other, foreign:
                found = place.find(sound.id)
                self.assertEqual(sound.digests, found.digests)
                self.assertEqual(sound.record, found.record)
            os.close(place._folder._fd)

    def test_hashes_that_cannot_be_read_are_a_flaw(self):
        without = {'os_hash_value': None, 'checksum': None}
        image, other = self.put_image(**without), self.put_image(2)
        os.mkdir(self.at('SHA512SUMS'))
        self.assertIn(
            'SHA512SUMS cannot be used: not a regular file',
            self.place.find(image.id).defect,
        )
        self.assertIsNone(self.place.find(other.id).defect)

    def test_image_without_data_of_its_own_has_no_flaw(self):
        for number, status in enumerate(('queued', 'killed', 'saving')):
            image = samples.image(number, status=status, size=None)
            self.put(image.id, records.serialize(image))
        for image in self.place.images():
            self.assertIsNone(image.defect)

    def test_deactivated_image_has_data(self):
        schema = '/v2/schemas/image'
        image = self.put_image(status='deactivated', schema=schema)
        self.assertIsNone(self.place.find(image.id).defect)
        os.unlink(self.at(f'{image.id}.img'))
        self.assertIn('missing', self.place.find(image.id).defect)

    def test_deactivated_one_that_another_tool_has_left_out(self):
        image = self.put_image(status='deactivated')
        self.assertEqual('deactivated', self.place.find(image.id).status)
        os.unlink(self.at(f'{image.id}.img'))
        found = self.place.find(image.id)
        self.assertIsNone(found.defect)
        self.assertIn('was not dumped', found.status)

    def test_record_of_another_image(self):
        image, other = samples.image(1), samples.image(2)
        self.put(image.id, records.serialize(other))
        self.put(f'{image.id}.img', b'data')
        (found,) = self.place.images()
        self.assertEqual(image.id, found.id)
        self.assertIn(other.id, found.defect)

    def test_record_that_is_no_file(self):
        outside = self.useFixture(fixtures.TempDir()).path
        record = os.path.join(outside, 'record')
        with open(record, 'wb') as file:
            file.write(records.serialize(samples.image(1)))
        os.symlink(record, self.at(samples.image(1).id))
        os.mkfifo(self.at(samples.image(2).id))
        os.mkdir(self.at(samples.image(3).id))
        os.symlink('/dev/zero', self.at(samples.image(4).id))
        os.symlink('nowhere', self.at(samples.image(5).id))
        images = list(self.place.images())
        self.assertEqual(
            [samples.image(number).id for number in range(1, 6)],
            [image.id for image in images],
        )
        for image in images:
            self.assertIn('cannot be read', image.defect)
            self.assertEqual(image, self.place.find(image.id))

    def test_record_that_is_too_large(self):
        image = self.put_image()
        size = os.stat(self.at(image.id)).st_size
        for most, is_good in ((size, True), (size - 1, False)):
            with mock.patch.object(records, 'MAX_SIZE', most):
                (found,) = self.place.images()
            self.assertEqual(is_good, found.defect is None)

    def test_directory_that_is_not_there(self):
        for path in (self.at('nothing'), self.at('file')):
            self.put('file', b'')
            error = self.assertRaises(errors.RefusedError, dump.Source, path)
            self.assertIn(path, str(error))


class TestFind(dumps.DirectoryTest):
    def test_one(self):
        image = self.put_image()
        self.assertEqual(image, self.place.find(image.id))
        self.assertIsNone(self.place.find(samples.image(2).id))

    def test_data_alone_is_no_image(self):
        image = self.put_image()
        os.unlink(self.at(image.id))
        self.assertIsNone(self.place.find(image.id))

    def test_by_name(self):
        one = self.put_image(1, name='debian')
        two = self.put_image(2, name='debian')
        self.put_image(3, name='Debian')
        self.assertEqual([one, two], self.place.named('debian'))
        self.assertEqual([], self.place.named('deb*'))
        self.assertEqual([], self.place.named(''))

    def test_damaged_one_is_found_by_its_name(self):
        image = self.put_image(name='debian')
        self.put(f'{image.id}.img', b'dat')
        (found,) = self.place.named('debian')
        self.assertIn('3 bytes', found.defect)


class TestDamage(dumps.DirectoryTest):
    def test_it_has_a_word(self):
        image = self.put_image()
        name = f'{image.id}.img'
        self.assertIsNone(self.place.flaw(image))
        self.assertEqual('', self.place.find(image.id).flaw)
        for content, word, reason in (
            (b'dat', outcomes.Result.SHORT, 'has 3 bytes, 4 are recorded'),
            (b'', outcomes.Result.SHORT, 'has 0 bytes, 4 are recorded'),
            (
                b'data!',
                outcomes.Result.DAMAGED,
                'has 5 bytes, 4 are recorded',
            ),
            (None, outcomes.Result.MISSING, 'missing'),
        ):
            if content is None:
                os.unlink(self.at(name))
            else:
                self.put(name, content)
            flaw = self.place.flaw(image)
            self.assertIs(word, flaw.result)
            self.assertIn(reason, flaw.reason)
            self.assertIn(name, flaw.reason)
            self.assertEqual(flaw.reason, self.place.find(image.id).flaw)

    def test_data_that_is_no_file(self):
        image = self.put_image()
        name = self.at(f'{image.id}.img')
        outside = os.path.join(self.useFixture(fixtures.TempDir()).path, 'x')
        with open(outside, 'wb') as file:
            file.write(b'data')
        for make in (
            lambda: os.symlink(outside, name),
            lambda: os.mkfifo(name),
            lambda: os.symlink('/dev/null', name),
        ):
            os.unlink(name)
            make()
            self.assertIs(
                outcomes.Result.DAMAGED, self.place.flaw(image).result
            )
            self.assertIsNotNone(self.place.find(image.id).defect)
            opened = self.place.read(image)
            error = self.assertRaises(errors.RefusedError, opened.__enter__)
            self.assertIn(f'{image.id}.img', str(error))

    def test_empty_image_is_whole(self):
        image = self.put_image(data=b'')
        self.assertIsNone(self.place.flaw(image))

    def test_size_that_no_file_can_have(self):
        image = self.put_image(size=10**400)
        self.assertIs(outcomes.Result.SHORT, self.place.flaw(image).result)
        self.assertIsNotNone(self.place.find(image.id).defect)

    def test_files(self):
        image = self.put_image()
        os.mkdir(self.at('directory'))
        os.mkfifo(self.at('pipe'))
        os.symlink(f'{image.id}.img', self.at('link'))
        record = len(records.serialize(image))
        self.assertEqual(
            {
                image.id: record,
                f'{image.id}.img': 4,
                'directory': None,
                'pipe': None,
                'link': None,
            },
            self.place.files(),
        )


class TestRead(dumps.DirectoryTest):
    def setUp(self):
        super().setUp()
        self.useFixture(
            fixtures.MonkeyPatch(f'{upload_body.__name__}._RESERVE', 1)
        )
        # Nothing but the file itself tells that it has changed.
        self.image = self.put_image(
            data=b'some data',
            checksum=None,
            os_hash_algo=None,
            os_hash_value=None,
        )
        self.name = self.at(f'{self.image.id}.img')

    def read(self, start=0, then=lambda: None):
        """Read through a Body.

        :param then: called when the first bytes are given out
        :returns: what was given out, and the error
        """
        got = b''
        try:
            before = samples.Data(b'some data'[:start])
            reading = image_reading.Reading(self.place, 0, block=3)
            with reading.open(self.image, False, (), before, start) as data:
                body = upload_body.UploadBody(data, 9)
                for number, block in enumerate(body, 1):
                    got += block
                    if number == 1:
                        then()
        except errors.ReplicateError as exc:
            return got, exc
        return got, None

    def test_whole(self):
        self.assertEqual((b'some data', None), self.read())

    def test_pieces_are_put_together(self):
        pread = os.pread
        with mock.patch.object(
            os, 'pread', lambda fd, n, where: pread(fd, min(n, 2), where)
        ):
            self.assertEqual((b'some data', None), self.read())

    def test_rest(self):
        for start in range(9):
            with self.place.read(self.image, start) as data:
                got = b''
                while block := data.read(4):
                    self.assertLessEqual(len(block), 4)
                    got += block
            self.assertEqual(b'some data'[start:], got)
            self.assertEqual((b'some data', None), self.read(start))

    def test_two_readers_do_not_meet(self):
        with (
            self.place.read(self.image) as one,
            self.place.read(self.image, 5) as two,
        ):
            self.assertEqual(b'some', one.read(4))
            self.assertEqual(b'da', two.read(2))
            self.assertEqual(b' ', one.read(1))
            self.assertEqual(b'ta', two.read(9))

    def test_data_that_is_not_as_long_as_recorded(self):
        for content in (b'some dat', b'some data!', b''):
            self.put(self.name, content)
            opened = self.place.read(self.image)
            error = self.assertRaises(errors.DataError, opened.__enter__)
            self.assertIn(f'{len(content)} bytes', str(error))
            self.assertIn(self.path, str(error))

    def test_data_that_is_not_there(self):
        os.unlink(self.name)
        got, error = self.read()
        self.assertEqual(b'', got)
        self.assertIsInstance(error, errors.RefusedError)
        self.assertIn(f'{self.image.id}.img: No such file', str(error))

    def change(self, content, flags=0):
        def write():
            before = os.stat(self.name).st_mtime_ns
            fd = os.open(self.name, os.O_WRONLY | flags)
            os.pwrite(fd, content, 0)
            os.close(fd)
            # The clock of a file system may have stood still meanwhile.
            os.utime(self.name, ns=(before, before + 1))

        return write

    def assert_noticed(self, got, error):
        self.assertIsInstance(error, errors.DataError)
        self.assertIn('changed while it was read', str(error))
        self.assertIn(self.path, str(error))
        # The last block is what makes an image of it.
        self.assertLess(len(got), 9)

    def test_file_that_changes_is_never_given_out_whole(self):
        for content in (b'S', b'some data', b'SOME DATA'):
            self.put(self.name, b'some data')
            self.assert_noticed(*self.read(then=self.change(content)))

    def resize(self, size):
        """Make it longer or shorter, which its date does not tell."""

        def truncate():
            before = os.stat(self.name).st_mtime_ns
            os.truncate(self.name, size)
            os.utime(self.name, ns=(before, before))

        return truncate

    def test_file_that_grows_is_never_given_out_whole(self):
        for change in (self.change(b'some data and'), self.resize(10)):
            self.put(self.name, b'some data')
            self.assert_noticed(*self.read(then=change))

    def test_file_that_shrinks_is_never_given_out_whole(self):
        for size in (0, 5, 8):
            self.put(self.name, b'some data')
            self.assert_noticed(*self.read(then=self.resize(size)))

    def test_file_that_is_replaced_is_read_to_its_end(self):
        def replace():
            self.put('new', b'SOME DATA')
            os.rename(self.at('new'), self.name)

        self.assertEqual((b'some data', None), self.read(then=replace))

    def test_one_block_is_held_until_the_file_has_proved_unchanged(self):
        with self.place.read(self.image) as data:
            self.assertEqual(b'some data', data.read(100))
            self.change(b'S')()
            self.assertRaises(errors.DataError, data.read, 100)

    def test_broken_disk_is_named(self):
        broken = OSError(errno.EIO, 'Input/output error')
        with mock.patch.object(os, 'pread', side_effect=broken):
            got, error = self.read()
        self.assertEqual(b'', got)
        self.assertIsInstance(error, errors.RefusedError)
        self.assertEqual(f'{self.path}: Input/output error', str(error))

    def test_nothing_stays_open(self):
        with self.place.read(self.image):
            self.assertEqual(1, len(self.open_files()))
        self.read()
        self.put(self.name, b'')
        self.read()
        # The thread that reads closes what it has opened.
        while self.open_files():
            time.sleep(0.01)

    def open_files(self):
        """Give those of this dump: other tests' threads may have others."""
        found = []
        for fd in os.listdir('/proc/self/fd'):
            with contextlib.suppress(FileNotFoundError):
                found.append(os.readlink(f'/proc/self/fd/{fd}'))
        directory = os.path.realpath(self.path)
        return [path for path in found if path.startswith(f'{directory}/')]
