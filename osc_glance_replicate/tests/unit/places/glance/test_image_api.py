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
import itertools
import logging
import threading
import tracemalloc

import fixtures

from osc_glance_replicate.clouds import limits
from osc_glance_replicate.clouds import watchdog
from osc_glance_replicate import errors
from osc_glance_replicate.places.glance import image_api
from osc_glance_replicate.tests.doubles import fake_glance
from osc_glance_replicate.tests.doubles import samples

Answer = fake_glance.Answer


class TestAnswers(fake_glance.GlanceTest):
    def find(self, answer, **limit):
        """Ask for an image.

        :param limit: another value for one of the limits
        """
        self.useFixture(
            fixtures.MonkeyPatch('osc_glance_replicate.retry._FIRST_DELAY', 0)
        )
        place = self.serve(lambda request: answer)
        # The versions are asked for before.
        self.fake.endpoint()
        with contextlib.ExitStack() as limited:
            for name, value in limit.items():
                limited.enter_context(
                    fixtures.MonkeyPatch(f'{limits.__name__}.{name}', value)
                )
            return place.find(samples.image().id)

    def test_answer_without_end_is_not_read(self):
        answer = Answer(document={'id': 'x' * 1000})
        error = self.assertRaises(
            errors.PlaceError, self.find, answer, MAX_DOCUMENT=999
        )
        self.assertIn('slave: the record has more than 999 bytes', str(error))

    def test_answer_of_too_many_parts_is_not_decoded(self):
        limit = f'{image_api.__name__}._MAX_PARTS'
        self.useFixture(fixtures.MonkeyPatch(limit, 1000))
        raw = b'{"id": [' + b'{},' * 500_000 + b'{}]}'
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        answer = Answer(200, raw=raw)
        error = self.assertRaises(errors.PlaceError, self.find, answer)
        self.assertIn('answers with more than 1000 parts', str(error))
        peak = tracemalloc.get_traced_memory()[1]
        self.assertLess(peak, 12 * 1024**2)

    def test_record_that_cannot_be_used_is_not_kept(self):
        record = {**samples.image().record, 'x': [{}]}
        found = self.find(Answer(200, record))
        self.assertEqual({'id', 'name', 'size'}, set(found.record))

    def test_error_page_takes_no_time(self):
        for page in b'<' * 10**6, b'a\nb' * 10**5, b'<p>' * 10**5:
            answer = Answer(403, raw=page)
            error = self.assertRaises(errors.RefusedError, self.find, answer)
            self.assertLess(len(str(error)), 500)
        answer = Answer(403, raw=b' ' * 10**6 + b'what nobody reads')
        error = self.assertRaises(errors.RefusedError, self.find, answer)
        self.assertEqual('slave: HTTP 403: Forbidden', str(error))

    def test_words_are_found_in_whatever_wraps_them(self):
        for page in (
            b'<html><head><title>403 Forbidden</title></head><body>'
            b'<h1>403 Forbidden</h1>Not&#x27;s yours.<br /><br />\n\n</body>',
            b'{"message": "Not\'s yours.<br /><br />", "code": "403"}',
            b'{"error": {"code": 403, "message": "Not\'s yours."}}',
        ):
            error = self.assertRaises(
                errors.RefusedError, self.find, Answer(403, raw=page)
            )
            self.assertEqual("slave: HTTP 403: Not's yours.", str(error))
        for page in b'[1]', b'{"a": 1}', b'[' * 9999, b'\xff':
            self.assertRaises(
                errors.RefusedError, self.find, Answer(403, raw=page)
            )

    def test_answer_that_takes_for_ever_is_given_up(self):
        self.useFixture(
            fixtures.MonkeyPatch(f'{watchdog.__name__}._INTERVAL', 0.05)
        )
        chunked = {'Transfer-Encoding': 'chunked'}
        answers = [
            Answer(headers=chunked, endless=b'0'),
            Answer(headers=chunked, endless=b'1\r\n \r\n'),
            Answer(headers=chunked, raw=b'0\r\n', endless=b'X: y\r\n'),
        ]
        for answer, limit, words in (
            (
                Answer(raw=b'X-A: ', endless=b'b'),
                '_ANSWER_TIMEOUT',
                'timed out',
            ),
            *(
                (each, '_DOCUMENT_TIMEOUT', 'more than 0 s')
                for each in answers
            ),
        ):
            self.addCleanup(answer.over.set)
            error = self.assertRaises(
                errors.TransientError, self.find, answer, **{limit: 0.3}
            )
            self.assertIn(words, str(error))
            answer.over.set()

    def test_answer_that_breaks_off_may_come_another_time(self):
        answer = Answer(document={}, headers={'Content-Length': '99'})
        error = self.assertRaises(errors.TransientError, self.find, answer)
        self.assertIn('broke off its answer', str(error))
        self.assertTrue(error.unanswered)
        self.assertEqual(1, len(self.fake.requests))

    def test_who_answers_is_known_to_have(self):
        place = self.serve(lambda request: next(answers))
        for answer, is_usable in (
            (Answer(200, dict(samples.image().record)), True),
            (Answer(404), True),
            (Answer(403), True),
            (Answer(500), True),
            (Answer(401), False),
            (Answer(503), False),
        ):
            place._api.answered_at = 0.0
            answers = itertools.repeat(answer)
            with contextlib.suppress(errors.PlaceError):
                place.find(samples.image().id)
            self.assertEqual(is_usable, place._api.answered_at > 0, answer)

    def test_greeting_asks_for_nothing(self):
        place = self.serve(lambda request: answer)
        for answer in Answer(404), Answer(403), Answer(500):
            place.greet()
        for answer in Answer(503), Answer(502), Answer(401):
            error = self.assertRaises(errors.TransientError, place.greet)
            self.assertTrue(error.unanswered)

    def test_greeting_does_not_wait_for_long(self):
        over = threading.Event()
        self.addCleanup(over.set)
        place = self.serve(lambda request: over.wait(60) and Answer(404))
        self.useFixture(
            fixtures.MonkeyPatch(f'{image_api.__name__}._GREETING', (60, 0.1))
        )
        error = self.assertRaises(errors.TransientError, place.greet)
        self.assertTrue(error.unanswered)

    def test_members_of_one_that_was_silent(self):
        over = threading.Event()
        self.addCleanup(over.set)
        fake = self.useFixture(
            fake_glance.FakeGlance(
                lambda request: over.wait(60) and Answer(404)
            )
        )
        for others_wait, timeouts in (
            (True, ['_PATIENT', '_HURRIED']),
            (False, ['_PATIENT', '_PATIENT']),
        ):
            api = image_api.ImageApi('slave', fake.connection, others_wait)
            for timeout in timeouts:
                short = {'_PATIENT': (60, 60), '_HURRIED': (60, 60)}
                short[timeout] = (60, 0.1)
                for name, seconds in short.items():
                    self.useFixture(
                        fixtures.MonkeyPatch(
                            f'{image_api.__name__}.{name}', seconds
                        )
                    )
                self.assertRaises(errors.TransientError, api.get, '/x')

    def test_nothing_is_unpacked(self):
        self.find(Answer(document={'id': samples.image().id}))
        (request,) = self.fake.requests
        self.assertEqual('identity', request.headers['Accept-Encoding'])

    def test_log_tells_of_requests_and_not_of_what_is_in_them(self):
        log = self.useFixture(fixtures.FakeLogger(level=logging.DEBUG))
        self.find(
            Answer(
                document={
                    'id': samples.image().id,
                    'direct_url': 'swift://user:credential@x',
                },
                headers={
                    'X-OpenStack-Request-Id': 'req-1',
                    'Location': 'https://x/?signature=credential',
                },
            )
        )
        self.assertIn('slave: GET /images/', log.output)
        self.assertIn('HTTP 200', log.output)
        self.assertIn('(req-1)', log.output)
        self.assertNotIn('credential', log.output)
        self.assertNotIn('secret-token', log.output)


class TestSilence(fake_glance.GlanceTest):
    def test_server_that_never_answers_is_given_up(self):
        over = threading.Event()

        def silent(request):
            over.wait()
            return Answer(500)

        place = self.serve(silent)
        # The versions are asked for before.
        self.fake.endpoint()
        self.addCleanup(over.set)
        self.useFixture(
            fixtures.MonkeyPatch(
                'osc_glance_replicate.places.glance.image_api._PATIENT',
                (0.1, 0.1),
            )
        )
        self.assertRaises(
            errors.TransientError, place.find, samples.image().id
        )
