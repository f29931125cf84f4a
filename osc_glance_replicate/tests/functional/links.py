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

"""Two clouds, each behind a link that a test can break."""

from collections.abc import Sequence
import os
from typing import Any

from osc_glance_replicate.model import image_record
from osc_glance_replicate.sandbox import client
from osc_glance_replicate.tests.functional import base
from osc_glance_replicate.tests.functional import faults
from osc_glance_replicate.tests.functional import preloaded
from osc_glance_replicate.tests.functional import proxy


class BrokenLinksTest(base.FunctionalTest):
    """A livecopy from master to slave through a proxy before each of them.

    :ivar source: the proxy before master
    :ivar destination: the proxy before slave
    """

    def setUp(self) -> None:
        super().setUp()
        self.source = self.proxy(self.master)
        self.destination = self.proxy(self.slave)
        self.environment = self.clouds_yaml(
            master=behind(self.source), slave=behind(self.destination)
        )
        self.data: dict[str, bytes] = {}

    def proxy(self, cloud: client.Cloud) -> proxy.Proxy:
        return self.useFixture(proxy.Proxy(cloud.glance.url))

    def image(
        self, size: int = 3 * base.MIB, **fields: Any
    ) -> image_record.Image:
        """Create an image of random bytes at the source."""
        data = client.as_raw(os.urandom(size))
        image = self.master.create(data, **fields)
        self.data[image.id] = data
        return image

    def copy(self, *arguments: str, expect: int = 0) -> base.Result:
        """Run a livecopy in which all images move at once."""
        result = self.openstack(
            *self.words(*arguments),
            expect=expect,
            environment=self.environment,
        )
        self.assertNotIn('Traceback', result.stderr)
        return result

    def start_copy(self, *arguments: str) -> preloaded.Command:
        """Start such a livecopy."""
        return self.start(
            *self.words(*arguments), environment=self.environment
        )

    def words(self, *arguments: str) -> list[str]:
        """Give the command line of such a livecopy."""
        return [
            '--os-cloud', 'master', 'image', 'replicate', 'livecopy',
            '-f', 'json', '--to', 'slave', '--transfers', '32',
            *self.named(*arguments),
        ]  # fmt: skip

    def named(self, *arguments: str) -> Sequence[str]:
        """Add the test's images, where it is not alone and names none."""
        if self.alone or not self.data.keys().isdisjoint(arguments):
            return arguments
        assert self.data, 'without a name it would be about all images'
        return *arguments, *self.data

    def there(self) -> set[str]:
        """Give the IDs of this test's images that are at the destination."""
        return self.slave.ids() & self.data.keys()

    def await_upload(self, image: image_record.Image) -> None:
        """Wait until the destination has got a part of an image."""
        self.wait_for(lambda: any(c.uploaded for c in self.puts(image)))

    def gets(self, image: image_record.Image) -> list[faults.Call]:
        """Give the requests for an image's data."""
        return self.source.seen('GET', f'{image.id}/file$')

    def puts(self, image: image_record.Image) -> list[faults.Call]:
        """Give the uploads of an image's data."""
        return self.destination.seen('PUT', f'{image.id}/file$')

    def assertCopied(
        self, image: image_record.Image, puts: int | None = None
    ) -> None:
        """Hold a replica against its source, byte by byte.

        :param puts: uploads that it took
        """
        self.assertReplica(image, self.data[image.id])
        if puts is not None:
            self.assertEqual(puts, len(self.puts(image)), image.name)

    def assertNothingActive(self, image: image_record.Image) -> None:
        """Say that there is at most an empty record that is fit for use."""
        if image.id in self.slave.ids():
            replica = self.slave.get(image.id)
            self.assertEqual(
                ('queued', 'private', None, {}),
                (
                    replica.status,
                    replica.record['visibility'],
                    replica.record['checksum'],
                    replica.digests,
                ),
                image.name,
            )
        if self.slave.has_files:
            path = self.slave.stored(image.id)
            self.assertFalse(path.exists(), image.name)

    def assertReasons(self, result: base.Result, **words: str) -> None:
        """Say which images failed and why, and that all others were copied.

        :param words: by the images' names
        """
        self.assertEqual(self.data.keys(), result.results.keys())
        reasons = {
            row['Name']: row['Reason']
            for row in result.rows
            if row['Result'] != 'copied'
        }
        self.assertEqual(set(words), set(reasons), str(reasons))
        for name, word in words.items():
            self.assertIn(word, reasons[name], name)


def behind(link: proxy.Proxy) -> dict[str, str]:
    """Give what clouds.yaml needs to say of a cloud behind a proxy."""
    return {
        'image_endpoint_override': f'{link.url}/v2',
        'image_api_version': '2',
    }
