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

"""A golden image replaced by a newer one of its name: no user misses it."""

import signal
import threading
import uuid

import fixtures
import requests
from testtools import matchers

from osc_glance_replicate.tests.functional import base
from osc_glance_replicate.tests.functional import cluster
from osc_glance_replicate.tests.functional import faults
from osc_glance_replicate.tests.functional import links

#: Seconds from one question to the next.
_INTERVAL = 0.02

#: Seconds that what is held is held at the most.
_PATIENCE = 20

_SIZE = base.often(32, 300) * base.MIB

_RESET = faults.Fault(upload=faults.after(base.MIB, faults.reset))


class Poller(fixtures.Fixture):
    """An ordinary user who asks for a name over and over.

    :ivar seen: each time the IDs of those images that he can boot
    """

    def __init__(self, cloud, name):
        self._url = f'{cloud.glance.url}/v2/images'
        self._name = name
        token = cloud.connections['-demo'].session.get_token()
        self._headers = {'X-Auth-Token': token}
        self.seen = []

    def _setUp(self):
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()
        self.addCleanup(self._close)

    def _ask(self):
        while not self._stop.wait(_INTERVAL):
            answer = requests.get(
                self._url,
                params={'name': self._name},
                headers=self._headers,
                timeout=60,
            )
            answer.raise_for_status()
            self.seen.append(
                {
                    image['id']
                    for image in answer.json()['images']
                    if image['status'] == 'active'
                }
            )

    def _close(self):
        self._stop.set()
        self._thread.join()


class NamesTest(links.BrokenLinksTest):
    """An image that is at both ends, and another one of its name.

    :ivar name: that of both
    """

    alone = False

    def setUp(self):
        super().setUp()
        self.name = f'debian-13-{uuid.uuid4()}'

    def old(self, **fields):
        """Make an image that both have."""
        self.data.clear()
        old = self.image(
            1000, **{'name': self.name, 'visibility': 'public', **fields}
        )
        self.copy()
        self.destination.calls.clear()
        return old

    def new(self, old, size=base.MIB, user='', changes=None, **fields):
        """Change the old one at the source, and make a new one.

        :param changes: of the old one
        """
        self.master.patch(old.id, **(changes or {'name': 'debian-13-old'}))
        return self.image(
            size, user=user,
            **{'name': self.name, 'visibility': 'public', **fields},
        )  # fmt: skip

    def poll(self):
        """Have a user ask for the name."""
        poller = self.useFixture(Poller(self.slave, self.name))
        self.wait_for(lambda: poller.seen)
        return poller

    def assertNeverNone(self, poller, *last):
        """He has seen one all the time, and now he sees these.

        :param last: the images
        """
        count = len(poller.seen)
        # The one after the next was begun by now.
        self.wait_for(lambda: len(poller.seen) > count + 2)
        self.assertEqual([], [seen for seen in poller.seen if not seen])
        self.assertEqual({image.id for image in last}, poller.seen[-1])

    def patches(self, image):
        return self.destination.seen('PATCH', f'{image.id}$')

    def assertStays(self, old):
        """An image is as it was at the destination."""
        replica = self.slave.get(old.id)
        self.assertEqual(
            (self.name, False, 'active'),
            (replica.name, replica.hidden, replica.status),
        )
        self.assertEqual([], self.patches(old))

    def assertWaits(self, result, old, new, why=''):
        (row,) = (row for row in result.rows if row['ID'] == old.id)
        self.assertEqual('failed', row['Result'])
        self.assertThat(row['Reason'], _begins(waits(new), why))


def waits(new):
    return f'waits for {new.id}, which brings the name'


def _begins(words, why):
    return matchers.MatchesAll(
        matchers.StartsWith(f'{words}: '),
        matchers.Contains(why),
    )


class TestNames(NamesTest):
    def test_never_none_of_it(self):
        for changes in {'name': 'debian-13-old'}, {'os_hidden': True}:
            old = self.old()
            new = self.new(old, _SIZE, changes=changes)
            poller = self.poll()
            result = self.copy('--bandwidth', f'{_SIZE // 3}')
            self.assertEqual(
                {old.id: 'updated', new.id: 'copied'}, result.results
            )
            self.assertNeverNone(poller, new)
            # There are two for the time of a request, the last of all.
            self.assertEqual(
                [self.patches(new)[-1], *self.patches(old)],
                self.destination.calls[-2:],
            )
            self.master.patch(new.id, name='done')
            self.slave.patch(new.id, name='done')

    def test_whoever_is_to_wait_says_so(self):
        old = self.old()
        new = self.new(old)
        result = self.copy('--dry-run')
        (row,) = (row for row in result.rows if row['ID'] == old.id)
        self.assertEqual(
            ('update', f'name; {waits(new)}'), (row['Result'], row['Reason'])
        )
        words = '--os-cloud', 'master', 'image', 'replicate', 'compare'
        table, rows = (
            self.openstack(
                *words, '-f', form, '--to', 'slave', old.id, new.id, expect=3
            )
            for form in ('value', 'json')
        )
        self.assertIn(f'; {waits(new)}', table.stdout)
        (row,) = (row for row in rows.rows if row['ID'] == old.id)
        self.assertEqual(
            [
                {
                    'field': 'name',
                    'source': 'debian-13-old',
                    'destination': self.name,
                }
            ],
            row['Fields'],
        )
        self.assertIn(f'; {waits(new)}', row['Detail'])
        self.assertStays(old)

    def test_members_and_all(self):
        """Who is a member of both sees one of them at any time."""
        project = self.master.project_id('demo')
        there = self.slave.project_id('demo')
        options = '--members', '--map-owner', f'{project}={there}'
        old, new = (
            self.image(size, name=self.name, visibility='shared')
            for size in (1000, base.MIB)
        )
        for image in old, new:
            path = f'/images/{image.id}/members'
            self.master.request('POST', path, json={'member': project})
        self.copy(old.id, *options)
        self.destination.calls.clear()
        self.master.patch(old.id, os_hidden=True)
        self.copy(*options, old.id, new.id)
        (added,) = self.destination.seen('POST', f'{new.id}/members$')
        self.assertEqual(
            [added, *self.patches(old)], self.destination.calls[-2:]
        )

    def test_each_destination_has_its_own_time(self):
        """One that is slow does not keep two of the name at the others."""
        secure = self.cloud('secure')
        old = self.old()
        self.copy('--to', 'secure')
        new = self.new(old, 3 * base.MIB)
        held = faults.Fault(upload=self.hold())
        self.destination.on('PUT', f'{new.id}/file$', held, times=None)
        run = self.start_copy('--to', 'secure', '--retries', '5')
        self.wait_for(lambda: secure.get(old.id).name != self.name)
        self.assertStays(old)
        self.held.set()
        self.finish(run)
        self.assertEqual('debian-13-old', self.slave.get(old.id).name)


class TestStaged(NamesTest):
    """What brings a name is there already, under another one or hidden."""

    def staged(self, *fields):
        """Make images that both have, in the order in which they are told."""
        made = [
            self.image(
                1000,
                id=f'{number}{str(uuid.uuid4())[1:]}',
                **{'name': self.name, 'visibility': 'public', **each},
            )
            for number, each in enumerate(fields)
        ]
        self.copy('--include-hidden')
        self.destination.calls.clear()
        return made

    def test_the_new_one_is_shown_first(self):
        for has, gets, gives in (
            ({'os_hidden': True}, {'os_hidden': False}, {'os_hidden': True}),
            ({'name': 'staged'}, {'name': self.name}, {'name': 'was'}),
            (
                {'visibility': 'private'},
                {'visibility': 'public'},
                {'name': 'was'},
            ),
        ):
            self.data.clear()
            old, new = self.staged({}, has)
            self.master.patch(new.id, **gets)
            self.master.patch(old.id, **gives)
            poller = self.poll()
            result = self.copy()
            self.assertEqual(
                {old.id: 'updated', new.id: 'updated'}, result.results
            )
            self.assertEqual(
                [*self.patches(new), *self.patches(old)],
                self.destination.seen('PATCH', ''),
            )
            self.assertNeverNone(poller, new)
            self.master.patch(new.id, name='done')
            self.slave.patch(new.id, name='done')

    def test_the_old_one_stays_where_that_is_refused(self):
        old, new = self.staged({}, {'name': 'staged'})
        self.master.patch(new.id, name=self.name)
        self.master.patch(old.id, name='was')
        no = faults.Fault(answer=faults.Answer(403))
        self.destination.on('PATCH', f'{new.id}$', no, times=None)
        self.assertWaits(self.copy(expect=1), old, new, 'HTTP 403')
        self.assertStays(old)

    def test_a_swap_is_carried_out(self):
        hired = self.useFixture(
            cluster.Cluster([self.environment, self.environment])
        )
        other = f'other-{self.name}'
        images = self.staged({}, {'name': other})
        for options in (), ('--scheduler', hired.address):
            names = [self.master.get(image.id).name for image in images]
            for image, name in zip(images, reversed(names), strict=True):
                self.master.patch(image.id, name=name)
            result = self.copy(*options)
            self.assertEqual(
                dict.fromkeys((image.id for image in images), 'updated'),
                result.results,
            )
            self.assertEqual(
                list(reversed(names)),
                [self.slave.get(image.id).name for image in images],
            )

    def test_one_that_will_not_come_is_known_before(self):
        """The old one keeps its name, and each row says why."""
        old = self.old()
        new = self.new(old, kernel_id=str(uuid.uuid4()))
        result = self.copy(expect=1)
        self.assertWaits(result, old, new, 'is not there')
        self.assertStays(old)


class TestTrouble(NamesTest):
    """What ends a run in the middle ends it with an image of the name."""

    def test_copy_fails(self):
        for changes in {'name': 'debian-13-old'}, {'os_hidden': True}:
            old = self.old()
            new = self.new(old, 3 * base.MIB, changes=changes)
            self.destination.on('PUT', f'{new.id}/file$', _RESET, times=None)
            poller = self.poll()
            result = self.copy('--retries', '1', expect=1)
            self.assertWaits(result, old, new)
            self.assertNeverNone(poller, old)
            self.assertStays(old)
            self.slave.patch(old.id, name='done')

    def test_publishing_fails(self):
        old = self.old()
        new = self.new(old)
        # The first one asks whether it may be published.
        no = faults.Fault(answer=faults.Answer(403))
        self.destination.on('PATCH', f'{new.id}$', no, first=2, times=None)
        poller = self.poll()
        result = self.copy(expect=1)
        self.assertWaits(result, old, new, 'HTTP 403')
        self.assertNeverNone(poller, old)
        self.assertStays(old)

    def test_place_is_full(self):
        """That is no trouble of an image that an administrator has made."""
        old = self.old()
        new = self.new(old, changes={'os_hidden': True})
        full = faults.Fault(answer=faults.Answer(413))
        self.destination.on('PUT', f'{new.id}/file$', full, times=None)
        self.assertWaits(self.copy(expect=1), old, new, 'HTTP 413')
        self.assertStays(old)

    def test_killed_before_it_follows(self):
        old = self.old()
        new = self.new(old)
        asked = threading.Event()
        held = faults.Fault(
            before=lambda call: (asked.set(), self.held.wait()),
            answer=faults.Answer(503),
        )
        self.destination.on('PATCH', f'{old.id}$', held)
        poller = self.poll()
        run = self.start_copy()
        self.wait_for(asked.is_set)
        run.kill()
        self.finish(run, expect=None)
        self.held.set()
        self.assertNeverNone(poller, old, new)
        self.assertEqual({old.id: 'updated'}, self.copy().results)
        self.assertNeverNone(poller, new)

    def test_killed_or_interrupted_before_there_is_another(self):
        old = self.old()
        new = self.new(old, 3 * base.MIB)
        poller = self.poll()
        self.destination.on(
            'PUT',
            f'{new.id}/file$',
            faults.Fault(upload=self.hold()),
            times=2,
        )
        for number, code in ((signal.SIGKILL, None), (signal.SIGINT, 130)):
            self.destination.calls.clear()
            run = self.start_copy('--retries', '0')
            self.await_upload(new)
            run.send_signal(number)
            result = self.finish(run, expect=code)
            if code:
                self.assertEqual({new.id: 'failed'}, result.results)
            self.assertStays(old)
            self.assertNeverNone(poller, old)

    def test_fail_fast(self):
        old = self.old()
        new = self.new(old, changes={'os_hidden': True})
        self.master.stored(new.id).unlink()
        poller = self.poll()
        result = self.copy('--fail-fast', expect=1)
        self.assertEqual({new.id: 'failed'}, result.results)
        self.assertStays(old)
        self.assertNeverNone(poller, old)


class TestWithdrawal(NamesTest):
    """No image of its name keeps another in use."""

    def hold_until_changed(self, old, *new):
        """Let the data of images pass when another was changed."""
        changed = threading.Event()
        note = faults.Fault(before=lambda call: changed.set())
        self.destination.on('PATCH|POST', old.id, note, times=None)
        held = faults.Fault(before=lambda call: changed.wait(_PATIENCE))
        for image in new:
            self.destination.on('PUT', f'{image.id}/file$', held)

    def assertChangedFirst(self, old, *new):
        calls = self.destination.calls
        changed = self.destination.seen('PATCH|POST', old.id)[0]
        for image in new:
            self.assertLess(
                calls.index(changed), calls.index(self.patches(image)[-1])
            )

    def test_what_withdraws_does_not_wait(self):
        for changes in (
            {'visibility': 'community', 'name': 'debian-13-old'},
            {'visibility': 'private', 'os_hidden': True},
            'deactivate',
        ):
            old = self.old()
            if changes == 'deactivate':
                path = f'/images/{old.id}/actions/deactivate'
                self.master.request('POST', path)
                changes = {'name': 'debian-13-old'}
            new = self.new(old, changes=changes)
            self.hold_until_changed(old, new)
            self.copy()
            self.assertChangedFirst(old, new)
            self.assertEqual(
                self.master.get(old.id).portable,
                self.slave.get(old.id).portable,
            )

    def test_an_image_that_cannot_be_had_keeps_none_in_use(self):
        """Its data is lost: the old one is hidden, and keeps its name."""
        old = self.old()
        changes = {'os_hidden': True, 'name': 'debian-13-old'}
        new = self.new(old, changes=changes)
        self.master.stored(new.id).unlink()
        result = self.copy(expect=1)
        (row,) = (row for row in result.rows if row['ID'] == old.id)
        self.assertEqual('failed', row['Result'])
        self.assertThat(
            row['Reason'],
            _begins(f'os_hidden; {waits(new)}', 'lost or damaged'),
        )
        replica = self.slave.get(old.id)
        self.assertEqual((self.name, True), (replica.name, replica.hidden))
        # The rest waits for an image that can be had.
        self.assertWaits(self.copy(expect=1), old, new)

    def test_a_tenant_has_no_say_in_what_is_public(self):
        old = self.old()
        new = [
            self.new(
                old,
                user='demo',
                changes={'os_hidden': True},
                visibility=visibility,
            )
            for visibility in ('community', 'shared')
        ]
        self.hold_until_changed(old, *new)
        self.copy()
        self.assertTrue(self.slave.get(old.id).hidden)
        self.assertChangedFirst(old, *new)

    def test_a_tenant_has_none_in_what_is_of_another(self):
        """He makes an image that its destination never takes."""
        secure = self.cloud('secure')
        many = {f'p{number}': 'x' for number in range(21)}
        for changes, result in (
            ({'os_hidden': True}, 'updated'),
            ({'name': 'debian-13-old'}, 'failed'),
        ):
            self.data.clear()
            old = self.image(
                1000, name=self.name, visibility='community', user='alt'
            )
            self.livecopy(old.id, to='secure')
            new = self.new(
                old, user='demo', changes=changes, visibility='community',
                **many,
            )  # fmt: skip
            told = self.livecopy(*self.data, to='secure', expect=1)
            self.assertEqual({old.id: result, new.id: 'failed'}, told.results)
            reasons = {row['ID']: row['Reason'] for row in told.rows}
            self.assertIn('HTTP 413', reasons[new.id])
            self.assertEqual(result == 'updated', secure.get(old.id).hidden)


class TestCluster(NamesTest):
    def test_as_from_threads(self):
        hired = self.useFixture(
            cluster.Cluster([self.environment, self.environment])
        )
        run = '--scheduler', hired.address
        old = self.old()
        new = self.new(old, 8 * base.MIB)
        poller = self.poll()
        result = self.copy(*run)
        self.assertEqual({old.id: 'updated', new.id: 'copied'}, result.results)
        self.assertNeverNone(poller, new)
        self.assertEqual(
            [self.patches(new)[-1], *self.patches(old)],
            self.destination.calls[-2:],
        )
        # What a worker tells of a failure is known here.
        self.data.clear()
        newer = self.new(new, 3 * base.MIB, changes={'os_hidden': True})
        self.data[new.id] = b''
        self.destination.on('PUT', f'{newer.id}/file$', _RESET, times=None)
        result = self.copy('--retries', '0', *run, expect=1)
        self.assertWaits(result, new, newer)
        self.master.stored(newer.id).unlink()
        result = self.copy('--retries', '0', *run, expect=1)
        self.assertEqual('updated', result.results[new.id])
        self.assertTrue(self.slave.get(new.id).hidden)
