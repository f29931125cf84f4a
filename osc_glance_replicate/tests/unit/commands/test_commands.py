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
import subprocess
import sys

import testtools

from osc_glance_replicate.commands import livecopy


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
