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

"""Tell a new stestr repository how long tests take.

stestr gives its workers equal shares by what earlier runs have taken. A
clean clone has none: so what one run took is kept in durations.txt. It need
not be exact, and a test that is not in it is given to any worker.
"""

import argparse
from collections.abc import Mapping, Sequence
import datetime
import pathlib
import sys
from typing import Any

from stestr.repository import abstract
from stestr.repository import util
import subunit
import testtools

_DURATIONS = pathlib.Path(__file__).with_name('durations.txt')

#: Seconds; less makes no share unequal.
_LEAST = 0.15


def prime(repository: pathlib.Path, durations: Mapping[str, float]) -> None:
    """Make a repository that has these times, and no run.

    One that is there already knows better.

    :param repository: the directory that `.stestr` is to be in.
    :param durations: test ID → seconds.
    """
    try:
        util.get_repo_open(repo_url=str(repository))
    except abstract.RepositoryNotFound:
        made = util.get_repo_initialise(repo_url=str(repository))
    else:
        return
    inserter = made.get_inserter()
    inserter.startTestRun()
    begin = datetime.datetime.fromtimestamp(0, datetime.UTC)
    for test, seconds in durations.items():
        end = begin + datetime.timedelta(seconds=seconds)
        inserter.status(test, 'inprogress', timestamp=begin)
        inserter.status(test, 'success', timestamp=end)
    inserter.stopTestRun()
    # Nobody shall take it for one.
    made.remove_run_id(str(made.latest_id()))


def last_durations(repository: pathlib.Path) -> dict[str, float]:
    """Read how long the tests of the last run took.

    :param repository: the directory that `.stestr` is in.
    :returns: test ID → seconds.
    """
    durations = {}

    def keep(test: Mapping[str, Any]) -> None:
        begin, end = test['timestamps']
        if test['status'] == 'success':
            durations[test['id']] = (end - begin).total_seconds()

    run = util.get_repo_open(repo_url=str(repository)).get_latest_run()
    stream = subunit.ByteStreamToStreamResult(run.get_subunit_stream())
    result = testtools.StreamToDict(keep)
    result.startTestRun()
    stream.run(result)
    result.stopTestRun()
    return durations


def load() -> dict[str, float]:
    """Read the durations that are kept."""
    lines = _DURATIONS.read_text().splitlines()
    pairs = (line.split() for line in lines)
    return {test: float(seconds) for seconds, test in pairs}


def save(durations: Mapping[str, float]) -> None:
    """Keep durations, and those of the other kinds of tests."""
    kinds = {_kind(test) for test in durations}
    others = {t: s for t, s in load().items() if _kind(t) not in kinds}
    kept = {t: s for t, s in durations.items() if s >= _LEAST} | others
    lines = (f'{kept[test]:5.1f} {test}\n' for test in sorted(kept))
    _DURATIONS.write_text(''.join(lines))


def _kind(test: str) -> str:
    """Say whether it is a unit test, for one."""
    return test.partition('.tests.')[2].partition('.')[0]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--save', action='store_true',
                        help='keep what the last run took')  # fmt: skip
    parser.add_argument('repository', type=pathlib.Path)
    arguments = parser.parse_args(argv)
    if arguments.save:
        save(last_durations(arguments.repository))
    else:
        prime(arguments.repository, load())
    return 0


if __name__ == '__main__':
    sys.exit(main())
