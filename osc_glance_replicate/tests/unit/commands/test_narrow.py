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

import testtools

from osc_glance_replicate.commands import narrow

COLUMNS = ('ID', 'Name', 'To', 'Result', 'Reason')
ID = '1f5ac9a7-9c4f-4f0c-8c6a-0d5b5a6f0d01'
ROW = (ID, 'debian 13', 'slave', 'failed', f'the data of {ID} is lost')
ALL = ('', '', 'other', 'failed', 'it is down')


class TestFitted(testtools.TestCase):
    def fitted(self, width, *rows, columns=COLUMNS):
        return narrow.fitted(columns, rows, width)

    def test_what_is_not_too_wide_stays(self):
        width = sum(map(len, ROW)) + 3 * len(ROW) + 1
        self.assertEqual(
            (COLUMNS, (ROW, ALL), []), self.fitted(width, ROW, ALL)
        )
        columns, _, _ = self.fitted(width - 1, ROW, ALL)
        self.assertEqual(COLUMNS[:-1], columns)

    def test_what_is_said_stands_below(self):
        copied = (ID, 'debian', 'slave', 'copied', '')
        columns, rows, lines = self.fitted(80, ROW, copied, ALL)
        self.assertEqual(COLUMNS[:-1], columns)
        self.assertEqual([ROW[:-1], copied[:-1], ALL[:-1]], rows)
        self.assertEqual(
            [
                f'{ID} to slave: the data of',
                f'  {ID} is lost',
                'other: it is down',
            ],
            lines,
        )
        _, _, lines = self.fitted(80, ROW)
        self.assertEqual(f'{ID}: the data of', lines[0])
        row = ('', 'leftover', 5, 'leftover', 'x' * 90)
        columns = ('ID', 'Name', 'Size', 'Result', 'Reason')
        _, _, lines = self.fitted(80, row, columns=columns)
        self.assertEqual(['x' * 90], lines)

    def test_size_is_left_out_rather_than_an_id_folded(self):
        columns = ('ID', 'Name', 'Size', 'To', 'Result', 'Reason')
        for to, kept in ('slave', columns[:-1]), (
            'multi:RegionTwo', ('ID', 'Name', 'To', 'Result'),
        ):  # fmt: skip
            row = (ID, 'debian', 5_000_000_000, to, 'failed', 'why')
            found, rows, _ = self.fitted(80, row, columns=columns)
            self.assertEqual(kept, found)
            self.assertLessEqual(narrow.wide(found, rows), 80)

    def test_names_are_folded_and_ids_are_not(self):
        _, ((image_id, name, *_), _), _ = self.fitted(66, ROW, ALL)
        self.assertEqual((ID, 'debian\n13'), (image_id, name))
        _, ((image_id, name, *_), _), _ = self.fitted(10, ROW, ALL)
        self.assertEqual((ID, 'debian\n13'), (image_id, name))

    def test_wide_characters_are_wide(self):
        row = (ID, '東' * 10, 'slave', 'copied', '')
        width = len(ID) + 20 + len('slavecopiedReason') + 16
        columns, _, _ = self.fitted(width - 1, row)
        self.assertEqual(COLUMNS[:-1], columns)
        columns, _, _ = self.fitted(width, row)
        self.assertEqual(COLUMNS, columns)

    def test_tables_without_sentences(self):
        columns = ('To', 'Images', 'Bytes', 'Size')
        row = ('x' * 80, 1, 1, '1 B')
        found = self.fitted(80, row, columns=columns)
        self.assertEqual((columns, (row,), []), found)
        self.assertEqual((COLUMNS, (), []), self.fitted(80))
