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

import types

import testtools

from osc_glance_replicate import errors
from osc_glance_replicate.places.glance import refused

API = types.SimpleNamespace(name='slave')


def refuse(refusals, what, trouble=None, **options):
    with refusals.noting(what, **options):
        raise trouble or errors.RefusedError('slave', 'no')


class TestRefusals(testtools.TestCase):
    def test_nothing_is_told_of_nothing(self):
        refused.Refusals().tell(API)

    def test_all_are_told_at_the_end(self):
        refusals = refused.Refusals()
        refuse(refusals, 'name')
        refuse(refusals, 'tags')
        error = self.assertRaises(
            errors.RefusedError, refusals.tell, API, 'of project x'
        )
        self.assertEqual('slave: name: no; tags: no; of project x', str(error))

    def test_what_may_pass_is_tried_again(self):
        refusals = refused.Refusals()
        refuse(refusals, 'a', errors.TransientError('slave', 'x', 0.0, 500))
        self.assertRaises(errors.TransientError, refusals.tell, API)
        other = errors.TransientError('slave', 'x', 0.0, 503)
        self.assertRaises(
            errors.TransientError, refuse, refused.Refusals(), 'a', other
        )

    def test_no_more_is_given_while_something_stays(self):
        refusals = refused.Refusals()
        refuse(refusals, 'name')
        self.assertTrue(refusals.allow('visibility'))
        refuse(refusals, 'theirs', stays=True)
        self.assertFalse(refusals.allow('visibility'))
        error = self.assertRaises(errors.RefusedError, refusals.tell, API)
        self.assertIn('visibility: not while it has theirs', str(error))
