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

"""Destinations that break, refuse, lose answers, or are left half-way."""

import re
import threading
import time

from keystoneauth1 import exceptions

from osc_glance_replicate.sandbox import client
from osc_glance_replicate.tests.functional import base
from osc_glance_replicate.tests.functional import faults
from osc_glance_replicate.tests.functional import links

#: What a Glance or what stands before it says when it is not up to it, and
#: what it says when it will not have an image. Some say so at once, some
#: after the last byte.
_PASSING = {
    '401 early': faults.Answer(401),
    '401 late': faults.Answer(401),
    '408 late': faults.Answer(408),
    '409 early': faults.Answer(409),
    '410 late': faults.Answer(410),
    '429 early': faults.Answer(429, {'Retry-After': '1'}),
    '500 late': faults.Answer(500),
    '502 early': faults.Answer(502),
    '503 early': faults.Answer(503),
    '503 late': faults.Answer(503, {'Retry-After': '1'}),
    '504 late': faults.Answer(504),
}
_LASTING = {
    '400 late': faults.Answer(400),
    '403 early': faults.Answer(403),
    '413 early': faults.Answer(413),
    '413 late': faults.Answer(413),
    '415 late': faults.Answer(415),
}


def _answered(answers):
    return {
        name: faults.Fault(answer=answer, early='early' in name)
        for name, answer in answers.items()
    }


class TestUpload(links.BrokenLinksTest):
    """One image's trouble with its upload is no other's."""

    alone = False

    def test_tried_again(self):
        """Whatever passes: a fresh stream to the very same record."""
        broken = {
            'reset': faults.Fault(upload=faults.after(base.MIB, faults.reset)),
            'closed': faults.Fault(
                upload=faults.after(base.MIB, faults.close)
            ),
            'reset at once': faults.Fault(
                upload=faults.after(0, faults.reset)
            ),
            # The Glance has its part still, and waits for the rest.
            'left saving': faults.Fault(
                upload=faults.after(base.MIB, faults.reset), keep=True
            ),
        }
        broken |= _answered(_PASSING)
        images = {}
        for name, fault in broken.items():
            image = images[name] = self.image(2 * base.MIB, name=name)
            self.destination.on('PUT', f'{image.id}/file', fault)
        lost = self.image(name='answer lost')
        self.destination.on('PUT', f'{lost.id}/file', faults.Fault(lose=True))
        result = self.copy()
        self.assertReasons(result)
        for name, image in images.items():
            self.assertCopied(image, puts=2)
            self.assertEqual(2, len(self.gets(image)), name)
        # It was seen to have arrived.
        self.assertCopied(lost, puts=1)
        self.assertEqual(1, len(self.gets(lost)))
        # No record was made a second time, or taken away.
        posts = self.destination.seen('POST', '/images$')
        self.assertEqual(len(images) + 1, len(posts))
        self.assertEqual([], self.destination.seen('DELETE'))
        self.assertEqual(
            {lost.id, *(image.id for image in images.values())},
            self.there(),
        )

    def test_not_tried_again(self):
        images = {}
        for name, fault in _answered(_LASTING).items():
            image = images[name] = self.image(2 * base.MIB, name=name)
            self.destination.on('PUT', f'{image.id}/file', fault)
        good = self.image(name='good')
        result = self.copy(expect=1)
        self.assertReasons(result, **{n: f'HTTP {n[:3]}' for n in images})
        for row in result.rows:
            if row['ID'] != good.id:
                self.assertEqual('failed', row['Result'])
                self.assertIn('slave', row['Reason'])
        self.assertCopied(good, puts=1)
        for name, image in images.items():
            self.assertNothingActive(image)
            self.assertEqual('queued', self.slave.get(image.id).status)
            self.assertEqual(1, len(self.puts(image)), name)
        # The records are fit for another try.
        self.copy()
        for image in images.values():
            self.assertCopied(image, puts=2)

    def test_other_requests(self):
        """What stands around the upload fails just as easily."""
        requests = {
            'created, not told': ('POST', '/images$', 'lose'),
            'not created': ('POST', '/images$', 'answer'),
            'not seen': ('GET', '{}$', 'answer'),
            'published, not told': ('PATCH', '{}$', 'lose'),
            'not published': ('PATCH', '{}$', 'answer'),
        }
        options = {
            'lose': {'lose': True},
            'answer': {'answer': faults.Answer(503)},
        }
        images = {}
        for name, (method, path, option) in requests.items():
            image = self.image(base.MIB // 2, name=name, visibility='public')
            images[name] = image
            # An image is public when the second PATCH is done; the first
            # one asks whether this user may.
            self.destination.on(
                method,
                path.format(image.id),
                faults.Fault(**options[option]),
                first=2 if method == 'PATCH' else 1,
                # It is looked at by planning, too, and before the upload.
                when=lambda call, image=image: (
                    call.method != 'GET' or bool(self.puts(image))
                ),
            )
        result = self.copy()
        self.assertReasons(result)
        for image in images.values():
            self.assertCopied(image, puts=1)
        self.assertEqual([], self.destination.seen('DELETE'))
        # What was met is the look after the upload.
        unseen = images['not seen']
        (put,) = self.puts(unseen)
        (look,) = (
            call
            for call in self.destination.seen('GET', f'{unseen.id}$')
            if call.status == 503
        )
        calls = self.destination.calls
        self.assertLess(calls.index(put), calls.index(look))

    def test_destination_dies_under_four_of_forty(self):
        images = [self.image(2 * base.MIB) for _ in range(40)]
        crash = threading.Barrier(
            4, lambda: self.destination.down(3), timeout=300
        )
        self.destination.on(
            'PUT',
            '/file$',
            faults.Fault(upload=faults.after(base.MIB, crash.wait)),
            first=19,
            times=4,
        )
        start = time.monotonic()
        result = self.livecopy(*self.data, environment=self.environment)
        self.assertGreater(time.monotonic() - start, 3)
        self.assertReasons(result)
        for image in images:
            self.assertCopied(image)
        puts = [len(self.puts(image)) for image in images]
        self.assertEqual([1] * 36 + [2] * 4, sorted(puts))
        self.assertEqual({image.id for image in images}, self.there())


class TestAgainAndAgain(links.BrokenLinksTest):
    """What is sent once more, and what is not."""

    alone = False

    def test_answer_that_comes_again_after_all_data(self):
        tries = {'408': 2, '500': 2, '503': 4, 'early': 4}
        images = {}
        for name in tries:
            image = images[name] = self.image(1000, name=name)
            early = name == 'early'
            if early:
                images[name] = image = self.image(64 * base.MIB, name='early')
            answer = faults.Answer(500 if early else int(name))
            self.destination.on(
                'PUT',
                f'{image.id}/file',
                faults.Fault(answer=answer, early=early),
                times=None,
            )
        self.copy(*(image.id for image in images.values()), expect=1)
        self.assertEqual(
            tries, {name: len(self.puts(images[name])) for name in tries}
        )

    def test_all_troubles_are_told(self):
        image = self.image()
        reset = faults.Fault(upload=faults.after(base.MIB, faults.reset))
        self.destination.on('PUT', f'{image.id}/file', reset, times=2)
        short = faults.Fault(answer=faults.Answer(400))
        self.destination.on('PUT', f'{image.id}/file', short, first=3)
        (row,) = self.copy(expect=1).rows
        # A connection that is reset may look as if it were closed.
        before, told, last = row['Reason'].rpartition(
            '; then slave: HTTP 400: '
        )
        self.assertTrue(told and last, row['Reason'])
        self.assertRegex(before, r'^slave: .*( \(2 times\)|; then slave: .*)$')


class TestLeftInStore(links.BrokenLinksTest):
    """A Glance died in the middle of an upload, and left its part of it."""

    alone = False

    def test_it_is_told_and_the_next_run_completes(self):
        images = [self.image(1000), self.image(64 * base.MIB)]
        for image in images:
            self.slave.stored(image.id).write_bytes(b'a part')
        for row in self.copy(expect=1).rows:
            self.assertIn('HTTP 500', row['Reason'])
            self.assertIn('holds an object of this ID', row['Reason'])
        for image in images:
            self.assertEqual('queued', self.slave.get(image.id).status)
            self.slave.stored(image.id).unlink()
        result = self.copy()
        for image in images:
            self.assertEqual('copied', result.results[image.id])
            self.assertCopied(image)


class TestRecords(links.BrokenLinksTest):
    """What is there already: someone's upload, or a record past help."""

    alone = False

    def test_upload_by_someone_else_is_waited_for(self):
        images = {
            name: self.image(name=name)
            for name in ('finishes', 'aborts', 'sends other data')
        }
        base.pass_a_second()
        uploads = []
        for name, image in images.items():
            data = self.data[image.id]
            if name == 'sends other data':
                data = data[::-1]
            self.slave.create(None, id=image.id, name=name)
            uploads.append(
                threading.Thread(
                    target=self._upload, args=(image, data, name != 'aborts')
                )
            )
        for upload in uploads:
            upload.start()
            self.addCleanup(upload.join)
        for image in images.values():
            self._await_status(image, 'saving')
        result = self.copy('--show-all', expect=1)
        results = {row['Name']: row['Result'] for row in result.rows}
        self.assertEqual(
            {
                'finishes': 'unchanged',
                'aborts': 'copied',
                'sends other data': 'conflict',
            },
            results,
        )
        self.assertCopied(images['finishes'], puts=0)
        self.assertCopied(images['aborts'], puts=1)
        (theirs,) = (i for n, i in images.items() if 'other' in n)
        self.assertEqual([], self.puts(theirs))
        self.assertEqual(
            self.data[theirs.id][::-1], self.slave.data(theirs.id)
        )

    def _upload(self, image, data, finish):
        """Upload slowly, until somebody waits for it."""

        def blocks():
            yield data[: base.MIB]
            rest = data[base.MIB :]
            deadline = time.monotonic() + 600
            # Planning may look once, and who is about to send once more.
            while len(self.destination.seen('GET', f'{image.id}$')) < 4:
                self.assertLess(time.monotonic(), deadline)
                yield rest[:1]
                rest = rest[1:]
                time.sleep(0.2)
            if not finish:
                raise ConnectionAbortedError
            yield rest

        class Body:
            def __len__(self):
                return len(data)

            def __iter__(self):
                return blocks()

        cloud = client.Cloud('slave')
        try:
            cloud.upload(image.id, Body())
        except exceptions.ConnectFailure:
            if finish:
                raise
        finally:
            cloud.close()

    def _await_status(self, image, status):
        self.wait_for(lambda: self.slave.get(image.id).status == status)

    def _is_given_up(self, image):
        # The lock is the last thing that a failed import leaves.
        record = self.slave.get(image.id).record
        return (
            'os_glance_failed_import' in record
            and 'os_glance_import_task' not in record
        )

    def _do_what_it_says(self, image_id, reason):
        self.slave.stored(image_id).unlink()
        named = [
            field
            for field in ('size', 'checksum', 'os_hash_algo', 'os_hash_value')
            if re.search(rf'\b{field}\b', reason)
        ]
        changes = ', '.join(f'{field} = NULL' for field in named)
        self.slave.sql(
            f"UPDATE images SET status = 'queued', {changes} WHERE id = %s",
            image_id,
        )

    def test_records_past_help_are_named(self):
        poisoned = self.image(name='poisoned')
        stuck = self.image(name='stuck')
        good = self.image(name='good')
        base.pass_a_second()
        for image in poisoned, stuck:
            self.slave.create(None, id=image.id, disk_format='qcow2')
        # No qcow2: refused, and the record cannot be used any more.
        self.assertRaises(
            exceptions.UnsupportedMediaType,
            self.slave.upload,
            poisoned.id,
            b'raw' * 1000,
        )
        self.slave.request(
            'PUT',
            f'/images/{stuck.id}/stage',
            data=b'raw' * 1000,
            headers={'Content-Type': 'application/octet-stream'},
        )
        self.slave.request(
            'POST',
            f'/images/{stuck.id}/import',
            json={'method': {'name': 'glance-direct'}},
        )
        self.wait_for(lambda: self._is_given_up(stuck))
        before = [self.slave.get(image.id) for image in (poisoned, stuck)]
        result = self.copy(expect=1)
        self.assertReasons(result, poisoned='to NULL', stuck='back to')
        for row in result.rows:
            if row['ID'] != good.id:
                self.assertEqual('conflict', row['Result'])
        self.assertCopied(good, puts=1)
        self.assertEqual(
            before, [self.slave.get(image.id) for image in (poisoned, stuck)]
        )
        for image in poisoned, stuck:
            self.assertEqual([], self.puts(image))
        self.assertEqual([], self.destination.seen('DELETE'))
        # What the reasons say is what helps, and uses up no ID.
        for row in result.rows:
            if row['ID'] != good.id:
                self._do_what_it_says(row['ID'], row['Reason'])
        self.assertEqual(
            {poisoned.id: 'copied', stuck.id: 'copied'}, self.copy().results
        )
        for image in poisoned, stuck:
            self.assertCopied(image, puts=1)
