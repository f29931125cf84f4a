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
import signal
import types

import fixtures
import testtools

from osc_glance_replicate.commands import load


class Command(load.LoadImages):
    examples = """
    # Why.
    openstack image
    """

    def get_description(self):
        return 'One\nline.\n\nExamples::\n\n  $ one\n  $ two\n'


class TestHelp(testtools.TestCase):
    def test_paragraphs_and_examples_are_kept(self):
        parser = Command(None, None).get_parser('load')
        self.assertIn(
            '\n\nOne line.\n\nExamples:\n\n  $ one\n  $ two\n',
            parser.format_help(),
        )

    def test_epilog_begins_with_the_examples(self):
        self.useFixture(
            fixtures.MonkeyPatch(
                'cliff.command.Command.get_epilog',
                lambda self: '\nAs usual.\n',
            )
        )
        text = Command(None, None).get_epilog()
        self.assertEqual(
            'Examples::\n\n  # Why.\n  openstack image\n\nAs usual.', text
        )


class TestSignals(testtools.TestCase):
    def test_run_that_is_ended_before_it_has_begun(self):
        class Ended(load.LoadImages):
            def take_action(self, parsed_args):
                os.kill(os.getpid(), self.number)

        options = types.SimpleNamespace(debug=True)
        app = types.SimpleNamespace(
            options=options, stdout=io.StringIO(), stderr=io.StringIO()
        )
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            command = Ended(app, None)
            command.number = number
            parsed_args = command.get_parser('load').parse_args(['/x'])
            self.assertEqual(code, command.run(parsed_args))
