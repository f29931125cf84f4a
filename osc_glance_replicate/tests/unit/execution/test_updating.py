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
import time

import testtools

from osc_glance_replicate import errors
from osc_glance_replicate.execution import events
from osc_glance_replicate.execution import planned
from osc_glance_replicate.execution import updating
from osc_glance_replicate.model import image_selection
from osc_glance_replicate.model import options
from osc_glance_replicate.model import ownership
from osc_glance_replicate.planning import decisions
from osc_glance_replicate.planning import rules
from osc_glance_replicate.tests.doubles import places
from osc_glance_replicate.tests.doubles import samples
from osc_glance_replicate.transfer import image_reading

UNHASHED = {'os_hash_value': None, 'checksum': None}


class TestUpdating(testtools.TestCase):
    def update(
        self,
        image,
        replica,
        slave,
        *,
        source=None,
        checksum=True,
        listener=events.Listener(),
        **options_of_planner,
    ):
        planner = decisions.Planner(
            image_selection.Selection((image.id,)),
            destinations={
                'slave': rules.Rules(
                    runner=ownership.Runner(frozenset(['mine']))
                )
            },
            **options_of_planner,
        )
        source = source or places.Place('master')
        self.planned = planned.Planned(
            planner.decide(image, replica, 'slave'), source, slave, planner
        )
        self.updating = updating.Updating(
            self.planned,
            slave,
            image_reading.Reading(source, 3, options.Checks(checksum)),
            listener,
        )
        outcome = self.updating.try_once()
        return outcome and (outcome.result, outcome.reason)

    def recording(self, **methods):
        """Make a destination that notes the fields it is to change."""
        slave = places.Place('slave')
        self.asked = []
        slave.update = lambda action: self.asked.append(
            sorted(change.field for change in action.changes)
        )
        for name, method in methods.items():
            setattr(slave, name, method)
        return slave

    def test_data_is_proven_before_anything_is_given(self):
        image = samples.image(name='new', os_hidden=True, **UNHASHED)
        for data, result, updates in (
            (b'data', 'updated', 2),
            (b'dada', 'conflict', 1),
        ):
            for checksum in True, False:
                found, reason = self.update(
                    image,
                    samples.image(owner='mine'),
                    self.recording(),
                    source=places.Place('master', data),
                    checksum=checksum,
                )
                self.assertEqual(result, found)
                self.assertEqual(
                    [['os_hidden'], ['name', 'os_hidden']][:updates],
                    self.asked,
                )
                if result == 'conflict':
                    self.assertIn(
                        'os_hidden; other data under this ID: sha512 differs; '
                        'source: ',
                        reason,
                    )

    def test_what_is_read_to_prove_is_told_of(self):
        class Listener(events.Listener):
            count = 0

            def checked(self, action, count):
                self.count += count

        listener = Listener()
        self.update(
            samples.image(name='new', **UNHASHED),
            samples.image(owner='mine'),
            places.Place('slave'),
            listener=listener,
        )
        self.assertEqual(4, listener.count)

    def test_another_image_is_adopted_before_it_is_changed(self):
        """What it is by then counts."""
        now = samples.image(owner='mine', tags=['x'])
        slave = self.recording(adopt=lambda action: now)
        theirs = samples.image(owner='theirs', os_hidden=True)
        result, _ = self.update(
            samples.image(name='new'), theirs, slave, adopt=True
        )
        self.assertEqual('updated', result)
        self.assertEqual([['name', 'tags']], self.asked)

    def test_what_cannot_be_changed_by_then_is_not_published(self):
        now = samples.image(owner='mine', **{'visibility ': 'public'})
        slave = self.recording(adopt=lambda action: now)
        error = self.assertRaises(
            errors.RefusedError,
            self.update,
            samples.image(name='new'),
            samples.image(owner='theirs'),
            slave,
            adopt=True,
        )
        self.assertIn('is private now: Glance does not let', str(error))
        self.assertEqual([], self.asked)

    def test_what_was_replaced_meanwhile_stays_private(self):
        now = samples.image(owner='mine', data=b'DATA')
        slave = self.recording(adopt=lambda action: now)
        error = self.assertRaises(
            errors.RefusedError,
            self.update,
            samples.image(),
            samples.image(owner='theirs'),
            slave,
            adopt=True,
        )
        self.assertIn('is private now', str(error))
        self.assertEqual([], self.asked)

    def test_nothing_of_another_changes_before_the_data_is_proven(self):
        slave = self.recording(adopt=None)
        result, _ = self.update(
            samples.image(os_hidden=True, **UNHASHED),
            samples.image(owner='theirs', data=b'DATA'),
            slave,
            adopt=True,
        )
        self.assertEqual('conflict', result)
        self.assertEqual([], self.asked)

    def test_long_proof_is_judged_again(self):
        """And is not made once more."""
        slave = self.recording()
        image = samples.image(name='new', **UNHASHED)
        old = dataclasses.replace(image, read_at=time.monotonic() - 61)
        master = places.Place('master')
        slave.images[image.id] = samples.image(owner='mine')
        for by_now, fields in (
            (image, [['name']]),
            (samples.image(**UNHASHED), []),
        ):
            self.asked.clear()
            master.images[image.id] = by_now
            found = self.update(
                old, samples.image(owner='mine'), slave, source=master
            )
            self.assertIsNone(found)
            self.assertEqual([], self.asked)
            reads = master.calls.count('read')
            if self.planned.action.changes:
                outcome = self.updating.try_once()
            else:
                outcome = self.updating.lost()
            self.assertEqual('updated', outcome.result)
            self.assertEqual(fields, self.asked)
            self.assertEqual(reads, master.calls.count('read'))

    def test_dump_withdraws_nothing_before_its_data_is_proven(self):
        result, _ = self.update(
            samples.image(os_hidden=True, status='deactivated'),
            samples.image(owner='mine'),
            self.recording(),
            source=places.Place('dump', b'0000'),
            checksum=False,
            dumped=True,
        )
        self.assertEqual('conflict', result)
        self.assertEqual([], self.asked)

    def test_doubt_whose_answer_was_lost_stays_one(self):
        slave = self.recording()
        self.update(
            samples.image(os_hidden=True, **UNHASHED),
            samples.image(owner='mine', **UNHASHED),
            slave,
        )
        self.assertEqual('conflict', self.updating.lost().result)

    def test_nothing_was_begun(self):
        self.update(
            samples.image(name='x'), samples.image(owner='mine'),
            self.recording(),
        )  # fmt: skip
        fresh = updating.Updating(self.planned, None, None, None)
        self.assertIsNone(fresh.lost())
