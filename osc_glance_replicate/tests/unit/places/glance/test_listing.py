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

import itertools
import logging
import threading
import time

import fixtures

from osc_glance_replicate.clouds import limits
from osc_glance_replicate.clouds import watchdog
from osc_glance_replicate import errors
from osc_glance_replicate.model import image_selection
from osc_glance_replicate.places import glance
from osc_glance_replicate.places.glance import image_api
from osc_glance_replicate.places.glance import listing
from osc_glance_replicate import retry
from osc_glance_replicate.tests.doubles import fake_glance
from osc_glance_replicate.tests.doubles import samples

Answer = fake_glance.Answer


class TestListing(fake_glance.GlanceTest):
    def records(self, *numbers):
        return [dict(samples.image(number).record) for number in numbers]

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

    def bound(self, **bounds):
        for name, value in bounds.items():
            self.useFixture(
                fixtures.MonkeyPatch(f'{listing.__name__}.{name}', value)
            )

    def endless(self):
        number = itertools.count(1)
        return lambda marker: self.page(
            [next(number), next(number)], more=True
        )

    def test_listing_without_end_is_given_up(self):
        self.bound(_MAX_IMAGES=9)
        error = self.assertRaises(
            errors.PlaceError, self.listing, self.endless()
        )
        self.assertIn('slave: lists more than 9 images', str(error))
        pages = [
            request
            for request in self.fake.requests
            if not request.query.get('os_hidden')
        ]
        self.assertEqual(5, len(pages))

    def test_listing_that_goes_on_and_on_is_told_of_once(self):
        self.bound(_MAX_IMAGES=9, _MANY_IMAGES=4)
        log = self.useFixture(
            fixtures.FakeLogger('osc_glance_replicate', level=logging.WARNING)
        )
        self.assertRaises(errors.PlaceError, self.listing, self.endless())
        self.assertEqual(
            ['slave has listed 6 images and goes on; it is given up after 9'],
            log.output.splitlines(),
        )

    def test_long_listing_is_not_told_of_before_it_goes_on(self):
        self.bound(_MANY_IMAGES=4)
        log = self.useFixture(
            fixtures.FakeLogger('osc_glance_replicate', level=logging.WARNING)
        )
        numbers, _ = self.listing(
            lambda marker: self.page([1, 2, 3, 4], more=False)
        )
        self.assertEqual(([1, 2, 3, 4], ''), (numbers, log.output))

    def test_images_out_of_order_are_not_kept_without_end(self):
        self.bound(_MAX_ASIDE=4)

        def pages(marker):
            self.assertIsNone(marker)
            return self.page([9, *late], more=False)

        late = [8, 7, 6, 5]
        self.assertEqual([5, 6, 7, 8, 9], sorted(self.listing(pages)[0]))
        late = [8, 7, 6, 5, 4]
        error = self.assertRaises(errors.PlaceError, self.listing, pages)
        self.assertIn('slave: lists more than 4 images out of', str(error))

    def test_image_out_of_order_is_given_and_said(self):
        place = self.serve(
            lambda request: self.page(
                [] if request.query.get('os_hidden') else [2, 1], more=False
            )
        )
        second, late = place.images()
        self.assertIsNone(second.defect)
        self.assertEqual(samples.image(1).id, late.id)
        self.assertIn('order', late.defect)

    def test_record_that_cannot_be_used_is_not_kept(self):
        """A cloud can list a million of them, each of megabytes."""
        records = self.records(3, 4, 2)
        records[0]['x'] = [{}] * 1000
        for record in records[1:]:
            record['y'] = 'y' * 10_000
        place = self.serve(
            lambda request: Answer(
                200,
                {'images': [] if request.query.get('os_hidden') else records},
            )
        )
        rubbish, good, late = place.images()
        self.assertEqual({'id', 'name', 'size'}, set(rubbish.record))
        self.assertIn('property x', rubbish.defect)
        self.assertEqual(records[1], good.record)
        self.assertEqual({'id', 'name', 'size'}, set(late.record))
        self.assertIn('order', late.defect)

    def test_image_that_is_hidden_meanwhile_comes_once_as_it_is(self):
        shown, hidden, other = self.records(1, 1, 2)
        hidden['os_hidden'] = True
        for now in hidden, shown, None:
            found = []

            def answer(request, now=now, found=found):
                if request.path != '/v2/images':
                    found.append(request.path)
                    return Answer(200, now) if now else Answer(404)
                also = request.query.get('os_hidden')
                listed = [hidden] if also else [shown, other]
                return Answer(200, {'images': listed})

            place = self.serve(answer)
            images = [image.record for image in place.images()]
            self.assertEqual([now, other] if now else [other], images)
            self.assertEqual([f'/v2/images/{shown["id"]}'], found)

    def test_capital_letters_disturb_no_other_image(self):
        capital = dict(
            samples.image(1).record, id=samples.image(0xF0).id.upper()
        )

        def pages(marker):
            answer = self.page([2, 3], more=False)
            answer.document['images'].insert(0, capital)
            return answer

        numbers, _ = self.listing(pages)
        self.assertEqual([2, 3, 0xF0], numbers)

    def test_capital_letters_come_after_hidden_images_too(self):
        capital = dict(
            samples.image(1).record, id=samples.image(0xA0).id.upper()
        )

        def answer(request):
            hidden = request.query.get('os_hidden')
            listed = self.records(*([0xF1] if hidden else [0xF0]))
            return Answer(
                200, {'images': listed if hidden else [capital, *listed]}
            )

        images = self.serve(answer).images()
        numbers = [int(image.id[-12:], 16) for image in images]
        self.assertEqual([0xF0, 0xF1, 0xA0], numbers)

    def test_what_is_no_listing_is_an_error(self):
        for document in ([], 'x', {}, {'images': {}}, {'images': [1]}):
            self.assertRaises(
                errors.PlaceError,
                self.listing,
                lambda marker, document=document: Answer(200, document),
            )


class TestBeforeStein(fake_glance.GlanceTest):
    """A Glance that refuses visibility=all, as they did until Rocky."""

    def serve_old(self, shown, community=(), hidden=()):
        """Serve numbers of images: another project's community ones apart."""
        self.asked = []

        def answer(request):
            query = request.query
            if request.path != '/v2/images':
                return Answer(404)
            self.asked.append(query)
            if query.get('visibility') == 'all':
                return Answer(
                    400, {'message': "Invalid visibility value: 'all'"}
                )
            if query.get('os_hidden') == 'true':
                numbers = hidden
            elif query.get('visibility') == 'community':
                numbers = community
            else:
                numbers = shown
            marker = int(query.get('marker', '0')[-12:], 16)
            listed = [n for n in numbers if n > marker][:2]
            document = {
                'images': [dict(samples.image(n).record) for n in listed]
            }
            if listed and listed[-1] != numbers[-1]:
                document['next'] = '/v2/images?...'
            return Answer(200, document)

        return self.serve(answer)

    def numbers(self, images):
        return [int(image.id[-12:], 16) for image in images]

    def test_all_are_listed_once_and_in_order(self):
        place = self.serve_old([1, 3, 4, 6, 8], [2, 3, 7], [4, 5])
        self.assertEqual([*range(1, 9)], self.numbers(place.images()))

    def test_of_one_visibility_needs_one_listing(self):
        place = self.serve_old([1], [2])
        selection = image_selection.Selection(
            visibilities=frozenset(['community'])
        )
        self.assertEqual([2], self.numbers(place.images(selection)))
        self.assertEqual(
            {'community'}, {query['visibility'] for query in self.asked}
        )

    def test_name(self):
        place = self.serve_old([1, 3], [2], [4])
        for number in 1, 2, 4:
            (found,) = place.named(f'image {number}')
            self.assertEqual([number], self.numbers([found]))
        for query in self.asked:
            self.assertNotEqual('false', query.get('os_hidden'))

    def test_what_is_refused_in_any_case_is_an_error(self):
        def answer(request):
            return Answer(400, {'message': 'Bad filter'})

        error = self.assertRaises(
            errors.RefusedError, list, self.serve(answer).images()
        )
        self.assertIn('Bad filter', str(error))

    def test_other_refusals_are_not_asked_again(self):
        place = self.serve(lambda request: Answer(403))
        self.assertRaises(errors.RefusedError, list, place.images())
        for request in self.fake.requests:
            self.assertEqual('all', request.query['visibility'])


class TestNames(fake_glance.GlanceTest):
    """Pike answers 500 to a name that is not ASCII."""

    def setUp(self):
        super().setUp()
        self.useFixture(
            fixtures.MonkeyPatch(f'{retry.__name__}._FIRST_DELAY', 0.001)
        )

    def answer(self, request):
        if 'name' in request.query:
            return Answer(500)
        if request.query.get('os_hidden'):
            return Answer(200, {'images': []})
        listed = [
            dict(samples.image(number, name=name).record)
            for number, name in enumerate(['\xdcbung', 'x', '\xdcbung'], 1)
        ]
        # Nobody has found it by that name.
        listed.append({'id': samples.image(4).id, 'size': 'x', 'name': None})
        return Answer(200, {'images': listed})

    def test_they_are_looked_for_in_all(self):
        found = self.serve(self.answer).named('\xdcbung')
        self.assertEqual(
            [samples.image(1).id, samples.image(3).id],
            [image.id for image in found],
        )

    def test_trouble_with_a_plain_name_is_trouble(self):
        place = self.serve(self.answer)
        self.assertRaises(errors.TransientError, place.named, 'x')


class TestTooLong(fake_glance.GlanceTest):
    """Anyone can make images that fill a page, or a record, without end."""

    most = 20_000

    def setUp(self):
        super().setUp()
        for name, value in (
            ('MAX_DOCUMENT', self.most),
            ('_MAX_SKIMMED', 5 * self.most),
        ):
            self.useFixture(
                fixtures.MonkeyPatch(f'{limits.__name__}.{name}', value)
            )

    def serve_images(self, lengths, *, tells=True):
        """Serve images with a property as long as that, by number.

        :param tells: whether a page tells where the next one begins
        """
        self.asked = []

        def answer(request):
            if request.path != '/v2/images':
                number = int(request.path[-12:], 16)
                return Answer(200, self.record(number, lengths[number]))
            if request.query.get('os_hidden') == 'true':
                return Answer(200, {'images': []})
            marker = request.query.get('marker', '0')
            limit = int(request.query['limit'])
            self.asked.append((int(marker[-12:], 16), limit))
            numbers = [n for n in lengths if n > int(marker[-12:], 16)]
            page = numbers[:limit]
            document = {
                'images': [self.record(n, lengths[n]) for n in page],
                'first': '/v2/images?limit=1',
            }
            if len(page) == limit:
                document['next'] = f'/v2/images?limit={limit}'
                if tells:
                    document['next'] += f'&marker={samples.image(page[-1]).id}'
            return Answer(200, document)

        return self.serve(answer)

    def record(self, number, length):
        # What a tenant writes is no word on where the next page is.
        victim = f'/v2/images?marker={samples.image(0xF).id}'
        image = samples.image(number, padding='x' * length, next=victim)
        return dict(image.record, id=image.id)

    def images(self, lengths, **options):
        place = self.serve_images(lengths, **options)
        return {int(i.id[-12:], 16): i for i in place.images()}

    def test_page_is_asked_for_in_smaller_ones(self):
        lengths = {
            number: 2000 if 50 <= number < 60 else 0
            for number in range(1, 150)
        }
        found = self.images(lengths)
        self.assertEqual([*lengths], [*found])
        self.assertEqual([], [i.id for i in found.values() if i.defect])
        limits_asked = [limit for _, limit in self.asked]
        self.assertEqual([1000, 250, 62, 15], limits_asked[:4])
        # They grow again where they are not too long.
        self.assertGreater(max(limits_asked[-3:]), min(limits_asked))
        self.assertLess(len(self.asked), 40)

    def test_record_is_left_out_and_told(self):
        lengths = {number: 0 for number in range(1, 8)}
        for number in 1, 4, 5, 7:
            lengths[number] = 2 * self.most
        found = self.images(lengths)
        self.assertEqual([*lengths], [*found])
        for number, image in found.items():
            if lengths[number]:
                self.assertIn('more than', image.defect)
                self.assertEqual({'id': image.id}, image.record)
            else:
                self.assertIsNone(image.defect)

    def test_record_that_becomes_shorter_is_read(self):
        lengths = {1: 0, 2: 2 * self.most, 3: 0}
        place = self.serve_images(lengths)
        skim = self.fake.api.end

        def shorten(*arguments, **options):
            lengths[2] = 0
            return skim(*arguments, **options)

        self.fake.api.end = shorten
        found = list(place.images())
        self.assertEqual(3, len(found))
        self.assertEqual([None] * 3, [image.defect for image in found])

    def test_record_that_cannot_be_passed_ends_it_and_tells_where(self):
        for options, length in (
            ({'tells': False}, 2 * self.most),
            ({}, 6 * self.most),
        ):
            lengths = {1: 0, 2: 0, 3: length, 4: 0}
            error = self.assertRaises(
                errors.PlaceError, self.images, lengths, **options
            )
            for words in (
                'slave: answers with more than',
                f'the first image after {samples.image(2).id}',
                'shortened',
            ):
                self.assertIn(words, str(error))
            self.assertLess(len(self.asked), 30)

    def test_name_is_looked_for_in_vain_but_not_unsaid(self):
        place = self.serve_images({1: 2 * self.most, 2: 0})
        (image,) = place.named('image 1')
        self.assertIn('more than', image.defect)

    def test_record_that_becomes_too_long_while_it_is_listed(self):
        """It is hidden, or shown, as well, so that it is asked for again."""
        record = self.record(1, 0)

        def answer(request):
            if request.path == '/v2/images':
                hidden = request.query.get('os_hidden') == 'true'
                listed = {**record, 'os_hidden': hidden}
                return Answer(200, {'images': [listed]})
            return Answer(200, self.record(1, 2 * self.most))

        (image,) = self.serve(answer).images()
        self.assertEqual(samples.image(1).id, image.id)
        self.assertIn('more than', image.defect)


class TestTooMuch(fake_glance.GlanceTest):
    """Pages that take a gateway, or a Glance, too long."""

    def setUp(self):
        super().setUp()
        self.asked = []
        self.useFixture(
            fixtures.MonkeyPatch(f'{retry.__name__}._FIRST_DELAY', 0.0)
        )

    def listed(self, refuse, count=300):
        """List images, of which pages are refused.

        :param refuse: returns how a page of so many is refused; None if not
        """

        def answer(request):
            if request.query.get('os_hidden') == 'true':
                return Answer(200, {'images': []})
            limit = int(request.query['limit'])
            self.asked.append(limit)
            if refused := refuse(limit):
                return refused
            marker = request.query.get('marker', '0')
            first = int(marker.rpartition('-')[2], 16) + 1
            page = range(first, min(first + limit, count + 1))
            document = {'images': [samples.image(n).record for n in page]}
            if page and page[-1] < count:
                document['next'] = '/v2/images?marker=x'
            return Answer(200, document)

        return [image.id for image in self.serve(answer).images()]

    def test_smaller_pages_are_asked_for(self):
        everything = [samples.image(n).id for n in range(1, 301)]
        for status, first in (
            (408, [1000, 250]),
            (500, [1000, 250]),
            (504, [1000, 250]),
            # Once is no sign.
            (503, [1000, 1000, 250]),
            (502, [1000, 1000, 250]),
            (520, [1000, 1000, 250]),
            (524, [1000, 250]),
        ):
            self.asked.clear()
            found = self.listed(
                lambda limit, s=status: Answer(s) if limit > 200 else None
            )
            self.assertEqual(everything, found)
            # What was too much is not asked for again.
            self.assertEqual([*first, 62, 62, 62, 62, 62], self.asked)

    def test_answers_that_break_off(self):
        cut = Answer(raw=b'{', headers={'Content-Length': '100'})
        found = self.listed(lambda limit: cut if limit > 200 else None)
        self.assertEqual(300, len(found))
        self.assertEqual([1000, 1000, 250, *[62] * 5], self.asked)

    def test_silence(self):
        """Who has waited in vain is not to wait long again."""
        name = f'{image_api.__name__}._PATIENT'
        self.useFixture(fixtures.MonkeyPatch(name, (60, 0.2)))

        def wait(limit):
            if limit > 200:
                time.sleep(0.5)

        self.assertEqual(60, len(self.listed(wait, count=60)))
        self.assertEqual([1000, 25, 25, 25], self.asked)

    def test_no_page_is_smaller_than_need_be(self):
        for status, asked in (
            (504, [1000, 250, 62, 25]),
            # That is about the number of requests.
            (429, [1000] * 4),
        ):
            self.asked.clear()
            self.assertRaises(
                errors.TransientError,
                self.listed,
                lambda limit, s=status: Answer(s),
            )
            self.assertEqual(asked, self.asked)

    def test_what_passes_costs_little(self):
        for status, asked in (
            (503, [1000] * 4),
            # After eight pages it may have been something else.
            (504, [1000, *[250] * 10, 500]),
        ):
            self.asked.clear()
            troubles = [Answer(status)]
            found = self.listed(
                lambda limit, these=troubles: these.pop() if these else None,
                count=3000,
            )
            self.assertEqual(3000, len(found))
            self.assertEqual(asked, self.asked)


class TestOthersWait(fake_glance.GlanceTest):
    """A listing that hangs is not waited for again and again."""

    def setUp(self):
        super().setUp()
        self.over = threading.Event()
        self.addCleanup(self.over.set)
        for name, value in (
            (f'{retry.__name__}._LATE', 0.1),
            (f'{retry.__name__}._FIRST_DELAY', 0.0),
            (f'{image_api.__name__}._PATIENT', (60, 0.3)),
            (f'{image_api.__name__}._HURRIED', (60, 0.2)),
            (f'{image_api.__name__}._GREETING', (60, 0.2)),
            (f'{image_api.__name__}._SECONDS', 0.3),
            (f'{image_api.__name__}._LATE_SECONDS', 0.2),
            (f'{watchdog.__name__}._INTERVAL', 0.05),
        ):
            self.useFixture(fixtures.MonkeyPatch(name, value))

    def pages(self, others_wait, answer):
        """Return how many were asked for, until it is given up."""
        fake = self.useFixture(fake_glance.FakeGlance(answer))
        api = image_api.ImageApi('slave', fake.connection, others_wait)
        listed = listing.images(api, {})
        error = self.assertRaises(errors.PlaceError, next, listed)
        self.assertTrue(error.unanswered)
        return len(fake.requests)

    def hang(self, request):
        self.over.wait(60)
        return Answer(404)

    def test_silent_one_is_asked_twice(self):
        self.assertEqual(2, self.pages(True, self.hang))

    def test_slow_one_is_not_taken_for_a_silent_one(self):
        """It has passed its first 30 seconds with an answer."""
        late = f'{image_api.__name__}._LATE_TIMEOUT'
        self.useFixture(fixtures.MonkeyPatch(late, (60, 60)))
        calls = []

        def answer(request):
            calls.append(request)
            # There is one try more: it is for the smallest of pages.
            too_much = int(request.query['limit']) > 25
            time.sleep(0.15 if too_much else 0.25)
            return Answer(504) if too_much else Answer(200, {'images': []})

        fake = self.useFixture(fake_glance.FakeGlance(answer))
        api = image_api.ImageApi('slave', fake.connection, others_wait=True)
        self.assertEqual([], list(listing.images(api, {})))
        self.assertEqual(2, len(calls))

    def test_record_that_is_spun_out(self):
        answer = Answer(
            headers={'Transfer-Encoding': 'chunked'},
            endless=b'1\r\n \r\n',
            over=self.over,
        )
        fake = self.useFixture(fake_glance.FakeGlance(lambda request: answer))
        api = image_api.ImageApi('slave', fake.connection, others_wait=True)
        error = self.assertRaises(errors.PlaceError, api.find, '/info/stores')
        self.assertIn('more than 0 s', str(error))

    def test_one_that_nobody_waits_for_is_asked_patiently(self):
        self.assertEqual(4, self.pages(False, self.hang))

    def test_answer_that_is_spun_out(self):
        answer = Answer(
            headers={'Transfer-Encoding': 'chunked'},
            endless=b'1\r\n \r\n',
            over=self.over,
        )
        self.assertEqual(2, self.pages(True, lambda request: answer))

    def test_what_planning_asks_beside_it(self):
        fake = self.useFixture(fake_glance.FakeGlance(self.hang))
        place = glance.Destination(
            image_api.ImageApi('slave', fake.connection, others_wait=True)
        )
        for asked in range(1, 3):
            self.assertRaises(errors.PlaceError, lambda: place.schema)
            # And whether it answers at all.
            self.assertEqual(3 * asked, len(fake.requests))
