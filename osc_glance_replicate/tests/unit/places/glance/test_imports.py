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

from unittest import mock

from osc_glance_replicate import errors
from osc_glance_replicate.model import options
from osc_glance_replicate.places.glance import imports
from osc_glance_replicate import retry
from osc_glance_replicate.tests.doubles import fake_glance
from osc_glance_replicate.tests.doubles import importing
from osc_glance_replicate.tests.doubles import samples

Answer = fake_glance.Answer

DOWNLOAD, IMPORT = importing.DOWNLOAD, importing.IMPORT

FAILED = importing.FAILED


class TestRun(importing.ImportTest):
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

    def test_what_a_later_run_tells_of_it(self):
        """The same, whatever Glance has left in the record."""
        told = 'the import of .* failed there: .* --method upload completes it'
        early = {**FAILED, 'id': 'task 0', 'created_at': '2026-01-01T00:00'}
        late = {**FAILED, 'created_at': '2026-01-02T00:00'}
        for tasks, fields, failed in (
            ([late], {'os_glance_failed_import': 'slow'}, True),
            (
                [late],
                {
                    'os_glance_failed_import': '',
                    'os_glance_importing_to_stores': 'fast,slow',
                },
                True,
            ),
            ([late, {**early, 'status': 'success'}], {}, True),
            ([{**late, 'status': 'processing'}, early], {}, False),
            # Where tasks are not shown.
            ([], {'os_glance_failed_import': 'slow'}, True),
            ([], {'os_glance_importing_to_stores': 'slow'}, False),
            ([], {}, False),
        ):
            self.tasks = [{'tasks': tasks}]
            image = samples.image(status='importing', **fields)
            found = imports.failed(self.api, image, options.Delivery())
            self.assertEqual(failed, bool(found), found)
            self.assertRegex(found, told if failed else '^$')

    def test_tasks_that_cannot_be_asked_for_end_no_plan(self):
        image = samples.image(status='importing', os_glance_failed_import='x')
        for status, told in (405, True), (400, True), (500, True), (503, None):
            fake = self.useFixture(
                fake_glance.FakeGlance(lambda request, s=status: Answer(s))
            )
            ask = imports.failed, fake.api, image, options.Delivery()
            if told is None:
                self.assertRaises(errors.TransientError, *ask)
            else:
                self.assertIn('to x failed there', ask[0](*ask[1:]))

    def test_tasks_of_other_types(self):
        self.tasks = [{'tasks': [{**FAILED, 'request_id': [5]}]}]
        image = samples.image(status='importing')
        found = imports.failed(self.api, image, options.Delivery())
        self.assertIn('([5])', found)

    def test_tasks_are_not_shown(self):
        self.tasks = [None]
        self.records = [
            {'status': 'importing', 'os_glance_importing_to_stores': 'x'},
            {'status': 'importing', 'os_glance_failed_import': 'x'},
        ]
        self.assertIn('to x failed there', self.failure())
        # Each question would cost a login.
        tasks = [r for r in self.fake.requests if r.path.endswith('/tasks')]
        self.assertEqual(1, len(tasks))

    def test_tasks_that_are_told_in_no_way_that_is_known(self):
        for status, document in (501, None), (406, None), (200, [1]):
            self.withheld(status, document)

    def ask(self, *statuses):
        """Make a Glance that answers so to the first questions for tasks."""
        left = [*statuses]

        def answer(request):
            if request.path.endswith('/tasks') and left:
                return Answer(left.pop())
            return self._answer(request)

        return self.useFixture(fake_glance.FakeGlance(answer))

    def test_one_of_several_that_has_not_heard_of_it(self):
        fake = self.ask(404, 404)
        self.tasks = [{'tasks': []}, {'tasks': [FAILED]}]
        self.records = [{'status': 'importing'}]
        with self.assertRaisesRegex(errors.RefusedError, 'Internal Error'):
            imports.run(fake.api, self.image, IMPORT)

    def test_task_of_before_is_of_before_whoever_answers_first(self):
        fake = self.ask(404)
        self.tasks = [{'tasks': [FAILED]}]
        self.records = [{'status': 'importing'}, {'status': 'active'}]
        imports.run(fake.api, self.image, IMPORT)

    def test_glance_that_knows_no_tasks(self):
        fake = self.ask(*[404] * 100)
        self.records = [{'status': 'importing'}] * 5 + [{'status': 'active'}]
        for _ in range(2):
            imports.run(fake.api, self.image, IMPORT)
        tasks = [r for r in fake.requests if r.path.endswith('/tasks')]
        self.assertEqual(1 + len(retry.UNHEARD), len(tasks))

    def withheld(self, status, document):
        def answer(request):
            if request.path.endswith('/tasks'):
                return Answer(status, document)
            record = samples.image(status='active').record
            return Answer(202 if request.method == 'POST' else 200, record)

        fake = self.useFixture(fake_glance.FakeGlance(answer))
        image = samples.image()
        for _ in range(2):
            imports.run(fake.api, image, IMPORT)
        tasks = [r for r in fake.requests if r.path.endswith('/tasks')]
        self.assertEqual(1, len(tasks))

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
        with mock.patch.object(imports, '_MAX_INTERVAL', 0.01):
            self.run_import()

    def test_deleted_meanwhile(self):
        answer = self._answer

        def gone(request):
            if request.method == 'GET' and request.path.endswith('0001'):
                return Answer(404)
            return answer(request)

        self.fake._answer = gone
        self.assertIn('was deleted there', self.failure())
