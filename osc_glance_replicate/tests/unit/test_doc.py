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

import ast
import importlib
import pathlib
import re

import testtools

from osc_glance_replicate.commands import copying
from osc_glance_replicate import places

_ROOT = pathlib.Path(__file__).parents[3]
_TESTS = _ROOT / 'osc_glance_replicate' / 'tests'
_NAME = re.compile(r'``(unit\.)?([a-z.]*test_\w+)\.(Test\w+)\.(test_\w+)``')


class TestFaults(testtools.TestCase):
    def test_each_row_names_tests_that_are_there(self):
        page = (_ROOT / 'doc/source/user/faults.rst').read_text()
        rows = page.split('   * - ')[1:]
        for row in rows:
            if row.startswith('What happens'):
                continue
            names = _NAME.findall(row)
            self.assertTrue(names, row)
            for unit, module, case, test in names:
                kind = 'unit' if unit else 'functional'
                path = _TESTS / kind / f'{module.replace(".", "/")}.py'
                self.assertIn((case, test), set(_tests(path)))


def _tests(path):
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef):
            for each in node.body:
                if isinstance(each, ast.FunctionDef):
                    yield node.name, each.name


class TestAdding(testtools.TestCase):
    """What a contributor is sent to is there."""

    def setUp(self):
        super().setUp()
        page = _ROOT / 'doc/source/contributor/adding.rst'
        self.named = set(re.findall('``([^`<> ]+)``', page.read_text()))

    def test_files(self):
        package = _ROOT / 'osc_glance_replicate'
        paths = {name for name in self.named if '/' in name or '.py' in name}
        self.assertIn('places/dump/folder.py', paths)
        for path in paths:
            found = (_ROOT / path).exists() or (package / path).exists()
            self.assertTrue(found, path)

    def test_names(self):
        names = {
            name
            for name in self.named
            if re.fullmatch(r'([a-z_]+\.)+[A-Za-z_]+', name)
            and not name.endswith(('.py', '.cfg', '.toml'))
        }
        self.assertIn('places.Destination', names)
        for name in names:
            module, _, attribute = name.rpartition('.')
            found = importlib.import_module(f'osc_glance_replicate.{module}')
            self.assertTrue(hasattr(found, attribute), name)

    def test_methods(self):
        methods = {name[:-2] for name in self.named if name.endswith('()')}
        self.assertIn('publish', methods)
        places_methods = {*dir(places.Source), *dir(places.Destination)}
        commands = {*dir(copying.CopyCommand), 'openstack'}
        self.assertEqual(
            set(),
            {name.removeprefix('self.') for name in methods}
            - places_methods
            - commands,
        )
