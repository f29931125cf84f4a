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
import importlib.metadata
import io
import os
import signal
import subprocess
import sys
import types

import fixtures
import testtools

from osc_glance_replicate.commands import livecopy
from osc_glance_replicate.commands import load
from osc_glance_replicate.commands import values


class TestStart(testtools.TestCase):
    """openstack imports every command of every plugin at every start."""

    def test_commands_import_nothing_heavy(self):
        # What osc_lib imports has been imported before us.
        code = (
            'import importlib, pkgutil, sys\n'
            'from osc_lib.command import command\n'
            'before = set(sys.modules)\n'
            'from osc_glance_replicate import commands\n'
            'for module in pkgutil.iter_modules(commands.__path__):\n'
            "    name = f'{commands.__name__}.{module.name}'\n"
            '    importlib.import_module(name)\n'
            "print(*sorted(set(sys.modules) - before), sep='\\n')\n"
        )
        imported = subprocess.run(
            [sys.executable, '-c', code],
            capture_output=True,
            check=True,
            text=True,
        ).stdout.split()
        self.assertEqual(
            [],
            [
                module
                for module in imported
                if not module.startswith('osc_glance_replicate')
            ],
        )
        self.assertIn('osc_glance_replicate.commands.ec2ids', imported)
        self.assertNotIn('osc_glance_replicate.engine', imported)

    def test_commands_are_registered(self):
        entries = importlib.metadata.entry_points(group='openstack.image.v2')
        (entry,) = entries.select(name='image_replicate_livecopy')
        self.assertIs(livecopy.LivecopyImages, entry.load())


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


class TestOptions(testtools.TestCase):
    def parse(self, *arguments, command=livecopy.LivecopyImages):
        parser = command(None, None).get_parser('replicate')
        return parser.parse_args(arguments)

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

    def assertWrong(self, *arguments, **options):
        stderr = io.StringIO()
        self.useFixture(fixtures.MonkeyPatch('sys.stderr', stderr))
        error = self.assertRaises(
            SystemExit, self.parse, *arguments, **options
        )
        self.assertEqual(2, error.code)
        return stderr.getvalue()

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

    def test_scheduler_that_strangers_could_reach_is_refused(self):
        for address in (
            'tls://host:8786',
            'tls://10.0.0.1:8786',
            'tcp://localhost:8786',
            'tcp://127.0.0.1:8786',
            'tcp://[::1]:8786',
        ):
            parsed = self.parse('--to', 'x', '--scheduler', address)
            self.assertEqual(address, parsed.scheduler)
        parsed = self.parse('--to', 'x', '--scheduler', '127.0.0.1:8786')
        self.assertEqual('tcp://127.0.0.1:8786', parsed.scheduler)
        for address in (
            'tcp://host:8786',
            'host:8786',
            'tcp://10.0.0.1:8786',
            'tcp://127.0.0.1.example:8786',
            'tcp://localhost@host:8786',
        ):
            told = self.assertWrong('--to', 'x', '--scheduler', address)
            self.assertIn('tls://', told)
            self.assertIn('distributed.comm.tls', told)
        for address in (
            'ws://host:8786',
            'inproc://1',
            'tls://host',
            'tls://host:x',
            'tls://',
            '',
        ):
            told = self.assertWrong('--to', 'x', '--scheduler', address)
            self.assertIn('no address of a scheduler', told)

    def test_sizes(self):
        for text, number in (
            ('5', 5),
            ('5B', 5),
            ('1k', 1000),
            ('1.5G', 1500000000),
            ('1Ki', 1024),
            ('2GiB', 2 * 1024**3),
        ):
            self.assertEqual(number, values.size(text))

    def test_numbers_have_a_lowest(self):
        self.assertEqual(0, values.at_least(0)('0'))
        self.assertRaises(argparse.ArgumentTypeError, values.at_least(1), '0')
