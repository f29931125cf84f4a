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

"""What stestr is told of how long tests take."""

import pathlib
import subprocess
import sys
import tempfile

from stestr.repository import util
import testtools

from osc_glance_replicate.tests.doubles import tools

durations = tools.load('durations')


class TestDurations(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = pathlib.Path(directory.name)

    def known(self, *tests: str) -> dict[str, float]:
        """Give what stestr goes by when it makes shares."""
        repository = util.get_repo_open(repo_url=str(self.path))
        known: dict[str, float] = repository.get_test_times(tests)['known']
        return known

    def run_a_test(self) -> None:
        """Have the real stestr run a test that takes a while."""
        tests = self.path / 'tests'
        tests.mkdir()
        (tests / '__init__.py').touch()
        (tests / 'test_it.py').write_text(
            'import time, unittest\n'
            'class TestIt(unittest.TestCase):\n'
            '    def test(self): time.sleep(0.2)\n'
            '    def test_fast(self): pass\n'
        )
        subprocess.run(
            [
                *(sys.executable, '-m', 'stestr'),
                *('--test-path', 'tests', 'run', '--serial'),
            ],
            cwd=self.path,
            capture_output=True,
            check=True,
        )

    def test_new_repository(self) -> None:
        durations.prime(self.path, {'slow': 70.5, 'fast': 0.5})
        self.assertEqual(
            {'slow': 70.5, 'fast': 0.5}, self.known('slow', 'fast', 'new')
        )
        # It is no run that anybody could count.
        repository = util.get_repo_open(repo_url=str(self.path))
        self.assertRaises(KeyError, repository.get_latest_run)

    def test_repository_that_is_there(self) -> None:
        self.run_a_test()
        name = 'tests.test_it.TestIt.test'
        durations.prime(self.path, {name: 70.5})
        self.assertLess(self.known(name)[name], 70)

    def test_what_a_run_took_is_kept(self) -> None:
        self.run_a_test()
        self.patch(durations, '_DURATIONS', self.path / 'durations.txt')
        durations._DURATIONS.write_text(
            '  7.0 tests.test_it.TestIt.test\n'
            '  8.0 tests.test_it.TestIt.test_that_is_gone\n'
            '  9.0 x.tests.unit.test_of_another_kind\n'
        )
        self.assertEqual(0, durations.main(['--save', str(self.path)]))
        kept = durations.load()
        seconds = kept.pop('tests.test_it.TestIt.test')
        self.assertTrue(0.2 <= seconds < 7, seconds)
        self.assertEqual({'x.tests.unit.test_of_another_kind': 9.0}, kept)
