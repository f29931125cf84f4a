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

import email.utils

import fixtures

from osc_glance_replicate import errors
from osc_glance_replicate.tests.doubles import fake_glance
from osc_glance_replicate.tests.doubles import samples

Answer = fake_glance.Answer


class TestWrite(fake_glance.GlanceTest):
    """A consumed body is never sent again."""

    def write(self, answer, data=b'the bytes'):
        image = samples.image(data=data)
        place = self.serve(lambda request: answer)
        body = samples.body(samples.Data(data), image)
        try:
            place.write(image, body)
        finally:
            (self.put,) = self.fake.requests

    def test_it_is_sent_with_its_length(self):
        self.write(Answer(204))
        self.assertEqual(b'the bytes', self.put.body)
        self.assertEqual('9', self.put.headers['Content-Length'])
        self.assertEqual('9', self.put.headers['X-OpenStack-Image-Size'])
        self.assertNotIn('Transfer-Encoding', self.put.headers)

    def test_empty_image_has_a_length_too(self):
        self.write(Answer(204), b'')
        self.assertEqual('0', self.put.headers['Content-Length'])
        self.assertNotIn('Transfer-Encoding', self.put.headers)

    def test_passing_failures_are_left_to_the_caller(self):
        for status in (401, 408, 409, 410, 429, 500, 502, 503, 504):
            answer = Answer(status, headers={'Retry-After': '7'})
            error = self.assertRaises(
                errors.TransientError, self.write, answer
            )
            self.assertEqual(b'the bytes', self.put.body)
            if status not in (401, 409, 410):
                self.assertEqual(7, error.retry_after)

    def test_redirect_is_not_followed(self):
        elsewhere = self.useFixture(
            fake_glance.FakeGlance(lambda request: Answer(204))
        )
        answer = Answer(307, headers={'Location': f'{elsewhere.url}/x'})
        error = self.assertRaises(errors.PlaceError, self.write, answer)
        self.assertEqual([], elsewhere.requests)
        self.assertIn('redirects to 127.0.0.1, which', str(error))
        for location in '', 'http://[', 'http://user:secret@/?signature=x':
            answer = Answer(302, headers={'Location': location})
            error = self.assertRaises(errors.PlaceError, self.write, answer)
            self.assertIn('redirects to nowhere', str(error))

    def test_nothing_but_the_caller_tries_again(self):
        def hang_up(request):
            raise ConnectionResetError

        place = self.serve(hang_up)
        body = samples.body(samples.Data(b'data'), samples.image())
        self.assertRaises(
            errors.TransientError, place.write, samples.image(), body
        )
        self.assertEqual(1, len(self.fake.requests))

    def test_retry_after_may_be_a_date(self):
        now = 1_800_000_000
        self.useFixture(fixtures.MonkeyPatch('time.time', lambda: now + 0.5))
        soon = email.utils.formatdate(now + 100, usegmt=True)
        for value, seconds in ((soon, 99.5), ('nonsense', 0), ('-5', 0)):
            answer = Answer(503, headers={'Retry-After': value})
            error = self.assertRaises(
                errors.TransientError, self.write, answer
            )
            self.assertEqual(seconds, error.retry_after)

    def test_what_glance_says_is_passed_on(self):
        answer = Answer(
            413,
            {'message': 'over \x1b[31mquota'},
            {'X-OpenStack-Request-Id': 'req-1'},
        )
        error = self.assertRaises(errors.RefusedError, self.write, answer)
        self.assertEqual(
            r'slave: HTTP 413: over \x1b[31mquota (req-1)', str(error)
        )

    def test_record_that_is_gone_is_named(self):
        error = self.assertRaises(errors.RefusedError, self.write, Answer(404))
        self.assertIn('was deleted there', str(error))
