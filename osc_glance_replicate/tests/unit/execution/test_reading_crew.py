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

import fixtures
import testtools

from osc_glance_replicate import errors
from osc_glance_replicate.execution import events
from osc_glance_replicate.execution import reading_crew
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan
from osc_glance_replicate import retry
from osc_glance_replicate.tests.doubles import places
from osc_glance_replicate.tests.doubles import samples
from osc_glance_replicate.transfer import image_reading

Result = outcomes.Result


class Heard(events.Listener):
    def __init__(self):
        self.count = 0

    def sent(self, action, count):
        self.count += count


class TestReadingCrew(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.useFixture(
            fixtures.MonkeyPatch(f'{retry.__name__}._FIRST_DELAY', 0.001)
        )

    def outcome(self, place, record=None, retries=0, answered=0.0):
        action = samples.action(verb=plan.Verb.READ)
        record = record or samples.image()
        self.heard = Heard()
        self.crew = reading_crew.ReadingCrew(
            {'slave': place, 'other': places.Place('other', b'other')},
            image_reading.Reading(places.Place('none'), retries),
            lambda action: record,
            self.heard,
            lambda to: answered,
        )
        found = self.crew.carry_out(action).result(60)
        self.assertIs(action, found.action)
        return found

    def test_what_is_as_recorded(self):
        self.assertIs(Result.OK, self.outcome(places.Place('slave')).result)
        self.assertEqual(4, self.heard.count)
        other = samples.image(data=b'more')
        found = self.outcome(places.Place('slave', b'more'), other)
        self.assertIs(Result.OK, found.result)

    def test_other_bytes(self):
        for data in b'datA', b'data more':
            found = self.outcome(places.Place('slave', data))
            self.assertIs(Result.DAMAGED, found.result)
        self.assertIn('sent more', found.reason)

    def test_short_one(self):
        # Once may be the link's fault.
        for retries, result in (0, Result.FAILED), (1, Result.DAMAGED):
            place = places.Place('slave', b'da')
            place.images[samples.image().id] = samples.image()
            found = self.outcome(place, retries=retries)
            self.assertIs(result, found.result)
            self.assertIn('after 2 of the 4 bytes', found.reason)

    def test_lost_one(self):
        lost = errors.DataError('slave', 'is lost')
        found = self.outcome(places.Place('slave', read=[lost]))
        self.assertEqual(
            (Result.DAMAGED, 'slave: is lost'), (found.result, found.reason)
        )

    def test_defect_while_its_status_is_looked_up(self):
        refused = errors.RefusedError('slave', 'no', 403)
        place = places.Place('slave', read=[refused], find=[KeyError('x')])
        found = self.outcome(place)
        self.assertIs(Result.FAILED, found.result)
        self.assertIn('unexpected KeyError', found.reason)

    def test_one_that_only_an_administrator_may_read(self):
        refused = errors.RefusedError('slave', 'no', 403)
        for status, find, result in (
            ('deactivated', None, Result.SKIPPED),
            ('active', None, Result.FAILED),
            ('gone', None, Result.FAILED),
            ('deactivated', errors.PlaceError('slave', 'x'), Result.FAILED),
        ):
            place = places.Place('slave', read=[refused], find=[find])
            if status != 'gone':
                image = samples.image(status=status)
                place.images[image.id] = image
            self.assertIs(result, self.outcome(place).result, status)
        other = errors.RefusedError('slave', 'no', 400)
        place = places.Place('slave', read=[other])
        self.assertIs(Result.FAILED, self.outcome(place).result)
        self.assertNotIn('find', place.calls)

    def test_silence(self):
        """It counts only if there was no answer since it was asked."""
        silent = errors.PlaceError('slave', 'is silent')
        silent.unanswered = True
        answers = errors.PlaceError('slave', 'answers nonsense')
        for trouble, answered, is_silent in (
            (silent, 0.0, True),
            (silent, float('inf'), False),
            (answers, 0.0, False),
        ):
            place = places.Place('slave', read=[trouble])
            found = self.outcome(place, answered=answered)
            self.assertIs(Result.FAILED, found.result)
            self.assertIs(is_silent, found.unanswered > 0)

    def test_silence_at_each_try(self):
        silent = errors.TransientError('slave', 'is silent')
        silent.unanswered = True
        place = places.Place('slave', read=[silent, silent])
        found = self.outcome(place, retries=1)
        self.assertIn('given up after 2 tries', found.reason)
        self.assertGreater(found.unanswered, 0)

    def test_defects_become_a_row(self):
        place = places.Place('slave', read=[KeyError('x')])
        found = self.outcome(place)
        self.assertIs(Result.FAILED, found.result)
        self.assertIn('unexpected KeyError', found.reason)

    def test_end_of_the_run(self):
        place = places.Place('slave')
        self.outcome(place)
        self.crew.stop()
        action = samples.action(verb=plan.Verb.READ)
        found = self.crew.carry_out(action).result(60)
        self.assertEqual(outcomes.INTERRUPTED, found.reason)
