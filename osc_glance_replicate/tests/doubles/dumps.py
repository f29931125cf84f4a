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

"""Directories that tests fill by hand, dumps among them."""

import contextlib
import os

import fixtures
import testtools

from osc_glance_replicate.engine import verify
from osc_glance_replicate.model import image_selection
from osc_glance_replicate.places import dump
from osc_glance_replicate.places.dump import records
from osc_glance_replicate.reporting import report
from osc_glance_replicate.tests.doubles import samples


class FilesTest(testtools.TestCase):
    """Files in a directory of their own.

    :cvar patience: seconds: who waits for a pipe or a lock waits for ever
    :ivar path: the directory; a name may be absolute, too
    """

    patience = 90

    def setUp(self):
        super().setUp()
        self.useFixture(fixtures.Timeout(self.patience, gentle=True))
        self.path = self.useFixture(fixtures.TempDir()).path

    def at(self, name):
        return os.path.join(self.path, name)

    def put(self, name, content):
        with open(self.at(name), 'wb') as file:
            file.write(content)

    def content(self, name):
        with open(self.at(name), 'rb') as file:
            return file.read()

    @contextlib.contextmanager
    def as_user(self, number):
        """Be another user, as root can."""
        os.seteuid(number)
        try:
            yield
        finally:
            os.seteuid(0)


class DirectoryTest(FilesTest):
    """A dump, empty at first.

    :ivar place: it, to be read
    """

    def setUp(self):
        super().setUp()
        self.place = dump.Source(self.path)
        self.addCleanup(os.close, self.place._folder._fd)

    def put_image(self, number=1, data=b'data', **fields):
        image = samples.image(number, data, **fields)
        self.put(image.id, records.serialize(image))
        self.put(f'{image.id}.img', data)
        return image


class VerifyTest(DirectoryTest):
    """A dump that is verified."""

    def verify(self, **options):
        return list(
            verify.verify(self.place, image_selection.Selection(**options))
        )

    def verify_one(self):
        (finding,) = self.verify()
        return finding.result, finding.reason

    def exit_code(self):
        tell = self.told()
        return tell.exit_code

    def told(self):
        tell = report.VerifyReport(for_people=True)
        rows = list(tell.rows(self.verify))
        self.assertIsNone(tell.trouble)
        for row in rows:
            self.assertEqual(len(tell.columns), len(row))
        return tell
