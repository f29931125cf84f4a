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


"""A fleet: several destinations of one run, of which some are in trouble."""

from collections.abc import Iterable
import contextlib
import datetime
import os
import pathlib
import socket
import ssl
import threading
from typing import Any
import uuid

import fixtures
import trustme
import yaml

from osc_glance_replicate.model import image_record
from osc_glance_replicate.sandbox import client
from osc_glance_replicate.tests.functional import base
from osc_glance_replicate.tests.functional import faults
from osc_glance_replicate.tests.functional import links
from osc_glance_replicate.tests.functional import preloaded
from osc_glance_replicate.tests.functional import proxy

#: Destinations that serve, each a Glance of its own.
SERVING = ('slave', 'secure', 'two')

#: What cannot be used, and a word of what is said of it.
UNUSABLE = {
    'refusing': 'refuse',
    'silent': 'does not answer',
    'locked': '401',
    'expired': 'certificate has expired',
    'headless': 'refuse',
}


class Expired(base.Server):
    """A server whose certificate was good until yesterday.

    :ivar url: where it is
    :ivar authority: file with the certificate of who vouched for it
    """

    def _setUp(self) -> None:
        directory = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        authority = trustme.CA()
        self.authority = directory / 'ca.pem'
        authority.cert_pem.write_to_path(str(self.authority))
        today = datetime.datetime.now(datetime.UTC)
        day = datetime.timedelta(days=1)
        issued = authority.issue_cert(
            '127.0.0.1', not_before=today - 2 * day, not_after=today - day
        )
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issued.configure_cert(self._context)
        super()._setUp()
        self.url = f'https://{self.address}'

    def take(self, call: socket.socket) -> None:
        # Who looks at the certificate hangs up.
        with contextlib.suppress(OSError), call:
            self._context.wrap_socket(call, server_side=True).close()


class FleetTest(base.FunctionalTest):
    """From master to its second region, to slave and to secure.

    :ivar two: that region, called 'two' on the command line
    :ivar to_slave: the proxy before slave
    :ivar to_two: the proxy before that region
    :ivar tag: what all images of the test bear, and those of no other
    :ivar data: the bytes of these images
    """

    alone = False

    def setUp(self) -> None:
        super().setUp()
        self.secure = self.cloud('secure')
        self.two = self.cloud('master:RegionTwo')
        self.to_slave = self.useFixture(proxy.Proxy(self.slave.glance.url))
        self.to_two = self.useFixture(proxy.Proxy(self.two.glance.url))
        self.tag = str(uuid.uuid4())
        self.data: dict[str, bytes] = {}
        self.environment = self.configured()

    def configured(self, **slave: Any) -> dict[str, str]:
        """Write a clouds.yaml with all destinations.

        :param slave: what else is different in its entry
        """
        return self.clouds_yaml(
            slave={**links.behind(self.to_slave), **slave},
            two={
                **self.entry('master'),
                'regions': ['RegionTwo'],
                'region_name': 'RegionTwo',
                **links.behind(self.to_two),
            },
            **self._unusable(),
        )

    def entry(self, name: str) -> dict[str, Any]:
        """Give what clouds.yaml says of a cloud."""
        path = pathlib.Path(os.environ['OS_CLIENT_CONFIG_FILE'])
        entry: dict[str, Any] = yaml.safe_load(path.read_text())['clouds'][
            name
        ]
        return entry

    def _unusable(self) -> dict[str, dict[str, Any]]:
        """Give entries of clouds.yaml, each wrong in a way of its own."""
        nobody = f'http://{self.useFixture(base.Nobody()).address}'
        silence = self.useFixture(base.Silence()).url
        expired = self.useFixture(Expired())
        entry = self.entry('slave')

        def at(url: str, **fields: Any) -> dict[str, Any]:
            auth = {**entry['auth'], 'auth_url': f'{url}/v3'}
            return {**entry, 'auth': auth, **fields}

        return {
            'refusing': at(nobody),
            'silent': at(silence, api_timeout=2),
            'locked': {**entry, 'auth': {**entry['auth'], 'password': 'x'}},
            'expired': at(expired.url, cacert=str(expired.authority)),
            # Its Keystone is up, its Glance is not.
            'headless': {**entry, 'image_endpoint_override': f'{nobody}/v2'},
        }

    def image(self, data: bytes = b'', **fields: Any) -> image_record.Image:
        """Create one that is selected by its tag."""
        data = data or client.as_raw(os.urandom(2000))
        image = self.master.create(data, tags=[self.tag], **fields)
        self.data[image.id] = data
        return image

    def words(
        self, verb: str, to: Iterable[str], *words: str, form: str = 'json'
    ) -> list[str]:
        """Give a command line that is about the images of this test."""
        return [
            '--os-cloud', 'master', 'image', 'replicate', verb,
            '-f', form, '--tag', self.tag, *(f'--to={name}' for name in to),
            *words,
        ]  # fmt: skip

    def replicate(
        self,
        verb: str,
        to: Iterable[str],
        *words: str,
        form: str = 'json',
        expect: int = 0,
    ) -> base.Result:
        """Run a verb to its end."""
        result = self.openstack(
            *self.words(verb, to, *words, form=form),
            expect=expect,
            environment=self.environment,
        )
        self.assertNotIn('Traceback', result.stderr)
        return result

    def begin(self, *words: str, to: Iterable[str]) -> preloaded.Command:
        """Start a livecopy."""
        return self.start(
            *self.words('livecopy', to, *words), environment=self.environment
        )

    def told(self, process: preloaded.Command) -> str:
        """Give what a command has written to stderr by now."""
        return self._output[process.pid][1].read_text()

    def assertServed(self, *clouds: client.Cloud) -> None:
        """Say that all images are there, byte by byte."""
        for image in map(self.master.get, self.data):
            for cloud in clouds:
                self.assertReplica(image, self.data[image.id], cloud)

    def assertNothingThere(self) -> None:
        for cloud in self.slave, self.secure, self.two:
            self.assertEqual(set(), cloud.ids() & self.data.keys())

    def assertToldOnce(self, result: base.Result, name: str) -> str:
        """Give the one line of stderr that says why one cannot be used."""
        (line,) = (
            line
            for line in result.stderr.splitlines()
            if line.startswith(f"Cannot use cloud '{name}': ")
        )
        if name in UNUSABLE:
            self.assertIn(UNUSABLE[name], line)
        return line

    def break_after(
        self, link: proxy.Proxy, images: int, fault: faults.Fault
    ) -> threading.Event:
        """Let everything go wrong at a destination once it has images.

        :param images: uploads that are answered before
        :returns: makes it well again when it is set
        """
        mended = threading.Event()
        self.addCleanup(mended.set)

        def is_broken(call: faults.Call) -> bool:
            uploads = link.seen('PUT', '/file$')
            arrived = sum(bool(upload.status) for upload in uploads)
            return arrived >= images and not mended.is_set()

        link.on('.*', '', fault, times=None, when=is_broken)
        return mended

    def refuse_after(self, link: proxy.Proxy, images: int) -> None:
        """Let a destination be down when another image comes to it."""
        link.on(
            'POST',
            '/images$',
            faults.Fault(before=lambda call: link.down()),
            first=images + 1,
        )
