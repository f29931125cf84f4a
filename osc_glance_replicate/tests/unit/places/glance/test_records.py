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

import json

from osc_glance_replicate import errors
from osc_glance_replicate.model import plan
from osc_glance_replicate.places.glance import records
from osc_glance_replicate.places.glance import refused
from osc_glance_replicate.tests.doubles import fake_glance
from osc_glance_replicate.tests.doubles import samples

Answer = fake_glance.Answer


class TestHeeded(fake_glance.GlanceTest):
    def test_property_that_is_not_changed_is_named(self):
        image = samples.image(member='x')
        stored = dict(samples.image().record)
        place = self.serve(lambda request: Answer(201, stored))
        error = self.assertRaises(
            errors.RefusedError,
            place.stage,
            plan.Action(image, 'slave', plan.Verb.COPY),
        )
        self.assertIn('member', str(error))

    def refused(self, status, words):
        """Stage a replica whose record is refused."""
        place = self.serve(lambda request: Answer(status, {'message': words}))
        image = samples.image(x_billing='1')
        error = self.assertRaises(
            errors.RefusedError,
            place.stage,
            plan.Action(image, 'slave', plan.Verb.COPY),
        )
        self.assertEqual(status, error.status)
        return str(error)

    def test_record_that_is_refused_for_its_properties(self):
        for status, words in (
            (400, "'x_billing' is not of type 'boolean'"),
            (403, "Property 'x_billing' is protected"),
            (413, 'exceeded on the number of allowed image properties'),
        ):
            self.assertIn('--dont-replicate', self.refused(status, words))

    def test_record_that_is_refused_for_something_else(self):
        for status, words in (
            (400, "'architecture' is a required property"),
            (400, "'x_billing_too' is no image"),
            (403, 'You are not authorized to complete add_image action.'),
            (413, 'Resource image_count_total is over limit'),
            (
                400,
                "'bare' is not one of ['ova'] Failed validating 'enum' in "
                "schema['properties']['container_format']",
            ),
        ):
            told = self.refused(status, words)
            self.assertIn(words, told)
            self.assertNotIn('--dont-replicate', told)

    def test_glance_that_lets_nothing_be_changed(self):
        def answer(request):
            if request.method == 'POST':
                return Answer(201, json.loads(request.body))
            return Answer(400, {'message': "'os' is a required property"})

        image = samples.image(visibility='public')
        place = self.serve(answer)
        action = plan.Action(image, 'slave', plan.Verb.COPY)
        change = plan.Change('name', 'new', 'old')
        update = plan.Action(
            image, 'slave', plan.Verb.UPDATE, image, changes=(change, change)
        )
        for act in (place.stage, action), (place.update, update):
            error = self.assertRaises(errors.PlaceError, *act)
            told = str(error)
            self.assertEqual(1, told.count("have 'required' taken out"), told)


class TestChange(fake_glance.GlanceTest):
    def change(self, stored, **changes):
        """Change a record of which something is stored then."""
        self.serve(lambda request: Answer(200, stored))
        records.change(self.fake.api, samples.image().id, changes)

    def test_fields_are_replaced_and_properties_added_or_removed(self):
        image = samples.image(name='x', **{'a/b~c': 'y'})
        changes = {'name': 'x', 'a/b~c': 'y', 'gone': None}
        self.change(dict(image.record), **changes)
        (patch,) = self.fake.requests
        self.assertEqual(
            [
                {'op': 'replace', 'path': '/name', 'value': 'x'},
                {'op': 'add', 'path': '/a~1b~0c', 'value': 'y'},
                {'op': 'remove', 'path': '/gone'},
            ],
            json.loads(patch.body),
        )

    def test_what_is_not_as_asked_is_named(self):
        stored = dict(samples.image(os_distro='debian', owner='p').record)
        error = self.assertRaises(
            errors.RefusedError,
            self.change,
            stored,
            name='x',
            os_distro='debian',
            owner='q',
        )
        self.assertEqual('slave: does not change name, owner', str(error))

    def test_answer_with_another_image_is_no_success(self):
        image = samples.image(0xA)
        for other in samples.image(2).id, image.id.upper():
            place = self.serve(
                lambda request, other=other: Answer(
                    201 if request.method == 'POST' else 200,
                    {**image.record, 'id': other},
                )
            )
            action = plan.Action(image, 'slave', plan.Verb.COPY)
            error = self.assertRaises(errors.PlaceError, place.stage, action)
            self.assertIn(other, str(error))
            self.assertRaises(
                errors.PlaceError,
                records.change_what_is_possible,
                self.fake.api,
                image.id,
                {'name': image.name},
                refused.Refusals(),
            )
            self.assertEqual(2, len(self.fake.requests))

    def test_nothing_to_change_asks_nothing(self):
        self.change({})
        self.assertEqual([], self.fake.requests)
