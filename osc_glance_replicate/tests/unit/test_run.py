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
from unittest import mock

import testtools

from osc_glance_replicate import errors
from osc_glance_replicate import plan
from osc_glance_replicate import run
from osc_glance_replicate import selection
from osc_glance_replicate.tests.unit import base


class Place:
    """Both ends: what is read from one is written to the other.

    :param troubles: by method, what its next calls raise; None for nothing
    """

    def __init__(self, name, data=b'data', **troubles):
        self.name = name
        self.data = data
        self.images = {}
        self.calls = []
        self._troubles = {k: iter(v) for k, v in troubles.items()}

    def _call(self, method):
        self.calls.append(method)
        if trouble := next(self._troubles.get(method, iter(())), None):
            raise trouble

    def find(self, image_id):
        self._call('find')
        return self.images.get(image_id)

    @contextlib.contextmanager
    def read(self, image):
        self._call('read')
        yield base.Data(self.data)

    def stage(self, image, replica):
        self._call('stage')

    def write(self, image, body):
        written = b''.join(body)
        self._call('write')
        self.images[image.id] = base.image(data=written)

    def publish(self, image):
        self._call('publish')

    def update(self, replica, changes):
        self._call('update')

    def quarantine(self, image):
        self._call('quarantine')


class TestRunner(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.image = base.image()
        self.planner = plan.Planner(selection.Selection())
        patcher = mock.patch.object(run, '_FIRST_DELAY', 0.001)
        patcher.start()
        self.addCleanup(patcher.stop)

    def run_one(self, slave, *, replica=None, retries=3, source=None):
        source = source or Place('master')
        runner = run.Runner(
            source,
            {'slave': slave},
            self.planner,
            transfers=2,
            retries=retries,
            checksum=True,
            fail_fast=False,
        )
        action = self.planner.decide(self.image, replica, 'slave')
        (outcome,) = runner.run([action])
        return outcome.result, outcome.reason

    def test_copy_goes_its_way(self):
        slave = Place('slave')
        self.assertEqual(('copied', ''), self.run_one(slave))
        self.assertEqual(['stage', 'write', 'find', 'publish'], slave.calls)

    def test_nothing_is_published_before_it_is_verified(self):
        slave = Place('slave')
        slave.write = lambda image, body: slave.images.update(
            {image.id: base.image(data=b'DATA')}
        )
        result, reason = self.run_one(slave)
        self.assertEqual('failed', result)
        self.assertIn('arrived damaged', reason)
        self.assertNotIn('publish', slave.calls)
        self.assertIn('quarantine', slave.calls)

    def test_passing_trouble_is_tried_again_from_a_fresh_source(self):
        for method in ('stage', 'write', 'publish'):
            trouble = errors.TransientError('slave', 'busy')
            slave = Place('slave', **{method: [trouble]})
            source = Place('master')
            result, _ = self.run_one(slave, source=source)
            self.assertIn(result, ('copied', 'updated', 'unchanged'))
            self.assertEqual(
                2 if method == 'write' else 1, source.calls.count('read')
            )

    def test_tries_are_counted(self):
        for retries in (0, 2):
            slave = Place(
                'slave', stage=[errors.TransientError('slave', 'busy')] * 9
            )
            self.assertEqual(
                ('failed', 'slave: busy'), self.run_one(slave, retries=retries)
            )
            self.assertEqual(retries + 1, slave.calls.count('stage'))

    def test_what_is_refused_is_not_tried_again(self):
        slave = Place('slave', stage=[errors.RefusedError('slave', 'no')])
        self.assertEqual(('failed', 'slave: no'), self.run_one(slave))
        self.assertEqual(['stage'], slave.calls)

    def test_taken_id_is_a_conflict(self):
        slave = Place('slave', stage=[errors.TakenError('slave', 'taken')])
        result, reason = self.run_one(slave)
        self.assertEqual('conflict', result)
        self.assertIn('deleted', reason)

    def test_lost_race_takes_the_winners_image(self):
        for winner, expected in (
            (b'data', 'unchanged'),
            (b'tada', 'conflict'),
        ):
            slave = Place('slave', stage=[errors.TakenError('slave', 'taken')])
            slave.images[self.image.id] = base.image(data=winner)
            self.assertEqual(expected, self.run_one(slave)[0])

    def test_record_that_someone_else_fills_is_waited_for(self):
        saving = base.image(status='saving', size=None)
        slave = Place('slave')
        slave.images[self.image.id] = self.image
        self.assertEqual('unchanged', self.run_one(slave, replica=saving)[0])
        slave.images[self.image.id] = saving
        result, reason = self.run_one(slave, replica=saving, retries=1)
        self.assertEqual('failed', result)
        self.assertIn('someone else', reason)
        self.assertNotIn('stage', slave.calls)

    def test_defect_of_ours_is_one_failed_image(self):
        slave = Place('slave', stage=[KeyError('x')])
        result, reason = self.run_one(slave)
        self.assertEqual('failed', result)
        self.assertIn('KeyError', reason)

    def test_broken_listing_ends_the_run_after_what_had_begun(self):
        def actions():
            yield self.planner.decide(self.image, None, 'slave')
            raise errors.PlaceError('master', 'gone')

        runner = run.Runner(
            Place('master'),
            {'slave': Place('slave')},
            self.planner,
            transfers=1,
            retries=0,
            checksum=True,
            fail_fast=False,
        )
        outcomes = runner.run(actions())
        self.assertEqual('copied', next(outcomes).result)
        self.assertRaises(errors.PlaceError, next, outcomes)
