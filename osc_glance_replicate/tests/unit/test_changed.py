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
from collections.abc import Iterator
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import testtools

from osc_glance_replicate.tests.doubles import tools

_ROOT = tools.ROOT
_PACKAGE = 'osc_glance_replicate'
_FUNCTIONAL = f'{_PACKAGE}/tests/functional'


changed = tools.load('changed')

_TABLE = f"""\
# path, and what is about it
{_PACKAGE}/roof.py
    test_all  # of them
{_PACKAGE}/room/
    test_room
{_PACKAGE}/room/door.py test_door.TestDoor
    doc/source/door.rst
{_PACKAGE}/window.py
    functional
{_FUNCTIONAL}/data.txt
    test_room.TestRoom.test_data
tools/data
    test_documents
"""

#: What imports what, below tests/.
_TESTS = {
    'functional/base.py': '',
    'functional/links.py': f'from {_PACKAGE}.tests.functional import base',
    'functional/test_all.py': f'from {_PACKAGE}.tests.functional import links',
    'functional/test_door.py': f'import {_PACKAGE}.tests.oracle.model',
    'functional/test_documents.py': '',
    'functional/test_room.py': (
        f'def late():\n    from {_PACKAGE}.tests.functional import base'
    ),
    'oracle/__init__.py': '',
    'oracle/model.py': '',
    'unit/test_unit.py': f'from {_PACKAGE}.tests.functional import base',
}


class ProjectTest(testtools.TestCase):
    """A small project in a repository of its own."""

    def setUp(self) -> None:
        super().setUp()
        self.root = self.directory()
        self.git('init', '--quiet', '--initial-branch', 'main')
        self.write('tools/changed.txt', _TABLE)
        self.write('.gitignore', 'ignored\n')
        for name, source in _TESTS.items():
            self.write(f'{_PACKAGE}/tests/{name}', source)
        for name in 'room/door.py', 'room/wall.py', 'window.py', 'roof.py':
            self.write(f'{_PACKAGE}/{name}')
        self.commit()

    def directory(self) -> pathlib.Path:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        return pathlib.Path(directory.name)

    def write(self, path: str, text: str = '') -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def git(self, *arguments: str) -> str:
        return subprocess.run(
            ['git', *arguments],
            cwd=self.root,
            env=_environment(),
            capture_output=True,
            check=True,
            text=True,
        ).stdout

    def commit(self) -> None:
        self.git('add', '--all')
        self.git('commit', '--quiet', '--allow-empty', '--message', 'x')

    def ask(
        self, *arguments: str, cwd: pathlib.Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, _ROOT / 'tools' / 'changed.py', *arguments],
            cwd=cwd or self.root,
            env=_environment(),
            capture_output=True,
            text=True,
        )

    def told(self, *arguments: str) -> str:
        """Give what a person is told, in one line."""
        asked = self.ask(*arguments)
        self.assertEqual(0, asked.returncode, asked.stderr)
        return ' '.join(asked.stderr.split())

    def assertSeen(self, paths: str, *arguments: str) -> None:
        """Find the paths, no others, to have changed."""
        (since, rest) = self.told(*arguments).split(': ', 1)
        self.assertIn('Changed since', since)
        rest, _, _ = rest.partition(' Run are')
        rest, _, _ = rest.partition(' Nothing has')
        self.assertEqual(paths, rest)

    def assertRun(self, environments: str, *tests: str) -> None:
        """Find these environments to be run, and these functional tests.

        :param tests: as much of their IDs as tells them
        """
        words = self.ask().stdout.removesuffix('\n').split(' ')
        self.assertEqual(environments, words[0])
        if tests:
            (selected,) = words[1:]
            found = {test for test in _IDS if re.search(selected, test)}
            wanted = {t for t in _IDS if any(name in t for name in tests)}
            self.assertEqual(wanted, found)
        else:
            self.assertEqual([''], words[1:])


#: Functional tests that there might be. Names are parts of other names.
_IDS = [
    f'{_PACKAGE}.tests.functional.{name}'
    for name in (
        'test_all.TestAll.test_all',
        'test_all.TestAll.test_room',
        'test_all.TestAllOthers.test_it',
        'test_door.TestDoor.test_it',
        'test_door.TestDoors.test_it',
        'test_documents.TestDocuments.test_README',
        'test_documents.TestDocuments.test_demo',
        'test_documents.TestDocuments.test_doc_source_door',
        'test_documents.TestDocuments.test_doc_source_door_more',
        'test_documents.TestDocuments.test_no_command_is_told_in_another_way',
        'test_documents.TestDocuments.test_what_is_left_out_is_there',
        'test_room.TestRoom.test_data',
        'test_room.TestRoom.test_data_more',
        'test_room_more.TestIt.test_it',
    )
]

_PAGES = ('test_no_command_', 'test_what_is_left_out')


def _environment() -> dict[str, str]:
    """Give an environment in which git has no settings but these."""
    others = {n: v for n, v in os.environ.items() if n[:4] != 'GIT_'}
    return {
        **others,
        'GIT_CONFIG_GLOBAL': os.devnull,
        'GIT_CONFIG_NOSYSTEM': '1',
        'GIT_CEILING_DIRECTORIES': tempfile.gettempdir(),
        'GIT_AUTHOR_NAME': 'x',
        'GIT_AUTHOR_EMAIL': 'x',
        'GIT_COMMITTER_NAME': 'x',
        'GIT_COMMITTER_EMAIL': 'x',
    }


class TestSince(ProjectTest):
    """What has changed, and since when."""

    def test_work_that_is_not_committed(self) -> None:
        for name in 'changed', 'staged', 'gone', 'same':
            self.write(name)
        self.commit()
        self.write('changed', 'x')
        self.write('staged', 'x')
        self.git('add', 'staged')
        (self.root / 'gone').unlink()
        self.write('ignored')
        self.write('new ü')
        self.assertSeen('changed, gone, new ü and 1 more: nothing')
        self.git('reset', '--quiet', '--hard')
        self.assertSeen('new ü: nothing')

    def test_both_names_of_what_has_moved(self) -> None:
        self.write('doc/source/old.rst', 'text\n' * 20)
        self.commit()
        self.git('mv', 'doc/source/old.rst', 'doc/source/new.rst')
        told = self.told()
        for name in 'old', 'new':
            self.assertIn(f'doc/source/{name}.rst: py3', told)

    def test_commits_of_a_topic_branch(self) -> None:
        self.git('checkout', '--quiet', '-b', 'topic')
        self.write('one')
        self.commit()
        self.write('two')
        # What others bring meanwhile is not of this branch.
        self.git('checkout', '--quiet', '-b', 'others', 'main')
        self.write('three')
        self.git('add', 'three')
        self.git('commit', '--quiet', '--message', 'x')
        self.git('branch', '--force', 'main')
        self.git('checkout', '--quiet', 'topic')
        self.assertSeen('one, two: nothing')
        self.assertIn('where HEAD left main:', self.told())
        self.assertSeen('two: nothing', 'HEAD')
        self.assertIn('Changed since HEAD:', self.told('HEAD'))
        self.assertSeen('one, three, two: nothing', 'main')

    def test_upstream(self) -> None:
        """It is asked first, and then what branches are usually called."""
        self.git('branch', '--move', 'trunk')
        for branch in 'master', 'main', 'origin/master', 'origin/main':
            self.write(branch.replace('/', '-'))
            self.commit()
            kind = 'remotes' if '/' in branch else 'heads'
            self.git('update-ref', f'refs/{kind}/{branch}', 'HEAD')
            self.git('checkout', '--quiet', '--detach')
            self.write('topic', branch)
            self.commit()
            self.assertIn(f'left {branch}:', self.told())
        self.git('checkout', '--quiet', '-b', 'topic')
        self.git('branch', '--quiet', '--set-upstream-to', 'main')
        self.assertIn('left @{upstream}:', self.told())
        self.assertIn('origin-main', self.told())

    def test_no_other_branch(self) -> None:
        self.git('branch', '--move', 'trunk')
        self.assertIn('Changed since HEAD:', self.told())
        # One that has nothing in common is none to compare with.
        self.git('checkout', '--quiet', '--orphan', 'main')
        self.write('other')
        self.commit()
        self.git('checkout', '--quiet', 'trunk')
        self.assertIn('Changed since HEAD:', self.told())

    def test_part_of_another_repository(self) -> None:
        parent = self.root
        self.write('elsewhere')
        shutil.copytree(self.root / 'tools', self.root / 'part' / 'tools')
        self.commit()
        self.write('elsewhere', 'x')
        self.write('part/here', 'x')
        self.git('add', 'part')
        self.root = parent / 'part'
        self.assertSeen('here: nothing')

    def test_mistakes_are_one_line(self) -> None:
        for arguments, words in (
            (['ghost'], 'no such commit: ghost'),
            (['HEAD:tools'], 'no such commit: HEAD:tools'),
        ):
            self._assert_one_line(self.ask(*arguments), words)
        nowhere = self.directory()
        self._assert_one_line(
            self.ask(cwd=nowhere), 'git rev-parse: fatal: not a git repository'
        )
        subprocess.run(['git', 'init', '--quiet'], cwd=nowhere, check=True)
        self._assert_one_line(self.ask(cwd=nowhere), 'there is no commit yet')

    def test_no_git(self) -> None:
        asked = subprocess.run(
            [sys.executable, _ROOT / 'tools' / 'changed.py'],
            cwd=self.root,
            env={'PATH': str(self.root)},
            capture_output=True,
            text=True,
        )
        self._assert_one_line(asked, '--changed needs git')

    def _assert_one_line(
        self, asked: subprocess.CompletedProcess[str], words: str
    ) -> None:
        self.assertEqual(1, asked.returncode)
        self.assertEqual('', asked.stdout)
        (line,) = asked.stderr.splitlines()
        self.assertIn(f'tools/run: {words}', line)

    def test_options_are_no_commits(self) -> None:
        for option in '--help', '--all':
            asked = self.ask(option)
            self.assertEqual((2, ''), (asked.returncode, asked.stdout))
            self.assertIn('tools/run test --changed', asked.stderr)


class TestRun(ProjectTest):
    """What is run, then."""

    def test_nothing(self) -> None:
        for path in (), ('.zuul.yaml',), ('.zuul.yaml', 'CONTRIBUTING.rst'):
            for name in path:
                self.write(name)
            asked = self.ask()
            self.assertEqual((0, ''), (asked.returncode, asked.stdout))
            self.assertIn('none is run', asked.stderr)
            self.assertNotIn('Run are', asked.stderr)

    def test_environments(self) -> None:
        self.write('tools/changed.txt')
        self.commit()
        for path, environments in (
            ('benchmarks/x.py', 'py3,pep8'),
            ('doc/requirements.txt', 'py3,docs,releasenotes'),
            ('doc/source/_static/x.css', 'py3,docs'),
            ('releasenotes/notes/x.yaml', 'releasenotes'),
            ('pyproject.toml', 'package,pep8'),
            ('setup.cfg', 'py3,package,docs'),
            ('requirements.txt', 'py3,package,pep8'),
            ('tox.ini', 'py3,package,pep8,docs,releasenotes'),
            ('tools/x', 'py3'),
            ('.stestr.conf', 'py3'),
            (f'{_PACKAGE}/tests/unit/test_x.py', 'py3,pep8'),
            (f'{_PACKAGE}/tests/package/test_x.py', 'py3,package,pep8'),
        ):
            self.write(path)
            self.assertRun(environments)
            self.git('clean', '--quiet', '--force', '-d')
        self.write(f'{_PACKAGE}/commands/x.py')
        self.assertIn('py3,pep8,docs,functional', self.ask().stdout)

    def test_most_specific_line(self) -> None:
        for name, tests in (
            ('roof.py', ['.test_all.']),
            ('room/wall.py', ['.test_room.']),
            ('room/deep/wall.py', ['.test_room.']),
            ('roomy.py', []),
            ('room/door.py', ['.TestDoor.', 'source_door', *_PAGES]),
        ):
            self.write(f'{_PACKAGE}/{name}', 'x')
            if name == 'room/door.py':
                # As a page has a test of its own, and no part of another's.
                found = self.ask().stdout
                self.assertIn('test_doc_source_door|', found)
            else:
                self.assertRun('py3,pep8,functional', *tests)
            self.git('clean', '--quiet', '--force', '-d')
            self.git('checkout', '--quiet', '.')

    def test_a_test_is_not_taken_for_another(self) -> None:
        self.write(f'{_FUNCTIONAL}/data.txt')
        self.write(f'{_PACKAGE}/room/door.py', 'x')
        selected = self.ask().stdout.split()[1]
        found = {test for test in _IDS if re.search(selected, test)}
        self.assertEqual(5, len(found), str(found))
        for other in '_more', 'TestDoors':
            self.assertNotIn(other, ' '.join(found))

    def test_module_without_a_line(self) -> None:
        self.write('tools/changed.txt')
        self.commit()
        self.write(f'{_PACKAGE}/roof.py', 'x')
        self.assertRun('py3,pep8,functional')
        (self.root / _PACKAGE / 'roof.py').unlink()
        self.assertRun('py3,pep8')

    def test_functional_test(self) -> None:
        self.write(f'{_FUNCTIONAL}/test_room.py', 'x = 1')
        self.assertRun('py3,pep8,functional', '.test_room.')
        (self.root / _FUNCTIONAL / 'test_room.py').unlink()
        self.assertRun('py3,pep8')

    def test_module_of_tests(self) -> None:
        """Whoever imports it, directly or not, at any place."""
        for name, tests in (
            ('functional/links.py', ['.test_all.']),
            ('functional/base.py', ['.test_all.', '.test_room.']),
            ('oracle/model.py', ['.test_door.']),
            ('oracle/__init__.py', ['.test_door.']),
        ):
            file = self.root / _PACKAGE / 'tests' / name
            file.write_text('x = 1')
            self.assertRun('py3,pep8,functional', *tests)
            self.git('checkout', '--quiet', '.')
        # Without it they fail.
        (self.root / _FUNCTIONAL / 'base.py').unlink()
        self.assertRun('py3,pep8,functional', '.test_all.', '.test_room.')

    def test_module_that_is_no_python(self) -> None:
        self.write(f'{_FUNCTIONAL}/base.py', 'x =')
        asked = self.ask()
        self.assertEqual((1, ''), (asked.returncode, asked.stdout))
        self.assertEqual(
            f'tools/run: {_FUNCTIONAL}/base.py, line 1: invalid syntax\n',
            asked.stderr,
        )

    def test_other_files_of_tests(self) -> None:
        self.write('tools/changed.txt', f'{_FUNCTIONAL}/x.sh test_room')
        self.commit()
        self.write(f'{_FUNCTIONAL}/x.sh')
        self.assertRun('py3,functional', '.test_room.')

    def test_page(self) -> None:
        self.write('README.rst')
        self.assertRun('package,functional', 'README', *_PAGES)
        self.write('doc/source/door_more.rst')
        self.assertRun(
            'py3,package,docs,functional', 'README', 'door_more', *_PAGES
        )
        # All pages are these as well.
        self.write('tools/data')
        self.assertRun('py3,package,docs,functional', '.test_documents.')
        self.assertTrue(self.told().endswith('functional: test_documents'))

    def test_several_files_are_joined(self) -> None:
        self.write('releasenotes/notes/x.yaml')
        self.write(f'{_PACKAGE}/roof.py', 'x')
        self.write(f'{_PACKAGE}/room/wall.py', 'x')
        self.assertRun(
            'py3,pep8,releasenotes,functional', '.test_all.', '.test_room.'
        )
        told = self.told()
        for text in (
            f'{_PACKAGE}/roof.py: py3, pep8, functional: test_all',
            f'{_PACKAGE}/room/wall.py: py3, pep8, functional: test_room',
            'Run are, of what tools/run test runs: py3, pep8, releasenotes, '
            'functional: test_all test_room',
        ):
            self.assertIn(text, told)

    def test_everything(self) -> None:
        """Where all is to be run, nothing is selected."""
        self.write(f'{_PACKAGE}/window.py', 'x')
        self.assertRun('py3,pep8,functional')
        # Whatever else has changed.
        self.write(f'{_PACKAGE}/roof.py', 'x')
        self.assertRun('py3,pep8,functional')
        self.assertTrue(self.told().endswith('py3, pep8, functional'))
        self.git('checkout', '--quiet', '.')
        for name in 'all', 'room', 'door', 'documents':
            self.write(f'{_FUNCTIONAL}/test_{name}.py', 'x = 1')
        self.assertRun('py3,pep8,functional')

    def test_many_files_are_few_lines(self) -> None:
        names = [f'{letter}/x' for letter in 'abcdefghijklmnopq']
        self.write(
            'tools/changed.txt', '\n'.join(f'{n} test_{n[0]}' for n in names)
        )
        self.commit()
        for name in names:
            self.write(name)
        self.assertLess(len(self.ask().stderr.splitlines()), 20)
        self.assertIn('5 more', self.told())


class TestToolsRun(ProjectTest):
    """What tools/run makes of it: tox is asked for no more than that."""

    def setUp(self) -> None:
        super().setUp()
        for name in 'run', 'changed.py', 'tally.py', 'skips.txt':
            shutil.copy(_ROOT / 'tools' / name, self.root / 'tools')
        self.write('.gitignore', '.tox\n')
        self.commit()
        script = (_ROOT / 'tools/run').read_text()
        (installed,) = re.findall(r"^requirements='(.*)'$", script, re.M)
        self.write('.tox/bootstrap/requirements', f'{installed}\n')
        self.calls = self.root / '.tox' / 'calls'
        self._stub(
            'bootstrap/bin/python',
            f'case "$*" in *" tox "*) echo "$@" >> {self.calls};;\n'
            f'*) exec {sys.executable} "$@";; esac',
        )
        for name in 'py3', 'functional':
            self._stub(f'{name}/bin/stestr', f'echo "$@" >> {self.calls}')

    def _stub(self, name: str, script: str) -> None:
        self.write(f'.tox/{name}', f'#!/bin/sh\n{script}\n')
        (self.root / '.tox' / name).chmod(0o755)

    def run_changed(self) -> tuple[int, str]:
        """Run it, and give what was asked of tox and of stestr."""
        self.calls.write_text('')
        git = shutil.which('git')
        assert git
        done = subprocess.run(
            ['tools/run', 'test', '--changed'],
            cwd=self.root,
            # It looks for all Pythons that are on PATH, or are pyenv's.
            env={
                **_environment(),
                'PATH': f'{pathlib.Path(git).parent}:/usr/bin:/bin',
                'PYENV_ROOT': os.devnull,
            },
            capture_output=True,
            text=True,
        )
        self.stdout = done.stdout
        return done.returncode, self.calls.read_text()

    def test_some_tests_of_functional(self) -> None:
        self.write(f'{_PACKAGE}/roof.py', 'x')
        code, calls = self.run_changed()
        selected = '[.]functional[.](test_all)([.]|$)'
        install, others, functional, *lists = calls.splitlines()
        self.assertTrue(install.endswith('--notest -e py3,pep8,functional'))
        run = '-m tox run --skip-pkg-install -e'
        self.assertEqual(f'{run} py3,pep8 --', others)
        self.assertEqual(f'{run} functional -- {selected}', functional)
        # What was to run has to have run.
        self.assertTrue(lists[0].endswith('tests/unit list'), lists)
        self.assertTrue(lists[1].endswith(f'list {selected}'), lists)
        self.assertEqual('0 passed, 2 failed', self.stdout.splitlines()[-1])
        self.assertEqual(1, code)

    def test_all_of_functional(self) -> None:
        self.write(f'{_PACKAGE}/window.py', 'x')
        _, calls = self.run_changed()
        _, run, *lists = calls.splitlines()
        self.assertTrue(run.endswith(' -e py3,pep8,functional --'), run)
        self.assertTrue(lists[1].endswith('tests/functional list'), lists)

    def test_what_cannot_be_installed_is_tried_again(self) -> None:
        self._stub(
            'bootstrap/bin/python',
            f'case "$*" in *" tox "*) echo "$@" >> {self.calls};;\n'
            f'*) exec {sys.executable} "$@";; esac\n'
            'case "$*" in *--notest*) exit 1;; esac',
        )
        self.write(f'{_PACKAGE}/window.py', 'x')
        _, calls = self.run_changed()
        _, run, *_ = calls.splitlines()
        self.assertEqual('-m tox run -e py3,pep8,functional --', run)

    def test_functional_alone(self) -> None:
        self.write('tools/changed.txt', 'x test_all')
        self.commit()
        self.write('x')
        _, calls = self.run_changed()
        self.assertEqual(1, calls.count('tox run '), calls)
        self.assertIn(' -e functional -- [.]', calls)

    def test_nothing(self) -> None:
        self.assertEqual((0, ''), self.run_changed())

    def test_failure(self) -> None:
        self.git('update-ref', '-d', 'HEAD')
        self.assertEqual((1, ''), self.run_changed())


class TestTable(testtools.TestCase):
    """tools/changed.txt is about all that is there, and nothing else."""

    def setUp(self) -> None:
        super().setUp()
        self.table = changed.load_table(_ROOT / 'tools' / 'changed.txt')
        self.tests = changed.FunctionalTests(_ROOT)
        self.words = {w for words in self.table.values() for w in words}

    def test_each_module_has_a_line(self) -> None:
        modules = {
            path.relative_to(_ROOT).as_posix()
            for path in (_ROOT / _PACKAGE).rglob('*')
            if path.suffix in ('.py', '.css')
        }
        tests = {m for m in modules if m.startswith(f'{_PACKAGE}/tests/')}
        self.assertGreater(len(modules - tests), 100)
        for module in modules - tests:
            self.assertTrue(changed.look_up(module, self.table), module)

    def test_each_functional_test_is_named(self) -> None:
        """But for pages, which name themselves."""
        for test in self._tests():
            parts = test.split('.')
            names = {'.'.join(parts[:count]) for count in (1, 2, 3)}
            if parts[0] != 'test_documents':
                self.assertFalse(names.isdisjoint(self.words), test)

    def test_each_file_of_functional_tests_is_known(self) -> None:
        for path in (_ROOT / _FUNCTIONAL).iterdir():
            if path.is_file():
                name = path.relative_to(_ROOT).as_posix()
                chosen = changed.choose(name, self.table, self.tests)
                self.assertTrue(chosen.tests, name)

    def test_each_path_is_there(self) -> None:
        for path in self.table:
            self.assertTrue((_ROOT / path).exists(), path)
            self.assertEqual((_ROOT / path).is_dir(), path[-1] == '/', path)

    def test_each_word_is_there(self) -> None:
        known = {changed.ALL, *_pages()}
        for test in self._tests():
            parts = test.split('.')
            known |= {'.'.join(parts[:count]) for count in (1, 2, 3)}
        self.assertEqual(set(), self.words - known)

    def _tests(self) -> Iterator[str]:
        """Yield the names of all functional tests, as the table has them."""
        for module in self.tests.modules:
            source = (_ROOT / _FUNCTIONAL / f'{module}.py').read_text()
            for node in ast.parse(source).body:
                if isinstance(node, ast.ClassDef):
                    for each in node.body:
                        name = getattr(each, 'name', '')
                        if name.startswith('test_'):
                            yield f'{module}.{node.name}.{name}'

    def test_tests_of_all_pages_are_there(self) -> None:
        source = (_ROOT / _FUNCTIONAL / 'test_documents.py').read_text()
        for test in changed._PAGES:
            self.assertIn(f'def {test.rpartition(".")[2]}(', source)

    def test_path_that_is_there_twice(self) -> None:
        with tempfile.NamedTemporaryFile('w') as file:
            file.write('x test_one\ny\n  test_two\nx test_three\n')
            file.flush()
            error = self.assertRaises(
                ValueError, changed.load_table, pathlib.Path(file.name)
            )
        self.assertIn('x is there twice', str(error))


def _pages() -> set[str]:
    """Name the pages that have commands."""
    return {
        page.relative_to(_ROOT).as_posix()
        for page in (_ROOT / 'doc/source').rglob('*.rst')
        if '.. code-block:: console' in page.read_text()
    }
