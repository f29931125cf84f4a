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

import dataclasses

import testtools

from osc_glance_replicate.model import difference
from osc_glance_replicate.model import plan
from osc_glance_replicate.tests.doubles import samples

Difference = difference.Difference


def action(verb, status='active', **fields):
    return plan.Action(
        samples.image(), 'slave', verb, samples.image(status=status), **fields
    )


class TestReplica(testtools.TestCase):
    """Only what there is a replica of, with data, can be read."""

    def test_what_is_one(self):
        fixed = (plan.Change('disk_format', 'raw', 'iso'),)
        for one in (
            action(plan.Verb.UNCHANGED),
            action(plan.Verb.UNCHANGED, 'deactivated'),
            action(plan.Verb.UPDATE),
            action(plan.Verb.FAIL, fixed=fixed),
            action(plan.Verb.SKIP, serves=True),
        ):
            self.assertTrue(difference.is_replica(one), one)

    def test_what_is_none(self):
        for none in (
            action(plan.Verb.COPY, 'queued'),
            action(plan.Verb.CONFLICT),
            action(plan.Verb.CONFLICT, 'queued'),
            action(plan.Verb.UPDATE, told_as=plan.Verb.CONFLICT),
            action(plan.Verb.FAIL),
            action(plan.Verb.SKIP),
            action(plan.Verb.EXTRA),
            action(plan.Verb.UNCHANGED, 'queued'),
            dataclasses.replace(action(plan.Verb.COPY), replica=None),
        ):
            self.assertFalse(difference.is_replica(none), none)

    def test_each_plan_is_told(self):
        for verb, found in (
            (plan.Verb.UNCHANGED, Difference.SAME),
            (plan.Verb.UPDATE, Difference.METADATA),
            (plan.Verb.CONFLICT, Difference.CONFLICT),
            (plan.Verb.EXTRA, Difference.EXTRA),
            (plan.Verb.FAIL, Difference.FAILED),
            (plan.Verb.SKIP, None),
        ):
            self.assertIs(found, difference.of(action(verb)))
