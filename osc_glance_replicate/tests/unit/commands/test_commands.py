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

import importlib.metadata
import pathlib
import subprocess
import sys

import fixtures
import testtools

from osc_glance_replicate.commands import livecopy
from osc_glance_replicate import errors


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


class TestVerbs(testtools.TestCase):
    """What a verb imports when it runs is there."""

    def test_each_gets_as_far_as_its_cloud(self):
        dump = self.useFixture(fixtures.TempDir())
        pathlib.Path(dump.join('.lock')).touch()
        arguments = {
            'compare': [['--to', 'slave'], ['--dump', dump.path]],
            'dump': [[dump.path]],
            'ec2ids': [['--to', 'slave'], ['--nova-sql']],
            'livecopy': [['--to', 'slave']],
            'load': [[dump.path]],
            'size': [[], ['--to', 'slave'], ['--dump', dump.path]],
        }
        entries = importlib.metadata.entry_points(group='openstack.image.v2')
        trouble = errors.CloudError('master', 'is down')

        def own_cloud():
            raise trouble

        self.useFixture(
            fixtures.MonkeyPatch(
                'osc_glance_replicate.clouds.entries.refuse_unknown',
                lambda names: None,
            )
        )

        for verb, lines in arguments.items():
            (entry,) = entries.select(name=f'image_replicate_{verb}')
            for line in lines:
                command = entry.load()(None, None)
                command.own_cloud = own_cloud
                parsed_args = command.get_parser(verb).parse_args(line)
                _, rows = command.take_action(parsed_args)
                self.assertEqual([], list(rows))
                self.assertIs(trouble, command._report.trouble, verb)
