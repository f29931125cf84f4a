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

import gzip
import types

import fixtures
import testtools

from osc_glance_replicate import background
from osc_glance_replicate import errors
from osc_glance_replicate.places.glance import reader
from osc_glance_replicate import retry
from osc_glance_replicate.tests.doubles import clocks
from osc_glance_replicate.tests.doubles import fake_glance
from osc_glance_replicate.tests.doubles import samples
from osc_glance_replicate.transfer import image_reading
from osc_glance_replicate.transfer import upload_body
from osc_glance_replicate.transfer import verified_reader

Answer = fake_glance.Answer


class TestRead(fake_glance.GlanceTest):
    def setUp(self):
        super().setUp()
        self.useFixture(fixtures.MonkeyPatch(f'{reader.__name__}._PAUSE', 0.0))

    def test_source_that_gives_anything_but_data_is_opened_again(self):
        self.useFixture(
            fixtures.MonkeyPatch(f'{retry.__name__}._FIRST_DELAY', 0)
        )
        image = samples.image(data=b'the data')
        rambling = Answer(
            headers={'Transfer-Encoding': 'chunked'}, endless=b'0'
        )
        self.addCleanup(rambling.over.set)
        opened = []
        clock = clocks.Clock()

        def answer(request):
            if not request.path.endswith('/file'):
                return Answer(document=image.record)
            opened.append(request)
            return Answer(raw=b'the data') if opened[1:] else rambling

        def monotonic():
            # At each look at it the silence has been too long by now.
            if not opened[1:]:
                clock.sleep(100)
            return clock.now

        place = self.serve(answer)
        self.useFixture(
            fixtures.MonkeyPatch(
                f'{verified_reader.__name__}.time',
                types.SimpleNamespace(monotonic=monotonic),
            )
        )
        with image_reading.Reading(place, 3).open(image, False) as data:
            self.assertEqual(
                b'the data', b''.join(upload_body.UploadBody(data, 8))
            )

    def test_end_of_what_has_a_length_is_known(self):
        """So that nobody needs a thread to wait for it."""
        place = self.serve(lambda request: Answer(raw=b'the data'))
        with place.read(samples.image(data=b'the data')) as data:
            self.assertTrue(data.prompt)
            self.assertEqual(b'the data', data.read(100))
            self.assertEqual(b'', data.read(100))

    def test_end_of_what_ends_with_its_connection_is_not(self):
        answer = Answer(
            headers={'Transfer-Encoding': 'identity'}, endless=b'\r\n\r\n'
        )
        self.addCleanup(answer.over.set)
        place = self.serve(lambda request: answer)
        with place.read(samples.image()) as data:
            self.assertFalse(data.prompt)

    def test_read_that_waits_is_ended(self):
        answer = Answer(headers={'Transfer-Encoding': 'chunked'}, endless=b'0')
        self.addCleanup(answer.over.set)
        place = self.serve(lambda request: answer)
        with place.read(samples.image()) as data:
            reading = background.start(data.read, 100)
            self.assertRaises(TimeoutError, reading.result, 0.2)
            data.interrupt()
            reading.exception(clocks.PATIENCE)

    def test_only_the_recorded_length_is_accepted(self):
        image = samples.image(data=b'four')
        for answer in (Answer(204), Answer(200, 'too long')):
            place = self.serve(lambda request, answer=answer: answer)
            with testtools.ExpectedException(errors.DataError, 'slave: .*'):
                with place.read(image):
                    self.fail('opened')

    def test_data_that_is_not_found_is_lost_where_the_record_is_not(self):
        image = samples.image(data=b'four')
        for record, error, words in (
            (
                Answer(200, image.record),
                errors.DataError,
                'lost or damaged: 4 ',
            ),
            (Answer(404), errors.RefusedError, 'was deleted there meanwhile'),
        ):
            place = self.serve(
                lambda request, record=record: (
                    Answer(404) if request.path.endswith('/file') else record
                )
            )
            with testtools.ExpectedException(error, f'slave: .*{words}'):
                with place.read(image):
                    self.fail('opened')

    def test_encoded_data_is_not_asked_for(self):
        place = self.serve(lambda request: Answer(200, 'four'))
        with place.read(samples.image(data=b'"four"')) as data:
            self.assertEqual(b'"four"', data.read(10))
        (request,) = self.fake.requests
        self.assertEqual('identity', request.headers['Accept-Encoding'])

    def test_glance_that_has_not_heard_of_the_data_is_asked_again(self):
        for status in 204, 404:
            late = [Answer(status)]
            place = self.serve(
                lambda request, late=late: (
                    late.pop() if late else Answer(raw=b'four')
                )
            )
            with place.read(samples.image(data=b'four')) as data:
                self.assertEqual(b'four', data.read(10))

    def test_image_that_is_taken_for_a_packed_answer(self):
        packed = gzip.compress(b'data')
        header = {'Content-Encoding': 'gzip'}
        place = self.serve(lambda request: Answer(raw=packed, headers=header))
        for image in packed, b'data':
            with place.read(samples.image(data=image)) as data:
                found = b''.join(iter(lambda: data.read(100), b''))
                self.assertEqual(image, found)

    def test_data_that_breaks_off_may_be_whole_the_next_time(self):
        place = self.serve(
            lambda request: Answer(200, 'x', {'Content-Length': '9'})
        )
        with place.read(samples.image(data=b'nine bytes'[:9])) as data:
            self.assertEqual(b'"x"', data.read(9))
            self.assertEqual(b'', data.read(9))

    def test_data_that_always_breaks_off_is_said_to_be_lost(self):
        image = samples.image(data=b'nine bytes'[:9])
        place = self.serve(
            lambda request: Answer(200, 'x', {'Content-Length': '9'})
        )
        with image_reading.Reading(place, 0).open(image, False) as data:
            self.assertEqual(b'"x"', data.read(10))
            error = self.assertRaises(errors.PlaceError, data.read, 10)
        self.assertEqual(
            'slave: ended (has it lost the rest?) after 3 of the 9 bytes of '
            f'{image.id}',
            str(error),
        )

    def test_empty_image_has_no_content(self):
        place = self.serve(lambda request: Answer(204))
        with place.read(samples.image(data=b'')) as data:
            self.assertEqual(b'', data.read(10))
