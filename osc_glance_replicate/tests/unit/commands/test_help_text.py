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

import argparse

import testtools

from osc_glance_replicate.commands import help_text


class TestHelp(testtools.TestCase):
    def test_paragraphs_and_examples_are_kept(self):
        parser = argparse.ArgumentParser(
            description='One\nline.\n\nExamples::\n\n  $ one\n  $ two\n',
            formatter_class=argparse.HelpFormatter,
        )
        help_text.keep_paragraphs(parser)
        self.assertIn(
            '\n\nOne line.\n\nExamples:\n\n  $ one\n  $ two\n',
            parser.format_help(),
        )

    def test_epilog_begins_with_the_examples(self):
        text = help_text.epilog(
            """
            # Why.
            openstack image
            """,
            '\nAs usual.\n',
        )
        self.assertEqual(
            'Examples::\n\n  # Why.\n  openstack image\n\nAs usual.', text
        )
