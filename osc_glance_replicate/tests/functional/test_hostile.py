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

"""Clouds that lie, ramble or lead astray."""

import gzip
import itertools
import pathlib
import uuid

import fixtures

from osc_glance_replicate.tests.functional import base
from osc_glance_replicate.tests.functional import faults
from osc_glance_replicate.tests.functional import links
from osc_glance_replicate.tests.functional import proxy

_LISTING = r'/images\?'
_RECORDS = r'/images(\?|/[^/]+$)'
_MOST = 300 * base.MIB  # of memory


def _long(begin):
    """Give half a gigabyte of JSON, which has not come to its end then."""
    return [begin, *itertools.repeat(b' ' * 65536, 8192)]


class TestAnswers(links.BrokenLinksTest):
    """No answer keeps the command for ever, fills it, or takes its token."""

    def test_listings_and_errors_without_end(self):
        image = self.image(1000)
        page = {
            'images': [self.master.get(image.id).record],
            'next': f'/v2/images?marker={image.id}',
        }
        runs = []
        # 18 MB, which would be 400 MB of objects.
        bomb = [b'{"images": [{"a": [', *[b'{},' * 20_000] * 300]
        for cloud, words, answer in (
            (self.slave, 'parts of JSON', faults.Answer(body=bomb)),
            (self.slave, 'again', faults.Answer(document=page)),
            (self.slave, 'no list', faults.Answer(document={'images': {}})),
            (self.master, 'more than', faults.Answer(body=_long(b'{"a": '))),
            (self.slave, 'HTTP 403', faults.Answer(403, body=_long(b'{'))),
        ):
            runs.append((words, cloud, self._start(cloud, _LISTING, answer)))
        for words, cloud, process in runs:
            result = self.finish(process, expect=1)
            self.assertEqual([], result.rows)
            self.assertIn(f'{cloud.name}: ', result.stderr)
            self.assertIn(words, result.stderr)
            self.assertNotIn('Traceback', result.stderr)
            self.assertLess(result.peak, _MOST, words)
        self.assertEqual(set(), self.slave.ids())

    def test_no_answer_steers_a_terminal(self):
        evil = 'req-\x1b[2J\x1b]0;evil\x07'
        image = self.image(1000)
        answer = faults.Answer(403, {'X-Openstack-Request-Id': evil})
        self.destination.on(
            'POST', '/images$', faults.Fault(answer=answer), times=None
        )
        log = self.loud()
        for words in (), log:
            result = self.livecopy(
                *words, image.id, environment=self.environment, expect=1
            )
            self.assertNotIn('\x1b', result.stderr + result.stdout)
        written = pathlib.Path(log[-1]).read_text()
        self.assertIn(r'req-\x1b[2J', written)
        self.assertNotIn('\x1b', written)

    def test_no_token_is_led_elsewhere(self):
        elsewhere = self.proxy(self.slave)
        away = faults.Answer(307, {'Location': f'{elsewhere.url}/v2'})
        version = {
            'id': 'v2.9',
            'status': 'CURRENT',
            'links': [{'rel': 'self', 'href': f'{elsewhere.url}/v2/'}],
        }
        document = faults.Answer(document={'versions': [version]})
        runs = [
            self._start(self.slave, '/v2/?$', away),
            self._start(self.slave, '/v2/?$', document),
            self._start(self.master, _LISTING, away),
        ]
        for process in runs:
            result = self.finish(process, expect=None)
            self.assertIn(result.code, (0, 1))
            self.assertNotIn('Traceback', result.stderr)
        # Records are made in the order of their IDs.
        images = {}
        for name in 'created', 'read', 'sent':
            images[name] = self.image(
                1000, id=str(uuid.UUID(int=len(images) + 1)), name=name
            )
        for link, method, path in (
            (self.destination, 'POST', '/images$'),
            (self.source, 'GET', f'{images["read"].id}/file$'),
            (self.destination, 'PUT', f'{images["sent"].id}/file$'),
        ):
            link.on(method, path, faults.Fault(answer=away))
        result = self.livecopy(
            *('--transfers', '1', *(image.id for image in images.values())),
            environment=self.environment,
            expect=1,
        )
        self.assertReasons(result, **dict.fromkeys(images, 'redirects'))
        self.assertEqual([], [call for call in elsewhere.calls if call.token])
        self.assertEqual([], elsewhere.seen('PUT|POST'))

    def _start(self, cloud, path, answer):
        """Start a livecopy that one of the two clouds always answers so."""
        link = self.proxy(cloud)
        link.on('GET', path, faults.Fault(answer=answer), times=None)
        return self.start(
            '--os-cloud', 'master', 'image', 'replicate', 'livecopy',
            '-f', 'json', '--to', 'slave', '--retries', '0',
            environment=self.clouds_yaml(**{cloud.name: links.behind(link)}),
        )  # fmt: skip

    def test_records_that_are_none(self):
        good = self.image(1000, name='good')
        record = self.master.get(good.id).record
        broken = [
            {},
            {'id': 5},
            {'id': '../../../../etc/passwd', 'name': 'path'},
            *(
                {**record, 'id': str(uuid.uuid4()), field: value}
                for field, value in (
                    ('size', 'many'),
                    ('size', -1),
                    ('tags', 'text'),
                    ('tags', [{}]),
                    ('name', {'a': 1}),
                    ('status', None),
                    ('visibility', 7),
                    ('os_hash_value', []),
                    ('disk_format', ['raw']),
                    ('name', 'x' * 256),
                    ('tags', ['x' * 256]),
                    ('x' * 256, 'property'),
                )
            ),
        ]

        def spoil(listing):
            found = sorted(
                [*listing['images'], *broken],
                key=lambda record: str(record.get('id')),
            )
            return {**listing, 'images': found}

        self.source.on('GET', _LISTING, faults.Fault(rewrite=spoil))
        result = self.copy(expect=1)
        self.assertEqual(len(broken) + 1, len(result.rows))
        for row in result.rows:
            expected = 'copied' if row['ID'] == good.id else 'failed'
            self.assertEqual(expected, row['Result'], row)
        self.assertCopied(good)
        self.assertEqual({good.id}, self.slave.ids())

    def test_texts_without_end(self):
        """They fill no terminal, no page and no memory."""
        good = self.image(1000, name='good')
        long = 'x' * base.MIB
        record = {**self.master.get(good.id).record, 'name': long}
        bad = [{**record, 'id': str(uuid.uuid4())}, {**record, 'id': long}]

        def lengthen(listing):
            found = sorted(
                [*listing['images'], *bad], key=lambda record: record['id']
            )
            return {**listing, 'images': found}

        lengthened = faults.Fault(rewrite=lengthen)
        self.source.on('GET', _LISTING, lengthened, times=None)
        page = pathlib.Path(self.useFixture(fixtures.TempDir()).path, 'page')
        result = self.openstack(
            '--os-cloud', 'master', 'image', 'replicate', 'livecopy',
            '--to', 'slave', '--progress', '--report', str(page),
            environment=self.environment, expect=1,
        )  # fmt: skip
        for text in result.stdout, result.stderr, page.read_text():
            self.assertLess(len(text), 20_000)
            self.assertIn(f'… ({base.MIB} characters)', text)
        self.assertCopied(good)
        rows = self.copy('--dry-run').rows
        for row in rows:
            self.assertRegex(row['Name'], rf'^x+… \({base.MIB} characters\)$')


class TestLogin(base.FunctionalTest):
    """A Keystone gets no more of the command than a Glance does."""

    alone = False

    def _keystone(self, cloud):
        keystone = cloud.connections[''].config.auth['auth_url']
        return self.useFixture(proxy.Proxy(keystone.removesuffix('/v3')))

    def _start(self, cloud, answer):
        """Start a command whose login to a cloud is always answered so."""
        link = self._keystone(cloud)
        fault = faults.Fault(answer=answer)
        link.on('POST', '/auth/tokens$', fault, times=None)
        verb = (
            ('size',)
            if cloud is self.master
            else (*('size', '--to', 'slave'),)
        )
        return self.start(
            *('--os-cloud', 'master', 'image', 'replicate', *verb),
            environment=self.clouds_yaml(
                **{cloud.name: {'auth': {'auth_url': link.url + '/v3'}}}
            ),
        )

    def test_password_goes_nowhere_else(self):
        elsewhere = self.useFixture(proxy.Proxy(self.slave.glance.url))
        https = elsewhere.url.replace('http:', 'https:')
        runs = [
            self._start(cloud, faults.Answer(status, {'Location': location}))
            for cloud in (self.master, self.slave)
            for status, location in (
                (307, f'{elsewhere.url}/v3/auth/tokens'),
                (302, f'{https}/v3/auth/tokens'),
            )
        ]
        for process in runs:
            result = self.finish(process, expect=1)
            self.assertIn('redirects the login to', result.stderr)
            self.assertIn('correct its auth_url', result.stderr)
            self.assertEqual(1, result.stderr.count('\n'), result.stderr)
        self.assertEqual([], elsewhere.calls)

    def test_answers_without_end(self):
        bomb = gzip.compress(bytes(256 * base.MIB))
        packed = {
            'Content-Encoding': 'gzip',
            'Content-Length': str(len(bomb)),
            'Content-Type': 'application/json',
        }
        runs = [
            self._start(cloud, answer)
            for cloud in (self.master, self.slave)
            for answer in (
                faults.Answer(201, body=_long(b'{"token": "')),
                faults.Answer(201, packed, body=[bomb]),
            )
        ]
        for process in runs:
            result = self.finish(process, expect=1)
            self.assertIn('Cannot use cloud', result.stderr)
            self.assertLess(result.peak, _MOST)

    def test_words_without_end(self):
        error = {'error': {'code': 401, 'message': 'x' * 11 * base.MIB}}
        for cloud in self.master, self.slave:
            process = self._start(cloud, faults.Answer(401, document=error))
            result = self.finish(process, expect=1)
            self.assertIn(f"Cannot use cloud '{cloud.name}'", result.stderr)
            self.assertLess(len(result.stderr), 10_000)

    def test_no_url_steers_a_terminal(self):
        """Neither of the catalogue, nor of a document of versions."""
        nowhere = 'http://127.0.0.1:1/\x1b]0;evil\x07\x1b[2J\x9b31m\n/v3'
        raw = faults.Answer(
            headers={'Content-Type': 'application/json'},
            body=[f'{{"versions": "{nowhere}"}}'.encode()],
        )

        def spoil_catalog(document):
            for service in document['token']['catalog']:
                for endpoint in service['endpoints']:
                    if service['type'] == 'image':
                        endpoint['url'] = nowhere
            return document

        def spoil_links(document):
            versions = document.get('versions', {}).get('values', [])
            for version in versions or [document['version']]:
                version['links'] = [{'rel': 'self', 'href': nowhere}]
            return document

        runs = []
        for cloud in self.master, self.slave:
            for method, path, fault in (
                ('POST', '/auth/tokens$', faults.Fault(rewrite=spoil_catalog)),
                ('GET', '/(v3/?)?$', faults.Fault(rewrite=spoil_links)),
                ('GET', '/$', faults.Fault(answer=raw)),
            ):
                link = self._keystone(cloud)
                link.on(method, path, fault, times=None)
                # Of which it asks for the versions.
                url = link.url if method == 'GET' else link.url + '/v3'
                for log in (), self.loud():
                    auth = {'auth': {'auth_url': url}}
                    process = self.start(
                        *('--os-cloud', 'master', *log),
                        *('image', 'replicate', 'size', '--to', 'slave'),
                        environment=self.clouds_yaml(**{cloud.name: auth}),
                    )
                    runs.append((link, method, path, log, process))
        for link, method, path, log, process in runs:
            # keystoneauth believes no link that leads to another host.
            result = self.finish(process, expect=None)
            self.assertIn(result.code, (0, 1))
            self.assertTrue(link.seen(method, path))
            told = [result.stdout, result.stderr]
            if log:
                told.append(pathlib.Path(log[-1]).read_text())
                self.assertIn('evil', told[-1])
            for text in told:
                for char in '\x1b\x07\x9b':
                    self.assertNotIn(char, text)


class TestOtherImages(links.BrokenLinksTest):
    """What is said of one image is never taken for the word on another."""

    alone = False

    def asked(self, link, method, image_id):
        return link.seen(method, f'/images/{image_id}$')

    def test_source_that_answers_with_another_record(self):
        asked, other = self.image(1000), self.image(2000, name='other')
        fault = faults.Fault(
            answer=faults.Answer(document=self.master.get(other.id).record)
        )
        self.source.on('GET', f'/images/{asked.id}$', fault, times=None)
        result = self.copy(asked.id, expect=1)
        self.assertEqual([], result.rows)
        for words in 'master: ', asked.id, other.id:
            self.assertIn(words, result.stderr)
        self.assertEqual(set(), self.there())

    def test_destination_that_ignores_case(self):
        """A tenant's capitals are no word on the image in small letters."""
        victim = self.slave.create(
            b'golden', id=str(uuid.uuid4()), name='golden', visibility='public'
        )
        theirs = self.master.create(
            b'golden', 'demo', id=victim.id.upper(), name='evil',
            kernel_id=str(uuid.uuid4()),
        )  # fmt: skip
        good = self.image(1000)
        fault = faults.Fault(
            answer=faults.Answer(document=dict(victim.record))
        )
        self.destination.on('GET', f'/{theirs.id}$', fault, times=None)
        result = self.copy(
            theirs.id, good.id, '--dont-replicate', 'kernel_id', expect=1
        )
        by_id = {row['ID']: row for row in result.rows}
        self.assertEqual('failed', by_id[theirs.id]['Result'])
        self.assertIn(victim.id, by_id[theirs.id]['Reason'])
        self.assertCopied(good)
        self.assertEqual([], self.asked(self.destination, 'PATCH', theirs.id))
        self.assertEqual(victim, self.slave.get(victim.id))

    def test_replica_that_is_another_once_it_is_published(self):
        image = self.image(1000, visibility='public')

        def changed(record):
            if record['visibility'] == 'public':
                record['kernel_id'] = str(uuid.uuid4())
            return record

        fault = faults.Fault(rewrite=changed)
        self.destination.on('PATCH', image.id, fault, times=None)
        result = self.copy(image.id, expect=1)
        self.assertReasons(result, **{image.name: 'is private now'})
        replica = self.slave.get(image.id)
        self.assertEqual(
            ('private', 'active'),
            (replica.record['visibility'], replica.status),
        )
        # Where nobody has changed anything, it is published then.
        self.assertEqual(
            {image.id: 'updated'}, self.livecopy(image.id).results
        )

    def test_id_that_is_gone_is_not_a_name(self):
        gone = str(uuid.uuid4())
        self.master.create(b'evil', 'demo', name=gone, visibility='community')
        result = self.livecopy(gone, expect=1)
        self.assertEqual([], result.rows)
        self.assertIn(f"There is no image '{gone}' in master", result.stderr)


class TestLongRecords(base.FunctionalTest):
    """What a tenant writes into records of his own is no other's trouble."""

    def plant(self, cloud, lengths, **fields):
        """Create an image of a tenant's without data.

        :param lengths: of its properties
        """
        image = cloud.create(None, 'demo', **fields)
        for number, length in enumerate(lengths):
            cloud.sql(
                'INSERT INTO image_properties '
                '(image_id, name, value, created_at, deleted) '
                "VALUES (%s, %s, repeat('x', %s), now(), false)",
                image.id,
                f'p{number}',
                length,
            )
        return image

    def replicate(self, verb, *words, expect=0):
        return self.openstack(
            *('--os-cloud', 'master', 'image', 'replicate', verb, *words),
            expect=expect,
        )

    def test_page_that_is_too_long(self):
        golden = self.master.create(b'golden')
        planted = {
            self.plant(cloud, [8 * base.MIB], name='long').id
            for cloud in (self.master, self.slave)
            for _ in range(9)
        }
        result = self.livecopy('--show-all')
        self.assertEqual('copied', result.results[golden.id])
        self.assertEqual(golden.key, self.slave.get(golden.id).key)
        skipped = {*result.results} - {golden.id}
        self.assertEqual(9, len(skipped))
        self.assertLessEqual(skipped, planted)
        self.assertLess(result.peak, 2 * _MOST)
        for words in (
            ('compare', '--to', 'slave'),
            ('size',),
            ('ec2ids',),
            ('dump', self.useFixture(fixtures.TempDir()).path),
        ):
            result = self.replicate(*words)
            self.assertNotIn('more than', result.stderr)

    def test_record_that_is_too_long(self):
        golden, other = self.master.create(), self.master.create()
        base.pass_a_second()
        long = [base.MIB] * 66
        theirs = self.plant(self.master, long, name='long')
        self.plant(self.slave, long, id=golden.id)
        failed = {golden.id: 'destination', theirs.id: 'source'}
        for words in (), (golden.id, theirs.id, other.id), ('long', other.id):
            result = self.livecopy('--show-all', *words, expect=1)
            rows = {row['ID']: row for row in result.rows}
            for image_id in failed.keys() & rows.keys():
                self.assertEqual('failed', rows[image_id]['Result'])
                self.assertIn('more than', rows[image_id]['Reason'])
                self.assertIn(failed[image_id], rows[image_id]['Reason'])
            self.assertIn(theirs.id, rows)
            self.assertIn(rows[other.id]['Result'], ('copied', 'unchanged'))
            self.assertLess(result.peak, 2 * _MOST)
        self.assertIn(other.id, self.slave.ids())
        self.replicate(
            *('compare', '--to', 'slave', '--exclude', golden.id),
            *('--exclude', theirs.id),
        )

    def test_capitals_trouble_nobody_who_has_not_selected_them(self):
        golden = self.master.create(
            id=str(uuid.UUID(int=2**128 - 1)), name="golden"
        )
        capital = str(uuid.uuid4()).upper()
        for cloud in self.master, self.slave:
            cloud.create(None, 'demo', id=f'F{capital[1:]}', name='evil')
        for _ in range(2):
            result = self.livecopy('--show-all', '--name', 'golden')
            self.assertEqual([golden.id], [*result.results])
        self.replicate('compare', '--to', 'slave', '--name', 'golden')
        result = self.livecopy('--name', 'evil', expect=1)
        self.assertEqual({f'F{capital[1:]}': 'failed'}, result.results)


class TestBytes(links.BrokenLinksTest):
    alone = False

    def test_more_fewer_and_others_than_promised(self):
        size = 2 * base.MIB
        downloads = {
            'more announced': faults.Fault(
                headers={'content-length': str(size + 5)},
                download=faults.append([b'more!']),
            ),
            'more': faults.Fault(
                headers={'content-length': None},
                download=faults.append([b'more!']),
            ),
            'fewer announced': faults.Fault(
                headers={'content-length': str(size - 5)},
                download=faults.drop(5),
            ),
            'fewer': faults.Fault(
                headers={'content-length': None}, download=faults.drop(5)
            ),
            'other': faults.Fault(download=faults.corrupt(size // 2)),
            'source lies': faults.Fault(),
        }
        images = {}
        for name, fault in downloads.items():
            image = images[name] = self.image(size, name=name)
            self.source.on('GET', f'{image.id}/file', fault, times=None)
        self.source.on(
            'GET',
            _RECORDS,
            faults.Fault(rewrite=_lie_of('source lies')),
            times=None,
        )
        good = self.image(size, name='good')
        believed = self.image(size, name='destination lies')
        self.destination.on(
            'GET',
            f'{believed.id}$',
            faults.Fault(rewrite=_lie_of('destination lies')),
            times=None,
        )
        result = self.copy('--retries', '1', expect=1)
        damaged = 'damaged'
        self.assertReasons(
            result,
            **{
                'more announced': str(size),
                'more': str(size),
                'fewer announced': str(size - 5),
                'fewer': str(size),
                'other': damaged,
                'source lies': damaged,
                'destination lies': 'arrived damaged',
            },
        )
        self.assertCopied(good, puts=1)
        for name, image in images.items():
            self.assertNothingActive(image)
        replica = self.slave.get(believed.id)
        self.assertEqual(
            ('deactivated', 'private'),
            (replica.status, replica.record['visibility']),
        )
        self.assertEqual(1, len(self.puts(believed)))


def _lie_of(name):
    """Give the image of this name another hash."""

    def lie(document):
        for record in document.get('images', [document]):
            if record['name'] == name and record['os_hash_value']:
                record['os_hash_value'] = '0' * 128
        return document

    return lie
