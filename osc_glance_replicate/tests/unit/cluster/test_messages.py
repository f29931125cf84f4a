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

"""What the command and the workers of a cluster tell each other."""

import json

import testtools

from osc_glance_replicate.cluster import messages
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan


class TestEarly(testtools.TestCase):
    def test_comes_as_it_was_sent(self):
        early = messages.Early(
            'a run',
            5,
            'slave',
            messages.Answer(
                plan.Verb.COPY,
                outcomes.Result.FAILED,
                'slave: 503',
                True,
                outcomes.Cause.UNCLEAR,
                1.5,
                'raw',
            ),
        )
        # No message holds more kinds of values than JSON does.
        packed = json.loads(json.dumps(early.packed()))
        self.assertEqual(early, messages.Early.unpacked(packed))

    def test_what_nobody_has_packed(self):
        packed = 'key', 1, 'slave', 'copy', 'copied', '', False, 'image', 0, ''
        messages.Early.unpacked(packed)
        for values in (
            [],
            [*packed, 1],
            packed[:-1],
            [*packed[:1], [], *packed[2:]],
            [*packed[:2], [], *packed[3:]],
            [*packed[:3], 'bake', *packed[4:]],
        ):
            self.assertRaises(ValueError, messages.Early.unpacked, values)
        self.assertRaises(TypeError, messages.Early.unpacked, None)
