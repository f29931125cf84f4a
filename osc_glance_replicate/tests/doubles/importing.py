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

"""A Glance that imports what was staged, or what it fetches, as it is told."""

from unittest import mock

import testtools

from osc_glance_replicate.model import options
from osc_glance_replicate.places.glance import imports
from osc_glance_replicate import retry
from osc_glance_replicate.tests.doubles import clocks
from osc_glance_replicate.tests.doubles import fake_glance
from osc_glance_replicate.tests.doubles import samples

Answer = fake_glance.Answer

DOWNLOAD = options.Delivery(options.Method.DOWNLOAD, region='North')

IMPORT = options.Delivery(options.Method.IMPORT)

#: A task as Glance lists it.
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
        self.image = samples.image()
        self.records = [{}]
        self.tasks = [{'tasks': []}]
        self.posted = [202]
        self.put = [204]
        self.info = {}
        self.info_status = 404
        self.info_headers = {}
        self.info_limits = 0
        self.fake = self.useFixture(fake_glance.FakeGlance(self._answer))
        self.api = self.fake.api
        for module, name, value in (
            (retry, '_FIRST_DELAY', 0.001),
            (retry, 'UNHEARD', (0.001, 0.001)),
            (imports, '_MIN_INTERVAL', 0.001),
            (imports, '_STALL_TIMEOUT', 0.3),
            (imports, 'time', clocks.Clock()),
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
            if self.info_limits:
                self.info_limits -= 1
                return Answer(403, headers={'retry-after': '0'})
            name = request.path.rpartition('/')[2]
            if name in self.info:
                return Answer(200, self.info[name])
            return Answer(self.info_status, headers=self.info_headers)
        if what == '/tasks':
            tasks = _next(self.tasks)
            return Answer(*((403,) if tasks is None else (200, tasks)))
        if request.method == 'PATCH':
            return Answer(200, self.image.record)
        return Answer(200, {**self.image.record, **_next(self.records)})

    def asked(self, method='POST'):
        return [r for r in self.fake.requests if r.method == method]


def _next(answers):
    return answers.pop(0) if len(answers) > 1 else answers[0]
