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
from unittest import mock

import testtools

from osc_glance_replicate.clouds import endpoints
from osc_glance_replicate import errors
from osc_glance_replicate.model import image_selection as selection
from osc_glance_replicate.model import options
from osc_glance_replicate.places.glance import destination as glance
from osc_glance_replicate.places.glance import discovery as ways
from osc_glance_replicate.places.glance import imports
from osc_glance_replicate.planning import decisions as planning
from osc_glance_replicate.planning import rules
from osc_glance_replicate import retry
from osc_glance_replicate.tests.doubles import fake_glance
from osc_glance_replicate.tests.doubles import records as base

Answer = fake_glance.Answer
Method = options.Method

DOWNLOAD = options.Delivery(Method.DOWNLOAD, region='North')
IMPORT = options.Delivery(Method.IMPORT)

FAILED = {
    'id': 'task 1',
    'status': 'failure',
    'message': 'Task failed due to Internal Error',
    'request_id': 'req-1',
}


class ImportTest(testtools.TestCase):
    """A Glance that imports as it is told.

    :ivar records: what it answers, one after the other; the last for ever
    :ivar tasks: the same, of the lists of tasks
    """

    def setUp(self):
        super().setUp()
        self.image = base.image()
        self.records = [{}]
        self.tasks = [{'tasks': []}]
        self.posted = [202]
        self.put = [204]
        self.info = {}
        self.fake = self.useFixture(fake_glance.FakeGlance(self._answer))
        self.api = self.fake.api
        for module, name, value in (
            (retry, '_FIRST', 0.001),
            (imports, '_SOON', 0.001),
            (imports, '_SILENCE', 0.3),
        ):
            patcher = mock.patch.object(module, name, value)
            patcher.start()
            self.addCleanup(patcher.stop)

    def _answer(self, request):
        _, _, what = request.path.partition(f'/{self.image.id}')
        if request.method == 'POST':
            return Answer(_next(self.posted))
        if request.method == 'PUT':
            return Answer(_next(self.put), 'The image has data on staging')
        if '/info/' in request.path:
            name = request.path.rpartition('/')[2]
            if name in self.info:
                return Answer(200, self.info[name])
            return Answer(404)
        if what == '/tasks':
            tasks = _next(self.tasks)
            return Answer(*((404,) if tasks is None else (200, tasks)))
        if request.method == 'PATCH':
            return Answer(200, self.image.record)
        return Answer(200, {**self.image.record, **_next(self.records)})

    def asked(self, method='POST'):
        return [r for r in self.fake.requests if r.method == method]


def _next(answers):
    return answers.pop(0) if len(answers) > 1 else answers[0]


class TestCheck(ImportTest):
    """What is not there is named, with what is, before any work."""

    def refused(self, way):
        return str(
            self.assertRaises(errors.CloudError, ways.check, self.api, way)
        )

    def test_methods(self):
        for offered, told in (
            (None, 'which are none'),
            ([], 'which are none'),
            (['web-download', 'copy-image'], 'are web-download, copy-image'),
        ):
            if offered is not None:
                self.info['import'] = {'import-methods': {'value': offered}}
            for way, name in (
                (IMPORT, 'glance-direct'),
                (DOWNLOAD, 'glance-download'),
            ):
                line = self.refused(way)
                for words in "'slave'", name, told:
                    self.assertIn(words, line)
        value = ['glance-direct', 'glance-download']
        self.info['import'] = {'import-methods': {'value': value}}
        ways.check(self.api, IMPORT)
        ways.check(self.api, DOWNLOAD)

    def test_stores(self):
        some = options.Delivery(stores=('fast', 'web', 'ghost'))
        every = options.Delivery(all_stores=True)
        for way in some, every:
            self.assertIn('nobody choose among stores', self.refused(way))
        self.info['stores'] = {
            'stores': [
                {'id': 'fast', 'default': 'true'},
                {'id': 'web', 'read-only': 'true'},
                {'id': 'slow'},
            ]
        }
        line = self.refused(some)
        for words in "'slave'", 'no store web, ghost:', 'are fast, slow':
            self.assertIn(words, line)
        ways.check(self.api, every)
        ways.check(self.api, options.Delivery(stores=('slow',)))

    def test_plain_upload_asks_nothing(self):
        ways.check(self.api, options.Delivery())
        self.assertEqual([], self.fake.requests)

    def test_hostile_answers(self):
        for document in {}, {'import-methods': 1, 'stores': [1, {}, None]}:
            self.info.update({'import': document, 'stores': document})
            self.refused(IMPORT)
            self.refused(options.Delivery(stores=('x',)))


class TestRegion(testtools.TestCase):
    """The source as the destination's Glance can find it."""

    def connection(self, name, region, **urls):
        """Make a connection to a cloud with a catalogue.

        :param urls: by region
        """
        connection = mock.Mock()
        connection.config.name = name
        connection.config.get_region_name.return_value = region
        connection.session.get_endpoint = lambda region_name, **others: (
            urls.get(region_name)
        )
        return connection

    def test_it_is_what_both_catalogues_have(self):
        urls = {'North': 'http://n:1', 'South': 'http://s:1'}
        self.assertEqual(
            'North',
            endpoints.shared_region(
                self.connection('master', 'North', **urls),
                'slave',
                self.connection('slave', 'South', **urls),
            ),
        )

    def test_what_is_wrong_names_the_cloud(self):
        north = self.connection('master', 'North', North='http://n:1')
        for source, destination, words in (
            (
                self.connection('master', None),
                north,
                "'master': .* .region_name.",
            ),
            (self.connection('master', 'North'), north, "'master': .* none"),
            (north, self.connection('slave', 'S', S='x'), "'to': .* Keystone"),
            (
                north,
                self.connection('slave', 'North', North='http://other:1'),
                "'to': .* Keystone",
            ),
        ):
            error = self.assertRaises(
                errors.CloudError,
                endpoints.shared_region,
                source,
                'to',
                destination,
            )
            self.assertThat(
                str(error),
                testtools.matchers.MatchesRegex(f'Cannot use cloud {words}'),
            )


class TestWay(testtools.TestCase):
    def test_planned(self):
        for way, words in (
            (options.Delivery(), ''),
            (options.Delivery(stores=('slow',)), 'by upload to slow'),
            (
                options.Delivery(Method.IMPORT, ('fast', 'slow')),
                'by import to fast, slow',
            ),
            (DOWNLOAD, 'by glance-download from North'),
            (
                options.Delivery(Method.DOWNLOAD, all_stores=True, region='N'),
                'by glance-download from N to all stores',
            ),
        ):
            planner = planning.Planner(
                selection.Selection(),
                destinations={'slave': rules.Rules(delivery=way)},
            )
            action = planner.decide(base.image(), None, 'slave')
            self.assertEqual(words, action.reason)
            action = planner.decide(base.image(), base.image(), 'slave')
            self.assertEqual('', action.reason)


class TestRun(ImportTest):
    def run_import(self, way=IMPORT):
        imports.run(self.api, self.image, way)

    def failure(self, error=errors.RefusedError, way=IMPORT):
        return str(self.assertRaises(error, self.run_import, way))

    def test_it_is_watched_to_its_end(self):
        self.records = [
            {'status': 'uploading'},
            {'status': 'importing'},
            {'status': 'importing', 'os_glance_importing_to_stores': 'x'},
            {'status': 'active'},
        ]
        self.run_import()
        (post,) = self.asked()
        self.assertEqual(b'{"method": {"name": "glance-direct"}}', post.body)
        self.assertEqual([{'status': 'active'}], self.records)

    def test_failures_of_before_do_not_count(self):
        self.tasks = [{'tasks': [FAILED]}]
        self.records = [{'status': 'importing'}, {'status': 'active'}]
        self.run_import()

    def test_lost_answers(self):
        for posted, count in (([503, 202], 2), ([503, 409], 2)):
            self.fake.requests.clear()
            self.posted = posted
            self.run_import()
            self.assertEqual(count, len(self.asked()))
        self.posted = [503]
        self.failure(errors.TransientError)

    def test_someone_elses(self):
        self.posted = [409]
        self.failure(errors.BusyError)

    def test_what_is_left_of_a_failure(self):
        """It decides what can be done: each Glance has left that, once."""
        stores = {'os_glance_failed_import': 'slow'}
        lock = {'os_glance_import_task': 'task 1'}
        for way, record, error, words in (
            (
                IMPORT,
                {'status': 'importing', **stores},
                errors.RefusedError,
                'its administrator has to set it back',
            ),
            (
                DOWNLOAD,
                {'status': 'queued', **stores, **lock},
                errors.RefusedError,
                'no other import of it for an hour: --method upload',
            ),
            (
                DOWNLOAD,
                {'status': 'queued'},
                errors.TransientError,
                'fetches from North itself: its [import_filtering_opts]',
            ),
        ):
            self.tasks = [{'tasks': []}, {'tasks': [FAILED]}]
            self.records = [record]
            line = self.failure(error, way)
            for told in words, 'slave: ', 'Internal Error (req-1)':
                self.assertIn(told, line)

    def test_tasks_are_not_shown(self):
        self.tasks = [None]
        self.records = [
            {'status': 'importing', 'os_glance_importing_to_stores': 'x'},
            {'status': 'importing', 'os_glance_failed_import': 'x'},
        ]
        self.assertIn('to x failed there', self.failure())

    def test_silence_has_an_end(self):
        self.records = [{'status': 'importing'}]
        line = self.failure(errors.PlaceError)
        self.assertIn('nothing new for 0 s', line)
        # It is not as long as the import.
        self.records = [
            {'status': 'importing', 'updated_at': str(number)}
            for number in range(100)
            for _ in range(2)
        ] + [{'status': 'active'}]
        with mock.patch.object(imports, '_LATE', 0.01):
            self.run_import()

    def test_deleted_meanwhile(self):
        answer = self._answer

        def gone(request):
            if request.method == 'GET' and request.path.endswith('0001'):
                return Answer(404)
            return answer(request)

        self.fake._answer = gone
        self.assertIn('was deleted there', self.failure())


class TestDestination(ImportTest):
    def stage(self, way, place=None, **record):
        place = place or glance.Glance(self.api, None, way)
        planner = planning.Planner(selection.Selection())
        replica = base.image(**{'status': 'queued', 'size': None, **record})
        place.stage(planner.decide(self.image, replica, 'slave'))
        return place

    def write(self, place):
        body = base.body(base.Data(b'data'), self.image)
        place.write(self.image, body)

    def test_nothing_is_staged_for_a_record_that_takes_no_import(self):
        lock = {'os_glance_import_task': 'task 1'}
        now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
        for hours, refused in ((0.9, True), (1.1, False)):
            at = now - datetime.timedelta(hours=hours)
            self.tasks = [{'tasks': [{**FAILED, 'updated_at': str(at)}]}]
            for way in IMPORT, DOWNLOAD:
                if refused:
                    self.assertRaises(
                        errors.RefusedError, self.stage, way, **lock
                    )
                else:
                    self.stage(way, **lock)
            # Glance takes an upload.
            self.stage(options.Delivery(), **lock)

    def test_what_is_staged_is_imported_whatever_the_method(self):
        for way in options.Delivery(), IMPORT, DOWNLOAD:
            self.fake.requests.clear()
            place = self.stage(way, status='uploading', size=4)
            place.fetch(self.image) if place.fetch else self.write(place)
            self.assertEqual([], self.asked('PUT'))
            self.assertIn(b'"glance-direct"', self.asked()[0].body)

    def test_what_is_no_longer_staged_is_sent(self):
        place = self.stage(IMPORT, status='uploading', size=4)
        self.stage(IMPORT, place)
        self.write(place)
        (put,) = self.asked('PUT')
        self.assertTrue(put.path.endswith('/stage'))

    def test_one_store_of_an_upload(self):
        self.write(
            glance.Glance(self.api, None, options.Delivery(stores=('s',)))
        )
        (put,) = self.asked('PUT')
        self.assertEqual('s', put.headers['X-Image-Meta-Store'])
        self.assertTrue(put.path.endswith('/file'))

    def test_what_a_failed_import_has_left_staged(self):
        self.put = [409]
        error = self.assertRaises(
            errors.RefusedError,
            self.write,
            glance.Glance(self.api, None, IMPORT),
        )
        self.assertIn('--method upload does without', str(error))
