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

"""Images that others change at the same time."""

import json

import fixtures

from osc_glance_replicate import errors
from osc_glance_replicate.model import ownership
from osc_glance_replicate.model import plan
from osc_glance_replicate.places import glance
from osc_glance_replicate.places.glance import others
from osc_glance_replicate.tests.doubles import fake_glance
from osc_glance_replicate.tests.doubles import samples

Answer = fake_glance.Answer

#: Who runs it.
MINE = ownership.Runner(frozenset(['mine']), project='mine')


def _apply(request, record):
    """Change a record as a PATCH asks; other requests change nothing."""
    if request.method == 'PATCH':
        for each in json.loads(request.body):
            record[each['path'][1:]] = each.get('value')


def _publication(judged, **fields):
    return plan.Action(
        samples.image(visibility='public', **fields),
        'slave',
        plan.Verb.UPDATE,
        judged,
        changes=(plan.Change('visibility', 'public', 'private'),),
    )


class TestOthers(fake_glance.GlanceTest):
    def serve(self, reply):
        self.fake = self.useFixture(fake_glance.FakeGlance(reply))
        return glance.Destination(self.fake.api, MINE)

    def patches(self):
        """Return the operations of each PATCH."""
        return [each for each in self.sent() if isinstance(each, list)]

    def sent(self):
        return [
            json.loads(request.body)
            if request.method == 'PATCH'
            else request.path.rpartition('/')[2]
            for request in self.fake.requests
        ]

    def test_what_its_owner_has_changed_meanwhile_is_taken_back(self):
        judged = samples.image(owner='theirs', note='x', theirs='y')
        for answer, good in (
            ({}, True),
            ({'theirs': 'y'}, False),
            ({'kernel_id': 'evil'}, False),
            ({'os_hash_value': 'ab'}, False),
            ({'size': 5}, False),
            ({'status': 'deactivated'}, False),
            ({'note': 'evil'}, False),
        ):
            now = {**judged.record, 'theirs': None, **answer}

            def reply(request, now=now):
                _apply(request, now)
                return Answer(200, now)

            place = self.serve(reply)
            action = _publication(judged, note='x')
            if good:
                place.update(action)
            else:
                error = self.assertRaises(
                    errors.RefusedError, place.update, action
                )
                self.assertIn('is private now', str(error))
            self.assertEqual(
                ['public'] if good else ['public', 'private'],
                [each[0]['value'] for each in self.patches()],
            )

    def test_image_that_stays_visible_is_told_so(self):
        judged = samples.image(owner='theirs')

        def reply(request):
            asked = {'kernel_id': 'evil'}
            _apply(request, asked)
            if request.method == 'GET':
                asked['visibility'] = 'public'
            return Answer(200, {**judged.record, **asked})

        place = self.serve(reply)
        action = _publication(judged)
        error = self.assertRaises(errors.RefusedError, place.update, action)
        self.assertIn('visible again and again: deactivate it', str(error))

    def test_replica_is_published_as_it_was_verified_or_not_at_all(self):
        verified = samples.image(owner='mine', kernel_id='ours', own='x')
        image = samples.image(visibility='public', kernel_id='ours')
        other = {'os_hash_value': 'ab', 'size': 5, 'status': 'deactivated'}
        for answer, good in (
            ({}, True),
            ({'own': None}, True),
            ({'kernel_id': 'evil'}, False),
            ({'ramdisk_id': 'evil'}, False),
            ({'owner': 'theirs'}, False),
            *(({field: value}, False) for field, value in other.items()),
        ):
            now = {**verified.record, **answer}

            def reply(request, now=now):
                _apply(request, now)
                return Answer(200, now)

            place = self.serve(reply)
            action = plan.Action(image, 'slave', plan.Verb.COPY)
            if good:
                place.publish(action, verified)
            else:
                error = self.assertRaises(
                    errors.RefusedError, place.publish, action, verified
                )
                self.assertIn('is private now', str(error))
            self.assertEqual(
                ['public'] if good else ['public', 'private'],
                [each[0]['value'] for each in self.patches()],
                answer,
            )

    def test_adoption_takes_away_what_the_other_has_set_at_once(self):
        def reply(request):
            record = {**samples.image().record, 'owner': 'mine'}
            if request.path.endswith('/members'):
                listed = [{'member_id': 'x', 'status': 'accepted'}]
                return Answer(200, {'members': listed})
            if request.method == 'DELETE':
                return Answer(204)
            _apply(request, record)
            return Answer(200, record)

        self.hurry()
        place = self.serve(reply)
        action = plan.Action(
            samples.image(),
            'slave',
            plan.Verb.UPDATE,
            samples.image(
                owner='theirs',
                kernel_id='evil',
                tags=['x'],
                replica_of='evil/1',
                replica_source_hash='x',
            ),
            mark='north/1',
        )
        place.adopt(action)
        asked = [r.method for r in self.fake.requests]
        # What is private may have members that only who shares it sees.
        self.assertEqual(['PATCH', 'GET', 'DELETE', 'PATCH', 'GET'], asked)
        shared, _, _, sent, _ = self.sent()
        self.assertEqual(
            [('/visibility', 'shared')],
            [(each['path'], each['value']) for each in shared],
        )
        self.assertEqual(
            {
                'kernel_id', 'tags', 'owner', 'visibility', 'protected',
                'replica_of', 'replica_source_hash',
            },
            {each['path'][1:] for each in sent},
        )  # fmt: skip
        (visibility,) = (o for o in sent if o['path'] == '/visibility')
        self.assertEqual('private', visibility['value'])

    def hurry(self):
        """Have no request of others under way."""
        self.useFixture(
            fixtures.MonkeyPatch(f'{others.__name__}._IN_FLIGHT', 0.0)
        )

    def test_what_stays_another_is_not_adopted(self):
        """He changes it at the same time, and Glance writes it back."""
        self.hurry()
        for back, adopted in (
            ({}, True),
            ({'owner': 'theirs'}, False),
            ({'visibility': 'community'}, False),
            ({'kernel_id': 'evil'}, False),
        ):

            def reply(request, back=back):
                record = {**samples.image().record, 'owner': 'mine'}
                if request.path.endswith('/members'):
                    return Answer(200, {'members': []})
                if request.method == 'PATCH':
                    _apply(request, record)
                    return Answer(200, record)
                return Answer(200, {**record, **back})

            place = self.serve(reply)
            action = plan.Action(
                samples.image(),
                'slave',
                plan.Verb.UPDATE,
                samples.image(owner='theirs', kernel_id='evil'),
                changes=(plan.Change('kernel_id', None, 'evil', exact=True),),
            )
            if adopted:
                self.assertEqual('mine', place.adopt(action).owner)
                continue
            error = self.assertRaises(
                errors.TransientError, place.adopt, action
            )
            self.assertIn('cannot be adopted while project', str(error))

    def test_what_is_changed_back_is_tried_again(self):
        """By its owner, who changes it at the same time."""
        for owner, back, good in (
            ('theirs', {'status': 'deactivated', 'os_hidden': True}, True),
            ('theirs', {'status': 'active', 'os_hidden': True}, False),
            ('theirs', {'status': 'deactivated', 'os_hidden': False}, False),
            # His own is nobody else's affair, and is not asked for.
            ('mine', {'os_hidden': False}, True),
        ):
            judged = samples.image(owner=owner)

            def reply(request, judged=judged, back=back):
                if request.method == 'POST':
                    return Answer(204)
                if request.method == 'GET':
                    return Answer(200, {**judged.record, **back})
                return Answer(200, {**judged.record, 'os_hidden': True})

            place = self.serve(reply)
            action = plan.Action(
                samples.image(),
                'slave',
                plan.Verb.UPDATE,
                judged,
                changes=(
                    plan.Change('status', 'deactivated', 'active'),
                    plan.Change('os_hidden', True, False),
                ),
            )
            if good:
                place.update(action)
                asked = [r.method for r in self.fake.requests]
                self.assertEqual(owner == 'theirs', 'GET' in asked)
                continue
            error = self.assertRaises(
                errors.TransientError, place.update, action
            )
            self.assertIn('was changed back meanwhile', str(error))

    def test_adoption_goes_on_until_nothing_of_the_other_is_left(self):
        """Glance may write back what he has set, once it is ours."""
        self.hurry()
        judged = samples.image(owner='theirs', kernel_id='evil', tags=['x'])
        back = [{'kernel_id': 'evil', 'tags': ['x'], 'owner': 'theirs'}, {}]
        now = dict(judged.record)

        def reply(request):
            if request.path.endswith('/members'):
                return Answer(200, {'members': []})
            _apply(request, now)
            if request.method == 'GET' and back:
                now.update(back.pop(0))
            return Answer(200, now)

        place = self.serve(reply)
        action = plan.Action(
            samples.image(), 'slave', plan.Verb.UPDATE, judged
        )
        adopted = place.adopt(action)
        self.assertEqual(('mine', {}), (adopted.owner, adopted.properties))
        patches = self.patches()
        self.assertEqual(3, len(patches))
        self.assertEqual(
            {'kernel_id', 'tags', 'owner', 'visibility', 'protected'},
            {each['path'][1:] for each in patches[2]},
        )

    def test_adoption_that_fails_leaves_it_as_visible_as_it_was(self):
        self.hurry()
        for owner, asked in (
            ('theirs', ['shared', 'private']),
            # It is the runner's by now, or somebody else's.
            ('mine', ['shared']),
        ):
            judged = samples.image(owner='theirs')
            now = {**judged.record, 'owner': owner}

            def reply(request, now=now):
                if request.path.endswith('/members'):
                    return Answer(403, {'message': 'no'})
                _apply(request, now)
                return Answer(200, now)

            place = self.serve(reply)
            action = plan.Action(
                samples.image(), 'slave', plan.Verb.UPDATE, judged
            )
            self.assertRaises(errors.PlaceError, place.adopt, action)
            self.assertEqual(
                asked, [each[0]['value'] for each in self.patches()]
            )

    def test_what_cannot_be_taken_back_is_told_with_why(self):
        judged = samples.image(owner='theirs')

        def reply(request):
            asked = {}
            _apply(request, asked)
            if asked == {'visibility': 'private'}:
                return Answer(403, {'message': 'not you'})
            return Answer(200, {**judged.record, **asked, 'kernel_id': 'evil'})

        place = self.serve(reply)
        action = _publication(judged)
        error = self.assertRaises(errors.RefusedError, place.update, action)
        self.assertIn('was changed meanwhile', str(error))
        self.assertIn('could not be made private: HTTP 403', str(error))
