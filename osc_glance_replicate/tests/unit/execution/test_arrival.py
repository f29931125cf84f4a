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

from osc_glance_replicate import errors
from osc_glance_replicate.execution import events
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
            self.assertEqual(('copied', 'size only'), self.carry_out(slave))

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
