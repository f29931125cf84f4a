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

import contextlib
import io
import pathlib
import subprocess
import sys
import tempfile
import textwrap

import testtools

from osc_glance_replicate.tests.doubles import tools

_ROOT = tools.ROOT


tally = tools.load('tally')


class TestTally(testtools.TestCase):
    """The real stestr runs a project that has one module of tests."""

    def setUp(self) -> None:
        super().setUp()
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.project = pathlib.Path(directory.name)
        self.skips = self.project / 'skips.txt'
        self.skips.write_text('# test id  # reason\n')

    def stestr(self, module: str, how: str = '--serial') -> None:
        tests = self.project / 'tests'
        tests.mkdir(exist_ok=True)
        (tests / '__init__.py').touch()
        (tests / 'test_it.py').write_text(textwrap.dedent(module))
        subprocess.run(
            [
                *(sys.executable, '-m', 'stestr'),
                *('--test-path', 'tests', 'run', how),
            ],
            cwd=self.project,
            capture_output=True,
        )

    def tally(self, *repositories: pathlib.Path) -> tuple[int, list[str]]:
        # subunit wants a stdout that has a buffer.
        output = io.TextIOWrapper(io.BytesIO())
        with contextlib.redirect_stdout(output):
            code = tally.main(
                ['--skips', str(self.skips), *map(str, repositories)]
            )
        output.seek(0)
        self.told = output.read()
        # Without the reasons.
        lines = self.told.splitlines()
        return code, [line for line in lines if not line.startswith(' ')]

    def test_each_way_to_end(self) -> None:
        self.stestr("""
            import unittest

            class It(unittest.TestCase):
                @classmethod
                def tearDownClass(cls):
                    raise RuntimeError

                def test_fail(self):
                    self.fail()

                def test_fail_in_cleanup_too(self):
                    self.addCleanup(self.fail)
                    self.fail('because')

                def test_skip(self):
                    self.skipTest('no time')

                def test_success(self):
                    pass

                @unittest.expectedFailure
                def test_uxsuccess(self):
                    pass

                @unittest.expectedFailure
                def test_xfail(self):
                    self.fail()
        """)
        code, lines = self.tally(self.project)
        self.assertEqual(1, code)
        self.assertEqual('2 passed, 5 failed', lines.pop())
        self.assertIn('    AssertionError: because\n', self.told)
        self.assertEqual(
            [
                'FAILED tearDownClass (tests.test_it.It): fail',
                'FAILED tests.test_it.It.test_fail: fail',
                'FAILED tests.test_it.It.test_fail_in_cleanup_too: fail',
                'FAILED tests.test_it.It.test_skip: skip',
                'FAILED tests.test_it.It.test_uxsuccess: uxsuccess',
            ],
            sorted(lines),
        )

    def test_crash_of_the_worker(self) -> None:
        self.stestr("""
            import os
            import unittest

            class It(unittest.TestCase):
                def test_1(self):
                    pass

                def test_2(self):
                    os._exit(0)
        """)
        expected = [
            'FAILED tests.test_it.It.test_2: fail',
            '1 passed, 1 failed',
        ]
        self.assertEqual((1, expected), self.tally(self.project))

    def test_listed_test_without_a_result(self) -> None:
        # What is left of a worker that dies between two tests.
        self.stestr("""
            import unittest

            class It(unittest.TestCase):
                def test_1(self):
                    pass
        """)
        (self.project / 'tests.txt').write_text(
            'tests.test_it.It.test_1\ntests.test_it.It.test_2\n'
        )
        expected = [
            'FAILED tests.test_it.It.test_2: did not run',
            '1 passed, 1 failed',
        ]
        self.assertEqual((1, expected), self.tally(self.project))

    def test_import_error_of_a_serial_run(self) -> None:
        self.stestr('import nothing_of_this_name')
        expected = [
            'FAILED unittest.loader._FailedTest.tests.test_it: fail',
            '0 passed, 1 failed',
        ]
        self.assertEqual((1, expected), self.tally(self.project))

    def test_import_error_of_a_parallel_run(self) -> None:
        self.stestr('import nothing_of_this_name', '--concurrency=2')
        expected = [
            f'FAILED {self.project}: no test ran',
            '0 passed, 1 failed',
        ]
        self.assertEqual((1, expected), self.tally(self.project))

    def test_missing_repository(self) -> None:
        expected = [
            f'FAILED {self.project}: no test ran',
            '0 passed, 1 failed',
        ]
        self.assertEqual((1, expected), self.tally(self.project))

    def test_no_repository(self) -> None:
        self.assertEqual((1, ['0 passed, 0 failed']), self.tally())

    def test_listed_skips(self) -> None:
        self.skips.write_text('tests.test_it.It.test_skip  # needs a sun\n')
        skipped = 'skipped tests.test_it.It.test_skip: needs a sun'
        module = """
            import unittest

            class It(unittest.TestCase):
                @unittest.skip('it rains')
                def test_skip(self):
                    pass

                # more
        """
        self.stestr(module)
        self.assertEqual(
            (1, [skipped, '0 passed, 0 failed']), self.tally(self.project)
        )

        self.stestr(module.replace('# more', 'def test_success(self): pass'))
        self.assertEqual(
            (0, [skipped, '1 passed, 0 failed']), self.tally(self.project)
        )

    def test_skip_without_a_reason(self) -> None:
        self.skips.write_text('tests.test_it.It.test_skip\n')
        self.assertRaises(ValueError, self.tally, self.project)

    def test_last_runs_add_up(self) -> None:
        module = """
            import unittest

            class It(unittest.TestCase):
                def test_it(self):
                    self.{}()
        """
        self.stestr(module.format('fail'))
        self.stestr(module.format('id'))
        self.assertEqual(
            (0, ['2 passed, 0 failed']), self.tally(self.project, self.project)
        )


class TestShippedSkips(testtools.TestCase):
    def test_readable(self) -> None:
        tally.load_skips(_ROOT / 'tools' / 'skips.txt')
