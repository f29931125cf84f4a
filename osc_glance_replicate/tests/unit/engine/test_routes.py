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

from unittest import mock

import fixtures

from osc_glance_replicate.engine import routes
from osc_glance_replicate import errors
from osc_glance_replicate.tests.doubles import dumps
from osc_glance_replicate.tests.doubles import samples


class TestFromDump(dumps.DirectoryTest):
    def warning(self):
        """Begin a load that has no cloud."""
        logger = self.useFixture(fixtures.FakeLogger())
        nowhere = mock.Mock(side_effect=errors.CloudError('slave', 'down'))
        self.assertRaises(
            errors.CloudError, routes.from_dump, nowhere, None, self.path
        )
        return logger.output

    def test_data_without_a_record_is_told_of(self):
        whole = self.put_image()
        # What the next dump goes on with, and what is none of ours.
        self.put(f'{whole.id}.img.part', b'da')
        self.put('notes.img', b'x')
        self.put(f'{samples.image(9).id}.members', b'[]')
        self.assertEqual('', self.warning())
        one, two = samples.image(2).id, samples.image(3).id
        for name in f'{one}.img.part', f'{two}.img', f'{two}.img.part':
            self.put(name, b'data')
        told = self.warning()
        self.assertEqual(1, len(told.splitlines()), told)
        self.assertIn(f'record: 2, the first of them is {one};', told)
