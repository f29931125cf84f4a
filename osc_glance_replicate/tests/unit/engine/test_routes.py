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

import concurrent.futures
import dataclasses
import os
from unittest import mock

import fixtures
import testtools

from osc_glance_replicate import background
from osc_glance_replicate.engine import routes
from osc_glance_replicate import errors
from osc_glance_replicate.model import options
from osc_glance_replicate.model import ownership
from osc_glance_replicate.tests.doubles import dumps
from osc_glance_replicate.tests.doubles import fake_glance
from osc_glance_replicate.tests.doubles import samples

FORMATS = {'disk_format': {'raw'}, 'container_format': {'bare'}}

STORES = options.Delivery(stores=('fast',))


def answer(request):
    if request.path.endswith('/stores'):
        return fake_glance.Answer(document={'stores': [{'id': 'fast'}]})
    properties = {field: {'enum': list(FORMATS[field])} for field in FORMATS}
    return fake_glance.Answer(document={'properties': properties})


class Clouds:
    """Clouds that a route may lead from and to."""

    def connect(self, name):
        """Connect to a cloud, to a project that is named after it."""
        return self.useFixture(
            fake_glance.FakeGlance(answer, name, f'p-{name}')
        ).connection

    def own(self):
        return self.connect('master')

    def between(self, request):
        """Get ready to replicate to the clouds of a request."""
        connecting = {
            to.name: background.start(self.connect, to.name)
            for to in request.to
        }
        return routes.between(self.own(), connecting, request)

    def assert_rules(self, route, to):
        """A cloud that is led to gets what was asked for."""
        rules = route._planner.at(to.name)
        self.assertFalse(rules.at_rest)
        self.assertEqual(to.replica.exact, rules.exact)
        self.assertEqual(to.replica.members, rules.template.members)
        self.assertEqual({f'p-{to.name}'}, rules.runner.owners)
        self.assertEqual(to.delivery, rules.delivery)
        self.assertEqual(FORMATS, rules.schema().formats)
        place = route._fleet.places[to.name]
        self.assertEqual(f'p-{to.name}', place.runner.project)
        self.assertEqual(to.delivery, place._delivery)


class TestBetween(Clouds, testtools.TestCase):
    def test_each_cloud_gets_what_was_asked_for(self):
        to = [
            options.To('plain'),
            options.To('exact', options.Replica(exact=True)),
            options.To('members', options.Replica(members=True)),
            options.To('stores', delivery=STORES),
        ]
        route = self.between(options.Request(to=to))
        self.assertEqual('master', route.source)
        self.assertEqual([each.name for each in to], route.to)
        for each in to:
            self.assert_rules(route, each)

    def test_clocks_are_compared(self):
        to = [options.To('slave')]
        route = self.between(options.Request(to=to))
        route._source._api.clock.ahead = 10
        route._fleet.places['slave']._api.clock.ahead = 25
        self.assertEqual(15, route._planner.at('slave').ahead())

    def test_plan_is_as_asked_for(self):
        for asked in False, True:
            planner = self.between(
                options.Request(
                    run=options.Run(metadata_only=asked), extra=asked
                ),
            )._planner
            self.assertEqual(asked, planner.metadata_only)
            self.assertEqual(asked, planner.extra)

    def test_cloud_alone_is_only_counted(self):
        route = self.between(options.Request())
        self.assertEqual(['master'], route.to)
        self.assertTrue(route._planner.at('master').at_rest)

    def test_one_of_several_is_greeted_first(self):
        self.useFixture(
            fixtures.MonkeyPatch('time.sleep', lambda seconds: None)
        )

        def unavailable(request):
            fails = request.path.startswith('/v2/images/')
            return fake_glance.Answer(503) if fails else answer(request)

        for strict in False, True:
            down = self.useFixture(
                fake_glance.FakeGlance(unavailable, 'down', 'p')
            )
            connecting = {
                'down': background.start(lambda down=down: down.connection),
                'slave': background.start(self.connect, 'slave'),
            }
            to = [options.To(name) for name in connecting]
            route = routes.between(
                self.own(), connecting, options.Request(to=to), strict=strict
            )
            place = route._fleet.places['slave']
            self.assertIsNot(strict, place._api._others_wait)
            self.assertEqual([] if strict else ['down'], list(route.unusable))
            self.assertEqual(0 if strict else 3, len(down.requests))

    def test_others_may_copy(self):
        hired = []

        def assemble():
            raise AssertionError('nobody is to copy yet')

        def hire(request, connections):
            hired.append([to.name for to in request.to])
            hired.append([each.config.name for each in connections])
            return assemble

        request = options.Request(to=[options.To('dead'), options.To('slave')])
        dead = concurrent.futures.Future()
        dead.set_exception(errors.CloudError('dead', 'is down'))
        slave = background.start(self.connect, 'slave')
        route = routes.between(
            self.own(), {'dead': dead, 'slave': slave}, request, hire
        )
        self.assertIs(assemble, route._assemble)
        # Who cannot be used here is none of theirs.
        self.assertEqual([['slave'], ['master', 'slave']], hired)
        self.assertEqual(['dead'], list(route.unusable))
        self.assertIsNone(self.between(options.Request())._assemble)


class TestToDump(Clouds, dumps.FilesTest):
    def test_it_is_to_be_what_the_cloud_holds(self):
        path = self.at('new')
        for members in False, True:
            to = options.To(path, options.Replica(members=members))
            route = routes.to_dump(self.own, options.Request(to=[to]))
            rules = route._planner.at(path)
            self.assertTrue(rules.exact)
            self.assertTrue(rules.at_rest)
            self.assertEqual(members, rules.template.members)
            self.assertIsInstance(rules.template.owners, ownership.Same)


class TestFromDump(Clouds, dumps.DirectoryTest):
    def test_cloud_gets_what_was_asked_for(self):
        self.put_image()
        to = options.To('', options.Replica(exact=True, members=True), STORES)
        route = routes.from_dump(self.own, options.Request(to=[to]), self.path)
        self.addCleanup(os.close, route._source._folder._fd)
        self.assertEqual((self.path, ['master']), (route.source, route.to))
        self.assert_rules(route, dataclasses.replace(to, name='master'))

    def warning(self):
        """Begin a load that has no cloud."""
        logger = self.useFixture(fixtures.FakeLogger('osc_glance_replicate'))
        nowhere = mock.Mock(side_effect=errors.CloudError('slave', 'down'))
        self.assertRaises(
            errors.CloudError, routes.from_dump, nowhere, None, self.path
        )
        return logger.output

    def test_data_without_a_record_is_told_of(self):
        whole = self.put_image()
        # What the next dump goes on with, and what is none of ours.
        self.put(f'{whole.id}.img.part', b'da')
        self.put('notes.img', b'x')
        self.put(f'{samples.image(9).id}.members', b'[]')
        self.assertEqual('', self.warning())
        one, two = samples.image(2).id, samples.image(3).id
        for name in f'{one}.img.part', f'{two}.img', f'{two}.img.part':
            self.put(name, b'data')
        told = self.warning()
        self.assertEqual(1, len(told.splitlines()), told)
        self.assertIn(f'record: 2, the first of them is {one};', told)
