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

import gc
import os

from osc_glance_replicate.engine import comparison
from osc_glance_replicate.engine import engine
from osc_glance_replicate.engine import fleet
from osc_glance_replicate.execution import events
from osc_glance_replicate.model import image_selection
from osc_glance_replicate.model import options
from osc_glance_replicate.model import plan
from osc_glance_replicate.places import dump
from osc_glance_replicate.planning import decisions
from osc_glance_replicate.planning import rules
from osc_glance_replicate.tests.doubles import dumps

_NO_HASH = {'os_hash_algo': None, 'os_hash_value': None, 'checksum': None}


class Listener(events.Listener):
    def __init__(self):
        self.planned_ids, self.ended_ids = [], []

    def planned(self, group):
        self.planned_ids += [action.image.id for action in group]

    def ended(self, outcome):
        self.ended_ids.append(outcome.action.image.id)


class ComparisonTest(dumps.DirectoryTest):
    """From one dump to another, whose files are changed."""

    def setUp(self):
        super().setUp()
        self.there = self.at('there')
        self.listener = Listener()
        os.mkdir(self.there)

    def replica(self, number, data=b'data', **fields):
        """Put an image there, too.

        :param fields: that are other ones there
        """
        image = self.put_image(number, data)
        self.put_there(number, data, **fields)
        return image

    def put_there(self, number, data=b'data', **fields):
        here, self.path = self.path, self.there
        try:
            self.put_image(number, data, **fields)
        finally:
            self.path = here

    def spoil(self, image, data=b'datA'):
        with open(os.path.join(self.there, f'{image.id}.img'), 'wb') as file:
            file.write(data)

    def compare(self):
        return [
            (
                finding.action.image.id,
                str(finding.difference),
                finding.data and finding.data.value,
                finding.detail,
            )
            for finding in self.findings()
        ]

    def findings(self):
        destination = dump.Destination(self.there)
        ready = engine.Engine(
            self.place,
            fleet.of([fleet.Ready(destination, rules.Rules(at_rest=True))]),
            decisions.Planner(
                image_selection.Selection(),
                destinations={self.there: rules.Rules(at_rest=True)},
            ),
            options.Request(run=options.Run(retries=0)),
        )
        return comparison.with_data(ready, self.listener)


class TestData(ComparisonTest):
    def test_what_is_whole(self):
        image = self.replica(1)
        self.assertEqual([(image.id, 'same', 'ok', '')], self.compare())

    def test_damage(self):
        image = self.replica(1)
        self.spoil(image)
        ((_, found, data, detail),) = self.compare()
        self.assertEqual(('data', 'damaged'), (found, data))
        self.assertRegex(detail, 'the data is damaged.*: its sha512 is .*')

    def test_record_and_data_are_told_apart(self):
        images = [
            self.replica(number, name='theirs', size=4) for number in (1, 2)
        ]
        self.spoil(images[1])
        found = sorted(row[:3] for row in self.compare())
        self.assertEqual(
            [
                (images[0].id, 'None', 'ok'),
                (images[0].id, 'metadata', None),
                (images[1].id, 'data', 'damaged'),
                (images[1].id, 'metadata', None),
            ],
            found,
        )

    def test_what_is_not_read(self):
        missing = self.put_image(1)
        conflict = self.put_image(2)
        self.put_there(2, b'other')
        self.assertEqual(
            [(missing.id, 'missing'), (conflict.id, 'conflict')],
            [row[:2] for row in self.compare()],
        )
        self.assertEqual([], self.listener.planned_ids)

    def test_what_was_told_is_forgotten(self):
        for number in range(1, 41):
            self.replica(number)
            self.put_image(100 + number)
        left = [
            sum(type(each) is plan.Action for each in gc.get_objects())
            for _ in self.findings()
        ]
        self.assertEqual(80, len(left))
        self.assertLess(left[-1], 40)

    def test_who_looks_on_hears_of_what_is_read(self):
        image, missing = self.replica(1), self.put_image(2)
        self.compare()
        self.assertEqual([image.id], self.listener.planned_ids)
        self.assertEqual(
            sorted([image.id, missing.id]), sorted(self.listener.ended_ids)
        )


class TestHashes(ComparisonTest):
    """What data is held against."""

    def forget(self, number, data=b'data', **fields):
        image = self.put_image(number, data, **{**_NO_HASH, **fields})
        return image

    def test_what_the_destination_recorded(self):
        image = self.forget(1)
        self.put_there(1)
        ((_, found, data, detail),) = self.compare()
        self.assertEqual(('same', 'ok'), (found, data))
        held = (
            'the source recorded no hash: held against the sha512 that '
            f'{self.there} recorded'
        )
        self.assertEqual(held, detail)
        self.spoil(image)
        ((_, found, _, detail),) = self.compare()
        self.assertEqual('data', found)
        self.assertIn('its sha512 is', detail)
        self.assertTrue(detail.endswith(held), detail)

    def test_source_comes_first(self):
        """What both recorded is the md5, which says less."""
        self.put_image(1)
        self.put_there(1, os_hash_algo='sha256', os_hash_value='00')
        ((_, found, data, detail),) = self.compare()
        self.assertEqual(('same', 'ok', ''), (found, data, detail))

    def test_weak_ones(self):
        for number, fields in (
            (1, {'checksum': '8d777f385d3dfec8815d20f7496026dc'}),
            (2, {}),
        ):
            self.forget(number, **fields)
            self.put_there(number, **{**_NO_HASH, **fields})
        self.assertEqual(
            ['md5 only', 'verified by size only: no hash recorded'],
            [row[3] for row in sorted(self.compare())],
        )
        self.forget(3, b'')
        self.put_there(3, b'', **_NO_HASH)
        self.assertEqual('', sorted(self.compare())[2][3])
