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

import datetime
import email.utils
import itertools
import json
import logging
import threading
import time

import fixtures
import testtools

from osc_glance_replicate import background as workers
from osc_glance_replicate.clouds import limits
from osc_glance_replicate import errors
from osc_glance_replicate.model import plan
from osc_glance_replicate.places.glance import destination as glance
from osc_glance_replicate.places.glance import listing
from osc_glance_replicate.tests.doubles import fake_glance
from osc_glance_replicate.tests.doubles import records as base
from osc_glance_replicate.transfer import upload_body as transfer
from osc_glance_replicate.transfer import verified_reader as checked

Answer = fake_glance.Answer


class GlanceTest(testtools.TestCase):
    def serve(self, answer):
        self.fake = self.useFixture(fake_glance.FakeGlance(answer))
        return glance.Glance(self.fake.api)


class TestWrite(GlanceTest):
    """A consumed body is never sent again."""

    def write(self, answer, data=b'the bytes'):
        image = base.image(data=data)
        place = self.serve(lambda request: answer)
        body = base.body(base.Data(data), image)
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
        body = base.body(base.Data(b'data'), base.image())
        self.assertRaises(
            errors.TransientError, place.write, base.image(), body
        )
        self.assertEqual(1, len(self.fake.requests))

    def test_retry_after_may_be_a_date(self):
        soon = email.utils.format_datetime(
            datetime.datetime.now(datetime.UTC)
            + datetime.timedelta(seconds=100)
        )
        for value, least in ((soon, 90), ('nonsense', 0), ('-5', 0)):
            answer = Answer(503, headers={'Retry-After': value})
            error = self.assertRaises(
                errors.TransientError, self.write, answer
            )
            self.assertTrue(least <= error.retry_after <= 100)

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


class TestAnswers(GlanceTest):
    def find(self, answer, **limit):
        """Ask for an image.

        :param limit: another value for one of the limits
        """
        self.useFixture(
            fixtures.MonkeyPatch('osc_glance_replicate.retry._FIRST', 0)
        )
        place = self.serve(lambda request: answer)
        # The versions are asked for before.
        self.fake.endpoint()
        for name, value in limit.items():
            self.useFixture(
                fixtures.MonkeyPatch(f'{limits.__name__}.{name}', value)
            )
        return place.find(base.image().id)

    def test_answer_without_end_is_not_read(self):
        answer = Answer(document={'id': 'x' * 1000})
        error = self.assertRaises(
            errors.PlaceError, self.find, answer, LONGEST_DOCUMENT=999
        )
        self.assertIn('slave: answers with more than 999', str(error))

    def test_error_page_takes_no_time(self):
        for page in b'<' * 10**6, b'a\nb' * 10**5, b'<p>' * 10**5:
            answer = Answer(403, raw=page)
            start = time.monotonic()
            error = self.assertRaises(errors.RefusedError, self.find, answer)
            self.assertLess(time.monotonic() - start, 5)
            self.assertLess(len(str(error)), 500)

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
        chunked = {'Transfer-Encoding': 'chunked'}
        self.useFixture(
            fixtures.MonkeyPatch(
                'osc_glance_replicate.places.glance.image_api._RETRIES', 0
            )
        )
        for answer, words in (
            (Answer(raw=b'X-A: ', endless=b'b'), 'timed out'),
            (Answer(headers=chunked, endless=b'0'), 'more than 1 s'),
            (Answer(headers=chunked, endless=b'1\r\n \r\n'), 'than 1 s'),
            (
                Answer(headers=chunked, raw=b'0\r\n', endless=b'X: y\r\n'),
                'than 1 s',
            ),
        ):
            self.addCleanup(answer.over.set)
            start = time.monotonic()
            error = self.assertRaises(
                errors.TransientError,
                self.find,
                answer,
                _PATIENCE=1.0,
                _DOCUMENT_TIMEOUT=1.0,
            )
            answer.over.set()
            self.assertIn(words, str(error))
            self.assertLess(time.monotonic() - start, 15)

    def test_answer_that_breaks_off_is_asked_for_again(self):
        answer = Answer(document={}, headers={'Content-Length': '99'})
        error = self.assertRaises(errors.TransientError, self.find, answer)
        self.assertIn('broke off its answer', str(error))
        self.assertEqual(4, len(self.fake.requests))

    def test_nothing_is_unpacked(self):
        self.find(Answer(document={'id': base.image().id}))
        (request,) = self.fake.requests
        self.assertEqual('identity', request.headers['Accept-Encoding'])

    def test_log_tells_of_requests_and_not_of_what_is_in_them(self):
        log = self.useFixture(fixtures.FakeLogger(level=logging.DEBUG))
        self.find(
            Answer(
                document={'direct_url': 'swift://user:credential@x'},
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


class TestSilence(GlanceTest):
    def test_server_that_never_answers_is_given_up(self):
        over = threading.Event()

        def silent(request):
            over.wait(30)
            return Answer(500)

        place = self.serve(silent)
        self.addCleanup(over.set)
        for name in ('IDLE_TIMEOUT', '_RETRIES'):
            self.useFixture(
                fixtures.MonkeyPatch(
                    f'osc_glance_replicate.places.glance.image_api.{name}',
                    0.1 if name[0] == 'I' else 0,
                )
            )
        start = time.monotonic()
        self.assertRaises(errors.TransientError, place.find, base.image().id)
        self.assertLess(time.monotonic() - start, 10)


class TestFind(GlanceTest):
    def test_reading_is_tried_again(self):
        self.useFixture(
            fixtures.MonkeyPatch('osc_glance_replicate.retry._FIRST', 0.001)
        )
        answers = iter([Answer(503), Answer(502)])
        place = self.serve(
            lambda request: next(
                answers, Answer(200, dict(base.image().record))
            )
        )
        self.assertEqual(base.image(), place.find(base.image().id))
        self.assertEqual(3, len(self.fake.requests))

    def test_id_that_leads_elsewhere_is_not_asked_for(self):
        place = self.serve(lambda request: Answer(200, {}))
        for image_id in ('../../v3/auth/tokens', 'x', ''):
            self.assertRaises(errors.SelectionError, place.find, image_id)
        self.assertEqual([], self.fake.requests)


class TestUpdate(GlanceTest):
    def update(self, answer, *changes):
        replica = base.image()
        place = self.serve(answer)
        try:
            place.update(
                plan.Action(
                    base.image(),
                    'slave',
                    plan.Verb.UPDATE,
                    replica,
                    changes=tuple(
                        plan.Change(*change, None) for change in changes
                    ),
                )
            )
        except errors.RefusedError as exc:
            return str(exc)
        return ''

    def sent(self):
        return [
            json.loads(request.body)
            if request.method == 'PATCH'
            else request.path.rpartition('/')[2]
            for request in self.fake.requests
        ]

    def test_what_is_refused_together_is_tried_one_by_one(self):
        def answer(request):
            operations = json.loads(request.body)
            changed = {o['path'][1:]: o['value'] for o in operations}
            if 'visibility' in changed:
                return Answer(403, {'message': 'not you'})
            return Answer(200, {**base.image().record, **changed})

        problem = self.update(
            answer, ('name', 'x'), ('visibility', 'public'), ('note', 'y')
        )
        self.assertIn('slave: visibility: HTTP 403: not you', problem)
        self.assertNotIn('name', problem)
        self.assertEqual([3, 1, 1, 1], [len(o) for o in self.sent()])

    def test_withdrawn_before_published_and_active_after_all_else(self):
        def answer(request):
            if request.method == 'POST':
                return Answer(204)
            return Answer(200, {**base.image().record, 'name': 'x'})

        self.update(answer, ('name', 'x'), ('status', 'deactivated'))
        self.assertEqual('deactivate', self.sent()[0])
        self.update(answer, ('name', 'x'), ('status', 'active'))
        self.assertEqual('reactivate', self.sent()[1])

    def test_property_that_is_called_members(self):
        changed = {**base.image().record, 'members': 'x'}
        told = self.update(lambda _: Answer(200, changed), ('members', 'x'))
        self.assertEqual('', told)
        path = {'op': 'add', 'path': '/members', 'value': 'x'}
        self.assertEqual([[path]], self.sent())

    def test_all_refusals_are_told(self):
        problem = self.update(
            lambda request: Answer(403, {'message': 'no'}),
            ('visibility', 'public'),
            ('status', 'deactivated'),
        )
        for field in ('visibility', 'status'):
            self.assertIn(field, problem)


class TestListing(GlanceTest):
    def records(self, *numbers):
        return [dict(base.image(number).record) for number in numbers]

    def listing(self, pages):
        """List images that a server gives by marker."""
        markers = []

        def answer(request):
            if request.path != '/v2/images':
                return Answer(404)
            if request.query.get('os_hidden'):
                return Answer(200, {'images': []})
            marker = request.query.get('marker')
            markers.append(marker)
            return pages(marker)

        place = self.serve(answer)
        images = list(place.images())
        return [int(image.id[-12:], 16) for image in images], markers

    def page(self, numbers, *, more):
        document = {'images': self.records(*numbers)}
        if more:
            document['next'] = '/v2/images?...'
        return Answer(200, document)

    def test_pages_are_asked_for_by_the_last_id(self):
        size = listing.PAGE

        def pages(marker):
            start = int(marker[-12:], 16) + 1 if marker else 1
            numbers = range(start, min(start + size, size + 3))
            return self.page(numbers, more=not marker)

        numbers, markers = self.listing(pages)
        self.assertEqual(list(range(1, size + 3)), numbers)
        self.assertEqual(2, len(markers))

    def test_deleted_marker_starts_the_listing_again(self):
        size = listing.PAGE
        refusals = iter([True])

        def pages(marker):
            if marker and next(refusals, False):
                return Answer(400, {'message': 'no such marker'})
            start = int(marker[-12:], 16) + 1 if marker else 1
            numbers = range(start, min(start + size, size + 3))
            return self.page(numbers, more=not marker)

        numbers, markers = self.listing(pages)
        self.assertEqual(list(range(1, size + 3)), numbers)
        self.assertEqual(4, len(markers))

    def test_server_that_gives_fewer_than_asked_for_is_listed_whole(self):
        def pages(marker):
            start = int(marker[-12:], 16) + 1 if marker else 1
            return self.page(range(start, start + 2), more=start < 5)

        numbers, _ = self.listing(pages)
        self.assertEqual([1, 2, 3, 4, 5, 6], numbers)

    def test_listing_that_never_gets_further_is_given_up(self):
        def same_again(marker):
            return self.page([1, 2], more=True)

        def marker_always_gone(marker):
            return Answer(400) if marker else self.page([1, 2], more=True)

        for pages in (same_again, marker_always_gone):
            self.assertRaises(errors.PlaceError, self.listing, pages)
            self.assertLess(len(self.fake.requests), 50)

    def test_listing_without_end_is_given_up(self):
        self.useFixture(fixtures.MonkeyPatch(f'{listing.__name__}._MOST', 9))
        number = itertools.count(1)

        def pages(marker):
            return self.page([next(number), next(number)], more=True)

        error = self.assertRaises(errors.PlaceError, self.listing, pages)
        self.assertIn('slave: lists more than 9 images', str(error))

    def test_image_out_of_order_is_given_and_said(self):
        place = self.serve(
            lambda request: self.page(
                [] if request.query.get('os_hidden') else [2, 1], more=False
            )
        )
        second, late = place.images()
        self.assertIsNone(second.defect)
        self.assertEqual(base.image(1).id, late.id)
        self.assertIn('order', late.defect)

    def test_capital_letters_disturb_no_other_image(self):
        capital = dict(base.image(1).record, id=base.image(0xF0).id.upper())

        def pages(marker):
            answer = self.page([2, 3], more=False)
            answer.document['images'].insert(0, capital)
            return answer

        numbers, _ = self.listing(pages)
        self.assertEqual([2, 3, 0xF0], numbers)

    def test_what_is_no_listing_is_an_error(self):
        for document in ([], 'x', {}, {'images': {}}, {'images': [1]}):
            self.assertRaises(
                errors.PlaceError,
                self.listing,
                lambda marker, document=document: Answer(200, document),
            )


class TestRead(GlanceTest):
    def test_source_that_gives_anything_but_data_is_opened_again(self):
        self.useFixture(
            fixtures.MonkeyPatch(f'{checked.__name__}._SILENCE', 0.5)
        )
        image = base.image(data=b'the data')
        rambling = Answer(
            headers={'Transfer-Encoding': 'chunked'}, endless=b'0'
        )
        self.addCleanup(rambling.over.set)
        answers = iter((rambling, Answer(raw=b'the data')))

        def answer(request):
            if request.path.endswith('/file'):
                return next(answers)
            return Answer(document=image.record)

        place = self.serve(answer)
        with checked.Reading(place, 1).open(image, False) as data:
            self.assertEqual(b'the data', b''.join(transfer.Body(data, 8)))

    def test_read_that_waits_is_ended(self):
        answer = Answer(headers={'Transfer-Encoding': 'chunked'}, endless=b'0')
        self.addCleanup(answer.over.set)
        place = self.serve(lambda request: answer)
        with place.read(base.image()) as data:
            reading = workers.start(data.read, 100)
            self.assertRaises(TimeoutError, reading.result, 0.2)
            data.interrupt()
            reading.exception(10)

    def test_only_the_recorded_length_is_accepted(self):
        image = base.image(data=b'four')
        for answer in (Answer(204), Answer(200, 'too long')):
            place = self.serve(lambda request, answer=answer: answer)
            with testtools.ExpectedException(errors.DataError, 'slave: .*'):
                with place.read(image):
                    self.fail('opened')

    def test_encoded_data_is_not_asked_for(self):
        place = self.serve(lambda request: Answer(200, 'four'))
        with place.read(base.image(data=b'"four"')) as data:
            self.assertEqual(b'"four"', data.read(10))
        (request,) = self.fake.requests
        self.assertEqual('identity', request.headers['Accept-Encoding'])

    def test_data_that_breaks_off_may_be_whole_the_next_time(self):
        place = self.serve(
            lambda request: Answer(200, 'x', {'Content-Length': '9'})
        )
        with place.read(base.image(data=b'nine bytes'[:9])) as data:
            self.assertEqual(b'"x"', data.read(9))
            self.assertEqual(b'', data.read(9))

    def test_data_that_always_breaks_off_is_said_to_be_lost(self):
        image = base.image(data=b'nine bytes'[:9])
        place = self.serve(
            lambda request: Answer(200, 'x', {'Content-Length': '9'})
        )
        with checked.Reading(place, 0).open(image, False) as data:
            self.assertEqual(b'"x"', data.read(10))
            error = self.assertRaises(errors.PlaceError, data.read, 10)
        self.assertEqual(
            'slave: ended (has it lost the rest?) after 3 of the 9 bytes of '
            f'{image.id}',
            str(error),
        )

    def test_empty_image_has_no_content(self):
        place = self.serve(lambda request: Answer(204))
        with place.read(base.image(data=b'')) as data:
            self.assertEqual(b'', data.read(10))


class TestHeeded(GlanceTest):
    def test_property_that_is_not_changed_is_named(self):
        image = base.image(member='x')
        stored = dict(base.image().record)
        place = self.serve(lambda request: Answer(201, stored))
        error = self.assertRaises(
            errors.RefusedError,
            place.stage,
            plan.Action(image, 'slave', plan.Verb.COPY),
        )
        self.assertIn('member', str(error))


class TestMembers(GlanceTest):
    def setUp(self):
        super().setUp()
        self.sent = []

    def set_members(
        self,
        there,
        wanted,
        exact=False,
        refuse=(),
        act=glance.Glance.update,
    ):
        """Have members set.

        :param there: those that Glance has: project → status
        :param refuse: what is answered with 403
        """

        def answer(request):
            if request.method == 'GET':
                listed = [
                    {'member_id': project, 'status': status}
                    for project, status in there.items()
                ]
                return Answer(200, {'members': listed})
            if request.method == 'PATCH':
                return Answer(200, dict(image.record))
            name = request.path.rpartition('/')[2]
            self.sent.append((request.method, name, request.body))
            good = 204 if request.method == 'DELETE' else 200
            return Answer(403 if name in refuse else good, {})

        image = base.image(visibility='shared', members=wanted)
        action = plan.Action(
            image,
            'slave',
            plan.Verb.UPDATE,
            base.image(),
            changes=(plan.Change('members', wanted, {}, exact),),
            exact=exact,
        )
        place = self.serve(answer)
        try:
            act(place, action)
        except errors.RefusedError as exc:
            return str(exc)
        return ''

    def test_each_is_set_whatever_becomes_of_others(self):
        problem = self.set_members(
            {'old': 'accepted', 'p': 'pending'},
            {'p': 'accepted', 'q': 'rejected'},
            exact=True,
            refuse=['p'],
        )
        self.assertEqual(
            ['DELETE old', 'PUT p', 'POST members', 'PUT q'],
            [f'{method} {name}' for method, name, _ in self.sent],
        )
        self.assertIn('member p: HTTP 403', problem)
        self.assertNotIn('member q', problem)

    def test_those_of_others_stay_unless_it_is_to_be_exact(self):
        for act in glance.Glance.update, glance.Glance.publish:
            self.set_members({'old': 'accepted'}, {}, act=act)
            self.assertEqual([], self.sent)

    def test_published_exactly_without_members_has_none(self):
        self.set_members(
            {'old': 'accepted'}, {}, exact=True, act=glance.Glance.publish
        )
        ((method, name, _),) = self.sent
        self.assertEqual(('DELETE', 'old'), (method, name))

    def test_id_that_is_a_path_is_refused(self):
        for project in ('..', '.', '../..', 'a/b', 'a?b', ''):
            place = self.serve(
                lambda request, project=project: Answer(
                    200,
                    {'members': [{'member_id': project, 'status': 'pending'}]},
                )
            )
            self.assertRaises(errors.PlaceError, place.members, base.image())
