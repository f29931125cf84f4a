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

from osc_glance_replicate.commands import compare
from osc_glance_replicate.commands import livecopy
from osc_glance_replicate.commands import load
from osc_glance_replicate.tests.doubles import parsing


class TestCopyingOptions(parsing.ParserTest):
    def test_an_upload_goes_to_one_store(self):
        for stores in ('--store', 'a', '--store', 'b'), ('--all-stores',):
            told = self.assertWrong('--to', 'x', *stores)
            self.assertIn('give --method import', told)
            self.parse('--to', 'x', *stores, '--method', 'import')
        self.parse('--to', 'x', '--store', 'a')

    def test_disk_format_has_one_other_name(self):
        for words, told in (
            (['gpt'], "'gpt' is not OLD=NEW"),
            (['gpt='], "'gpt=' is not OLD=NEW"),
            (['=raw'], "'=raw' is not OLD=NEW"),
            (['raw=raw'], 'raw is called raw anyway'),
            (['raw=ploop'], "no data can be found to be 'ploop'"),
            (['GPT=raw'], "no data can be found to be 'GPT'"),
            (['gpt=raw', 'gpt=iso'], 'gpt cannot be both raw and iso'),
        ):
            options = [f'--map-format={each}' for each in words]
            for command in livecopy.LivecopyImages, compare.CompareImages:
                wrong = self.assertWrong(
                    '--to', 'x', *options, command=command
                )
                self.assertIn(f'argument --map-format: {told}', wrong)
        parsed = self.parse(
            '--to', 'x', '--map-format', 'gpt=raw', '--map-format', 'gpt=raw',
            '--map-format', 'raw=gpt',
        )  # fmt: skip
        self.assertEqual(
            {('gpt', 'raw'), ('raw', 'gpt')}, set(parsed.map_formats)
        )

    def test_conversions_are_of_verified_imports(self):
        words = '--to', 'x', '--accept-conversion'
        self.assertIn('give --method import', self.assertWrong(*words))
        self.assertIn(
            'leave out --no-checksum',
            self.assertWrong(*words, '--method', 'import', '--no-checksum'),
        )
        self.parse(*words, '--metadata-only')
        parsed = self.parse(*words, '--method', 'glance-download')
        self.assertTrue(parsed.accept_conversion)
        parsed = self.parse(*words, command=compare.CompareImages)
        self.assertTrue(parsed.accept_conversion)

    def test_nothing_is_downloaded_from_a_directory(self):
        self.parse('/x', '--method', 'import', command=load.LoadImages)
        self.assertWrong(
            '/x', '--method', 'glance-download', command=load.LoadImages
        )
