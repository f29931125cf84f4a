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

import dataclasses
import itertools
import time
from unittest import mock

import testtools

from osc_glance_replicate import errors
from osc_glance_replicate.execution import events
from osc_glance_replicate.execution import task
from osc_glance_replicate.model import image_selection
from osc_glance_replicate.model import options
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import replica_template
from osc_glance_replicate.planning import decisions
from osc_glance_replicate.planning import rules
from osc_glance_replicate import retry
from osc_glance_replicate.tests.doubles import places
from osc_glance_replicate.tests.doubles import samples
from osc_glance_replicate.transfer import image_reading

BUSY = errors.TransientError('slave', 'busy')


class TaskTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.image = samples.image()
        self.planner = decisions.Planner(image_selection.Selection())
        for name, value in (
            ('_FIRST_DELAY', 0.001),
            ('_BUSY_TIMEOUT', 0.1),
            ('UNHEARD', (0.0,)),
        ):
            patcher = mock.patch.object(retry, name, value)
            patcher.start()
            self.addCleanup(patcher.stop)

    def carry_out(
        self,
        slave,
        *,
        replica=None,
        retries=3,
        source=None,
        checksum=True,
        format_check=True,
        listener=events.Listener(),
    ):
        outcome = task.Task(
            self.planner.decide(self.image, replica, 'slave'),
            slave,
            self.planner,
            image_reading.Reading(
                source or places.Place('master'),
                retries,
                options.Checks(checksum, format_check),
            ),
            listener=listener,
        ).carry_out()
        return outcome.result, outcome.reason


class TestTask(TaskTest):
    def test_copy_goes_its_way(self):
        slave = places.Place('slave')
        self.assertEqual(('copied', ''), self.carry_out(slave))
        self.assertEqual(['stage', 'write', 'find', 'publish'], slave.calls)

    def test_another_try_gives_no_more_than_was_planned(self):
        published = []

        class Slave(places.Place):
            def publish(self, action, verified):
                published.append(action.wanted.visibility)

        there = rules.Rules(replica_template.Template(visibility='community'))
        self.planner = decisions.Planner(
            image_selection.Selection(), destinations={'slave': there}
        )
        for capped, result in ((False, 'community'), (True, 'private')):
            slave = Slave('slave', stage=[BUSY])
            action = self.planner.decide(
                self.image, None, 'slave', True, capped
            )
            reading = image_reading.Reading(places.Place('master'), 3)
            task.Task(action, slave, self.planner, reading).carry_out()
            self.assertEqual(result, published.pop())

    def test_data_of_another_format_makes_no_record(self):
        slave = places.Place('slave')
        self.image = samples.image(disk_format='qcow2')
        result, reason = self.carry_out(slave)
        self.assertEqual('failed', result)
        for words in 'it is raw', 'disk_format is qcow2', '--no-format-check':
            self.assertIn(words, reason)
        self.assertEqual([], slave.calls)
        result, _ = self.carry_out(slave, format_check=False)
        self.assertEqual('copied', result)

    def test_data_that_is_not_of_both_formats_makes_no_record(self):
        there = rules.Rules(replica_template.Template(formats={'gpt': 'raw'}))
        self.planner = decisions.Planner(
            image_selection.Selection(), destinations={'slave': there}
        )
        self.image = samples.image(disk_format='gpt')
        for check, inspects in itertools.product((True, False), repeat=2):
            slave = places.Place('slave')
            slave.inspects = inspects
            result, reason = self.carry_out(slave, format_check=check)
            self.assertEqual('failed', result)
            self.assertIn('not both gpt and raw', reason)
            self.assertEqual([], slave.calls)

    def test_what_nobody_thought_of_is_told_like_an_error(self):
        told = f'http://me:secret@x/ {"x" * 11_000_000}'
        slave = places.Place('slave', stage=[ValueError(told)])
        result, reason = self.carry_out(slave)
        self.assertEqual('failed', result)
        self.assertIn('unexpected ValueError: http://x/ xxx', reason)
        self.assertLess(len(reason), 4100)

    def test_answer_to_all_data_that_comes_again_ends_it(self):
        left = errors.TransientError('slave', 'HTTP 500', 0.0, 500)

        def write(image, body):
            b''.join(body)
            slave._call('write')

        slave = places.Place('slave', write=[left] * 4)
        slave.write = write
        result, reason = self.carry_out(slave)
        self.assertEqual('failed', result)
        self.assertIn('rbd rm', reason)
        self.assertEqual(2, slave.calls.count('write'))
        # It is sent again where it had not been taken.
        slave = places.Place('slave', write=[left] * 4)
        slave.write = lambda image, body: slave._call('write')
        self.assertIn('rbd rm', self.carry_out(slave)[1])
        self.assertEqual(4, slave.calls.count('write'))

    def test_own_data_is_not_called_an_object_that_is_left(self):
        left = errors.TransientError('slave', 'HTTP 500', 0.0, 500)

        class Slave(places.Place):
            def write(self, image, body):
                self._call('write')
                super().write(image, body)

        refused = errors.TransientError('slave', 'HTTP 500', 0.0, 500)
        slave = Slave(
            'slave', write=[left, left, None, None], publish=[refused] * 4
        )
        result, reason = self.carry_out(slave)
        self.assertEqual('failed', result)
        self.assertNotIn('rbd', reason)

    def test_upload_that_succeeded_begins_the_count_anew(self):
        left = errors.TransientError('slave', 'HTTP 500', 0.0, 500)
        lost = samples.image(status='queued', size=None, checksum=None)

        class Slave(places.Place):
            def write(self, image, body):
                self._call('write')
                self.images[image.id] = lost

        slave = Slave('slave', write=[left, None, left])
        result, reason = self.carry_out(slave, retries=2)
        self.assertEqual(('failed', 3), (result, slave.calls.count('write')))
        self.assertIn('HTTP 500', reason)
        self.assertNotIn('rbd', reason)

    def test_all_troubles_are_told(self):
        slow = errors.TransientError('slave', 'Read timed out')
        short = errors.DataError('slave', 'has 1 byte')
        slave = places.Place('slave', stage=[slow, slow, short])
        self.assertEqual(
            'slave: Read timed out (2 times); then slave: has 1 byte',
            self.carry_out(slave)[1],
        )

    def test_update(self):
        slave = places.Place('slave')
        replica = samples.image(name='old')
        self.assertEqual(
            ('updated', 'name'), self.carry_out(slave, replica=replica)
        )
        self.assertEqual(['update'], slave.calls)

    def test_failure_tells_what_was_withdrawn_before_it(self):
        unhashed = {'os_hash_value': None, 'checksum': None}
        self.image = samples.image(name='new', os_hidden=True, **unhashed)
        slave = places.Place('slave')
        master = places.Place(
            'master', read=[errors.RefusedError('master', 'not you')]
        )
        told = self.carry_out(slave, replica=samples.image(), source=master)
        self.assertEqual(('failed', 'os_hidden; master: not you'), told)
        self.assertEqual(['update'], slave.calls)

    def test_update_that_leaves_a_difference_has_failed(self):
        slave = places.Place('slave')
        replica = samples.image(name='old', disk_format='iso')
        result, reason = self.carry_out(slave, replica=replica)
        self.assertEqual('failed', result)
        self.assertIn('disk_format', reason)
        self.assertEqual(['update'], slave.calls)

    def test_old_records_are_read_again_before_a_deed(self):
        self.image = dataclasses.replace(
            samples.image(name='new'), read_at=time.monotonic() - 61
        )
        for by_now, result, calls in (
            (samples.image(name='new'), 'updated', ['find', 'update']),
            (samples.image(), 'unchanged', ['find']),
            (samples.image(data=b'DATA'), 'conflict', ['find']),
            (None, 'failed', []),
        ):
            slave, master = places.Place('slave'), places.Place('master')
            slave.images[self.image.id] = samples.image()
            if by_now:
                master.images[self.image.id] = by_now
            found, reason = self.carry_out(
                slave, replica=samples.image(), source=master
            )
            self.assertEqual(result, found, reason)
            self.assertEqual(calls, slave.calls)
        self.assertIn('not there any more', reason)

    def test_no_more_is_published_than_the_source_shows_by_then(self):
        slave, master = places.Place('slave'), places.Place('master')
        self.image = samples.image(visibility='public')
        published = []
        slave.publish = lambda action, verified: published.append(
            action.wanted.visibility
        )
        write = slave.write

        def take_long(image, body):
            write(image, body)
            master.images[image.id] = by_now
            object.__setattr__(image, 'read_at', time.monotonic() - 61)

        slave.write = take_long
        for by_now, result, visibilities in (
            (samples.image(visibility='private'), 'copied', ['private']),
            (samples.image(status='deactivated'), 'failed', []),
            (samples.image(os_hidden=True), 'failed', []),
        ):
            published.clear()
            slave.images.clear()
            self.image = samples.image(visibility='public')
            found, reason = self.carry_out(slave, source=master)
            self.assertEqual(result, found, reason)
            self.assertEqual(visibilities, published)
        self.assertIn('left private', reason)

    def test_what_is_staged_is_judged_again_before_its_import(self):
        """Both records are read, where they were read too long ago."""
        staged = samples.image(status='uploading')
        for by_now, there, age, told in (
            (samples.image(), staged, 61, ''),
            (samples.image(), samples.image(data=b'DATA'), 59, ''),
            (samples.image(status='deactivated'), staged, 61, 'deactivated'),
            (samples.image(), samples.image(data=b'DATA'), 61, 'other data'),
            (None, staged, 61, 'not there any more'),
        ):
            slave, master = places.Place('slave'), places.Place('master')
            slave.imports = True
            if by_now:
                master.images[staged.id] = by_now
            self.image = samples.image()

            def take_long(image, body, slave=slave, age=age, there=there):
                object.__setattr__(image, 'read_at', time.monotonic() - age)
                slave.images[image.id] = there

            def bring_in(image, slave=slave):
                slave.calls.append('import')
                slave.images[image.id] = samples.image()

            slave.write = take_long
            slave.importer = lambda image, act=bring_in: act
            result, reason = self.carry_out(slave, source=master)
            self.assertIn(told, reason)
            self.assertEqual(
                ('failed', False) if told else ('copied', True),
                (result, 'import' in slave.calls),
                reason,
            )

    def test_unproven_data_is_a_conflict(self):
        bare = {'os_hash_value': None, 'checksum': None}
        self.image = samples.image(os_hidden=True, **bare)
        slave = places.Place('slave')
        self.assertEqual(
            (
                'conflict',
                'os_hidden; nothing proves that its data is the same',
            ),
            self.carry_out(slave, replica=samples.image(**bare)),
        )
        self.assertEqual(['update'], slave.calls)

    def test_rehearsal_foretells_it(self):
        replica = samples.image(name='old', disk_format='iso')
        action = self.planner.decide(self.image, replica, 'slave')
        outcome = outcomes.as_planned(action)
        self.assertEqual('failed', outcome.result)
        self.assertEqual(
            self.carry_out(places.Place('slave'), replica=replica),
            (outcome.result, outcome.reason),
        )

    def test_destination_that_fetches(self):
        for troubles, calls in (
            ([], ['stage', 'fetch', 'find', 'publish']),
            # It had been done when the answer was lost.
            ([BUSY], ['stage', 'fetch', 'find', 'find', 'publish']),
        ):
            slave = places.Place('slave', fetch=troubles)

            def fetch(image):
                slave.images[image.id] = self.image
                slave._call('fetch')

            slave.fetch = fetch
            source = places.Place('master')
            self.assertEqual(
                ('copied', ''), self.carry_out(slave, source=source)
            )
            self.assertEqual(calls, slave.calls)
            self.assertEqual([], source.calls)

    def test_what_someone_else_fetches_is_not_called_ours(self):
        slave = places.Place('slave')
        slave.images[self.image.id] = self.image

        def fetch(image):
            raise errors.BusyError('slave', 'x')

        slave.fetch = fetch
        self.assertEqual('unchanged', self.carry_out(slave)[0])

    def test_staged_data_whose_import_did_not_begin(self):
        slave = places.Place('slave')
        write_again = slave.write

        def write(image, body):
            slave.images[image.id] = samples.image(status='uploading')
            slave.write = write_again
            raise BUSY

        slave.write = write
        self.assertEqual(('copied', ''), self.carry_out(slave))
        self.assertEqual(2, slave.calls.count('stage'))

    def test_staged_data_is_waited_for_by_nobody(self):
        slave = places.Place('slave')
        staged = samples.image(status='uploading')
        self.assertEqual(('copied', ''), self.carry_out(slave, replica=staged))

    def test_replica_that_is_not_active_is_not_published(self):
        slave = places.Place('slave')
        slave.write = lambda image, body: slave.images.update(
            {image.id: samples.image(status='saving')}
        )
        result, reason = self.carry_out(slave, retries=1)
        self.assertEqual('failed', result)
        self.assertIn('saving', reason)
        self.assertNotIn('publish', slave.calls)

    def test_replica_that_is_stored_yet_is_waited_for(self):
        """However few tries there are."""
        slave = places.Place('slave')
        looks = itertools.count()

        def find(image_id):
            status = 'saving' if next(looks) < 3 else 'active'
            return samples.image(status=status)

        slave.find = find
        self.assertEqual(('copied', ''), self.carry_out(slave, retries=0))

    def test_trouble_that_passes_is_not_seen(self):
        for method in ('stage', 'find', 'publish'):
            slave = places.Place('slave', **{method: [BUSY]})
            source = places.Place('master')
            self.assertEqual(
                ('copied', ''), self.carry_out(slave, source=source)
            )
            self.assertEqual(1, slave.calls.count('write'))

    def test_data_that_did_not_arrive_is_sent_again_from_the_start(self):
        slave = places.Place('slave')
        slave.write_once = slave.write

        def write(image, body):
            next(iter(body))
            slave.write = slave.write_once
            slave.images[image.id] = samples.image(
                status='queued', size=None, checksum=None
            )
            raise BUSY

        slave.write = write
        source = places.Place('master')
        self.assertEqual(('copied', ''), self.carry_out(slave, source=source))
        self.assertEqual(['read', 'read'], source.calls)
        self.assertEqual(b'data', source.data)
        self.assertEqual(2, slave.calls.count('stage'))

    def test_lost_answer_is_not_a_lost_copy(self):
        slave = places.Place('slave', write=[BUSY])
        source = places.Place('master')
        self.assertEqual(('copied', ''), self.carry_out(slave, source=source))
        self.assertEqual(['read'], source.calls)

    def test_tries_are_counted(self):
        for retries in (0, 2):
            slave = places.Place('slave', stage=[BUSY] * 9)
            self.assertEqual(
                ('failed', 'slave: busy'),
                self.carry_out(slave, retries=retries),
            )
            self.assertEqual(retries + 1, slave.calls.count('stage'))

    def test_what_is_refused_is_not_tried_again(self):
        slave = places.Place(
            'slave', stage=[errors.RefusedError('slave', 'no')]
        )
        self.assertEqual(('failed', 'slave: no'), self.carry_out(slave))
        self.assertEqual(['stage'], slave.calls)

    def test_taken_id_is_a_conflict(self):
        taken = errors.TakenError('slave', 'taken')
        slave = places.Place('slave', stage=[taken])
        result, reason = self.carry_out(slave, retries=0)
        self.assertEqual('conflict', result)
        self.assertIn('deleted', reason)

    def test_lost_race_takes_the_winners_image(self):
        taken = errors.TakenError('slave', 'taken')
        for winner, expected in ((b'data', 'unchanged'), (b'x', 'conflict')):
            slave = places.Place('slave', stage=[taken])
            slave.images[self.image.id] = samples.image(data=winner)
            self.assertEqual(expected, self.carry_out(slave, retries=0)[0])

    def test_record_that_someone_else_fills_is_waited_for(self):
        saving = samples.image(status='saving', size=None)
        slave = places.Place('slave')
        slave.images[self.image.id] = self.image
        self.assertEqual('unchanged', self.carry_out(slave, replica=saving)[0])
        slave.images[self.image.id] = saving
        result, reason = self.carry_out(slave, replica=saving, retries=1)
        self.assertEqual('failed', result)
        self.assertIn('someone else', reason)
        self.assertNotIn('stage', slave.calls)

    def test_upload_lost_to_someone_else_is_not_called_ours(self):
        slave = places.Place('slave', write=[errors.BusyError('slave', 'x')])
        self.assertEqual('unchanged', self.carry_out(slave)[0])

    def test_defect_of_ours_is_one_failed_image(self):
        slave = places.Place('slave', stage=[KeyError('x')])
        result, reason = self.carry_out(slave)
        self.assertEqual('failed', result)
        self.assertIn('KeyError', reason)
