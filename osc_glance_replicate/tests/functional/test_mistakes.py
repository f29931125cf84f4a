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

"""Command lines that mean something else than they say."""

import os
import pathlib
import uuid

import fixtures
import yaml

from osc_glance_replicate.tests.functional import base


class MistakeTest(base.FunctionalTest):
    """Each mistake names its mend, and nothing is done."""

    alone = False

    def setUp(self):
        super().setUp()
        self.name = f'debian-{uuid.uuid4()}'
        self.image = self.master.create(b'data', name=self.name).id

    def assertRefused(self, told, *words, code=2, source='master', **options):
        """Run a command that says one line, and does nothing."""
        result = self.openstack(
            '--os-cloud', source, 'image', 'replicate', *words,
            expect=code, **options,
        )  # fmt: skip
        self.assertEqual(1, result.stderr.count('\n'), result.stderr)
        self.assertIn(told, result.stderr)
        self.assertEqual('', result.stdout)
        self.assertNotIn(self.image, self.slave.ids())


class TestDirectories(MistakeTest):
    """What is given as a directory, and is called like something else."""

    def setUp(self):
        super().setUp()
        self.here = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.here)

    def assertRefused(self, *arguments, **options):
        super().assertRefused(*arguments, **options)
        self.assertEqual([], list(self.here.iterdir()))

    def test_image(self):
        for word in self.name, self.image:
            self.assertRefused(
                f"'{word}' is an image of master, which is named after the "
                f'directory; write ./{word} for a directory of that name',
                'dump', word,
            )  # fmt: skip
        self.assertRefused('is named after the directory', 'size', '--dump',
                           self.name)  # fmt: skip
        self.assertRefused(
            f'the directory comes first: /srv/images {self.name}; ',
            'dump', self.name, '/srv/images',
        )  # fmt: skip

    def test_cloud(self):
        for words, told in {
            ('dump', 'slave'): 'livecopy --to slave',
            ('dump', 'slave:RegionOne'): 'livecopy --to slave:RegionOne',
            ('load', 'slave'): '--os-cloud slave stands before the command',
            ('verify', 'slave'): 'compare --data --to slave',
            ('compare', '--dump', 'slave'): '--to slave',
            ('size', '--dump', 'slave'): '--to slave',
        }.items():
            self.assertRefused(
                f"'{words[-1]}' is a cloud: {told}; write ./{words[-1]} for "
                'a directory of that name',
                *words,
            )

    def test_glob(self):
        for words in ('dump', 'debian-*'), ('compare', '--dump', 'debian-*'):
            self.assertRefused(
                "'debian-*' is a glob, which goes into --name", *words
            )

    def test_url(self):
        for words in (
            ('dump', 's3://bucket/x'), ('load', 'file:///srv/images'),
            ('verify', 'https://example.com/x'),
            ('compare', '--dump', 's3://bucket'),
        ):  # fmt: skip
            self.assertRefused(
                f"'{words[-1]}' is a URL: a dump is a directory of this "
                'machine',
                *words,
            )

    def test_directories_that_are_meant(self):
        pathlib.Path('slave').mkdir()
        for path in self.name, 'slave':
            result = self.openstack(
                '--os-cloud', 'master', 'image', 'replicate', 'dump',
                f'./{path}', self.image, '-f', 'json',
            )  # fmt: skip
            self.assertEqual({self.image: 'copied'}, result.results)
        self.openstack('image', 'replicate', 'verify', 'slave')
        self.openstack(
            '--os-cloud', 'master', 'image', 'replicate', 'dump', self.name,
            self.image,
        )  # fmt: skip

    def test_glob_that_the_shell_has_taken(self):
        name = f'{self.name}.img'
        pathlib.Path(name).touch()
        super().assertRefused(
            f"There is no image '{name}' in master; a file here is called "
            'so: was a glob not quoted?',
            'livecopy', '--to', 'slave', '--name', self.name, name, code=1,
        )  # fmt: skip


class TestWords(MistakeTest):
    """What is given as an image, a cloud or a value, and is none."""

    def test_images(self):
        for name, hint in {
            'debian-*': 'a glob goes into --name',
            'secure': 'it is a cloud: give it as --to secure',
            './slave': 'it is a path, which comes first where a command '
            'takes one',
        }.items():
            self.assertRefused(
                f"There is no image '{name}' in master; {hint}\n",
                'livecopy', '--to', 'slave', name, code=1,
            )  # fmt: skip

    def test_destinations(self):
        for name, hint in {
            '/srv/images': 'is a path, which dump, load and compare --dump',
            'https://keystone:5000/v3': 'is a URL: give the name of an entry',
            'slave,secure': 'is no cloud: repeat the option for each',
        }.items():
            self.assertRefused(
                f"argument --to: '{name}' {hint}",
                'livecopy', self.image, '--to', name,
            )  # fmt: skip
        self.assertRefused(
            'Cloud slaev was not found; did you mean slave?\n',
            'livecopy', self.image, '--to', 'slaev', code=1,
        )  # fmt: skip
        self.assertRefused(
            "argument --to: slave is given twice",
            'livecopy', self.image, '--to', 'slave', '--to', 'slave',
        )  # fmt: skip

    def test_options(self):
        for words, told in {
            ('--dryrun',): 'unrecognized arguments: --dryrun; did you mean '
            '--dry-run?; see openstack image replicate livecopy --help\n',
            ('--min-size', '10 GB'): "'10 GB' has a blank in it: give 10GB",
            ('--owner', 'demo'): "'demo' is none of mine, same, by-name; for "
            'a project: --map-owner SOURCE=demo',
            ('--min-size', '1 xx'): "'1 xx' is no size",
            ('--dont-replicate', 'foo bar'): 'repeat the option for each',
            ('--dont-replicate', 'foo,bar'): 'repeat the option for each',
        }.items():
            self.assertRefused(told, 'livecopy', '--to', 'slave', self.image,
                               *words)  # fmt: skip

    def test_what_is_meant(self):
        environment = self.clouds_yaml(**{'r&d/eu,1': self.entry('slave')})
        result = self.openstack(
            '--os-cloud', 'master', 'image', 'replicate', 'livecopy',
            self.image, '--to', 'r&d/eu,1', '--dont-replicate', '[a,b]*',
            '-f', 'json', environment=environment,
        )  # fmt: skip
        self.assertEqual({self.image: 'copied'}, result.results)
        self.assertEqual('r&d/eu,1', result.rows[0]['To'])

    def entry(self, cloud):
        path = pathlib.Path(os.environ['OS_CLIENT_CONFIG_FILE'])
        return yaml.safe_load(path.read_text())['clouds'][cloud]

    def test_nothing_fits(self):
        for verb in 'livecopy', 'compare':
            self.assertRefused(
                'no image fits', verb, '--to', 'slave', '--name', 'debain-*',
                '--public', code=0,
            )  # fmt: skip

    def test_glob_of_an_option_that_the_shell_has_taken(self):
        here = self.useFixture(fixtures.TempDir()).path
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(here)
        pathlib.Path('debain-13').touch()
        self.assertRefused(
            "no image fits the options (a file here is called 'debain-13': "
            'was a glob not quoted?)',
            'livecopy', '--to', 'slave', '--name', 'debain-13', code=0,
        )  # fmt: skip

    def test_region_that_is_taken(self):
        environment = self.clouds_yaml(
            master={'regions': ['RegionTwo', 'RegionOne']}
        )
        result = self.openstack(
            '--os-cloud', 'slave', 'image', 'replicate', 'compare', '--to',
            'master', self.slave.create(b'1').id, '-f', 'json',
            environment=environment, expect=3,
        )  # fmt: skip
        self.assertEqual(
            ['master:RegionTwo'], [row['To'] for row in result.rows]
        )
