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

"""What `pip install` gives those who have no checkout.

The packages are built once, and installed into environments that have nothing
else in them, not even pip.
"""

import email
import os
import pathlib
import subprocess
import sys
import tempfile
import zipfile

import testtools

_ROOT = pathlib.Path(__file__).parents[3]
_PACKAGE = 'osc_glance_replicate'
_VERBS = ('compare', 'dump', 'ec2ids', 'livecopy', 'load', 'size', 'verify')

# What needs an extra is imported when it is asked for, and by tests.
_IMPORT_ALL = """
import importlib, pkgutil
import osc_glance_replicate as package
for found in pkgutil.walk_packages(package.__path__, 'osc_glance_replicate.'):
    parts = found.name.split('.')
    others = 'cluster', 'remote', 'sandbox', 'scheduler', 'tests'
    if parts[1] not in others:
        importlib.import_module(found.name)
"""

# One process: nearly all of a start is imports.
_HELP = """
import contextlib, sys
from openstackclient import shell
for verb in sys.argv[1:]:
    with contextlib.suppress(SystemExit):
        shell.main(['image', 'replicate', verb, '--help'])
"""


class TestPackage(testtools.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        cls.home = pathlib.Path(directory.name)
        dist = cls.home / 'dist'
        run(sys.executable, '-m', 'build', '--outdir', dist, _ROOT)
        (cls.sdist,) = dist.glob('*.tar.gz')
        (cls.wheel,) = dist.glob('*.whl')
        cls.bare = bare_environment(cls.home / 'wheel')
        install(cls.bare, cls.wheel)

    def openstack(self, *arguments, code=0):
        return run(self.bare / 'bin' / 'openstack', *arguments, code=code)

    def python(self, *arguments, code=0):
        return run(self.bare / 'bin' / 'python', *arguments, code=code)

    def test_wheel_holds_what_git_tracks(self):
        # The tests too, as everywhere in OpenStack: packagers run them.
        tracked = run('git', 'ls-files', _PACKAGE, cwd=_ROOT).stdout.split()
        with zipfile.ZipFile(self.wheel) as wheel:
            names = wheel.namelist()
            (metadata,) = (n for n in names if n.endswith('/METADATA'))
            about = email.message_from_bytes(wheel.read(metadata))
        information = metadata.partition('/')[0]
        others = {n for n in names if not n.startswith(f'{information}/')}
        self.assertEqual(set(tracked), others)
        self.assertTrue(any(n.endswith('/LICENSE') for n in names), names)
        self.assertEqual('>=3.11', about['Requires-Python'])
        extras = set(about.get_all('Provides-Extra'))
        self.assertEqual(
            set(), {'dask', 'metrics', 'nova', 'sandbox'} - extras
        )
        run(sys.executable, '-m', 'twine', 'check', '--strict', self.wheel)

    def test_sdist_installs_what_the_wheel_does(self):
        bare = bare_environment(self.home / 'sdist')
        install(bare, '--no-deps', self.sdist)
        self.assertEqual(installed(self.bare), installed(bare))
        run(sys.executable, '-m', 'twine', 'check', '--strict', self.sdist)

    def test_commands_are_there(self):
        self.python('-c', _IMPORT_ALL)
        self.assertIn(
            'Copy images, with their metadata, to other clouds.',
            self.openstack('image', 'replicate', 'livecopy', '--help').stdout,
        )
        listed = self.openstack('help', 'image', 'replicate').stdout
        completed = self.openstack('complete').stdout
        told = self.python('-c', _HELP, *_VERBS).stdout
        for verb in _VERBS:
            self.assertIn(f'image replicate {verb}', listed)
            self.assertIn(f'cmds_image_replicate_{verb}=', completed)
            self.assertIn(f'image replicate {verb} [-h]', told)

    def test_other_commands_import_the_options_only(self):
        done = self.python(
            *('-X', 'importtime', self.bare / 'bin' / 'openstack'),
            *('network', 'list', '--help'),
        )
        imported = [
            line.rpartition('|')[2].strip()
            for line in done.stderr.splitlines()
        ]
        ours = {name for name in imported if name.startswith(_PACKAGE)}
        self.assertIn(f'{_PACKAGE}.commands.base', ours)
        self.assertEqual(
            set(),
            {n for n in ours if not n.startswith(f'{_PACKAGE}.commands')},
        )

    def test_missing_extras_are_named(self):
        livecopy = ('image', 'replicate', 'livecopy', '--to', 'slave')
        scheduler = ('--scheduler', 'tcp://127.0.0.1:8786')
        metrics = ('--metrics', 'x.prom')
        for extra, told in (
            ('dask', self.openstack(*livecopy, *scheduler, code=1).stderr),
            ('metrics', self.openstack(*livecopy, *metrics, code=1).stderr),
            (
                'sandbox',
                self.python('-m', f'{_PACKAGE}.sandbox', code=1).stderr,
            ),
        ):
            (line,) = told.splitlines()
            self.assertIn(f"pip install 'osc-glance-replicate[{extra}]'", line)


def bare_environment(path):
    """Make an environment of the standard library alone."""
    run(sys.executable, '-m', 'venv', '--without-pip', path)
    return path


def install(environment, *arguments):
    """Install into a bare environment, with the pip of this one."""
    python = environment / 'bin' / 'python'
    pip = ('-m', 'pip', '--python', python, 'install', '--quiet')
    run(sys.executable, *pip, *arguments)


def installed(environment):
    """Return what is there of the package, as pip has noted it."""
    (record,) = environment.glob('lib/*/site-packages/osc_glance*/RECORD')
    names = {line.split(',')[0] for line in record.read_text().splitlines()}
    # pbr.json says how it was built.
    return {n for n in names if not n.endswith(('.pyc', '/pbr.json'))}


def run(*command, code=0, cwd=None):
    """Run a command outside of the checkout, with no cloud in reach."""
    environment = {
        **{n: v for n, v in os.environ.items() if not n.startswith('OS_')},
        'OS_CLIENT_CONFIG_FILE': os.devnull,
        'OS_CLIENT_SECURE_FILE': os.devnull,
        # Of the caller's, in which a line of --help may not fit.
        'COLUMNS': '80',
    }
    environment.pop('PYTHONPATH', None)
    done = subprocess.run(
        command,
        capture_output=True,
        cwd=cwd or tempfile.gettempdir(),
        env=environment,
        text=True,
    )
    if done.returncode != code:
        raise AssertionError(
            f'{command} exited with {done.returncode}:\n'
            f'{done.stdout}\n{done.stderr}'
        )
    return done
