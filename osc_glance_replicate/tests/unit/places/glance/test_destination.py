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
import datetime
import json

from osc_glance_replicate import errors
from osc_glance_replicate.model import conversions
from osc_glance_replicate.model import image_selection
from osc_glance_replicate.model import options
from osc_glance_replicate.model import ownership
from osc_glance_replicate.model import plan
from osc_glance_replicate.places import glance
from osc_glance_replicate.planning import decisions
from osc_glance_replicate.tests.doubles import fake_glance
from osc_glance_replicate.tests.doubles import importing
from osc_glance_replicate.tests.doubles import samples

Answer = fake_glance.Answer

#: Who runs it.
MINE = ownership.Runner(frozenset(['mine']), project='mine')


class TestToHash(fake_glance.GlanceTest):
    """Its images tell by what data without a hash is hashed."""

    def setUp(self):
        super().setUp()
        self.unhashed = samples.image(2, os_hash_value=None, checksum=None)
        self.other = samples.image(
            owner='mine', os_hash_algo='sha256', os_hash_value='a' * 64
        )

    def destination(self, answer, way=options.Delivery()):
        fake = self.useFixture(fake_glance.FakeGlance(answer))
        return glance.Destination(fake.api, MINE, way)

    def test_those_that_are_listed_do(self):
        place = self.destination(
            lambda request: Answer(
                200,
                {
                    'images': []
                    if 'os_hidden' in request.query
                    else [self.other.record]
                },
            )
        )
        self.assertEqual([self.other], list(place.images()))
        self.assertEqual(('sha256',), place.to_hash(self.unhashed))

    def test_and_a_replica_of_this_run(self):
        place = self.destination(
            lambda request: Answer(200, self.other.record)
        )
        self.assertEqual(('sha512', 'md5'), place.to_hash(self.unhashed))
        place.find(self.other.id)
        self.assertEqual(('sha256',), place.to_hash(self.unhashed))

    def test_nothing_is_hashed_of_what_it_fetches(self):
        way = options.Delivery(options.Method.DOWNLOAD, region='RegionOne')
        place = self.destination(lambda request: Answer(), way)
        self.assertEqual((), place.to_hash(self.unhashed))


class TestUpdate(fake_glance.GlanceTest):
    def update(self, answer, *changes):
        replica = samples.image()
        place = self.serve(answer)
        try:
            place.update(
                plan.Action(
                    samples.image(),
                    'slave',
                    plan.Verb.UPDATE,
                    replica,
                    changes=tuple(
                        plan.Change(*change, None) for change in changes
                    ),
                )
            )
        except errors.RefusedError as exc:
            return str(exc)
        return ''

    def update_in_vain(self, *arguments):
        """Update where another try might succeed."""
        error = self.assertRaises(
            errors.TransientError, self.update, *arguments
        )
        return str(error)

    def sent(self):
        return [
            json.loads(request.body)
            if request.method == 'PATCH'
            else request.path.rpartition('/')[2]
            for request in self.fake.requests
        ]

    def test_what_is_refused_together_is_tried_one_by_one(self):
        def answer(request):
            operations = json.loads(request.body)
            changed = {o['path'][1:]: o['value'] for o in operations}
            if 'visibility' in changed:
                return Answer(403, {'message': 'not you'})
            return Answer(200, {**samples.image().record, **changed})

        problem = self.update(
            answer, ('name', 'x'), ('visibility', 'public'), ('note', 'y')
        )
        self.assertIn('slave: visibility: HTTP 403: not you', problem)
        self.assertNotIn('name', problem)
        self.assertEqual([3, 1, 1, 1], [len(o) for o in self.sent()])

    def test_nothing_is_given_while_a_property_stays(self):
        def answer(request):
            operations = json.loads(request.body)
            if any(o['op'] == 'remove' for o in operations):
                return Answer(403, {'message': 'protected'})
            changed = {o['path'][1:]: o['value'] for o in operations}
            return Answer(200, {**samples.image().record, **changed})

        problem = self.update(
            answer,
            ('visibility', 'public'),
            ('name', 'x'),
            ('kernel_id', None),
            ('status', 'active'),
        )
        for words in (
            'kernel_id: HTTP 403',
            'visibility: not while it has kernel_id',
            'status: not while it has kernel_id',
        ):
            self.assertIn(words, problem)
        sent = [o for o in self.sent() if isinstance(o, list)]
        self.assertEqual(
            [{'visibility', 'name', 'kernel_id'}, {'name'}, {'kernel_id'}],
            [{each['path'][1:] for each in o} for o in sent],
        )
        self.assertNotIn('reactivate', self.sent())

    def test_what_glance_would_mistake_is_never_sent(self):
        for field in 'visibility ', ' owner', 'base':
            told = self.update(lambda request: Answer(500), (field, 'public'))
            self.assertIn(f"lets nobody set '{field}'", told)
            self.assertEqual([], self.sent())

    def test_internal_error_hides_no_other_change(self):
        """Glance's database will not have a value, or it was an accident."""

        def answer(request):
            if request.method == 'POST':
                bad = request.body == b'{"member": "bad"}'
                done = 204 if request.path.endswith('reactivate') else 200
                return Answer(500 if bad else done, {'message': 'no'})
            if request.method == 'GET':
                return Answer(200, {'members': []})
            operations = json.loads(request.body)
            changed = {o['path'][1:]: o['value'] for o in operations}
            if 'evil' in changed:
                return Answer(500, {'message': 'oops'})
            return Answer(200, {**samples.image().record, **changed})

        told = self.update_in_vain(
            answer,
            ('evil', 'x'),
            ('name', 'y'),
            ('members', {'bad': 'pending', 'good': 'pending'}),
            ('status', 'active'),
        )
        self.assertEqual(
            'slave: evil: HTTP 500: oops; member bad: HTTP 500: no', told
        )
        both, evil, name, *rest = self.sent()
        self.assertEqual([2, 1, 1], [len(o) for o in (both, evil, name)])
        self.assertEqual(['members'] * 3 + ['reactivate'], rest)

    def test_outage_is_no_refusal(self):
        for status in 502, 503, 429:
            self.update_in_vain(
                lambda _, status=status: Answer(status),
                ('name', 'x'),
                ('note', 'y'),
            )
            self.assertEqual(1, len(self.sent()))

    def test_withdrawn_before_published_and_active_after_all_else(self):
        def answer(request):
            if request.method == 'POST':
                return Answer(204)
            return Answer(200, {**samples.image().record, 'name': 'x'})

        self.update(answer, ('name', 'x'), ('status', 'deactivated'))
        self.assertEqual('deactivate', self.sent()[0])
        self.update(answer, ('name', 'x'), ('status', 'active'))
        self.assertEqual('reactivate', self.sent()[1])

    def test_property_that_is_called_members(self):
        changed = {**samples.image().record, 'members': 'x'}
        told = self.update(lambda _: Answer(200, changed), ('members', 'x'))
        self.assertEqual('', told)
        path = {'op': 'add', 'path': '/members', 'value': 'x'}
        self.assertEqual([[path]], self.sent())

    def test_all_refusals_are_told(self):
        problem = self.update(
            lambda request: Answer(403, {'message': 'no'}),
            ('visibility', 'public'),
            ('status', 'deactivated'),
        )
        for field in ('visibility', 'status'):
            self.assertIn(field, problem)


Method = options.Method

DOWNLOAD, IMPORT = importing.DOWNLOAD, importing.IMPORT

FAILED = importing.FAILED


class TestDestination(importing.ImportTest):
    def stage(self, way, place=None, **record):
        place = place or glance.Destination(self.api, MINE, way)
        planner = decisions.Planner(image_selection.Selection())
        replica = samples.image(**{'status': 'queued', 'size': None, **record})
        place.stage(planner.decide(self.image, replica, 'slave'))
        return place

    def write(self, place):
        body = samples.body(samples.Data(b'data'), self.image)
        place.write(self.image, body)
        if bring_in := place.importer(self.image):
            bring_in(self.image)

    def test_nothing_is_staged_for_a_record_that_takes_no_import(self):
        lock = {'os_glance_import_task': 'task 1'}
        now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
        for hours, refused in ((0.9, True), (1.1, False)):
            at = now - datetime.timedelta(hours=hours)
            self.tasks = [{'tasks': [{**FAILED, 'updated_at': str(at)}]}]
            for way in IMPORT, DOWNLOAD:
                if refused:
                    self.assertRaises(
                        errors.RefusedError, self.stage, way, **lock
                    )
                else:
                    self.stage(way, **lock)
            # Glance takes an upload.
            self.stage(options.Delivery(), **lock)

    def test_what_is_staged_is_imported_whatever_the_method(self):
        for way in options.Delivery(), IMPORT, DOWNLOAD:
            self.fake.requests.clear()
            place = self.stage(way, status='uploading', size=4)
            place.fetch(self.image) if place.fetch else self.write(place)
            self.assertEqual([], self.asked('PUT'))
            self.assertIn(b'"glance-direct"', self.asked()[0].body)

    def test_nothing_is_imported_of_which_a_part_is_staged(self):
        place = self.stage(IMPORT)
        self.records = [{'status': 'uploading', 'size': 3}]
        error = self.assertRaises(errors.RefusedError, self.write, place)
        self.assertIn('3 bytes are staged there', str(error))
        self.assertEqual([], self.asked())

    def test_what_is_no_longer_staged_is_sent(self):
        place = self.stage(IMPORT, status='uploading', size=4)
        self.stage(IMPORT, place)
        self.write(place)
        (put,) = self.asked('PUT')
        self.assertTrue(put.path.endswith('/stage'))

    def test_one_store_of_an_upload(self):
        self.write(
            glance.Destination(self.api, MINE, options.Delivery(stores=('s',)))
        )
        (put,) = self.asked('PUT')
        self.assertEqual('s', put.headers['X-Image-Meta-Store'])
        self.assertTrue(put.path.endswith('/file'))

    def test_what_a_failed_import_has_left_staged(self):
        self.put = [409]
        error = self.assertRaises(
            errors.RefusedError,
            self.write,
            glance.Destination(self.api, MINE, IMPORT),
        )
        self.assertIn('--method upload does without', str(error))


class TestPublish(fake_glance.GlanceTest):
    def test_what_differed_until_then_does_not_any_more(self):
        image = samples.image(os_hash_value=None, checksum=None)
        for protected, changed in (False, []), (True, ['/protected']):
            verified = dataclasses.replace(
                image, record={**image.record, 'protected': protected}
            )
            place = self.serve(
                lambda request, image=image: Answer(200, image.record)
            )
            action = plan.Action(image, 'slave', plan.Verb.COPY)
            place.publish(action, verified)
            self.assertEqual(
                changed,
                [
                    operation['path']
                    for request in self.fake.requests
                    for operation in json.loads(request.body)
                ],
            )

    def test_formats_of_what_was_converted_stay(self):
        image = samples.image(disk_format='qcow2', name='new')
        made = samples.image(name='old')
        hashed = 'sha512:00'
        asked = {}

        def answer(request):
            if request.method == 'PATCH':
                asked.update(
                    (each['path'][1:], each.get('value'))
                    for each in json.loads(request.body)
                )
            return Answer(200, {**made.record, **asked})

        self.serve(answer)
        place = glance.Destination(self.fake.api, MINE, IMPORT)
        action = plan.Action(
            image, 'slave', plan.Verb.COPY, source_hash=hashed
        )
        place.publish(action, made)
        self.assertEqual(
            {
                'name': 'new',
                'replica_source_hash': hashed,
                'replica_of': image.id,
            },
            asked,
        )


class TestComplete(fake_glance.GlanceTest):
    """A record that an earlier run has left is brought to what is wanted."""

    def completed(self, image, replica, exact=False):
        """Stage an image, and tell what is changed in its record."""
        stored = dict(replica.record)
        changed = {}

        def answer(request):
            for operation in json.loads(request.body):
                field = operation['path'][1:]
                if field.startswith('osc_glance_replicate_'):
                    return Answer(409)
                changed[field] = stored[field] = operation.get('value')
            return Answer(200, stored)

        self.serve(answer).stage(
            plan.Action(image, 'slave', plan.Verb.COPY, replica, exact=exact)
        )
        return changed

    def test_what_only_the_replica_has_stays_unless_it_is_to_be_exact(self):
        image = samples.image(tags=['a'], os_distro='debian', name='new')
        queued = samples.image(tags=['b'], own='x', status='queued', size=None)
        both = {'name': 'new', 'os_distro': 'debian'}
        self.assertEqual(
            {**both, 'tags': ['a', 'b']}, self.completed(image, queued)
        )
        self.assertEqual(
            {**both, 'tags': ['a'], 'own': None},
            self.completed(image, queued, exact=True),
        )

    def test_what_has_no_hash_differs_until_it_is_published(self):
        """Whatever it is to be; and whether it may be so is asked for."""
        unhashed = {'os_hash_value': None, 'checksum': None}
        for protected in False, True:
            image = samples.image(protected=protected, **unhashed)
            queued = samples.image(
                status='queued', size=None, protected=protected
            )
            self.completed(image, queued)
            staged, probe = (
                json.loads(request.body) for request in self.fake.requests
            )
            path = {'op': 'replace', 'path': '/protected'}
            self.assertEqual([{**path, 'value': not protected}], staged)
            self.assertEqual({**path, 'value': protected}, probe[0])

    def test_nothing_to_do(self):
        queued = samples.image(status='queued', size=None)
        self.assertEqual({}, self.completed(samples.image(), queued))
        self.assertEqual([], self.fake.requests)


class TestRights(fake_glance.GlanceTest):
    """Whether this user may publish is asked once of each kind."""

    def setUp(self):
        super().setUp()
        self.refused = set()
        self.records = {}

    def answer(self, request):
        if request.method == 'POST':
            document = json.loads(request.body)
            self.records[document['id']] = document
            return Answer(201, document)
        record = self.records[request.path.rpartition('/')[2]]
        operations = json.loads(request.body)
        asked = {each['path'][1:]: each.get('value') for each in operations}
        if self.refused & {record['id'], *map(str, asked.values())}:
            return Answer(403)
        if operations[-1]['op'] == 'remove':
            return Answer(409)
        record.update(asked)
        return Answer(200, record)

    def place(self):
        self.serve(self.answer)
        return glance.Destination(self.fake.api, MINE)

    def action(
        self,
        number,
        replica=None,
        owner=None,
        mark='',
        conversion=conversions.Conversion.NONE,
        **fields,
    ):
        image = samples.image(
            id=f'00000000-0000-4000-8000-{number:012}', **fields
        )
        return plan.Action(
            image,
            'slave',
            plan.Verb.COPY,
            replica,
            owner=owner,
            mark=mark and f'{mark}/{image.id}',
            conversion=conversion,
        )

    def asked(self):
        """Return what was changed, or asked for, since the last time."""
        found = [
            [each['path'][1:] for each in json.loads(request.body)][:-1]
            for request in self.fake.requests
            if request.method == 'PATCH'
        ]
        self.fake.requests.clear()
        return found

    def test_once_of_each_kind(self):
        place = self.place()
        for number, fields in enumerate(
            (
                {'visibility': 'public'},
                {'visibility': 'community'},
                {'visibility': 'public', 'protected': True},
                {'visibility': 'public', 'os_hidden': True},
                {'visibility': 'public', 'owner': 'a'},
                {'owner': 'b'},
                {'mark': 'master'},
                {'conversion': conversions.Conversion.ACCEPTED},
            )
        ):
            place.stage(self.action(2 * number, **fields))
            self.assertEqual(1, len(self.asked()), fields)
            place.stage(self.action(2 * number + 1, name='other', **fields))
            self.assertEqual([], self.asked(), fields)

    def test_nothing_is_asked_of_what_stays_as_it_is(self):
        self.place().stage(self.action(1))
        self.assertEqual([], self.asked())

    def test_mark_of_what_may_be_converted_is_asked_for(self):
        accepted = conversions.Conversion.ACCEPTED
        self.place().stage(self.action(1, conversion=accepted))
        self.assertEqual([['replica_source_hash', 'replica_of']], self.asked())

    def test_each_destination_is_asked(self):
        for _ in range(2):
            self.place().stage(self.action(1, visibility='public'))
            self.assertEqual(1, len(self.asked()))

    def test_what_an_earlier_run_has_left_is_another_matter(self):
        place = self.place()
        place.stage(self.action(1, visibility='public'))
        queued = samples.image(status='queued', size=None)
        action = self.action(2, queued, visibility='public')
        self.records[action.image.id] = dict(queued.record)
        self.asked()
        for _ in range(2):
            place.stage(action)
            self.assertEqual([['visibility']], self.asked()[-1:])

    def test_a_refusal_is_not_remembered(self):
        place = self.place()
        first, second, third = (
            self.action(number, visibility='public') for number in range(3)
        )
        self.refused = {first.image.id}
        self.assertRaises(errors.RefusedError, place.stage, first)
        place.stage(second)
        self.assertEqual(2, len(self.asked()))
        place.stage(third)
        self.assertEqual([], self.asked())

    def test_right_that_is_lost_meanwhile(self):
        place = self.place()
        first, second = (
            self.action(number, visibility='public') for number in range(2)
        )
        place.stage(first)
        self.refused = {'public'}
        arrived = samples.image(id=first.image.id)
        self.assertRaises(errors.RefusedError, place.publish, first, arrived)
        self.assertRaises(errors.RefusedError, place.stage, second)
