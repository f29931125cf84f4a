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

"""What compare --data finds where a destination's store has changed."""

import collections
import os
import signal
import threading
import time

from osc_glance_replicate.sandbox import client
from osc_glance_replicate.tests.functional import base
from osc_glance_replicate.tests.functional import faults
from osc_glance_replicate.tests.functional import links

_SIZE = 1000


class DataTest(links.BrokenLinksTest):
    """Replicas that were whole, seen through a proxy."""

    alone = False

    def replicas(self, *names, size=_SIZE, **fields):
        """Create images and their replicas.

        :returns: the source's records by name
        """
        images = {}
        for name in names:
            images[name] = self.image(
                0 if name == 'empty' else size, name=name, **fields
            )
        base.pass_a_second()
        for name, image in images.items():
            self.slave.create(
                self.data[image.id], **{'id': image.id, 'name': name, **fields}
            )
        return images

    def compare_words(self, *words):
        return [
            '--os-cloud', 'master', 'image', 'replicate', 'compare',
            '--to', 'slave', '--data', '-f', 'json', *self.named(*words),
        ]  # fmt: skip

    def compare(self, *words, expect=0):
        result = self.openstack(
            *self.compare_words(*words),
            expect=expect,
            environment=self.environment,
        )
        self.assertNotIn('Traceback', result.stderr)
        return result

    def found(self, result):
        """Give what was told of each image: pairs of name and difference."""
        return sorted((row['Name'], row['Difference']) for row in result.rows)

    def details(self, result):
        return {
            (row['Name'], row['Difference']): row['Detail']
            for row in result.rows
        }

    def damage(self, image, change=lambda data: bytes([data[0] ^ 1])):
        """Change what the store of the destination has of an image.

        :param change: from all of its data to what it begins with then
        """
        file = self.slave.stored(image.id)
        data = file.read_bytes()
        new = change(data)
        file.write_bytes(new + data[len(new) :])


class TestDamage(DataTest):
    def setUp(self):
        super().setUp()
        self.images = self.replicas(
            'good', 'changed', 'short', 'emptied', 'removed', 'refused',
            'edited', 'edited and changed', 'grown',
        )  # fmt: skip
        for name in 'changed', 'edited and changed':
            self.damage(self.images[name])
        for name, size in ('short', _SIZE // 2), ('emptied', 0):
            os.truncate(self.slave.stored(self.images[name].id), size)
        with self.slave.stored(self.images['grown'].id).open('ab') as file:
            file.write(b'more')
        self.slave.stored(self.images['removed'].id).unlink()
        self.destination.on(
            'GET', f'{self.images["refused"].id}/file$',
            faults.Fault(answer=faults.Answer(404)), times=None,
        )  # fmt: skip
        for name in 'edited', 'edited and changed':
            self.slave.patch(self.images[name].id, note='theirs')
            self.master.patch(self.images[name].id, note='ours')

    def test_each_is_named(self):
        missing = self.image(_SIZE, name='missing')
        queued = self.image(_SIZE, name='queued')
        base.pass_a_second()
        self.slave.create(None, id=queued.id)
        before = {i: self.slave.get(i) for i in self.there()}
        words = [word for word in self.compare_words() if word != '--data']
        alone = self.openstack(*words, expect=3, environment=self.environment)
        told = {difference for _, difference in self.found(alone)}
        self.assertEqual({'metadata', 'missing', 'incomplete'}, told)
        self.assertEqual([], self.destination.seen('GET', '/file$'))
        result = self.compare('--show-all', '--retries', '1', expect=3)
        self.assertEqual(
            [
                ('changed', 'data'),
                ('edited', 'metadata'),
                ('edited and changed', 'data'),
                ('edited and changed', 'metadata'),
                ('emptied', 'data'),
                ('good', 'same'),
                # Glance gives as much as is recorded, which is right.
                ('grown', 'same'),
                ('missing', 'missing'),
                ('queued', 'incomplete'),
                ('refused', 'data'),
                ('removed', 'data'),
                ('short', 'data'),
            ],
            self.found(result),
        )
        details = self.details(result)
        for name, words in (
            ('changed', 'its sha512 is '),
            ('edited and changed', 'its sha512 is '),
            ('short', f'after {_SIZE // 2} of the {_SIZE} bytes'),
            ('removed', 'lost or damaged: 1000 bytes are recorded, 0 offered'),
            ('refused', 'lost or damaged: 1000 bytes are recorded, none'),
        ):
            self.assertIn(words, details[name, 'data'], name)
        self.assertEqual('', details['good', 'same'])
        self.assertEqual(
            "note: 'ours' (slave: 'theirs')", details['edited', 'metadata']
        )
        (summary,) = result.stderr.splitlines()
        for part in (
            '6 data',
            '2 same',
            '2 metadata',
            '1 missing',
            ' verified in ',
        ):
            self.assertIn(part, summary)
        self._assert_nothing_changed(before)
        self.assertEqual([], self.destination.seen('GET', f'{missing.id}/f'))

    def _assert_nothing_changed(self, before):
        self.assertEqual(before, {i: self.slave.get(i) for i in self.there()})
        for link in self.source, self.destination:
            methods = {call.method for call in link.calls}
            self.assertLessEqual(methods, {'GET', 'HEAD'})
        # The source's data is not needed for it.
        self.assertEqual([], self.source.seen('GET', '/file$'))


class TestMany(DataTest):
    def test_one_of_fifty(self):
        names = [f'image {number:02}' for number in range(50)]
        images = self.replicas(*names)
        self.assertEqual([], self.compare().rows)
        rotten = images['image 31']
        self.damage(rotten, lambda data: data[:-1] + bytes([data[-1] ^ 1]))
        result = self.compare('--transfers', '8', expect=3)
        ((row),) = result.rows
        self.assertEqual(
            (rotten.id, 'slave', 'data'),
            (row['ID'], row['To'], row['Difference']),
        )
        self.assertIn('1 data, 49 same; 49', result.stderr)

    def test_several_destinations(self):
        """They hash by different algorithms, and the source by one."""
        secure = self.cloud('secure')
        images = self.replicas('good', 'rotten')
        for name, image in images.items():
            secure.create(self.data[image.id], id=image.id, name=name)
        file = secure.stored(images['rotten'].id)
        file.write_bytes(bytes(_SIZE))
        result = self.compare('--to', 'secure', '--show-all', expect=3)
        self.assertEqual(
            {
                ('good', 'slave', 'same', ''),
                ('good', 'secure', 'same', ''),
                ('rotten', 'slave', 'same', ''),
                ('rotten', 'secure', 'data'),
            },
            {
                tuple(row.values())[1 : 4 + (row['Difference'] == 'same')]
                for row in result.rows
            },
        )

    def test_so_many_at_a_time(self):
        self.replicas(*'abcde')
        first = threading.Event()
        self.addCleanup(first.set)
        released, begun = [], []

        def hold(call):
            begun.append(len(begun) + 1 - len(released))
            (first if len(begun) == 1 else self.held).wait()

        self.destination.on(
            'GET', '/file$', faults.Fault(before=hold), times=None
        )
        process = self.start(
            *self.compare_words('--transfers', '3'),
            environment=self.environment,
        )
        self.wait_for(lambda: len(begun) >= 3)
        released.append('first')
        first.set()
        self.wait_for(lambda: len(begun) >= 4)
        released += ['rest'] * 4
        self.held.set()
        self.assertEqual([], self.finish(process).rows)
        self.assertEqual(5, len(begun))
        self.assertEqual(3, max(begun))

    def test_bandwidth(self):
        self.replicas('a', 'b', 'c', size=base.MIB)
        start = time.monotonic()
        self.compare('--bandwidth', '1Mi')
        self.assertGreater(time.monotonic() - start, 2)

    def test_more_than_there_is_memory_for(self):
        image = self.master.create(client.Mebibytes(64))
        base.pass_a_second()
        self.slave.create(client.Mebibytes(64), id=image.id)
        # Both are of random bytes of their own.
        self.master.sql(
            'UPDATE images SET os_hash_value = NULL, checksum = NULL '
            'WHERE id = %s',
            image.id,
        )
        self.data[image.id] = b''
        result = self.compare('--show-all')
        self.assertEqual([('image', 'same')], self.found(result))
        self.assertLess(result.peak, 120 * base.MIB)


class TestInterrupted(DataTest):
    def test_rows_so_far(self):
        images = self.replicas('rotten', 'held', 'also held')
        self.master.patch(images['held'].id, note='ours')
        self.damage(images['rotten'])
        for name in 'held', 'also held':
            self.destination.on(
                'GET', f'{images[name].id}/file$',
                faults.Fault(download=self.hold(500)),
            )  # fmt: skip
        process = self.start(
            *self.compare_words('--transfers', '3', '--progress'),
            environment=self.environment,
        )
        told = self._output[process.pid][1]
        self.wait_for(
            lambda: (
                len(self.destination.seen('GET', '/file$')) == 3
                and 'damaged: ' in told.read_text()
            )
        )
        process.send_signal(signal.SIGINT)
        start = time.monotonic()
        result = self.finish(process, expect=130)
        self.assertLess(time.monotonic() - start, base.AT_ONCE)
        found = self.found(result)
        for row in (
            ('rotten', 'data'),
            ('held', 'metadata'),
            ('held', 'unread'),
            ('also held', 'unread'),
        ):
            self.assertIn(row, found)
        self.assertEqual('interrupted', self.details(result)['held', 'unread'])
        self.assertIn('interrupted: run the same', result.stderr)


class TestHashes(DataTest):
    def test_source_that_has_recorded_none(self):
        images = self.replicas('good', 'rotten', 'unknown', 'md5', 'empty')
        self._forget(self.master, *images.values())
        self._forget(self.slave, images['unknown'])
        self.master.sql(
            'UPDATE images SET checksum = %s WHERE id = %s',
            images['md5'].record['checksum'],
            images['md5'].id,
        )
        self.damage(images['rotten'])
        self.damage(images['unknown'])
        result = self.compare('--show-all', expect=3)
        details = self.details(result)
        held = (
            'the source recorded no hash: held against the sha512 that slave '
            'recorded'
        )
        self.assertEqual(held, details.pop(('good', 'same')))
        self.assertEqual('md5 only', details.pop(('md5', 'same')))
        self.assertEqual(
            'verified by size only: no hash recorded',
            details.pop(('unknown', 'same')),
        )
        self.assertEqual('', details.pop(('empty', 'same')))
        detail = details.pop(('rotten', 'data'))
        self.assertIn('its sha512 is', detail)
        self.assertTrue(detail.endswith(held), detail)

    def _forget(self, cloud, *images):
        for image in images:
            cloud.sql(
                'UPDATE images SET os_hash_value = NULL, os_hash_algo = NULL, '
                'checksum = NULL WHERE id = %s',
                image.id,
            )


class TestDeactivated(DataTest):
    def replicas(self, *names):
        images = {
            name: self.image(_SIZE, name=name, user='demo') for name in names
        }
        base.pass_a_second()
        for name, image in images.items():
            self.slave.create(
                self.data[image.id], id=image.id, name=name, user='demo'
            )
        return images

    def test_ordinary_user_may_not_read_it(self):
        images = self.replicas('active', 'one', 'two')
        for cloud in self.master, self.slave:
            for name in 'one', 'two':
                path = f'/images/{images[name].id}/actions/deactivate'
                cloud.request('POST', path)
        self.damage(images['one'])
        self.environment = self.clouds_yaml(
            **{
                'master-demo': links.behind(self.source),
                'slave-demo': links.behind(self.destination),
            }
        )
        words = ['--show-all', *images_of(images)]
        result = self._as_demo(*words)
        self.assertEqual(
            [('active', 'same'), ('one', 'same'), ('two', 'same')],
            self.found(result),
        )
        details = self.details(result)
        for name in 'one', 'two':
            self.assertIn('not read: ', details[name, 'same'])
        told, summary = result.stderr.splitlines()
        self.assertIn('2 in slave-demo', told)
        self.assertIn('3 same', summary)
        # An administrator may.
        self.environment = self.clouds_yaml(
            master=links.behind(self.source),
            slave=links.behind(self.destination),
        )
        ids = images_of(images)
        result = self.compare('--owner', 'by-name', *ids, expect=3)
        self.assertEqual([('one', 'data')], self.found(result))

    def _as_demo(self, *words):
        words = [
            f'{word}-demo' if word in ('master', 'slave') else word
            for word in self.compare_words(*words)
        ]
        return self.openstack(*words, environment=self.environment)


class TestUnread(DataTest):
    def test_destination_that_dies(self):
        names = [f'image {number:02}' for number in range(12)]
        images = self.replicas(*names)
        self.damage(images['image 00'])

        def refuse(call):
            # Some are read before.
            return len(self.destination.seen('GET', '/file$')) > 4

        self.destination.on(
            '.*', '', faults.Fault(before=lambda call: faults.reset()),
            times=None, when=refuse,
        )  # fmt: skip
        result = self.compare(
            '--transfers', '2', '--retries', '1', '--show-all', expect=1
        )
        counts = collections.Counter(
            difference for _, difference in self.found(result)
        )
        read = counts['same'] + counts['data']
        self.assertEqual(12, read + counts['unread'])
        self.assertIn(read, range(2, 6))
        self.assertIn('slave is down since ', result.stderr)
        self.assertIn('see Detail, mend it', result.stderr)

    def test_one_that_is_refused(self):
        images = self.replicas('good', 'refused', 'broken')
        for name, status in ('refused', 403), ('broken', 503):
            self.destination.on(
                'GET', f'{images[name].id}/file$',
                faults.Fault(answer=faults.Answer(status)), times=None,
            )  # fmt: skip
        self.slave.patch(images['broken'].id, note='theirs')
        result = self.compare('--retries', '1', expect=1)
        self.assertEqual(
            [('broken', 'unread'), ('refused', 'unread')], self.found(result)
        )
        details = self.details(result)
        self.assertIn('HTTP 403', details['refused', 'unread'])
        self.assertIn('given up after 2 tries', details['broken', 'unread'])


def images_of(images):
    return [image.id for image in images.values()]
