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

import concurrent.futures
import threading

import fixtures
import testtools

from osc_glance_replicate import background
from osc_glance_replicate.engine import fleet
from osc_glance_replicate import errors
from osc_glance_replicate.planning import rules
from osc_glance_replicate.tests.doubles import clocks
from osc_glance_replicate.tests.doubles import places


class TestFleet(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.useFixture(fixtures.Timeout(90, gentle=True))
        self.log = self.useFixture(fixtures.FakeLogger('osc_glance_replicate'))
        self.refused = {}

    def ready(self, name):
        return fleet.Ready(places.Place(name), rules.Rules())

    def fleet(self, strict=False, **ends):
        """Give a fleet of those that are ready, broken, or still to come."""
        coming = {}
        for name, end in ends.items():
            future = concurrent.futures.Future()
            if isinstance(end, Exception):
                future.set_exception(end)
            elif isinstance(end, threading.Event):
                future = background.start(self._later, name, end)
            else:
                future.set_result(end)
            coming[name] = future
        return fleet.Fleet(coming, strict, self.accept)

    def _later(self, name, event):
        event.wait(clocks.PATIENCE)
        return self.ready(name)

    def accept(self, name, before):
        if problem := self.refused.get(name):
            raise errors.CloudError(name, f'{problem} {",".join(before)}')

    def test_one_may_be_lost_after_it_was_used(self):
        several = self.fleet(a=self.ready('a'), b=self.ready('b'))
        several.wait()
        several.lose('b', errors.PlaceError('b', 'broke off'))
        told = "Cannot use cloud 'b' any more: broke off"
        self.assertEqual({'b': told}, several.unusable)

    def test_of_several_one_may_be_missing(self):
        several = self.fleet(
            a=errors.CloudError('a', 'is down'),
            b=self.ready('b'),
            c=errors.PlaceError('c', 'has no store'),
        )
        several.wait()
        self.assertEqual(['a', 'b', 'c'], several.names)
        self.assertEqual(['b'], list(several.places))
        self.assertEqual(['b'], list(several.rules))
        lines = [
            "Cannot use cloud 'a': is down",
            "Cannot use cloud 'c': has no store",
        ]
        self.assertEqual(lines, sorted(several.unusable.values()))
        self.assertEqual(lines, sorted(self.log.output.splitlines()))

    def test_one_that_is_missing_may_be_reason_enough(self):
        trouble = errors.CloudError('a', 'is down')
        strict = self.fleet(True, a=trouble, b=self.ready('b'))
        self.assertIs(
            trouble, self.assertRaises(errors.CloudError, strict.wait)
        )
        self.assertEqual('', self.log.output)

    def test_order_is_that_of_the_names(self):
        last = threading.Event()
        several = self.fleet(a=last, b=self.ready('b'))
        last.set()
        several.wait()
        self.assertEqual(['a', 'b'], list(several.places))

    def test_late_one_keeps_nobody_waiting(self):
        late = threading.Event()
        several = self.fleet(a=late, b=self.ready('b'))
        several.wait(patience=0)
        self.assertEqual(['b'], list(several.places))
        late.set()
        self.assertEqual(['a'], [place.name for place in several.late()])
        self.assertEqual({'a', 'b'}, set(several.places))
        self.assertEqual([], list(several.late()))

    def test_where_none_may_be_missing_all_are_waited_for(self):
        late = threading.Event()
        strict = self.fleet(True, a=late, b=self.ready('b'))
        waiting = background.start(strict.wait, 0)
        late.set()
        waiting.result(clocks.PATIENCE)
        self.assertEqual(['a', 'b'], list(strict.places))

    def test_nobody_begins_without_any(self):
        late = threading.Event()
        several = self.fleet(a=late, b=errors.CloudError('b', 'is down'))
        waiting = background.start(several.wait, 0)
        late.set()
        waiting.result(clocks.PATIENCE)
        self.assertEqual(['a'], list(several.places))

    def test_those_that_are_one_are_refused(self):
        self.refused['b'] = 'the same as'
        several = self.fleet(a=self.ready('a'), b=self.ready('b'))
        error = self.assertRaises(errors.CloudError, several.wait)
        self.assertIn('the same as a', str(error))

    def test_late_one_that_is_another_is_left_out(self):
        late = threading.Event()
        self.refused['a'] = 'the same as'
        several = self.fleet(a=late, b=self.ready('b'))
        several.wait(patience=0)
        late.set()
        self.assertEqual([], list(several.late()))
        self.assertIn('the same as b', several.unusable['a'])

    def test_late_ones_may_be_left_out(self):
        several = self.fleet(a=threading.Event(), b=self.ready('b'))
        several.wait(patience=0)
        several.refuse_late()
        self.assertIn('--scheduler', several.unusable['a'])
        self.assertEqual([], list(several.late()))

    def test_defect_of_ours_is_of_one_destination(self):
        several = self.fleet(a=KeyError('x'), b=self.ready('b'))
        several.wait()
        self.assertEqual(['b'], list(several.places))
        self.assertIn('unexpected KeyError', several.unusable['a'])

    def test_one_that_is_known(self):
        known = fleet.of([self.ready('a')])
        self.assertEqual(['a'], list(known.places))
        self.assertRaises(
            errors.PlaceError, known.lose, 'a', errors.PlaceError('a', 'broke')
        )
