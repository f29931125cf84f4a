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

from osc_glance_replicate.engine import dump_engine
from osc_glance_replicate import errors
from osc_glance_replicate.model import image_selection
from osc_glance_replicate.model import options
from osc_glance_replicate.places import dump
from osc_glance_replicate.planning import decisions
from osc_glance_replicate.tests.doubles import dumps
from osc_glance_replicate.tests.doubles import projects


class TestDumpEngine(dumps.DirectoryTest):
    def test_dump_that_is_being_written_is_left_alone(self):
        self.put_image()
        other = dump.Destination(self.at('to'))
        other.open()
        self.addCleanup(other._lock.close)
        ready = dump_engine.DumpEngine(
            self.place,
            projects.MASTER,
            dump.Destination(self.at('to')),
            decisions.Planner(image_selection.Selection()),
            options.Request(),
        )
        self.assertRaises(errors.RefusedError, ready.replicate)
