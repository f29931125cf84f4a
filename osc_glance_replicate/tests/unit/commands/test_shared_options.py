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

from osc_glance_replicate.tests.doubles import parsing


class TestOptions(parsing.ParserTest):
    def test_images_and_options_mix(self):
        parsed = self.parse('a', '--to', 'x', 'b', '--to', 'y', 'c')
        self.assertEqual(['a', 'b', 'c'], parsed.images)
        self.assertEqual(['x', 'y'], parsed.to)

    def test_what_is_wrong_exits_2(self):
        for arguments in (
            (),
            # What is left of $CLOUD:$REGION where one of them is not set.
            ('--to', ''),
            ('--to', 'x:'),
            ('--to', ':x'),
            ('--to', 'x', '--transfers', '0'),
            ('--to', 'x', '--transfers', 'many'),
            ('--to', 'x', '--retries', '-1'),
            ('--to', 'x', '--project', ''),
            ('--to', 'x', '--disk-format', ''),
            ('--to', 'x', '--property', 'disk_format=raw'),
            ('--to', 'x', '--property', 'novalue'),
            ('--to', 'x', '--min-size', str(2**63)),
            ('--to', 'x', '--min-size', 'much'),
            ('--to', 'x', '--updated-since', 'later'),
            ('--to', 'x', '--method', 'magic'),
            ('--to', 'x', '--store', 'a', '--all-stores'),
        ):
            self.assertWrong(*arguments)


class TestSelection(parsing.ParserTest):
    def test_what_may_be_repeated_keeps_its_order(self):
        parsed = self.parse(
            '--to', 'x', '--name', 'b*', '--name', 'a*', '--exclude', 'c',
            '--tag', 'e', '--tag', 'd', '--property', 'f=g=h',
        )  # fmt: skip
        self.assertEqual(['b*', 'a*'], parsed.names)
        self.assertEqual(['c'], parsed.excludes)
        self.assertEqual(['e', 'd'], parsed.tags)
        self.assertEqual([('f', 'g=h')], parsed.properties)

    def test_two_commands_share_no_list(self):
        for _ in range(2):
            parsed = self.parse('--to', 'x', '--tag', 'a', '--public')
            self.assertEqual(['a'], parsed.tags)
            self.assertEqual(['public'], parsed.visibilities)
        parsed = self.parse('--to', 'x')
        self.assertEqual([[], []], [parsed.tags, parsed.visibilities])
