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

from osc_glance_replicate.clouds import limits
from osc_glance_replicate import errors
from osc_glance_replicate.places import patient
from osc_glance_replicate.tests.doubles import fake_glance
from osc_glance_replicate.tests.doubles import samples

Answer = fake_glance.Answer


class TestFind(fake_glance.GlanceTest):
    def test_patient_one_tries_again(self):
        self.useFixture(
            fixtures.MonkeyPatch(
                'osc_glance_replicate.retry._FIRST_DELAY', 0.001
            )
        )
        answers = iter([Answer(503), Answer(502)])
        place = self.serve(
            lambda request: next(
                answers, Answer(200, dict(samples.image().record))
            )
        )
        asked = patient.PatientPlace(place)
        self.assertEqual(samples.image(), asked.find(samples.image().id))
        self.assertEqual(3, len(self.fake.requests))

    def test_empty_record_is_an_error_rather_than_no_image(self):
        place = self.serve(lambda request: Answer(200, {}))
        self.assertRaises(errors.PlaceError, place.find, samples.image().id)
        place = self.serve(lambda request: Answer(404))
        self.assertIsNone(place.find(samples.image().id))

    def test_another_image_is_no_answer(self):
        asked = samples.image(0xA)
        for other, kind in (
            (samples.image(2).id, errors.PlaceError),
            (asked.id.upper(), errors.OtherCaseError),
        ):
            place = self.serve(
                lambda request, other=other: Answer(
                    200, {**asked.record, 'id': other}
                )
            )
            error = self.assertRaises(kind, place.find, asked.id)
            self.assertEqual(kind, type(error))
            for words in 'slave: ', asked.id, other:
                self.assertIn(words, str(error))

    def test_record_that_is_too_long_is_that_images_trouble(self):
        self.useFixture(
            fixtures.MonkeyPatch(f'{limits.__name__}.MAX_DOCUMENT', 1000)
        )
        image = samples.image(padding='x' * 1000)
        place = self.serve(lambda request: Answer(200, dict(image.record)))
        error = self.assertRaises(errors.TooLongError, place.find, image.id)
        self.assertIn("have the image's properties shortened", str(error))

    def test_id_that_leads_elsewhere_is_not_asked_for(self):
        place = self.serve(lambda request: Answer(200, {}))
        for image_id in ('../../v3/auth/tokens', 'x', ''):
            self.assertRaises(errors.SelectionError, place.find, image_id)
        self.assertEqual([], self.fake.requests)
