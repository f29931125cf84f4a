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

The last line of output is `N passed, N failed`. Nothing passes by not being
run: a skipped test is a failure unless the list of skips says why, and so are
a repository without results, and a test that `tests.txt` beside the repository
lists and that has no result. The exit code is 1 if anything failed or no test
ran at all.
"""

import argparse
from collections.abc import Mapping, Sequence
import pathlib
import sys
from typing import Any

from stestr.repository import abstract
from stestr.repository import util
import subunit
import testtools

_PASSED = frozenset({'success', 'xfail'})
_SKIPS = pathlib.Path(__file__).with_name('skips.txt')


def last_run(repository: pathlib.Path) -> dict[str, str]:
    """Read the last run of a stestr repository.

    :param repository: the directory that `.stestr` is in.
    :returns: test ID → subunit's word for how it ended, which is that of its
        failure where it ended in several ways, as a cleanup can make it do;
        empty if nothing ran.
    """
    results: dict[str, str] = {}

    def keep(test: Mapping[str, Any]) -> None:
        if results.get(test['id'], 'success') in _PASSED:
            results[test['id']] = test['status']

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
            results.setdefault(test, 'did not run')
        for test, status in results.items():
            if status in _PASSED:
                passed += 1
            elif status == 'skip' and test in skips:
                print(f'skipped {test}: {skips[test]}')
            else:
                print(f'FAILED {test}: {status}')
                failed += 1
    print(f'{passed} passed, {failed} failed')
    return 0 if passed and not failed else 1


if __name__ == '__main__':
    sys.exit(main())
