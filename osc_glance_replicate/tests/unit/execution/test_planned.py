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
import time

import testtools

from osc_glance_replicate import errors
from osc_glance_replicate.execution import planned
from osc_glance_replicate.model import image_selection
from osc_glance_replicate.model import ownership
from osc_glance_replicate.model import plan
from osc_glance_replicate.model import replica_template
from osc_glance_replicate.planning import decisions
from osc_glance_replicate.planning import rules
from osc_glance_replicate.tests.doubles import places
from osc_glance_replicate.tests.doubles import samples


def aged(image):
    return dataclasses.replace(image, read_at=time.monotonic() - 61)


class Place(places.Place):
    """A place that knows the members of images."""

    def members(self, image):
        return {'a': 'accepted', 'b': 'accepted'}


class TestPlanned(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.master, self.slave = Place('master'), Place('slave')
        self.image = samples.image(visibility='shared')
        for place in self.master, self.slave:
            place.images[self.image.id] = self.image
        template = replica_template.Template(
            owners=ownership.Same(), members=True
        )
        self.planner = decisions.Planner(
            image_selection.Selection(),
            destinations={'slave': rules.Rules(template, exact=True)},
        )

    def plan(self, image, replica):
        members = {'a': 'accepted', 'b': 'accepted'}
        image, replica = (
            each and dataclasses.replace(each, members=members)
            for each in (image, replica)
        )
        return planned.Planned(
            self.planner.decide(image, replica, 'slave'),
            self.master,
            self.slave,
            self.planner,
        )

    def test_members_are_looked_at_again_at_both_ends(self):
        """Else all of them would be taken for missing, or removed."""
        for image in self.image, aged(self.image):
            current = self.plan(image, self.image)
            self.assertTrue(current.renew(but_not=lambda replica: False))
            self.assertEqual('unchanged', current.action.verb.value)

    def test_what_stays_as_planned(self):
        current = self.plan(self.image, None)
        before = current.action
        self.assertFalse(current.renew(but_not=lambda replica: True))
        self.assertIs(before, current.action)

    def test_image_that_is_gone(self):
        current = self.plan(aged(self.image), None)
        del self.master.images[self.image.id]
        for ask in current.narrow, lambda: current.renew(lambda _: False):
            error = self.assertRaises(errors.PlaceError, ask)
            self.assertIn('not there any more', str(error))

    def test_what_it_refers_to_meanwhile_is_not_followed(self):
        """Nobody has looked at that."""
        other = samples.image(
            visibility='shared', kernel_id=samples.image(7).id
        )
        for replica, verb in (None, 'failed'), (self.image, 'failed'):
            self.master.images[other.id] = other
            self.slave.images.pop(other.id, None)
            if replica:
                self.slave.images[other.id] = replica
            current = self.plan(aged(self.image), replica)
            current.renew(but_not=lambda replica: False)
            self.assertEqual(verb, current.action.verb.value)
            self.assertIn('refers to other images', current.action.reason)

    def refer(self, planned_as, by_now, **lacks):
        """Plan an image with a kernel that it lacks, and plan it anew."""
        kernel = {'kernel_id': samples.image(7).id}
        replica = samples.image(**kernel)
        image = samples.image(**kernel, **planned_as)
        current = planned.Planned(
            dataclasses.replace(
                self.planner.decide(image, replica, 'slave'), **lacks
            ),
            self.master,
            self.slave,
            self.planner,
        )
        self.master.images[image.id] = samples.image(**kernel, **by_now)
        self.slave.images[image.id] = replica
        current.action = dataclasses.replace(
            current.action, image=aged(current.action.image)
        )
        current.renew(but_not=lambda replica: False)
        return current.action

    def test_what_it_lacked_it_lacks(self):
        given = {'os_hidden': True, 'ramdisk_id': samples.image(8).id}
        for fields, lacks, result in (
            (
                {'name': 'new', 'os_hidden': True},
                {'lacks': 'its kernel'},
                (['name', 'os_hidden'], None, 'name, os_hidden'),
            ),
            (
                given,
                {'lacks': 'its kernel'},
                (['os_hidden'], plan.Verb.FAIL, 'os_hidden; its kernel'),
            ),
            # Nothing of that is forgotten on the way.
            (
                given,
                {'lacks': 'K comes first'},
                (['os_hidden'], plan.Verb.FAIL, 'os_hidden; K comes first'),
            ),
        ):
            action = self.refer(fields, fields, **lacks)
            self.assertEqual(
                result,
                (
                    sorted(c.field for c in action.changes),
                    action.told_as,
                    action.reason,
                ),
            )

    def test_who_comes_to_see_it_meanwhile_may_not_see_what_it_needs(self):
        action = self.refer(
            {'name': 'new'}, {'name': 'new', 'visibility': 'public'}
        )
        self.assertEqual((plan.Verb.FAIL, ()), (action.verb, action.changes))
        self.assertIn('others see it, by now', action.reason)
        # It is told what it is where nothing is done with it.
        theirs = samples.image(data=b'evil')
        self.slave.images[theirs.id] = theirs
        current = self.plan(aged(self.image), self.image)
        self.master.images[theirs.id] = samples.image(
            kernel_id=samples.image(7).id
        )
        current.renew(but_not=lambda replica: False)
        self.assertIn('other data under this ID', current.action.reason)

    def test_older_record_decides(self):
        """A short listing was read long before the end of a long one."""
        fresh, old = self.image, aged(self.image)
        for image, replica, is_old in (
            (fresh, None, False),
            (fresh, fresh, False),
            (old, fresh, True),
            (fresh, old, True),
        ):
            self.assertEqual(is_old, self.plan(image, replica).is_old)

    def test_what_is_read_lately_is_not_asked_for(self):
        current = self.plan(self.image, None)
        current.narrow()
        self.assertEqual([], self.master.calls)

    def test_a_name_that_nobody_brings_stays(self):
        """Also where it is planned anew, hours after that was known."""
        for unfit, verb, fields in (
            (True, plan.Verb.UPDATE, ['os_hidden']),
            (False, plan.Verb.FAIL, []),
        ):
            successor = plan.Successor('new', lost='why', unfit=unfit)
            action = self.refer(
                {'name': 'new', 'os_hidden': True},
                {'name': 'newer', 'os_hidden': True},
                successor=successor,
            )
            self.assertEqual(
                (verb, fields),
                (action.verb, [change.field for change in action.changes]),
            )
