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

from osc_glance_replicate import errors
from osc_glance_replicate.model import ownership
from osc_glance_replicate.tests.doubles import projects

MASTER = projects.MASTER

BY_NAME = projects.BY_NAME


class TestOwners(testtools.TestCase):
    def test_by_name_and_domain(self):
        self.assertEqual('s1', BY_NAME.at('m1'))
        self.assertEqual('s2', BY_NAME.at('m2'))

    def test_no_counterpart_is_named(self):
        error = self.assertRaises(LookupError, BY_NAME.at, 'm3')
        self.assertIn("'db' of domain 'a'", str(error))
        self.assertIn('--map-owner m3=', str(error))

    def test_unknown_name_is_said(self):
        error = self.assertRaises(LookupError, BY_NAME.at, 'm4')
        self.assertIn('m4 cannot be read in master', str(error))

    def test_by_hand_first(self):
        mapped = ownership.Mapped({'m3': 's1'}, BY_NAME)
        self.assertEqual('s1', mapped.at('m3'))
        self.assertEqual('s2', mapped.at('m2'))

    def test_find(self):
        self.assertEqual('m3', ownership.find(MASTER, 'db'))
        self.assertEqual('m1', ownership.find(MASTER, 'm1'))
        self.assertEqual('7', ownership.find(MASTER, '7'))
        unknown = 'f' * 32
        self.assertEqual(unknown, ownership.find(MASTER, unknown))
        for text, word in (('web', 'm1, m2'), ('wbe', "'wbe' in master")):
            error = self.assertRaises(
                errors.SelectionError, ownership.find, MASTER, text
            )
            self.assertIn(word, str(error))
