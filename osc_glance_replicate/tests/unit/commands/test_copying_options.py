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

from osc_glance_replicate.commands import load
from osc_glance_replicate.tests.doubles import parsing


class TestCopyingOptions(parsing.ParserTest):
    def test_an_upload_goes_to_one_store(self):
        for stores in ('--store', 'a', '--store', 'b'), ('--all-stores',):
            told = self.assertWrong('--to', 'x', *stores)
            self.assertIn('give --method import', told)
            self.parse('--to', 'x', *stores, '--method', 'import')
        self.parse('--to', 'x', '--store', 'a')

    def test_nothing_is_downloaded_from_a_directory(self):
        self.parse('/x', '--method', 'import', command=load.LoadImages)
        self.assertWrong(
            '/x', '--method', 'glance-download', command=load.LoadImages
        )
