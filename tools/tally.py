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

"""Add up what the tests of several stestr repositories came to.

What failed is said again, with the end of its reason, and the last line of
output is `N passed, N failed`. Nothing passes by not being
run: a skipped test is a failure unless the list of skips says why, and so are
a repository without results, and a test that `tests.txt` beside the repository
lists and that has no result. The exit code is 1 if anything failed or no test
ran at all.
"""

import argparse
from collections.abc import Mapping, Sequence
import pathlib
import sys
from typing import Any, NamedTuple

from stestr.repository import abstract
from stestr.repository import util
import subunit
import testtools

_PASSED = frozenset({'success', 'xfail'})
_SKIPS = pathlib.Path(__file__).with_name('skips.txt')


#: Lines of a reason; the last ones of a traceback say most.
_LINES = 30


class Ending(NamedTuple):
    """How a test ended.

    :param status: subunit's word for it.
    :param reason: what the test said of it.
    """

    status: str
    reason: str = ''

    def __str__(self) -> str:
        lines = self.reason.strip().splitlines()[-_LINES:]
        return '\n'.join([self.status, *(f'    {line}' for line in lines)])


def last_run(repository: pathlib.Path) -> dict[str, Ending]:
    """Read the last run of a stestr repository.

    :param repository: the directory that `.stestr` is in.
    :returns: test ID → its failure where it ended in several ways, as a
        cleanup can make it do; empty if nothing ran.
    """
    results: dict[str, Ending] = {}

    def keep(test: Mapping[str, Any]) -> None:
        earlier = results.get(test['id'])
        if not earlier or earlier.status in _PASSED:
            traceback = test['details'].get('traceback')
            reason = traceback.as_text() if traceback else ''
            results[test['id']] = Ending(test['status'], reason)

    try:
        run = util.get_repo_open(repo_url=str(repository)).get_latest_run()
    except (abstract.RepositoryNotFound, KeyError):
        return results
    stream = subunit.ByteStreamToStreamResult(
        run.get_subunit_stream(), non_subunit_name='stdout'
    )
    result = testtools.StreamToDict(keep)
    result.startTestRun()
    stream.run(result)
    result.stopTestRun()
    return results


def load_listed(repository: pathlib.Path) -> list[str]:
    """Read which tests should have run, where that is known.

    :param repository: the directory that `.stestr` and `tests.txt` are in.
    :returns: test IDs.
    """
    try:
        return (repository / 'tests.txt').read_text().splitlines()
    except FileNotFoundError:
        return []


def load_skips(path: pathlib.Path) -> dict[str, str]:
    """Read the tests that may be skipped: `test id  # reason` lines.

    :param path: the list.
    :returns: test ID → reason.
    :raises ValueError: a line gives no reason.
    """
    skips = {}
    for line in path.read_text().splitlines():
        if not line.strip() or line.startswith('#'):
            continue
        test, _, reason = (part.strip() for part in line.partition('#'))
        if not reason:
            raise ValueError(f'{path}: no reason is given to skip {test}')
        skips[test] = reason
    return skips


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description='Count the tests that ran.')
    parser.add_argument('--skips', type=pathlib.Path, default=_SKIPS)
    parser.add_argument('repositories', type=pathlib.Path, nargs='*')
    arguments = parser.parse_args(argv)
    skips = load_skips(arguments.skips)
    passed = failed = 0
    for repository in arguments.repositories:
        results = last_run(repository)
        if not results:
            print(f'FAILED {repository}: no test ran')
            failed += 1
            continue
        for test in load_listed(repository):
            results.setdefault(test, Ending('did not run'))
        for test, ending in results.items():
            if ending.status in _PASSED:
                passed += 1
            elif ending.status == 'skip' and test in skips:
                print(f'skipped {test}: {skips[test]}')
            else:
                print(f'FAILED {test}: {ending}')
                failed += 1
    print(f'{passed} passed, {failed} failed')
    return 0 if passed and not failed else 1


if __name__ == '__main__':
    sys.exit(main())
