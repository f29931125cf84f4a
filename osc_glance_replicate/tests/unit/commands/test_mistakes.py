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

import pathlib

import fixtures
import testtools

from osc_glance_replicate.commands import mistakes
from osc_glance_replicate import errors


class TestOptions(testtools.TestCase):
    def about(self, words):
        return mistakes.about_options(
            f'unrecognized arguments: {words}',
            'usage: replicate [--dry-run] [--visibility VISIBILITY]',
        )

    def test_close_ones(self):
        for words, meant in {
            '--dryrun': '--dry-run',
            '--dry_run': '--dry-run',
            '--visiblity=public': '--visibility',
            'image --dryrun': '--dry-run',
        }.items():
            self.assertEqual(f'; did you mean {meant}?', self.about(words))

    def test_others(self):
        for words in '--frobnicate', '-x', 'a--dryrun', '':
            self.assertEqual('', self.about(words))
        self.assertEqual(
            '', mistakes.about_options('--dryrun is ambiguous', '--dry-run')
        )


class TestExplained(testtools.TestCase):
    def explain(self, name):
        def items():
            yield 1
            raise errors.NoImageError(name, 'master')

        found = mistakes.explained(items)
        self.assertEqual(1, next(found))
        return str(self.assertRaises(errors.NoImageError, next, found))

    def test_glob(self):
        for name in 'debian-*', 'debian-1?', 'debian-[12]':
            self.assertEqual(
                f"There is no image '{name}' in master; a glob goes into "
                '--name',
                self.explain(name),
            )

    def test_they_are_asked_for_at_once(self):
        """What is found out before the first of them counts for the report."""
        asked = []

        def items():
            asked.append(1)
            return [2]

        found = mistakes.explained(items)
        self.assertEqual([1], asked)
        self.assertEqual([2], list(found))

        def none():
            raise errors.NoImageError('debian-*', 'master')

        error = self.assertRaises(
            errors.NoImageError, mistakes.explained, none
        )
        self.assertIn('a glob goes into --name', str(error))

    def test_no_idea(self):
        self.assertEqual(
            "There is no image 'debian' in master", self.explain('debian')
        )


class TestNothing(testtools.TestCase):
    def test_file_that_somebody_has_put_there(self):
        directory = self.useFixture(fixtures.TempDir()).path
        name = f'{directory}/x\x1b[2J\n'
        self.assertEqual(
            'no image fits the options', mistakes.about_nothing([name])
        )
        pathlib.Path(name).touch()
        told = mistakes.about_nothing(['debian', name])
        self.assertIn('was a glob not quoted?', told)
        self.assertTrue(told.isprintable(), repr(told))


class TestPath(testtools.TestCase):
    def test_what_is_meant(self):
        for path in 'nothing-is-called-so', './some', '/', 'a/b':
            mistakes.refuse_path(path, '--to {}', ['image'])

    def test_image_first(self):
        error = self.assertRaises(
            errors.UsageError,
            mistakes.refuse_path, 'image', '--to {}', ['a', '/srv/images'],
        )  # fmt: skip
        self.assertIn('the directory comes first: /srv/images image;',
                      str(error))  # fmt: skip
