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

import time

import fixtures

from osc_glance_replicate import errors
from osc_glance_replicate.execution import events
from osc_glance_replicate.model import image_selection
from osc_glance_replicate.model import options
from osc_glance_replicate.model import ownership
from osc_glance_replicate.model import replica_template
from osc_glance_replicate.planning import decisions
from osc_glance_replicate.planning import rules
from osc_glance_replicate import retry
from osc_glance_replicate.tests.doubles import places
from osc_glance_replicate.tests.doubles import samples
from osc_glance_replicate.tests.unit.execution import test_task

UNHASHED = {'os_hash_algo': None, 'os_hash_value': None, 'checksum': None}
BUSY = test_task.BUSY


class TestArrival(test_task.TaskTest):
    def test_who_looks_on_hears_of_what_is_sent_and_of_what_is_read(self):
        class Listener(events.Listener):
            heard = ''

            def checked(self, action, count):
                self.heard += f'checked {count} '

            def sent(self, action, count):
                self.heard += f'sent {count} '

        self.image = samples.image(**UNHASHED)
        for hashes_by, heard in (
            (('sha512', 'md5'), 'sent 3 sent 1 '),
            (('sha256', ''), 'sent 3 sent 1 checked 3 checked 1 '),
        ):
            listener = Listener()
            slave = places.Place('slave')
            slave.hashes_by = hashes_by
            self.carry_out(slave, listener=events.Listeners([listener]))
            self.assertEqual(heard, listener.heard)

    def test_data_without_a_hash_is_hashed_as_its_destination_does(self):
        self.image = samples.image(**UNHASHED)
        unhashed = 'the source recorded no hash'
        for hashed_by, hashes_by, reads in (
            (('sha512', 'md5'), ('sha512', 'md5'), 1),
            (('sha512', 'md5'), ('sha256', 'md5'), 1),
            (('sha256',), ('sha256', ''), 1),
            # Others, who share the reading, hash by other ones.
            (('md5', 'sha512', 'sha256'), ('sha256', 'md5'), 1),
            # It hashes by another algorithm since.
            (('sha256',), ('sha512', ''), 2),
        ):
            slave, source = places.Place('slave'), places.Place('master')
            slave.hashed_by, slave.hashes_by = hashed_by, hashes_by
            for checksum in True, False:
                source.calls.clear()
                self.assertEqual(
                    ('copied', unhashed),
                    self.carry_out(slave, source=source, checksum=checksum),
                )
                self.assertEqual(reads, source.calls.count('read'))

    def test_data_without_a_hash_that_arrives_damaged(self):
        self.image = samples.image(**UNHASHED)
        for hashes_by in ('sha512', 'md5'), ('sha256', ''):
            slave = places.Place('slave')
            slave.hashes_by = hashes_by
            hashed = slave.hashed
            slave.hashed = lambda data, hashed=hashed: hashed(b'dada')
            result, reason = self.carry_out(slave)
            self.assertEqual('failed', result)
            self.assertIn(f'arrived damaged: {hashes_by[0]} differs', reason)
            self.assertIn('private and deactivated', reason)
            self.assertNotIn('publish', slave.calls)

    def test_data_without_a_hash_whose_answer_was_lost(self):
        self.image = samples.image(**UNHASHED)
        slave, source = places.Place('slave'), places.Place('master')
        write, slave.write = slave.write, lambda *args: None

        def lose_the_answer(image, body):
            write(image, body)
            raise BUSY

        slave.write = lose_the_answer
        result = self.carry_out(slave, source=source)
        self.assertEqual(('copied', 'the source recorded no hash'), result)
        self.assertEqual(['read'], source.calls)

    def test_place_that_has_not_heard_of_the_data_is_asked_again(self):
        """Several Glances may read from databases that lag behind."""
        self.useFixture(
            fixtures.MonkeyPatch(f'{retry.__name__}.UNHEARD', (0.0,) * 3)
        )
        slave = places.Place('slave')
        find, late = slave.find, [None] * 3

        def lagging(image_id):
            found = find(image_id)
            if not late:
                return found
            late.pop()
            return samples.image(status='queued', size=None)

        slave.find = lagging
        self.assertEqual(('copied', ''), self.carry_out(slave))
        self.assertEqual(1, slave.calls.count('write'))

    def test_data_that_an_earlier_run_has_staged_is_proven_by_the_source(self):
        # What is short is hashed while it is inspected.
        for data, reads in (b'data', 1), (bytes(2 * 1024 * 1024), 2):
            self.image = samples.image(data=data, **UNHASHED)
            self.assert_proven(data, data, 'copied', reads)
            self.assert_proven(data, data[:-1] + b'x', 'failed', reads)

    def assert_proven(self, data, staged, result, reads):
        source = places.Place('master', data)
        source.piece = 1024 * 1024
        slave = places.Place('slave')
        slave.write = lambda image, body: None
        slave.importer = lambda image: (
            lambda image: slave.images.update({image.id: slave.hashed(staged)})
        )
        found, reason = self.carry_out(slave, source=source)
        self.assertEqual(result, found, reason)
        self.assertEqual(['read'] * reads, source.calls)

    def test_strongest_hash_of_the_destination_tells(self):
        self.image = samples.image(**UNHASHED)
        slave = places.Place('slave')
        slave.hashed_by, slave.hashes_by = ('md5', 'sha256'), ('sha256', 'md5')
        hashed = slave.hashed
        slave.hashed = lambda data: hashed(b'dada')
        self.assertIn('sha256 differs', self.carry_out(slave)[1])

    def test_hash_that_the_source_has_since_counts(self):
        for data, result in (b'data', 'copied'), (b'dada', 'failed'):
            self.image = samples.image(**UNHASHED)
            slave, master = places.Place('slave'), places.Place('master')
            write = slave.write

            def take_long(image, body, write=write, master=master, data=data):
                write(image, body)
                master.images[image.id] = samples.image(data=data)
                object.__setattr__(image, 'read_at', time.monotonic() - 61)

            slave.write = take_long
            found, reason = self.carry_out(slave, source=master)
            self.assertEqual(result, found, reason)
            self.assertEqual(result == 'copied', 'publish' in slave.calls)
            self.assertNotIn('recorded no hash', reason)
        self.assertIn('arrived as it was sent', reason)
        self.assertIn('private and deactivated', reason)

    def test_size_only_is_said(self):
        self.image = samples.image(**UNHASHED)
        for hashed_by, hashes_by in (
            (('sha512', 'md5'), ('', '')),
            # Nobody here sees the data that it fetches.
            ((), ('sha512', 'md5')),
        ):
            slave = places.Place('slave')
            slave.hashed_by, slave.hashes_by = hashed_by, hashes_by
            self.assertEqual(
                ('copied', 'verified by size only: no hash recorded'),
                self.carry_out(slave),
            )

    def test_hash_that_cannot_be_computed_is_not_called_none(self):
        self.image = samples.image(**{**UNHASHED, 'os_hash_algo': 'sm3'})
        self.image.record['os_hash_value'] = 'abc'
        slave = places.Place('slave')
        slave.to_hash = lambda image: ('sha512',)
        self.assertEqual(('copied', ''), self.carry_out(slave))

    def test_wrong_bytes_are_never_published(self):
        for quarantine, end in (
            ([], 'private and deactivated'),
            ([errors.RefusedError('slave', 'no')], 'have it deactivated'),
            ([BUSY, BUSY], 'private and deactivated'),
            ([BUSY] * 9, 'still to be deactivated: slave: busy'),
        ):
            slave = places.Place('slave', quarantine=quarantine)
            source = places.Place('master', b'DATA')
            result, reason = self.carry_out(
                slave, source=source, checksum=False
            )
            self.assertEqual('failed', result)
            # Nothing was computed on its way.
            self.assertIn(
                'arrived damaged, or its record was made with a wrong hash: '
                'sha512 differs',
                reason,
            )
            self.assertIn(end, reason)
            self.assertNotIn('publish', slave.calls)

    def test_wrong_bytes_of_an_import_are_a_conflict(self):
        slave = places.Place('slave')
        slave.imports = True
        source = places.Place('master', b'DATA')
        result, reason = self.carry_out(slave, source=source, checksum=False)
        self.assertEqual('conflict', result)
        self.assertIn('imported with other data', reason)
        self.assertIn('private and deactivated', reason)


class TestConversion(test_task.TaskTest):
    """What its Glance has made another image of."""

    def setUp(self):
        super().setUp()
        self.image = samples.image()
        self.slave = places.Place('slave')
        self.slave.imports = True
        self.slave.hashed = self.converted
        self.published = []
        self.slave.publish = lambda action, verified: self.published.append(
            action.source_hash
        )

    def converted(self, data):
        return samples.image(data=data + b'!', disk_format='qcow2')

    def converted_slowly(self, data):
        """Take so long that what was read is old."""
        long_ago = time.monotonic() - 61
        object.__setattr__(self.image, 'read_at', long_ago)
        return self.converted(data)

    def arrive(
        self,
        accepts=True,
        owners=None,
        method=options.Method.IMPORT,
        **options_,
    ):
        there = rules.Rules(
            replica_template.Template(owners=owners or ownership.Owners()),
            delivery=options.Delivery(method),
            runner=ownership.Runner(frozenset(['mine'])),
            accepts_conversion=accepts,
        )
        self.planner = decisions.Planner(
            image_selection.Selection(), destinations={'slave': there}
        )
        return self.carry_out(self.slave, **options_)

    def test_accepted(self):
        self.assertEqual(('copied', 'converted there'), self.arrive())
        mark = f'sha512:{self.image.record["os_hash_value"]}'
        self.assertEqual([mark], self.published)

    def test_what_is_not_converted_bears_no_mark(self):
        self.slave.hashed = lambda data: self.image
        self.assertEqual(('copied', ''), self.arrive())
        self.assertEqual([''], self.published)

    def test_without_a_hash_at_the_source(self):
        """What tells is what was sent."""
        mark = f'sha512:{self.image.record["os_hash_value"]}'
        self.image = samples.image(**UNHASHED)
        self.assertEqual(
            ('copied', 'converted there, the source recorded no hash'),
            self.arrive(),
        )
        self.assertEqual([mark], self.published)

    def test_source_that_is_hashed_meanwhile(self):
        """What it records by now is held against what was sent."""
        hashed = samples.image()
        wrong = samples.image(os_hash_value=128 * 'a')
        for found, result in (hashed, 'copied'), (wrong, 'conflict'):
            self.image = samples.image(**UNHASHED)
            master = places.Place('master')
            master.images[self.image.id] = found

            self.slave.hashed = self.converted_slowly
            self.assertEqual(result, self.arrive(source=master)[0])

    def test_refused(self):
        for fields, advice in (
            ({'accepts': False}, 'give --accept-conversion'),
            ({'owners': ownership.Same()}, 'give --method upload'),
        ):
            result, reason = self.arrive(**fields)
            self.assertEqual('failed', result)
            self.assertIn('was converted from raw to qcow2 there', reason)
            self.assertIn('left private and deactivated', reason)
            self.assertIn('purge_images_table', reason)
            self.assertIn(advice, reason)
            self.assertEqual([], self.published)
            self.assertIn('quarantine', self.slave.calls)

    def test_still_to_be_withdrawn(self):
        self.slave = places.Place('slave', quarantine=[BUSY] * 9)
        self.slave.hashed = self.converted
        _, reason = self.arrive(accepts=False)
        self.assertIn(
            'was converted to qcow2; it is private and still', reason
        )

    def test_other_data_of_the_same_format_is_no_conversion(self):
        self.slave.hashed = lambda data: samples.image(data=b'other')
        self.assertEqual('conflict', self.arrive()[0])

    def test_staged_before_and_not_asked_for(self):
        """However long it takes, it is published by no default."""
        staged = samples.image(status='uploading', owner='mine')

        self.slave.hashed = self.converted_slowly
        master = places.Place('master')
        master.images[self.image.id] = self.image
        result, reason = self.arrive(
            accepts=False,
            method=options.Method.UPLOAD,
            replica=staged,
            source=master,
        )
        self.assertEqual('failed', result, reason)
        self.assertIn('give --method import --accept-conversion', reason)
        self.assertEqual([], self.published)

    def test_given_away_meanwhile(self):
        """It goes to another project by now, and would not be told again."""

        class Owners(ownership.Owners):
            owners = iter([None, 'other'])

            def at(self, project):
                return next(self.owners, 'other')

        master = places.Place('master')
        master.images[self.image.id] = self.image

        self.slave.hashed = self.converted_slowly
        result, reason = self.arrive(owners=Owners(), source=master)
        self.assertEqual('failed', result, reason)
        self.assertEqual([], self.published)
