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
import itertools
import pathlib
import re

import testtools

from osc_glance_replicate.commands import copying
from osc_glance_replicate import places

_ROOT = pathlib.Path(__file__).parents[3]
_TESTS = _ROOT / 'osc_glance_replicate' / 'tests'
_PAGES = _ROOT / 'doc' / 'source'

#: A test, or a module of tests, that the page of the proofs names.
_NAME = re.compile(
    r'``(unit\.)?([a-z.]*test_\w+)(?:\.(Test\w+)\.(test_\w+))?``'
)

#: Whatever looks like one.
_LIKE_A_NAME = re.compile(r'``[^`]*(?:\btest_|\bTest[A-Z])[^`]*``')

_TITLE = re.compile(r'^(\S.*)\n(?:=+|-+)$', re.MULTILINE)


class TestProofs(testtools.TestCase):
    """Each fault has a test, and users need not read of it."""

    def setUp(self):
        super().setUp()
        self.page = (_PAGES / 'contributor/proofs.rst').read_text()

    def test_each_row_names_tests_that_are_there(self):
        for row in itertools.chain(*_rows(self.page).values()):
            names = _NAME.findall(row)
            self.assertTrue(names, row)
            self.assertEqual(len(_LIKE_A_NAME.findall(row)), len(names), row)
            for unit, module, case, test in names:
                kind = 'unit' if unit else 'functional'
                path = _TESTS / kind / f'{module.replace(".", "/")}.py'
                self.assertTrue(path.exists(), path)
                if test:
                    self.assertIn((case, test), set(_tests(path)))

    def test_each_fault_has_a_row(self):
        faults = _rows((_PAGES / 'user/faults.rst').read_text())
        proofs = _rows(self.page)
        self.assertIn('The source', faults)
        for title, rows in faults.items():
            self.assertEqual(len(rows), len(proofs[title]), title)

    def test_pages_for_users_name_none(self):
        pages = [_ROOT / 'README.rst']
        for directory in 'user', 'install':
            pages += (_PAGES / directory).rglob('*.rst')
        for page in pages:
            self.assertNotRegex(page.read_text(), _LIKE_A_NAME, page)


def _rows(page):
    """Return the rows of the tables below each title, if there are any."""
    _, *parts = _TITLE.split(page)
    found = {}
    for title, text in zip(parts[::2], parts[1::2], strict=True):
        tables = text.split('.. list-table::\n')[1:]
        rows = [row for table in tables for row in table.split('\n   * -')[2:]]
        if rows:
            found[title] = rows
    return found


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
