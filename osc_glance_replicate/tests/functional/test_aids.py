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

"""Answers that only help, and that a run does without.

As where a gateway, or the access rules of a credential, know of none.
"""

from osc_glance_replicate.tests.functional import base
from osc_glance_replicate.tests.functional import faults
from osc_glance_replicate.tests.functional import links

STATUSES = (401, 403, 404)

#: What is asked for on the way of an import, and of no use to the image.
_AIDS = '/schemas/image$|/info/import$|/tasks$'


class TestAids(links.BrokenLinksTest):
    alone = False

    def deny(self, link, paths):
        """Have paths denied by the statuses, one after the other."""
        for status in STATUSES:
            link.on(
                'GET',
                paths,
                faults.Fault(answer=faults.Answer(status)),
                times=None,
                when=lambda call, status=status: status == self.status,
            )
        for self.status in STATUSES:
            yield self.status

    def test_destination_that_does_not_tell(self):
        for status in self.deny(self.destination, _AIDS):
            image = self.image(base.MIB, name=f'{status}')
            result = self.copy('--method', 'import', image.id)
            self.assertEqual({image.id: 'copied'}, result.results)
            self.assertCopied(image)
            told = result.stderr.splitlines()
            for words in '/schemas/image', '/info/import':
                (line,) = [line for line in told if words in line]
                self.assertIn(f'HTTP {status}', line)
                self.assertIn('not foretold', line)

    def test_stores_that_are_not_told(self):
        for status in self.deny(self.destination, '/info/stores$'):
            image = self.image(10, name=f'{status}')
            result = self.copy('--store', 'slow', image.id)
            self.assertEqual({image.id: 'copied'}, result.results)
            self.assertTrue(self.slave.stored(image.id, 'slow').exists())

    def test_members_that_there_are_none_of(self):
        image = self.image(10, name='shared', visibility='shared')
        for status in self.deny(self.destination, '/members$'):
            for _ in range(2):
                self.copy('--members', image.id)
            self.master.patch(image.id, name=f'{status}')
            result = self.copy('--members', image.id)
            self.assertEqual({image.id: 'updated'}, result.results)

    def test_source_that_does_not_tell(self):
        image = self.image(10, name='image')
        for _ in self.deny(self.source, '/schemas/image$'):
            result = self.copy('--disk-format', 'raw', '--dry-run', image.id)
            self.assertEqual({image.id: 'copy'}, result.results)
