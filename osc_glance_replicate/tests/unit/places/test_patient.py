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
        return patient.PatientPlace(self.asked, lose)

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
