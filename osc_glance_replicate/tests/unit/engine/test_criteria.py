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

import testtools

from osc_glance_replicate.engine import criteria
from osc_glance_replicate import errors
from osc_glance_replicate.model import image_selection
from osc_glance_replicate.model import options
from osc_glance_replicate.model import ownership
from osc_glance_replicate.tests.doubles import projects


class TestSelection(testtools.TestCase):
    def test_owner_is_found_in_the_dump(self):
        asked = image_selection.Selection(owner='db', names=('a',))
        found = criteria.selection_in(projects.MASTER, asked)
        self.assertEqual('m3', found.owner)
        self.assertEqual(('a',), found.names)
        self.assertRaises(
            errors.SelectionError,
            criteria.selection_in,
            projects.MASTER,
            image_selection.Selection(owner='web'),
        )

    def test_without_an_owner_nobody_is_asked(self):
        asked = image_selection.Selection()
        self.assertIs(asked, criteria.selection_in(None, asked))


class TestTemplate(testtools.TestCase):
    def template(self, **asked):
        return criteria.template(
            options.Replica(**asked), projects.MASTER, 'slave', None
        )

    def test_owners(self):
        for owner, kind, expected in (
            (options.Owner.MINE, ownership.Owners, None),
            (options.Owner.SAME, ownership.Same, 'm1'),
        ):
            owners = self.template(owner=owner).owners
            self.assertIs(kind, type(owners))
            self.assertEqual(expected, owners.at('m1'))
        by_name = self.template(owner=options.Owner.BY_NAME).owners
        self.assertIs(ownership.ByName, type(by_name))

    def test_all_that_is_asked_for(self):
        found = self.template(
            left_out=('hw_*',),
            properties=(('a', '1'), ('a', '2')),
            visibility='private',
            members=True,
            map_formats=(('gpt', 'raw'),),
        )
        self.assertEqual(('hw_*',), found.left_out)
        self.assertEqual({'a': '2'}, found.properties)
        self.assertEqual('private', found.visibility)
        self.assertTrue(found.members)
        self.assertEqual({'gpt': 'raw'}, found.formats)


class TestDelivered(testtools.TestCase):
    def test_region_is_looked_for_where_it_is_needed(self):
        for method in options.Method.UPLOAD, options.Method.IMPORT:
            to = options.To('slave', delivery=options.Delivery(method))
            self.assertIs(to, criteria.delivered(to, None, None))
