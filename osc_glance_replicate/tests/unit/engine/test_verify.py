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

import fixtures

from osc_glance_replicate.engine import verify
from osc_glance_replicate import errors
from osc_glance_replicate.model import image_selection
from osc_glance_replicate.places.dump import records
from osc_glance_replicate.reporting import progress
from osc_glance_replicate.reporting import report
from osc_glance_replicate.tests.doubles import dumps
from osc_glance_replicate.tests.doubles import samples


class TestImages(dumps.VerifyTest):
    def test_good_one(self):
        image = self.put_image()
        self.assertEqual(
            [verify.Finding(image.id, 'image 1', 4, 'ok')], self.verify()
        )
        self.assertEqual(0, self.exit_code())

    def test_who_looks_on_hears_what_was_found(self):
        stream = io.StringIO()
        good, bad = self.put_image(1), self.put_image(2)
        self.put(f'{bad.id}.img', b'datA')
        none = self.put_image(3)
        os.unlink(self.at(f'{none.id}.img'))
        list(
            verify.verify(
                self.place,
                image_selection.Selection(),
                progress.ProgressLog(stream),
            )
        )
        told = sorted(stream.getvalue().splitlines())
        for line, words in zip(
            told,
            (
                f'damaged: {bad.id} image 2: ',
                f'missing: {none.id} image 3: ',
                f'ok: {good.id} image 1, 4 bytes in 0 s (',
            ),
            strict=True,
        ):
            self.assertTrue(line.startswith(words), line)
        self.assertIn('(3 of 3', stream.getvalue())
        self.assertIn('2 failed)', stream.getvalue())

    def test_hundred_good_ones(self):
        images = [self.put_image(n, b'%d' % n) for n in range(100)]
        findings = self.verify()
        self.assertEqual({'ok'}, {finding.result for finding in findings})
        self.assertEqual(
            sorted(image.id for image in images),
            sorted(finding.id for finding in findings),
        )

    def test_empty_one(self):
        self.put_image(data=b'')
        self.assertEqual(('ok', ''), self.verify_one())

    def test_deactivated_one(self):
        self.put_image(status='deactivated')
        self.assertEqual(('ok', ''), self.verify_one())

    def test_weaker_hash_is_one(self):
        self.put_image(os_hash_algo='sha9000')
        self.assertEqual(('ok', ''), self.verify_one())

    def test_size_alone_is_said(self):
        for fields in (
            {'os_hash_algo': None},
            {'os_hash_value': ''},
            {'os_hash_algo': 'sha9000'},
        ):
            for data in (b'data', b''):
                self.put_image(data=data, checksum=None, **fields)
                self.assertEqual(
                    ('ok', 'verified by size only: no hash recorded'),
                    self.verify_one(),
                )

    def test_record_that_has_changed_since_it_was_listed(self):
        image = self.put_image()
        images = self.place.images

        def late(selection=None):
            for image in list(images(selection)):
                self.put_image(data=b'more')
                yield image

        self.place.images = late
        self.assertEqual(('ok', ''), self.verify_one())
        os.unlink(self.at(f'{image.id}.img'))
        self.place.images = lambda selection=None: iter([image])
        os.unlink(self.at(image.id))
        self.assertIn('is not there any more', self.verify_one()[1])

    def test_damaged_ones(self):
        image = self.put_image()
        for data, result, word in (
            (b'datA', 'damaged', 'sha512'),
            (b'data!', 'damaged', '5 bytes'),
            (b'dat', 'short', '3 bytes'),
            (b'', 'short', '0 bytes'),
            (None, 'missing', 'is missing'),
        ):
            if data is None:
                os.unlink(self.at(f'{image.id}.img'))
            else:
                self.put(f'{image.id}.img', data)
            (finding,) = self.verify()
            self.assertEqual(
                (image.id, 'image 1', 4, result),
                (finding.id, finding.name, finding.size, finding.result),
            )
            self.assertIn(word, finding.reason)
            self.assertEqual(1, self.exit_code())

    def test_one_damaged_by_md5(self):
        image = self.put_image(os_hash_algo=None)
        self.put(f'{image.id}.img', b'datA')
        result, reason = self.verify_one()
        self.assertEqual('damaged', result)
        self.assertIn('md5', reason)

    def test_one_bit_among_many(self):
        data = bytearray(3 * 1024 * 1024)
        image = self.put_image(data=bytes(data))
        for position in (0, 1024 * 1024, len(data) - 1):
            data[position] ^= 1
            self.put(f'{image.id}.img', data)
            self.assertEqual('damaged', self.verify_one()[0])
            data[position] ^= 1

    def test_data_that_is_no_file(self):
        image = self.put_image()
        path = self.at(f'{image.id}.img')
        outside = os.path.join(self.useFixture(fixtures.TempDir()).path, 'x')
        self.put(outside, b'data')
        for make in (
            lambda: os.symlink(outside, path),
            lambda: os.mkfifo(path),
            lambda: os.symlink('/dev/null', path),
        ):
            os.unlink(path)
            make()
            result, reason = self.verify_one()
            self.assertEqual('damaged', result)
            self.assertIn('not a regular file', reason)

    def test_image_that_had_no_data_is_no_damage(self):
        image = samples.image(status='queued', size=None)
        self.put(image.id, records.serialize(image))
        self.assertEqual(
            ('skipped', 'no data: status is queued'), self.verify_one()
        )
        self.assertEqual(0, self.exit_code())

    def test_hidden_one_is_verified_too(self):
        self.put_image(os_hidden=True)
        self.assertEqual(('ok', ''), self.verify_one())


class TestRecords(dumps.VerifyTest):
    def test_record_that_cannot_be_used(self):
        image = self.put_image()
        for content, word in (
            (b'', 'JSON'),
            (b'[]', 'object'),
            (records.serialize(samples.image(2)), samples.image(2).id),
            (b'[' * 10**6, 'JSON'),
        ):
            self.put(image.id, content)
            (finding,) = self.verify()
            self.assertEqual(
                (image.id, '', None, 'damaged'),
                (finding.id, finding.name, finding.size, finding.result),
            )
            self.assertIn(word, finding.reason)
            self.assertEqual(1, self.exit_code())

    def test_record_whose_values_are_odd(self):
        for field, value in (
            ('size', '4'),
            ('size', [4]),
            ('size', 4.5),
            ('size', {}),
            ('size', -4),
            ('size', True),
            ('name', ['x']),
            ('status', 5),
            ('checksum', 5),
            ('tags', 5),
        ):
            self.put_image(**{field: value})
            (finding,) = self.verify()
            self.assertEqual('damaged', finding.result)
            self.assertIn(field, finding.reason)
            self.assertEqual(1, self.exit_code())

    def test_record_that_is_no_file(self):
        image = self.put_image()
        os.unlink(self.at(image.id))
        os.mkfifo(self.at(image.id))
        result, reason = self.verify_one()
        self.assertEqual('damaged', result)
        self.assertIn('not a regular file', reason)


class TestSelection(dumps.VerifyTest):
    def test_image_that_is_not_there_is_told_before_any_other(self):
        one = self.put_image(1)
        for missing in ('nothing', samples.image(2).id):
            findings = verify.verify(
                self.place, image_selection.Selection(images=(one.id, missing))
            )
            error = self.assertRaises(errors.SelectionError, next, findings)
            self.assertIn(missing, str(error))
            self.assertIn(self.path, str(error))

    def test_name_of_several_images(self):
        for number in (1, 2):
            self.put_image(number, name='debian')
        error = self.assertRaises(
            errors.SelectionError, self.verify, images=('debian',)
        )
        self.assertIn(samples.image(2).id, str(error))

    def test_only_what_is_named_is_read(self):
        one = self.put_image(1, name='debian')
        other = self.put_image(2)
        self.put(f'{other.id}.img', b'datA')
        for name in (one.id, 'debian'):
            (finding,) = self.verify(images=(name,))
            self.assertEqual((one.id, 'ok'), (finding.id, finding.result))

    def test_only_what_is_selected_is_read(self):
        one = self.put_image(1, name='debian')
        self.put_image(2)
        for options in ({'names': ('deb*',)}, {'excludes': ('image*',)}):
            (finding,) = self.verify(**options)
            self.assertEqual(one.id, finding.id)

    def test_damage_that_is_named(self):
        image = self.put_image(name='debian')
        self.put(f'{image.id}.img', b'dat')
        (finding,) = self.verify(images=('debian',))
        self.assertEqual('short', finding.result)


class TestOthers(dumps.VerifyTest):
    def others(self, **options):
        """Give what is told of the other files: results and reasons."""
        return [
            (f.id, f.size, f.result, f.reason)
            for f in self.verify(**options)
            if f.result not in ('ok', 'short')
        ]

    def test_files_of_a_dump_are_not_told(self):
        self.put_image()
        for name in (
            '.lock',
            'SHA512SUMS',
            'SHA384SUMS',
            'SHA256SUMS',
            'SHA224SUMS',
            'SHA1SUMS',
            'MD5SUMS',
        ):
            self.put(name, b'')
        self.assertEqual([], self.others())

    def test_foreign_ones_are_told_in_order(self):
        image = self.put_image()
        names = [
            '.hidden',
            f'{image.id}.img.bak',
            f'{image.id}.txt',
            'B4SUMS',
            f'a {image.id}',
            'a\x1b[31m\n\u202eb',
            'lost+found',
            'other.part',
        ]
        for name in names:
            self.put(name, b'12345')
        os.unlink(self.at('lost+found'))
        os.mkdir(self.at('lost+found'))
        self.assertEqual(
            [
                (
                    image.id if name.startswith(image.id) else '',
                    None if name == 'lost+found' else 5,
                    'foreign',
                    f'{name} is no part of a dump',
                )
                for name in sorted(names)
            ],
            self.others(),
        )
        self.assertEqual(0, self.exit_code())

    def test_leftovers_are_told(self):
        image, other = self.put_image(1), samples.image(2).id
        names = [
            f'{image.id}.img.part',
            f'{image.id}.part',
            f'{other}.img.part',
            f'{other}.part',
            'MD5SUMS.part',
            'SHA512SUMS.part',
        ]
        for name in names:
            self.put(name, b'12345')
        self.assertEqual(
            [
                (
                    name.partition('.')[0] if 'SUMS' not in name else '',
                    5,
                    'leftover',
                    f'{name}: an interrupted dump left it',
                )
                for name in names
            ],
            self.others(),
        )
        self.assertEqual(0, self.exit_code())

    def test_data_without_a_record_is_missing_one(self):
        image = self.put_image()
        os.unlink(self.at(image.id))
        (finding,) = self.verify()
        self.assertEqual(
            (image.id, '', 4, 'missing'),
            (finding.id, finding.name, finding.size, finding.result),
        )
        self.assertIn('without its record', finding.reason)
        self.assertEqual(1, self.exit_code())

    def test_they_are_told_after_the_images(self):
        self.put('.aaa', b'')
        self.put_image()
        self.assertEqual(['ok', 'foreign'], [f.result for f in self.verify()])

    def test_they_are_not_told_of_where_images_are_selected(self):
        image = self.put_image(1, name='debian')
        self.put('foreign', b'')
        self.put(f'{image.id}.img.part', b'')
        self.put(f'{samples.image(2).id}.img', b'')
        self.assertEqual(3, len(self.others()))
        for options in (
            {'images': ('debian',)},
            {'names': ('*',)},
            {'min_size': 0},
        ):
            self.assertEqual([], self.others(**options))
            self.assertEqual(1, len(self.verify(**options)))

    def test_name_that_is_no_text(self):
        with open(os.fsencode(self.path) + b'/\xff\x1b', 'wb'):
            pass
        tell = report.VerifyReport(for_people=True)
        (row,) = tell.rows(self.verify)
        self.assertIsNone(tell.trouble)
        self.assertTrue(row[-1].isprintable())
        row[-1].encode()
