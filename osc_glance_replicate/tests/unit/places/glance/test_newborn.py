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
from osc_glance_replicate.places.glance import newborn
from osc_glance_replicate.places.glance import records
from osc_glance_replicate import retry
from osc_glance_replicate.tests.doubles import clocks
from osc_glance_replicate.tests.doubles import fake_glance
from osc_glance_replicate.tests.doubles import samples

Answer = fake_glance.Answer

IMAGE = samples.image()

PATH = f'/images/{IMAGE.id}'


class TestNewborn(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.clock = clocks.Clock()
        self.useFixture(
            fixtures.MonkeyPatch(f'{newborn.__name__}.time', self.clock)
        )
        self.newborn = newborn.Newborn()

    def test_what_is_known_with_a_record(self):
        self.newborn.note(PATH)
        for end in '', '/file', '/stage', '/import', '/members/x':
            self.assertTrue(self.newborn.covers(f'{PATH}{end}'), end)
        for path in f'{PATH}/tasks', f'/images/{samples.image(2).id}', '/info':
            self.assertFalse(self.newborn.covers(path), path)

    def test_not_for_ever(self):
        self.newborn.note(PATH)
        self.clock.sleep(61)
        self.assertFalse(self.newborn.covers(PATH))
        for number in range(2000):
            self.newborn.note(f'/images/{number}')
            self.clock.sleep(1)
        self.assertLess(len(self.newborn._made), 1002)


class TestLag(fake_glance.GlanceTest):
    """A Glance whose database lags behind the one that was written to."""

    def setUp(self):
        super().setUp()
        self.lag = 0
        self.created = 201
        self.useFixture(
            fixtures.MonkeyPatch(f'{retry.__name__}.UNHEARD', (0.0,) * 3)
        )
        self.serve(self.answer)
        self.api = self.fake.api

    def answer(self, request):
        if request.method == 'POST' and request.path.endswith('/images'):
            return Answer(self.created, IMAGE.record)
        if self.lag:
            self.lag -= 1
            return Answer(404)
        return Answer(204 if request.method == 'PUT' else 200, IMAGE.record)

    def create(self):
        records.create(self.api, IMAGE.id, IMAGE.portable)

    def test_questions_and_changes_are_repeated(self):
        self.create()
        for ask in (
            lambda: records.find(self.api, IMAGE.id),
            lambda: records.change(self.api, IMAGE.id, {'name': IMAGE.name}),
            lambda: self.api.request('POST', f'{PATH}/import', json={'a': 1}),
        ):
            self.lag = 3
            self.assertIsNotNone(ask())
            self.assertEqual(0, self.lag)

    def test_record_whose_making_was_not_answered(self):
        # One that says that it did nothing is believed.
        for self.created, is_looked_for in (503, False), (502, True):
            self.assertRaises(errors.TransientError, self.create)
            self.lag = 3
            found = records.find(self.api, IMAGE.id)
            self.assertIs(is_looked_for, found is not None)

    def test_what_is_gone_is_gone(self):
        self.create()
        self.lag = 4
        self.assertIsNone(records.find(self.api, IMAGE.id))

    def test_data_is_sent_anew_by_who_has_it(self):
        self.create()
        self.lag = 1
        error = self.assertRaises(
            errors.TransientError,
            self.api.request,
            'PUT',
            f'{PATH}/file',
            data=iter([b'data']),
            expect=(204, 404),
        )
        self.assertIn('made there a moment ago', str(error))
        self.assertEqual(0, self.lag)

    def test_old_records_are_not_waited_for(self):
        self.lag = 1
        self.assertIsNone(records.find(self.api, IMAGE.id))
