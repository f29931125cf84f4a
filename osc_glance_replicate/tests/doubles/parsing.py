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

"""Arguments as the parsers of the verbs take them."""

import io

import fixtures
import testtools

from osc_glance_replicate.commands import livecopy


class ParserTest(testtools.TestCase):
    """Arguments are read, or refused as argparse refuses them."""

    def parse(self, *arguments, command=livecopy.LivecopyImages):
        parser = command(None, None).get_parser('replicate')
        return parser.parse_args(arguments)

    def assertWrong(self, *arguments, **options):
        stderr = io.StringIO()
        self.useFixture(fixtures.MonkeyPatch('sys.stderr', stderr))
        error = self.assertRaises(
            SystemExit, self.parse, *arguments, **options
        )
        self.assertEqual(2, error.code)
        return stderr.getvalue()
