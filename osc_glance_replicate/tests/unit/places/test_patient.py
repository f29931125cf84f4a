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

import contextlib

import fixtures
import testtools

from osc_glance_replicate import errors
from osc_glance_replicate.places import patient
from osc_glance_replicate import retry
from osc_glance_replicate.tests.doubles import samples


class Place:
    """A place that has one image, and breaks as it is told to."""

    name = 'slave'
    dates = True

    def __init__(self, *troubles):
        self._troubles = list(troubles)
        self.calls = 0

    def _answer(self, answer):
        self.calls += 1
        if self._troubles and (trouble := self._troubles.pop(0)):
            raise trouble
        return answer

    def find(self, image_id):
        return self._answer(samples.image())

    def members(self, image):
        return self._answer({'p': 'pending'})

    def images(self, selection=None):
        yield samples.image(1)
        self._answer(None)
        yield samples.image(2)


class TestPatientPlace(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.useFixture(
            fixtures.MonkeyPatch(f'{retry.__name__}._FIRST_DELAY', 0.001)
        )
        self.lost = []

    def place(self, *troubles, may_fail=True):
        self.asked = Place(*troubles)
        lose = (lambda *what: self.lost.append(what)) if may_fail else None
        self.known = set()
        return patient.PatientPlace(self.asked, lose, self.known)

    def unanswered(self, kind=errors.TransientError):
        trouble = kind('slave', 'is silent')
        trouble.unanswered = True
        return trouble

    def test_what_may_pass_is_tried_again(self):
        passing = errors.TransientError('slave', 'busy')
        self.assertEqual(
            samples.image(), self.place(*[passing] * 3).find('id')
        )
        self.assertEqual(4, self.asked.calls)
        self.assertEqual(
            {'p': 'pending'},
            self.place(passing).members(samples.image()),
        )
        self.assertEqual([], self.lost)

    def test_one_that_fails_is_lost_and_asked_no_more(self):
        broken = errors.PlaceError('slave', 'no Glance')
        place = self.place(broken)
        self.assertIsNone(place.find('id'))
        self.assertEqual([('slave', broken)], self.lost)
        self.assertIsNone(place.find('id'))
        self.assertEqual(1, self.asked.calls)

    def test_one_that_does_not_tell_members_is_lost(self):
        silent = self.unanswered()
        place = self.place(*[silent] * 4)
        for _ in range(2):
            self.assertIsNone(place.members(samples.image()))
        self.assertIsNone(place.find('id'))
        self.assertEqual(4, self.asked.calls)
        self.assertEqual([('slave', silent)], self.lost)
        self.assertEqual([], list(place.images()))

    def test_members_that_are_not_told_are_one_image_s_trouble(self):
        place = self.place(errors.PlaceError('slave', 'forbidden'))
        self.assertRaises(errors.PlaceError, place.members, samples.image())
        self.assertEqual([], self.lost)
        place = self.place(self.unanswered(errors.PlaceError), may_fail=False)
        self.assertRaises(errors.PlaceError, place.members, samples.image())
        self.assertIsNotNone(place.members(samples.image()))

    def test_one_that_another_has_found_to_fail_is_asked_no_more(self):
        place = self.place()
        listed = place.images()
        next(listed)
        self.known.add('slave')
        self.assertEqual([], list(listed))
        self.assertIsNone(place.find('id'))
        self.assertIsNone(place.members(samples.image()))
        # Its listing was read until then, and breaks one image later.
        self.assertEqual(1, self.asked.calls)

    def test_others_do_not_wait_for_long(self):
        self.useFixture(fixtures.MonkeyPatch(f'{retry.__name__}._LATE', 0.0))
        for may_fail, calls in ((True, 1), (False, 4)):
            place = self.place(*[self.unanswered()] * 4, may_fail=may_fail)
            for ask in place.find, place.members:
                self.asked._troubles = [self.unanswered()] * 4
                self.asked.calls = 0
                with contextlib.suppress(errors.PlaceError):
                    ask(samples.image())
                self.assertEqual(calls, self.asked.calls)
                place._has_failed = False

    def test_listing_ends_where_it_breaks(self):
        broken = errors.PlaceError('slave', 'no Glance')
        listed = list(self.place(broken).images())
        self.assertEqual([samples.image(1)], listed)
        self.assertEqual([('slave', broken)], self.lost)
        self.assertEqual(2, len(list(self.place().images())))

    def test_where_nobody_may_be_lost_it_is_told(self):
        broken = errors.PlaceError('slave', 'no Glance')
        place = self.place(broken, may_fail=False)
        self.assertIs(
            broken, self.assertRaises(errors.PlaceError, place.find, 'id')
        )
        listed = self.place(broken, may_fail=False).images()
        next(listed)
        self.assertRaises(errors.PlaceError, next, listed)

    def test_trouble_of_one_image_is_not_that_of_the_place(self):
        for unreadable in errors.TooLongError, errors.OtherCaseError:
            place = self.place(unreadable('slave', 'long'))
            self.assertRaises(unreadable, place.find, 'id')
        self.assertEqual([], self.lost)
