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
from unittest import mock

import testtools

from osc_glance_replicate.commands import load
from osc_glance_replicate import errors
from osc_glance_replicate.reporting import ec2_report
from osc_glance_replicate.reporting import progress
from osc_glance_replicate.reporting import report


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
            # Whoever runs the tests may have it ignored.
            before = signal.signal(number, signal.default_int_handler)
            self.addCleanup(signal.signal, number, before)
            command = Ended(app, None)
            command.number = number
            parsed_args = command.get_parser('load').parse_args(['/x'])
            self.assertEqual(code, command.run(parsed_args))


class TestProblems(testtools.TestCase):
    def test_long_line_is_cut(self):
        class Troubled(load.LoadImages):
            def take_action(self, parsed_args):
                told = ec2_report.Ec2IdReport()
                told.problems = ['x' * 100_000, 'another']
                return self.show(told, lambda: [])

        options = types.SimpleNamespace(debug=True, verbose_level=0)
        app = types.SimpleNamespace(
            options=options, stdout=io.StringIO(), stderr=io.StringIO()
        )
        command = Troubled(app, None)
        parsed_args = command.get_parser('load').parse_args(['/x'])
        self.assertEqual(1, command.run(parsed_args))
        long, other = app.stderr.getvalue().splitlines()
        self.assertEqual(f'{"x" * 4000}… (100000 characters)', long)
        self.assertEqual('another', other)


class TestWordless(testtools.TestCase):
    def test_error_without_words_gets_some(self):
        for exc, words in (
            (MemoryError, 'not enough memory'),
            (AssertionError, 'unexpected AssertionError'),
        ):
            for early in True, False:
                command = _command(_Ended)
                command.exc, command.early = exc, early
                parsed_args = command.get_parser('load').parse_args(['/x'])
                error = self.assertRaises(
                    errors.ReplicateError, command.run, parsed_args
                )
                self.assertIn(words, str(error))


class _Ended(load.LoadImages):
    """Ends early, or while its rows are told."""

    def take_action(self, parsed_args):
        def items():
            raise self.exc

        if self.early:
            items()
        return self.show(ec2_report.Ec2IdReport(), items)


def _command(kind):
    options = types.SimpleNamespace(debug=True, verbose_level=0)
    app = types.SimpleNamespace(
        options=options, stdout=io.StringIO(), stderr=io.StringIO()
    )
    return kind(app, None)


class TestListening(testtools.TestCase):
    def test_rows_tell_of_troubles_where_they_can(self):
        for is_terminal, words, told in (
            (True, [], True),
            (True, ['-c', 'ID', '-c', 'reason'], True),
            (True, ['-c', 'ID'], False),
            (False, [], False),
        ):
            app = types.SimpleNamespace(
                options=types.SimpleNamespace(verbose_level=1),
                stdout=types.SimpleNamespace(isatty=lambda: is_terminal),
                stderr=io.StringIO(),
            )
            command = load.LoadImages(app, None)
            parser = command.get_parser('load')
            parsed_args = parser.parse_args(['/x', *words])
            with mock.patch.object(progress, 'listening') as listening:
                command.listening(parsed_args, None)
            self.assertIs(
                told, listening.call_args.kwargs['rows_follow'], words
            )


class TestUnusable(testtools.TestCase):
    def test_it_is_told_once_however_quiet_it_is(self):
        class Troubled(load.LoadImages):
            def take_action(self, parsed_args):
                told = report.CopyReport(tell_unusable=self.rows)
                told.unusable = {'east': 'it is down'}
                return self.show(told, lambda: [])

        for rows, verbosity, lines in (
            (False, 0, ['it is down']), (True, 0, []),
        ):  # fmt: skip
            app = types.SimpleNamespace(
                options=types.SimpleNamespace(
                    debug=True, verbose_level=verbosity
                ),
                stdout=io.StringIO(),
                stderr=io.StringIO(),
            )
            command = Troubled(app, None)
            command.rows = rows
            parsed_args = command.get_parser('load').parse_args(['/x'])
            self.assertEqual(1, command.run(parsed_args))
            self.assertEqual(lines, app.stderr.getvalue().splitlines())
