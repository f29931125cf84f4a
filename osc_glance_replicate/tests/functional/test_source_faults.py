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

"""Sources that stall, break, restart, change or lose what they had."""

import functools
import threading
import time
import uuid

from osc_glance_replicate.tests.functional import base
from osc_glance_replicate.tests.functional import faults
from osc_glance_replicate.tests.functional import links

_MIDDLE = base.MIB * 3 // 2


def _ranged(call):
    return bool(call.range)


def _id(start):
    """Give an ID that comes where it should in the order of IDs."""
    return start + str(uuid.uuid4())[len(start) :]


class TestResumed(links.BrokenLinksTest):
    """A break of the source is no break of the upload."""

    alone = False

    def test_resumed_at_the_byte(self):
        ranges = {
            'range refused': faults.Fault(answer=faults.Answer(400)),
            'range ignored': faults.Fault(without=('range',)),
            'range mistaken': faults.Fault(
                headers={'content-range': f'bytes 5-{_MIDDLE}/{_MIDDLE}'}
            ),
        }
        images = {}
        for name in 'reset', 'short', 'short at once', *ranges:
            image = images[name] = self.image(name=name)
            act = faults.reset if name == 'reset' else faults.close
            if name == 'short at once':
                fault = faults.Fault(download=faults.after(0, act))
            else:
                fault = faults.Fault(download=self._uploading(image, act))
            self.source.on('GET', f'{image.id}/file', fault)
            if name in ranges:
                self.source.on(
                    'GET', f'{image.id}/file', ranges[name], when=_ranged
                )
        result = self.copy()
        self.assertReasons(result)
        for image in images.values():
            self.assertCopied(image, puts=1)
        for name, statuses in (
            ('reset', [200, 206]),
            ('short', [200, 206]),
            ('short at once', [200, 200]),
            ('range refused', [200, 400, 200]),
            ('range ignored', [200, 200]),
            ('range mistaken', [200, 206, 200]),
        ):
            if not self.master.has_files:
                # Other stores give no part of an image: see fact-range.
                parts = {
                    206: [400] if name == 'range mistaken' else [400, 200]
                }
                statuses = [
                    each
                    for status in statuses
                    for each in parts.get(status, [status])
                ]
            gets = self.gets(images[name])
            self.assertEqual(statuses, [call.status for call in gets], name)
            if name in ('short', *ranges):
                # All that came is used.
                self.assertEqual(f'bytes={_MIDDLE}-', gets[1].range, name)
        _, again, *_ = self.gets(images['reset'])
        self.assertTrue(again.range)

    def _uploading(self, image, act):
        """Do something when a part of an image has been sent on."""

        def when_uploading():
            self.await_upload(image)
            act()

        return faults.after(_MIDDLE, when_uploading)

    def test_silence_that_a_destination_would_not_forgive(self):
        # The slave drops who is silent for 4 seconds, secure for 60.
        secure = self.cloud('secure')
        image = self.image()
        stall = faults.after(_MIDDLE, faults.pause(8))
        self.source.on(
            'GET', f'{image.id}/file', faults.Fault(download=stall), times=2
        )
        self.copy('--to', 'secure')
        self.assertCopied(image, puts=1)
        self.assertReplica(image, self.data[image.id], secure)

    def test_restart(self):
        images = [self.image() for _ in range(4)]
        restart = threading.Barrier(
            len(images), lambda: self.source.down(3), timeout=300
        )
        for image in images:
            self.source.on(
                'GET',
                f'{image.id}/file',
                faults.Fault(download=self._uploading(image, restart.wait)),
            )
        start = time.monotonic()
        result = self.copy()
        self.assertGreater(time.monotonic() - start, 3)
        self.assertReasons(result)
        for image in images:
            self.assertCopied(image, puts=1)

    def test_tokens_expire_in_both_clouds(self):
        images = [
            self.image(base.MIB // 2, visibility='public') for _ in range(8)
        ]
        # More than other transfers can make while one gets a new token.
        self._expire_tokens(self.source, requests=6)
        self._expire_tokens(self.destination, requests=20)
        result = self.livecopy(*self.data, environment=self.environment)
        self.assertReasons(result)
        for image in images:
            self.assertCopied(image)
        for link in self.source, self.destination:
            tokens = {call.token for call in link.calls if call.token}
            self.assertGreater(len(tokens), 1)

    def _expire_tokens(self, link, requests):
        """Refuse a token when so many requests have come after its first."""

        def expired(call):
            tokens = [seen.token for seen in link.calls]
            return (
                call.token != ''
                and len(tokens) - tokens.index(call.token) > requests
            )

        link.on(
            '.*',
            '/images',
            faults.Fault(answer=faults.Answer(401)),
            times=None,
            when=expired,
        )


class TestSlow(links.BrokenLinksTest):
    """A tenant of the source chooses how fast his images are read."""

    alone = False

    def test_withdrawal_waits_for_no_transfer(self):
        withdrawn = [
            self.image(1000, id=_id('ffffffff'), name=name)
            for name in ('withdrawn', 'needy')
        ]
        self.copy()
        slow = [
            self.image(id=_id(f'0000000{number}'), name=f'slow {number}')
            for number in range(4)
        ]
        self.master.patch(withdrawn[1].id, kernel_id=slow[0].id)
        for image in withdrawn:
            path = f'/images/{image.id}/actions/deactivate'
            self.master.request('POST', path)
        for image in slow:
            self.source.on(
                'GET', f'{image.id}/file$', faults.Fault(download=self.hold())
            )
        process = self.start_copy(
            *('--transfers', '4', *(i.id for i in (*slow, *withdrawn)))
        )
        self.wait_for(lambda: all(map(self.gets, slow)))
        for image in withdrawn:
            self.wait_for(functools.partial(self._is_deactivated_there, image))
        # None of them was given up, and made room.
        self.assertEqual([1] * 4, [len(self.gets(image)) for image in slow])
        self.held.set()
        late, needy = withdrawn
        self.assertEqual(
            {
                late.id: 'updated',
                # The next run has it refer to its kernel.
                needy.id: 'failed',
                **{image.id: 'copied' for image in slow},
            },
            self.finish(process, 1).results,
        )
        for image in slow:
            self.assertCopied(image)

    def _is_deactivated_there(self, image):
        return self.slave.get(image.id).status == 'deactivated'


class TestGone(links.BrokenLinksTest):
    """What is not there any more, or not the same, becomes no replica."""

    alone = False

    def test_changed_or_gone(self):
        images = {
            name: self.image(name=name)
            for name in (
                'replaced',
                'shrunk',
                'rewritten',
                'lost',
                'empty',
                'deleted',
                'good',
            )
        }
        changes = {
            'replaced': self._replace,
            'shrunk': self._shrink,
            'rewritten': self._rewrite,
        }
        for name, change in changes.items():
            self._break(images[name], change)
        self.master.stored(images['lost'].id).unlink()
        self.source.on(
            'GET',
            f'{images["empty"].id}/file',
            faults.Fault(answer=faults.Answer(204)),
            times=None,
        )
        deleted = images['deleted'].id
        self.source.on(
            'GET',
            f'{deleted}/file',
            faults.Fault(
                before=lambda call: self.master.request(
                    'DELETE', f'/images/{deleted}'
                )
            ),
        )
        result = self.copy('--retries', '1', expect=1)
        self.assertReasons(
            result,
            replaced='changed',
            shrunk='2097152 offered',
            rewritten='damaged',
            lost='lost',
            empty='lost',
            deleted='was deleted',
        )
        self.assertCopied(images['good'], puts=1)
        for name in (*changes, 'lost', 'empty', 'deleted'):
            self.assertNothingActive(images[name])
            for row in result.rows:
                if row['Name'] == name:
                    self.assertIn('master', row['Reason'])
        posts = self.destination.seen('POST', '/images$')
        self.assertLessEqual(len(posts), len(images))

    def _break(self, image, change):
        """Have the source end short, and come back with something else."""

        def act():
            change(image)
            faults.reset()

        self.source.on(
            'GET',
            f'{image.id}/file',
            faults.Fault(download=faults.after(_MIDDLE, act)),
        )

    def _rewrite(self, image):
        self.master.stored(image.id).write_bytes(bytes(3 * base.MIB))

    def _replace(self, image):
        self._rewrite(image)
        self.master.sql(
            "UPDATE images SET os_hash_value = 'ab', checksum = 'cd' "
            'WHERE id = %s',
            image.id,
        )

    def _shrink(self, image):
        self.master.stored(image.id).write_bytes(bytes(2 * base.MIB))
        self.master.sql(
            'UPDATE images SET size = %s WHERE id = %s',
            2 * base.MIB,
            image.id,
        )
