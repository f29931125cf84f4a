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

"""What compare and size tell, and that a livecopy does what they told."""

import fcntl
import os
import pty
import struct
import termios
import uuid

from osc_glance_replicate.tests.functional import base


class CompareTest(base.FunctionalTest):
    def replicate(self, verb, *words, source='master', expect=0, **options):
        """Run a verb whose rows are read as JSON."""
        return self.openstack(
            '--os-cloud', source, 'image', 'replicate', verb, '-f', 'json',
            *words, expect=expect, **options,
        )  # fmt: skip

    def differences(self, result):
        return {
            (row['ID'], row['To']): row['Difference'] for row in result.rows
        }


class TestEverySituation(CompareTest):
    """One catalogue of all that can be found at two destinations."""

    def setUp(self):
        super().setUp()
        self.secure = self.cloud('secure')
        self.situations = {}
        self._on_master('missing', b'missing')
        self._on_master('same', b'same', tags=['t'], visibility='public')
        self._on_master('withdrawn', b'withdrawn', os_hidden=True)
        self._on_master('deactivated', b'deactivated')
        self._on_master(
            'metadata', b'metadata', name='golden', tags=['a', 'ü'],
            os_version='12', visibility='public', note='x',
        )  # fmt: skip
        self._on_master('conflict', b'mine')
        self._on_master('longer', b'longer than theirs')
        self._on_master('queued there', b'queued there', visibility='public')
        self._on_master('hidden', b'hidden', os_hidden=True)
        self._on_master('queued', None)
        self._on_master(
            'snapshot', b'', block_device_mapping='[{"snapshot_id": "x"}]'
        )
        self._on_master('encrypted', b'?', cinder_encryption_key_id='x')
        self._on_master('unfinished', None)
        base.pass_a_second()
        self._on_slave('same', b'same', tags=['t', 'own'], visibility='public')
        self._on_slave('withdrawn', b'withdrawn')
        self._on_slave('deactivated', b'deactivated')
        self._on_slave(
            'metadata', b'metadata', name='silver', tags=['b'],
            os_version='11', only_here='1',
        )  # fmt: skip
        self._on_slave('conflict', b'them')
        self._on_slave('longer', b'long')
        self._on_slave('queued there', None)
        # Were these compared, they would be conflicts.
        self._on_slave('queued', b'unrelated')
        self._on_slave('extra', b'extra')
        self._on_slave('hidden extra', None, os_hidden=True)
        self.master.request(
            'POST', f'/images/{self.id("deactivated")}/actions/deactivate'
        )

    def _on_master(self, situation, data, **fields):
        self.situations[situation] = self.master.create(
            data, **{'name': situation, **fields}
        ).id

    def _on_slave(self, situation, data, **fields):
        image_id = self.situations.setdefault(situation, str(uuid.uuid4()))
        fields = {'id': image_id, 'name': situation, **fields}
        self.slave.create(data, **fields)

    def id(self, situation=None):
        # testtools asks a test for its own ID, too.
        return self.situations[situation] if situation else super().id()

    def test_compare(self):
        to = ('--to', 'slave', '--to', 'secure')
        result = self.replicate(
            'compare', *to, '--extra', '--show-all', expect=3
        )
        slave = {
            'missing': 'missing',
            'same': 'same',
            'withdrawn': 'metadata',
            'deactivated': 'metadata',
            'metadata': 'metadata',
            'conflict': 'conflict',
            'longer': 'conflict',
            'queued there': 'incomplete',
            'extra': 'extra',
            'hidden extra': 'extra',
        }
        secure = dict.fromkeys(
            ('missing', 'same', 'metadata', 'conflict', 'longer',
             'queued there'),
            'missing',
        )  # fmt: skip
        self.assertEqual(
            {
                **{(self.id(s), 'slave'): d for s, d in slave.items()},
                **{(self.id(s), 'secure'): d for s, d in secure.items()},
            },
            self.differences(result),
        )
        self._assert_details(result)
        (summary,) = result.stderr.splitlines()
        for part in ('7 missing', '1 same', '3 metadata', '2 conflict',
                     '1 incomplete', '2 extra'):  # fmt: skip
            self.assertIn(part, summary)

    def _assert_details(self, result):
        details, fields = (
            {
                row['ID']: row[column]
                for row in result.rows
                if row['To'] == 'slave'
            }
            for column in ('Detail', 'Fields')
        )
        self.assertEqual('', details[self.id('missing')])
        self.assertEqual([], fields[self.id('missing')])
        self.assertEqual(
            'queued there, no data; livecopy completes it',
            details[self.id('queued there')],
        )
        self.assertIn('sha512', details[self.id('conflict')])
        self.assertIn('size', details[self.id('longer')])

        def change(field, source, destination):
            return {
                'field': field,
                'source': source,
                'destination': destination,
            }

        self.assertEqual(
            [
                change('name', 'golden', 'silver'),
                change('note', 'x', None),
                change('os_version', '12', '11'),
                change('tags', ['a', 'ü'], ['b']),
                change('visibility', 'public', 'private'),
            ],
            sorted(fields[self.id('metadata')], key=lambda c: c['field']),
        )
        self.assertEqual(
            [change('os_hidden', True, False)], fields[self.id('withdrawn')]
        )
        self.assertEqual(
            'os_hidden: True (slave: False)', details[self.id('withdrawn')]
        )
        self.assertEqual(
            [change('status', 'deactivated', 'active')],
            fields[self.id('deactivated')],
        )

    def test_compare_for_people(self):
        """No structure in the table; neither extras nor what is the same."""
        result = self.openstack(
            '--os-cloud', 'master', 'image', 'replicate', 'compare',
            '--to', 'slave', '-vv', expect=3,
        )  # fmt: skip
        lines = result.stdout.splitlines()
        for situation in ('same', 'extra', 'hidden extra', 'hidden'):
            self.assertNotIn(self.id(situation), result.stdout)
        (line,) = (x for x in lines if self.id('metadata') in x)
        for text in (
            "name: 'golden' (slave: 'silver')",
            "os_version: '12' (slave: '11')",
            "note: 'x' (slave: None)",
        ):
            self.assertIn(text, line)
        self.assertNotIn('{', line)
        heads = [head.strip() for head in lines[1].split('|')[1:-1]]
        self.assertEqual(['ID', 'Name', 'To', 'Difference', 'Detail'], heads)

    def test_livecopy_does_what_the_others_told(self):
        before = {i: self.slave.get(i) for i in self.slave.ids()}
        to = ('--to', 'slave', '--to', 'secure')
        compared = self.replicate('compare', *to, '--show-all', expect=3)
        sizes = self.replicate('size', *to)
        dry = self.replicate('livecopy', '--dry-run', '--show-all', *to)
        after = {i: self.slave.get(i) for i in self.slave.ids()}
        self.assertEqual(before, after)
        self.assertEqual(set(), self.secure.ids())
        planned = self._by_image(dry)
        self._assert_compare_agrees(compared, planned)
        self._assert_size_agrees(sizes, dry)
        wet = self.replicate('livecopy', '--show-all', *to, expect=1)
        done = {'copy': 'copied', 'update': 'updated'}
        self.assertEqual(
            {key: done.get(verb, verb) for key, verb in planned.items()},
            self._by_image(wet),
        )
        self.assertEqual(
            {(row['ID'], row['To'], row['Reason']) for row in dry.rows},
            {(row['ID'], row['To'], row['Reason']) for row in wet.rows},
        )
        left = self.replicate('compare', *to, expect=3)
        self.assertEqual(
            {
                (self.id('conflict'), 'slave'): 'conflict',
                (self.id('longer'), 'slave'): 'conflict',
            },
            self.differences(left),
        )
        nothing = self.replicate('size', *to)
        self.assertEqual([0, 0], [row['Bytes'] for row in nothing.rows])

    def _by_image(self, result):
        return {(row['ID'], row['To']): row['Result'] for row in result.rows}

    def _assert_compare_agrees(self, compared, planned):
        words = {
            'missing': 'copy',
            'incomplete': 'copy',
            'metadata': 'update',
            'conflict': 'conflict',
            'same': 'unchanged',
        }
        expected = {
            key: words[difference]
            for key, difference in self.differences(compared).items()
        }
        self.assertEqual(
            expected,
            {k: verb for k, verb in planned.items() if verb != 'skipped'},
        )

    def _assert_size_agrees(self, sizes, dry):
        for row in sizes.rows:
            copies = [
                copy['Size']
                for copy in dry.rows
                if (copy['Result'], copy['To']) == ('copy', row['To'])
            ]
            self.assertEqual(
                (len(copies), sum(copies)), (row['Images'], row['Bytes'])
            )
        self.assertEqual(
            [('slave', 2, 19), ('secure', 6, 53)],
            [(row['To'], row['Images'], row['Bytes']) for row in sizes.rows],
        )


class TestBeyondMending(CompareTest):
    """A replica that will never get data, as only a failed import leaves."""

    def test_killed_replica(self):
        image = self.master.create(b'data')
        base.pass_a_second()
        self.slave.create(None, id=image.id)
        self.slave.sql("UPDATE images SET status = 'killed'")
        to = ('--to', 'slave')
        # Glance lists no killed image, see fact-listing-visible: it has to be
        # asked for.
        (row,) = self.replicate('compare', *to, image.id, expect=3).rows
        self.assertEqual('incomplete', row['Difference'])
        self.assertEqual('status there is killed', row['Detail'])
        (row,) = self.replicate('size', *to, image.id).rows
        self.assertEqual(0, row['Images'])
        # So that much only a write reveals, when nothing is named.
        wet = self.replicate('livecopy', *to, expect=1)
        self.assertEqual({image.id: 'conflict'}, wet.results)
        self.assertIn('killed', wet.rows[0]['Reason'])


class TestInSync(CompareTest):
    """No false difference, ever."""

    def test_nothing_differs_after_a_livecopy(self):
        secure = self.cloud('secure')
        create = self.master.create
        images = [
            create(b'plain'),
            create(b'', name='zero bytes'),
            create(b'u', name='Zürich 東京 עברית', tags=['b', 'a', 'ü x']),
            create(b'n', name=None),
            create(b'l', name='東' * 255),
            create(b's', name=' space '),
            create(b'c', name='esc \x1b[2J bell \x07 del \x7f'),
            create(
                b'props',
                **{
                    'num': '064',
                    'empty': '',
                    'a/b~c': 'slash and tilde',
                    'metadata': 'not the SDK',
                    'ключ': ' значение ',
                    'spaces in it': ' kept ',
                    'hw_qemu_guest_agent': 'True',
                    'long': 'x' * 5000,
                },
            ),
            create(b'm', min_disk=7, min_ram=512, protected=True),
            create(b'aki', disk_format='aki', container_format='aki'),
            create(b'pub', visibility='public'),
            create(b'com', visibility='community', user='demo'),
            create(b'sha', visibility='shared', user='alt'),
        ]
        # A leftover of an import, and a property without a value.
        self.master.sql(
            'INSERT INTO image_properties (image_id, name, value, created_at, '
            "deleted) VALUES (%s, 'os_glance_failed_import', '', now(), false)"
            ", (%s, 'nothing', NULL, now(), false)",
            images[0].id,
            images[0].id,
        )
        hidden = create(b'hidden', os_hidden=True)
        to = ('--to', 'slave', '--to', 'secure')
        self.replicate('livecopy', *to, '--include-hidden')
        # The clouds have no hash in common but md5.
        self.assertIn('sha512', self.slave.get(hidden.id).digests)
        self.assertIn(
            'sha256',
            secure.get(hidden.id).digests,
            'start the sandbox with '
            '--option secure:DEFAULT.hashing_algorithm=sha256',
        )
        for words in (to, (*to, '--include-hidden', '--extra')):
            result = self.replicate('compare', *words)
            self.assertEqual([], result.rows)
            self.assertIn(f'{2 * len(images) + 2} same', result.stderr)
        back = self.replicate(
            'compare', '--to', 'slave', '--show-all', source='secure'
        )
        self.assertEqual(
            dict.fromkeys(
                ((i.id, 'slave') for i in [*images, hidden]), 'same'
            ),
            self.differences(back),
        )

    def test_ordinary_user(self):
        """Whoever sees part of an image service compares that part."""
        create = self.master.create
        own = create(b'own', user='demo', visibility='shared')
        community = create(b'com', user='alt', visibility='community')
        accepted = create(b'acc', user='alt', visibility='shared')
        pending = create(b'pen', user='alt', visibility='shared')
        for image in (accepted, pending):
            path = f'/images/{image.id}/members'
            member = self.master.project_id('demo')
            self.master.request('POST', path, json={'member': member})
        self.master.request(
            'PUT', f'{path}/{member}'.replace(pending.id, accepted.id),
            json={'status': 'accepted'},
        )  # fmt: skip
        create(b'foreign', user='alt')
        hidden = create(b'hid', user='demo', os_hidden=True)
        ends = {'source': 'master-demo'}
        to = ('--to', 'slave-demo')
        before = self.replicate('compare', *to, '--extra', **ends, expect=3)
        self.assertEqual(
            dict.fromkeys(
                ((i.id, 'slave-demo') for i in (own, community, accepted)),
                'missing',
            ),
            self.differences(before),
        )
        named = self.replicate(
            'compare', pending.id, hidden.id, '--include-hidden', *to,
            **ends, expect=3,
        )  # fmt: skip
        self.assertEqual(
            {pending.id, hidden.id}, {row['ID'] for row in named.rows}
        )
        self.replicate('livecopy', *to, **ends)
        after = self.replicate('compare', *to, '--extra', **ends)
        self.assertEqual([], after.rows)
        self.assertIn('3 same', after.stderr)


class TestSize(CompareTest):
    def test_what_a_cloud_holds(self):
        self.master.create(b'x' * 1500, name='one')
        self.master.create(b'y' * 700, name='two', visibility='community')
        self.master.create(b'hidden', os_hidden=True)
        self.master.create(None)
        result = self.replicate('size')
        self.assertEqual(
            [{'To': 'master', 'Images': 2, 'Bytes': 2200, 'Size': '2.2 kB'}],
            result.rows,
        )
        self.assertEqual('', result.stderr)
        self.slave.create(b'z' * 5)
        nothing = self.openstack(
            '--os-cloud', 'slave', 'image', 'replicate', 'size',
            '--to', 'master', '--name', 'ghost', '-f', 'value', *self.loud(),
        )  # fmt: skip
        self.assertEqual('master 0 0 0 bytes\n', nothing.stdout)


class TestErrors(CompareTest):
    """Exit code 1 is kept apart from 3, and rows from what is no row."""

    def test_record_that_cannot_be_used(self):
        good = self.master.create(b'good', name='good')
        bad = self.master.create(b'bad', name='bad')
        there = self.master.create(b'there', name='there')
        base.pass_a_second()
        self.slave.create(b'there', id=there.id)
        self.master.sql('UPDATE images SET size = -3 WHERE id = %s', bad.id)
        self.slave.sql('UPDATE images SET size = -1')
        to = ('--to', 'slave')
        compared = self.replicate('compare', *to, expect=1)
        self.assertEqual(
            {good.id: 'missing', bad.id: 'failed', there.id: 'failed'},
            {row['ID']: row['Difference'] for row in compared.rows},
        )
        details = {row['ID']: row['Detail'] for row in compared.rows}
        for image, words in (
            (bad, ('source', 'size is -3')),
            (there, ('destination', 'size is -1')),
        ):
            for word in words:
                self.assertIn(word, details[image.id])
        size = self.replicate('size', *to, expect=1)
        self.assertEqual(
            [('slave', 1, 4)],
            [(row['To'], row['Images'], row['Bytes']) for row in size.rows],
        )
        self.assertIn('2 not counted', size.stderr)
        # Where both are left out, all is well.
        names = ('--exclude', '*ad', '--exclude', 'there')
        others = self.replicate('compare', *to, *names, expect=3)
        self.assertEqual([good.id], [row['ID'] for row in others.rows])

    def test_cloud_that_breaks(self):
        self.master.create()
        for cloud, verb in (
            (self.slave, 'compare'),
            (self.master, 'size'),
        ):
            cloud.sql('ALTER TABLE image_properties RENAME TO away')
            self.addCleanup(
                cloud.sql,
                'ALTER TABLE IF EXISTS away RENAME TO image_properties',
            )
            result = self.replicate(verb, '--to', 'slave', expect=1)
            cloud.sql('ALTER TABLE away RENAME TO image_properties')
            self.assertEqual([], result.rows)
            (line,) = result.stderr.splitlines()
            self.assertIn(f'{cloud.name}: HTTP 500', line)

    def test_cloud_that_cannot_be_used(self):
        self.master.create()
        for verb, clouds in (
            ('compare', ('slave', 'ghost')),
            ('size', ('ghost',)),
        ):
            to = [word for cloud in clouds for word in ('--to', cloud)]
            result = self.replicate(verb, *to, expect=1)
            self.assertEqual([], result.rows)
            (line,) = result.stderr.splitlines()
            self.assertIn("Cannot use cloud 'ghost':", line)


class TestTerminal(CompareTest):
    """What clouds say is data, and never steers a terminal."""

    def test_names_and_values_are_harmless(self):
        evil = 'esc \x1b[2J bell \x07 line\nfeed \x85 rtl \u202e sep \u2028'
        images = [
            self.master.create(name=evil, note='mine', **{'k\x1b[2Jey': evil}),
            self.master.create(name='東' * 255),
        ]
        base.pass_a_second()
        self.slave.create(id=images[0].id, name='x', note=f'theirs {evil}')
        for formatter in ('table', 'value', 'csv', 'json', 'yaml'):
            result = self.openstack(
                '--os-cloud', 'master', 'image', 'replicate', 'compare',
                '--to', 'slave', '-f', formatter, expect=3,
            )  # fmt: skip
            for char in '\x1b\x07\x85\u202e\u2028':
                self.assertNotIn(char, result.stdout, formatter)
            if formatter == 'json':
                rows = {row['ID']: row for row in result.rows}
            elif formatter != 'yaml':
                self.assertIn('東' * 255, result.stdout)
                lines = {'table': 6, 'value': 2, 'csv': 3}[formatter]
                self.assertEqual(lines, result.stdout.count('\n'))
        row = rows[images[0].id]
        self.assertEqual(evil, row['Name'])
        self.assertIn(
            {
                'field': 'note',
                'source': 'mine',
                'destination': f'theirs {evil}',
            },
            row['Fields'],
        )

    def test_narrow_one_folds_no_id(self):
        name = 'a name of so many words that they are folded'
        image = self.master.create(name=name, note='x' * 20)
        base.pass_a_second()
        self.slave.create(id=image.id, name=name, note='y' * 20)
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        size = struct.pack('HHHH', 24, 80, 0, 0)
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, size)
        process = self.start(
            '--os-cloud', 'master', 'image', 'replicate', 'compare',
            '--to', 'slave', stdout=theirs,
        )  # fmt: skip
        self.finish(process, expect=3)
        os.close(theirs)
        lines = os.read(ours, 10_000).decode().splitlines()
        self.assertTrue(all(len(line) <= 80 for line in lines), lines)
        (row,) = [line for line in lines if line.startswith(f'| {image.id} |')]
        self.assertNotIn(name, row)
        detail = ' '.join(map(str.strip, lines[lines.index(lines[-2]) :]))
        self.assertEqual(
            f"{image.id}: note: '{'x' * 20}' (slave: '{'y' * 20}')", detail
        )
