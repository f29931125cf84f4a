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

"""Choose the tests that can turn red by what has changed.

What has changed are the files of the work tree in the current directory that
differ from a commit. `changed.txt` says which functional tests are about a
file; the modules that functional tests import are looked for in their source.

stderr says what is chosen and why. stdout is one line for tools/run: the tox
environments, and, if it is only some of its tests that are run in the last
one, functional, a regular expression for stestr. It is empty if there is
nothing to run.
"""

import argparse
import ast
from collections.abc import Collection, Iterable, Iterator, Mapping
import fnmatch
import functools
import pathlib
import subprocess
import sys
import textwrap
from typing import NamedTuple

_PACKAGE = 'osc_glance_replicate'
_FUNCTIONAL = f'{_PACKAGE}/tests/functional'
_TABLE = 'tools/changed.txt'

#: All functional tests, as a word of the table.
ALL = 'functional'

#: The environments, by the files that what they run can see. In patterns,
#: `*` stands for slashes, too.
_ENVIRONMENTS = {
    'py3': (
        '*.py',
        '.stestr.conf',
        'doc/*',
        f'{_PACKAGE}/*',
        'requirements.txt',
        'setup.cfg',
        'test-requirements.txt',
        'tools/*',
        'tox.ini',
    ),
    # README is the description, which twine checks.
    'package': (
        'LICENSE',
        'MANIFEST.in',
        'README.rst',
        f'{_PACKAGE}/tests/package/*',
        'pyproject.toml',
        'requirements.txt',
        'setup.cfg',
        'setup.py',
        'test-requirements.txt',
        'tox.ini',
    ),
    'pep8': (
        '*.py',
        'pyproject.toml',
        'requirements.txt',
        'test-requirements.txt',
        'tox.ini',
    ),
    # The reference is made of the commands' parsers.
    'docs': (
        'doc/*',
        f'{_PACKAGE}/commands/*',
        'setup.cfg',
        'tox.ini',
    ),
    'releasenotes': ('doc/requirements.txt', 'releasenotes/*', 'tox.ini'),
}

#: Where work usually goes, where a branch does not say it.
_BRANCHES = ('origin/main', 'origin/master', 'main', 'master')

#: The tests that read all pages.
_PAGES = (
    'test_documents.TestDocuments.test_no_command_is_told_in_another_way',
    'test_documents.TestDocuments.test_what_is_left_out_is_there',
)

#: How many paths are named of those that have the same tests.
_NAMED = 3

#: How many lines there are at the most about paths.
_GROUPS = 12


class Choice(NamedTuple):
    """What is run.

    :param environments: of tox, without functional
    :param tests: of functional, as the table names them
    """

    environments: tuple[str, ...]
    tests: tuple[str, ...]

    def __str__(self) -> str:
        told = ', '.join(self.environments)
        if self.tests:
            told += f'{told and ", "}{ALL}'
        if self.tests and ALL not in self.tests:
            told += f': {" ".join(self.tests)}'
        return told or 'nothing'


def _run_git(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Ask git.

    :raises SystemExit: there is none
    """
    try:
        return subprocess.run(  # noqa: S603
            ['git', *arguments],  # noqa: S607
            capture_output=True,
            text=True,
        )
    except FileNotFoundError:
        sys.exit('tools/run: --changed needs git, and found none on PATH')


def _git(*arguments: str) -> str:
    """Give what git prints.

    :raises SystemExit: git cannot tell; with its own reason
    """
    done = _run_git(*arguments)
    if done.returncode:
        *_, reason = done.stderr.strip().splitlines() or ['it failed']
        sys.exit(f'tools/run: git {arguments[0]}: {reason}')
    return done.stdout


def _find_commit(name: str) -> str | None:
    """Find a commit by any of its names.

    :returns: its hash, or None if there is none of that name
    """
    done = _run_git('rev-parse', '--verify', '--quiet', f'{name}^{{commit}}')
    return done.stdout.strip() or None


def find_base(name: str | None) -> tuple[str, str]:
    """Find the commit to compare with.

    :param name: of a commit, or None for where this branch has begun
    :returns: its hash, and what it is to a person
    :raises SystemExit: there is no such commit, or no git checkout
    """
    _git('rev-parse', '--show-toplevel')
    if name is not None:
        if commit := _find_commit(name):
            return commit, name
        sys.exit(f'tools/run: no such commit: {name}')
    if not _find_commit('HEAD'):
        sys.exit('tools/run: there is no commit yet to compare with')
    for upstream in ('@{upstream}', *_BRANCHES):
        if _find_commit(upstream):
            # Histories that have nothing in common have no merge base.
            done = _run_git('merge-base', 'HEAD', upstream)
            if base := done.stdout.strip():
                return base, f'{base[:12]}, where HEAD left {upstream}'
    return 'HEAD', 'HEAD'


def find_changed(commit: str) -> list[str]:
    """Find the files that differ from a commit, new and deleted ones too.

    :param commit: its hash
    :returns: paths in the current directory, sorted
    """
    differ = _git(
        *('diff', '--name-only', '--no-renames', '--relative', '-z'),
        *(commit, '--'),
    )
    new = _git('ls-files', '--others', '--exclude-standard', '-z')
    return sorted({path for path in (differ + new).split('\0') if path})


def load_table(path: pathlib.Path) -> dict[str, list[str]]:
    """Read which functional tests are about which files.

    :param path: the table
    :returns: path of a file or, with a slash at its end, of a directory →
        words: a test module, class or test of the functional tests; a page,
        for its test; or ``ALL``
    :raises ValueError: a path is there twice
    """
    table: dict[str, list[str]] = {}
    words: list[str] = []
    for line in path.read_text().splitlines():
        text, _, _ = line.partition('#')
        if not text.strip():
            continue
        first, *others = text.split()
        if text[0].isspace():
            words += first, *others
        elif first in table:
            raise ValueError(f'{path}: {first} is there twice')
        else:
            words = table[first] = others
    return table


def look_up(path: str, table: Mapping[str, list[str]]) -> list[str] | None:
    """Find the words of the most specific line for a file.

    :returns: None where no line is about it
    """
    lines = [
        name
        for name in table
        if path == name or (name.endswith('/') and path.startswith(name))
    ]
    return table[max(lines, key=len)] if lines else None


class FunctionalTests:
    """The functional tests that there are.

    :param root: the directory of the project
    """

    def __init__(self, root: pathlib.Path) -> None:
        self._root = root
        self.modules = {
            path.stem for path in (root / _FUNCTIONAL).glob('test_*.py')
        }

    def may_see(self, path: str) -> bool:
        """Say whether a file is one of the package, outside of the tests.

        What is gone is missed by those alone that have changed, too.
        """
        tests = f'{_PACKAGE}/tests/'
        ours = path.startswith(f'{_PACKAGE}/') and not path.startswith(tests)
        return ours and (self._root / path).exists()

    def users(self, path: str) -> set[str]:
        """Find the test modules that a module of the tests is, or is part of.

        :param path: of the module, which need not be there any more
        """
        if not path.startswith(f'{_PACKAGE}/tests/'):
            return set()
        name = _dotted(path.removesuffix('.py').removesuffix('/__init__'))
        return {
            module
            for module in self.modules
            # What is in a package imports that, too.
            if any(
                f'{need}.'.startswith(f'{name}.')
                for need in self._needs(f'{_FUNCTIONAL}/{module}')
            )
        }

    def _needs(self, module: str) -> set[str]:
        """Find all that a module imports of the tests, and itself."""
        found: set[str] = set()
        left = {_dotted(module)}
        while left:
            name = left.pop()
            found.add(name)
            left |= _imports(self._root, name) - found
        return found


@functools.cache
def _imports(root: pathlib.Path, module: str) -> frozenset[str]:
    """Find what a module itself imports of the tests.

    :returns: names of modules, and of what is in modules
    :raises SystemExit: it is no Python
    """
    path = root / f'{module.replace(".", "/")}.py'
    if not path.exists():
        # A package, a name in a module, or what is missing.
        return frozenset()
    try:
        tree = ast.parse(path.read_text())
    except SyntaxError as error:
        sys.exit(f'tools/run: {path}, line {error.lineno}: {error.msg}')
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f'{node.module}.{a.name}' for a in node.names)
    return frozenset(n for n in names if n.startswith(f'{_PACKAGE}.tests.'))


def _dotted(path: str) -> str:
    return path.replace('/', '.')


def page_test(page: str) -> str:
    """Name the test that types the commands of a page."""
    name = page.removesuffix('.rst').replace('/', '_')
    return f'test_documents.TestDocuments.test_{name}'


def _is_page(path: str) -> bool:
    return path == 'README.rst' or fnmatch.fnmatchcase(
        path, 'doc/source/*.rst'
    )


def choose(
    path: str, table: Mapping[str, list[str]], tests: FunctionalTests
) -> Choice:
    """Choose what a change of one file can turn red."""
    environments = tuple(
        environment
        for environment, patterns in _ENVIRONMENTS.items()
        if any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)
    )
    words = look_up(path, table)
    if words is None:
        words = [ALL] if tests.may_see(path) else []
    chosen = {*words, *tests.users(path)}
    if _is_page(path):
        chosen.add(path)
    return Choice(environments, tuple(sorted(chosen)))


def join(choices: Iterable[Choice], modules: Collection[str]) -> Choice:
    """Join what several files need, without what is in it twice.

    :param modules: all functional test modules
    """
    environments: set[str] = set()
    chosen: set[str] = set()
    for choice in choices:
        environments.update(choice.environments)
        chosen.update(choice.tests)
    tests = [word for word in chosen if not _is_part(word, chosen)]
    if set(tests) == set(modules):
        tests = [ALL]
    return Choice(
        tuple(e for e in _ENVIRONMENTS if e in environments),
        tuple(sorted(tests)),
    )


def _is_part(word: str, words: Collection[str]) -> bool:
    """Say whether one of the words is about more than this one."""
    name = page_test(word) if _is_page(word) else word
    parts = name.split('.')
    wider = {'.'.join(parts[:count]) for count in range(1, len(parts))}
    return not wider.isdisjoint(words)


def regex(words: Iterable[str]) -> str:
    """Write functional tests as a regular expression for stestr."""
    names: list[str] = []
    for word in words:
        if _is_page(word):
            names += page_test(word), *_PAGES
        else:
            names.append(word)
    joined = '|'.join(dict.fromkeys(names)).replace('.', '[.]')
    return f'[.]functional[.]({joined})([.]|$)'


def _explain(
    since: str, choices: Mapping[str, Choice], joined: Choice
) -> Iterator[str]:
    yield f'Changed since {since}:'
    groups: dict[Choice, list[str]] = {}
    for path, choice in choices.items():
        groups.setdefault(choice, []).append(path)
    shown = list(groups.items())[:_GROUPS]
    for choice, paths in shown:
        yield from _wrapped(f'{_enumerated(paths)}: {choice}')
    others = len(choices) - sum(len(paths) for _, paths in shown)
    if others:
        yield f'  {others} more'
    if any(joined):
        yield 'Run are, of what tools/run test runs:'
        yield from _wrapped(str(joined))
    else:
        yield 'Nothing has changed that a test can see: none is run.'


def _enumerated(paths: list[str]) -> str:
    more = len(paths) - _NAMED
    named = ', '.join(paths[:_NAMED])
    return f'{named} and {more} more' if more > 0 else named


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(
        text,
        width=79,
        initial_indent='  ',
        subsequent_indent='      ',
        break_long_words=False,
        break_on_hyphens=False,
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        prog='tools/run test --changed',
        # Its stdout is for tools/run.
        add_help=False,
    )
    parser.add_argument('commit', nargs='?', metavar='COMMIT')
    commit, since = find_base(parser.parse_args().commit)
    root = pathlib.Path()
    table = load_table(root / _TABLE)
    tests = FunctionalTests(root)
    choices = {p: choose(p, table, tests) for p in find_changed(commit)}
    joined = join(choices.values(), tests.modules)
    for line in _explain(since, choices, joined):
        print(line, file=sys.stderr)
    environments = list(joined.environments)
    if joined.tests:
        environments.append('functional')
    selected = '' if ALL in joined.tests else regex(joined.tests)
    if environments:
        print(','.join(environments), selected if joined.tests else '')
    return 0


if __name__ == '__main__':
    sys.exit(main())
