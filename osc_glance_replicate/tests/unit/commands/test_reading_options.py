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
from osc_glance_replicate.tests.doubles import parsing


class TestReadingOptions(parsing.ParserTest):
    def test_how_replicas_are_read(self):
        """Whoever limits what is not done expects that it is."""
        for given in (
            ('--transfers', '1'),
            ('--bandwidth', '1M'),
            ('--retries', '0'),
            ('--progress',),
            ('--no-progress',),
        ):
            words = '--to', 'x', *given
            told = self.assertWrong(*words, command=compare.CompareImages)
            option = given[0].replace('no-', '')
            self.assertIn(f'{option} is about reading', told)
            self.parse(*words, '--data', command=compare.CompareImages)

    def test_dumps_are_verified(self):
        told = self.assertWrong(
            '--dump', '/x', '--data', command=compare.CompareImages
        )
        self.assertIn('verify is the same for a dump', told)
