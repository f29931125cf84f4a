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

from osc_glance_replicate import errors
from osc_glance_replicate.model import plan
from osc_glance_replicate.tests.doubles import fake_glance
from osc_glance_replicate.tests.doubles import records as base

Answer = fake_glance.Answer


class TestHeeded(fake_glance.GlanceTest):
    def test_property_that_is_not_changed_is_named(self):
        image = base.image(member='x')
        stored = dict(base.image().record)
        place = self.serve(lambda request: Answer(201, stored))
        error = self.assertRaises(
            errors.RefusedError,
            place.stage,
            plan.Action(image, 'slave', plan.Verb.COPY),
        )
        self.assertIn('member', str(error))
