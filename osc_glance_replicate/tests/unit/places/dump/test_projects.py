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

import tracemalloc

import fixtures
import testtools

from osc_glance_replicate.model import ownership
from osc_glance_replicate.places.dump import projects


class TestProjects(testtools.TestCase):
    def test_they_come_back(self):
        for there in {}, {'p': ownership.Project('web', 'a')}:
            self.assertEqual(there, projects.parse(projects.serialize(there)))

    def test_what_lists_no_projects(self):
        for content in (
            b'',
            b'[]',
            b'{"p": 1}',
            b'{"p": {"name": "web"}}',
            b'{"p": {"name": "web", "domain": null}}',
            b'\xff',
        ):
            self.assertRaises(ValueError, projects.parse, content)

    def test_as_many_as_there_may_be(self):
        there = {
            f'{number:032x}': ownership.Project('web', 'a')
            for number in range(100_000)
        }
        self.assertEqual(there, projects.parse(projects.serialize(there)))

    def test_rubbish_is_not_built(self):
        limit = f'{projects.__name__}._MAX_PARTS'
        self.useFixture(fixtures.MonkeyPatch(limit, 1000))
        content = b'{"p": [' + b'{},' * 500_000
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        self.assertRaises(ValueError, projects.parse, content)
        self.assertLess(tracemalloc.get_traced_memory()[1], len(content))
