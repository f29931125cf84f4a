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

"""The sandbox itself: these tests start small ones of their own."""

import pathlib
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
import uuid

import fixtures
import openstack
import testtools
from testtools import content

from osc_glance_replicate import sandbox

_MARK = 'OSC_GLANCE_REPLICATE_TEST'
_STARTS_WITHIN = 900  # seconds
_ENDS_WITHIN = 300.0  # seconds
_DATA = b'image' * 1_000_000


class SandboxTest(testtools.TestCase):
    """Sandboxes in a temporary directory that is to be empty afterwards."""

    def setUp(self) -> None:
        super().setUp()
        self.parent = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        # As root, PostgreSQL runs as nobody and has to get in.
        self.parent.chmod(0o711)
        self.mark = str(uuid.uuid4())
        for name, value in (
            ('TMPDIR', str(self.parent)),
            (_MARK, self.mark),
            ('OS_AUTH_URL', 'http://somewhere.else/'),
        ):
            self.useFixture(fixtures.EnvironmentVariable(name, value))
        # That of the tests would be handed on, too.
        self.useFixture(
            fixtures.EnvironmentVariable('OSC_GLANCE_REPLICATE_SANDBOX')
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a sandbox from the command line."""
        process = subprocess.Popen(
            [sys.executable, '-m', sandbox.__name__, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def run_to_the_end(self, *arguments: str) -> tuple[int, str, str]:
        """Return exit code, standard output and standard error."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=_STARTS_WITHIN)
        # Only where the test fails.
        self.addOnException(
            lambda exc_info: self.addDetail(
                'stderr', content.text_content(err)
            )
        )
        return process.returncode, out, err

    def processes(self) -> list[str]:
        """Return the command lines of all processes of this test."""
        found = []
        for directory in pathlib.Path('/proc').glob('[0-9]*'):
            try:
                environment = (directory / 'environ').read_bytes()
                command = (directory / 'cmdline').read_bytes()
            except OSError:
                continue  # ended meanwhile, or somebody else's
            if f'{_MARK}={self.mark}'.encode() in environment:
                found.append(command.replace(b'\0', b' ').decode())
        return found

    def assertNothingLeft(self) -> None:
        """Nothing may run any more, and no file be left."""
        deadline = time.monotonic() + _ENDS_WITHIN
        while time.monotonic() < deadline:
            if not self.processes() and not list(self.parent.iterdir()):
                return
            time.sleep(0.1)
        self.assertEqual([], self.processes())
        self.assertEqual([], list(self.parent.iterdir()))


class FixtureTest(SandboxTest):
    def test_regions_and_tls(self) -> None:
        spec = sandbox.CloudSpec('solo', ('north', 'south'), tls=True)
        with sandbox.Sandbox([spec]) as running:
            self.useFixture(
                fixtures.EnvironmentVariable(
                    'OS_CLIENT_CONFIG_FILE', str(running.clouds_yaml)
                )
            )
            north, south = running.clouds['solo'].glances.values()
            self.assertEqual(
                {'solo': {'north': north, 'south': south}},
                sandbox.load(running.directory),
            )
            self.assertUploads('solo-demo', None, north.store)
            self.assertUploads('solo', 'south', south.store)
            self.assertRefused(south.url)
            # The TLS terminators and uWSGI's workers are among them.
            self.assertGreater(len(self.processes()), 10)
        self.assertNothingLeft()

    def assertUploads(
        self, cloud: str, region: str | None, store: pathlib.Path
    ) -> None:
        """Data has to get into a store, and out of it again."""
        # From the entry of clouds.yaml alone.
        self.useFixture(fixtures.EnvironmentVariable('OS_AUTH_URL'))
        before = set(store.iterdir())
        with openstack.connect(cloud=cloud, region_name=region) as connection:
            image = connection.image.create_image(
                'image', data=_DATA, disk_format='raw', container_format='bare'
            )
            (added,) = set(store.iterdir()) - before
            self.assertEqual(_DATA, added.read_bytes())
            data = connection.image.download_image(image.id).content
        self.assertEqual(_DATA, data)

    def assertRefused(self, url: str) -> None:
        """Who does not know the authority is not to get through."""
        error = self.assertRaises(OSError, urllib.request.urlopen, url)
        self.assertIsInstance(
            getattr(error, 'reason', None), ssl.SSLCertVerificationError
        )


class CommandLineTest(SandboxTest):
    def test_command(self) -> None:
        code, out, _ = self.run_to_the_end(
            *('--cloud', 'solo', '--', sys.executable, '-c'),
            'import json, os, sys;'
            'print(json.dumps(dict(os.environ)));'
            'sys.exit(7)',
        )
        self.assertEqual(7, code)
        self.assertNotIn('OS_AUTH_URL', out)
        self.assertIn(f'"OS_CLIENT_CONFIG_FILE": "{self.parent}/', out)
        self.assertIn(f'"OSC_GLANCE_REPLICATE_SANDBOX": "{self.parent}/', out)
        self.assertNothingLeft()

    def test_signal_while_starting(self) -> None:
        for number, expected in (
            (signal.SIGINT, 130),
            (signal.SIGTERM, 143),
            (signal.SIGKILL, -signal.SIGKILL),
        ):
            process = self.start('--cloud', 'solo')
            assert process.stderr
            for line in process.stderr:
                if 'PostgreSQL is up' in line:
                    break
            self.assertGreater(len(self.processes()), 1)
            process.send_signal(number)
            _, err = process.communicate(timeout=_ENDS_WITHIN)
            self.assertEqual(expected, process.returncode)
            self.assertNotIn('Traceback', err)
            self.assertNothingLeft()

    def test_dying_service_names_itself(self) -> None:
        code, _, err = self.run_to_the_end(
            *('--cloud', 'solo'),
            *('--option', 'solo:glance_store.default_backend=nowhere'),
        )
        self.assertEqual(1, code)
        ours = [line for line in err.splitlines() if line[:4] != '  | ']
        self.assertIn(
            "Glance of cloud 'solo', region 'RegionOne' died while starting",
            ours,
        )
        self.assertIn('  | ', err)
        self.assertIn('nowhere', err)
        self.assertNotIn('Traceback', '\n'.join(ours))
        self.assertNothingLeft()

    def test_bad_options(self) -> None:
        for option, problem in (
            (('--tls', 'solo'), 'No such cloud: solo'),
            (('--socket-timeout', 'solo:4'), 'No such cloud: solo'),
            (('--socket-timeout', 'slave'), 'Not NAME:SECONDS: slave'),
            (('--option', 'solo:a.b=c'), 'No such cloud: solo'),
            (('--option', 'slave:a=c'), 'Not NAME[:REGION]:SECTION.KEY='),
            (
                ('--option', 'slave:North:a.b=c'),
                "Cloud 'slave' has no region North",
            ),
            (('--glance', 'solo:/old'), 'No such cloud: solo'),
            (('--glance', 'slave'), 'Not NAME:DIRECTORY: slave'),
            (('--store', 'solo:file'), 'No such cloud: solo'),
            (('--store', 'slave:tape'), 'Not NAME:KIND: slave:tape (kinds'),
            (('--file', 'slave:/nowhere'), 'Not NAME:FILE: slave:/nowhere'),
        ):
            code, _, err = self.run_to_the_end(*option)
            self.assertEqual(2, code)
            self.assertIn(problem, err)
