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
import collections
import pathlib
import re

import testtools

_ROOT = next(
    path
    for path in pathlib.Path(__file__).resolve().parents
    if (path / 'setup.cfg').exists()
)
_PAGES = _ROOT / 'doc' / 'source' / 'contributor'
_FACTS = _PAGES / 'facts.rst'
_TESTS = _ROOT / 'osc_glance_replicate' / 'tests'

#: A label on the page, and a citation of it: "see fact-..." in one line.
_LABEL = re.compile(r'^\.\. _(fact-[a-z0-9-]+):$', re.MULTILINE)
_CITATION = re.compile(r'(?<![\w-])fact-[a-z0-9]+(?:-[a-z0-9]+)*')

#: A test that a page names.
_TEST = re.compile(r'``(Test\w+)\.(test_\w+)``')

#: What the code may not cite: it is in no repository.
_ELSEWHERE = re.compile(r'\b(?:FACT[S]|SPE[C])\b')


def _sources():
    """Yield the Python files in which facts are cited."""
    for directory in 'osc_glance_replicate', 'benchmarks', 'tools':
        yield from (_ROOT / directory).rglob('*.py')


def _pages():
    """Yield the pages that cite facts, other than the page of the facts."""
    for page in _PAGES.glob('*.rst'):
        if page != _FACTS:
            yield page


def _citations(paths):
    """Return the labels that are cited, and where: label → lines."""
    found = collections.defaultdict(list)
    for path in paths:
        lines = path.read_text().splitlines()
        for number, line in enumerate(lines, start=1):
            for label in _CITATION.findall(line):
                where = f'{path.relative_to(_ROOT)}:{number}'
                found[label].append(where)
    return found


class TestFacts(testtools.TestCase):
    """What the code cites stands in the repository, and is relied on."""

    def setUp(self):
        super().setUp()
        self.page = _FACTS.read_text()
        self.labels = collections.Counter(_LABEL.findall(self.page))

    def test_each_citation_leads_to_a_fact(self):
        cited = _citations([*_sources(), *_pages(), _FACTS])
        for label, where in cited.items():
            self.assertEqual(1, self.labels[label], f'{label}: {where}')

    def test_each_fact_is_cited_by_code(self):
        cited = _citations(_sources())
        self.assertEqual(set(), self.labels.keys() - cited.keys())
        self.assertGreaterEqual(sum(map(len, cited.values())), 25)

    def test_each_citation_is_found_by_its_form(self):
        for path in _sources():
            for line in path.read_text().splitlines():
                for cited in _CITATION.finditer(line):
                    before = line[: cited.start()]
                    self.assertRegex(
                        before, r'\bsee (fact-[a-z0-9-]+, )*$', str(path)
                    )

    def test_nothing_is_cited_that_is_elsewhere(self):
        for path in _sources():
            found = _ELSEWHERE.search(path.read_text())
            self.assertIsNone(found, str(path))

    def test_each_test_that_is_named_is_there(self):
        named = set(_TEST.findall(self.page))
        self.assertGreaterEqual(len(named), 25)
        self.assertEqual(set(), named - set(_tests()))


def _tests():
    """Yield all tests: class and name."""
    for path in _TESTS.rglob('test_*.py'):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                for each in node.body:
                    if isinstance(each, ast.FunctionDef):
                        yield node.name, each.name
