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

"""What a replica loses where nothing else may be done with it."""

import testtools

from osc_glance_replicate.model import plan
from osc_glance_replicate.planning import withdrawal
from osc_glance_replicate.tests.doubles import samples

NEEDS = ('kernel_id',)

COPY, UPDATE, FAIL = plan.Verb.COPY, plan.Verb.UPDATE, plan.Verb.FAIL


def change(field, wanted, have):
    return plan.Change(field, wanted, have)


HIDDEN = change('os_hidden', True, False)
SHOWN = change('os_hidden', False, True)
NAMED = change('name', 'new', 'old')
REFERRED = change('kernel_id', samples.image(7).id, None)


class TestWithdrawal(testtools.TestCase):
    def action(self, verb, *changes, **fields):
        return plan.Action(
            samples.image(), 'slave', verb, samples.image(),
            changes=changes, **fields,
        )  # fmt: skip

    def test_only_what_is_lost(self):
        action = self.action(UPDATE, HIDDEN, NAMED, proof='sha512')
        lost = withdrawal.only_losing(action, action.changes, 'why')
        self.assertEqual(
            ((HIDDEN,), '', 'os_hidden; why', None),
            (lost.changes, lost.proof, lost.reason, lost.told_as),
        )
        lost = withdrawal.only_losing(action, [NAMED, SHOWN], 'why')
        self.assertIsNone(lost)

    def test_what_depends_on_what_an_image_needs(self):
        for verb, changes, adopts, needs, depends in (
            (COPY, (), False, NEEDS, True),
            (COPY, (), False, (), False),
            (UPDATE, (NAMED, HIDDEN), False, NEEDS, False),
            (UPDATE, (NAMED,), True, NEEDS, True),
            (UPDATE, (SHOWN,), False, NEEDS, True),
            (UPDATE, (SHOWN,), False, (), False),
            (UPDATE, (REFERRED,), False, NEEDS, True),
            (UPDATE, (REFERRED,), False, ('ramdisk_id',), False),
            (plan.Verb.CONFLICT, (), False, NEEDS, False),
        ):
            action = self.action(verb, *changes, adopts=adopts)
            self.assertEqual(depends, withdrawal.depends(action, needs))

    def test_within_what_an_image_needs(self):
        lacks = {'lacks': 'its kernel'}
        for action, verb, changes, told in (
            (self.action(COPY, **lacks), FAIL, (), 'its kernel'),
            (self.action(COPY), COPY, (), ''),
            (self.action(UPDATE, REFERRED, **lacks), FAIL, (), 'its kernel'),
            (
                self.action(UPDATE, REFERRED, HIDDEN, **lacks),
                UPDATE,
                (HIDDEN,),
                'os_hidden; its kernel',
            ),
            (
                self.action(UPDATE, HIDDEN, adopts=True, **lacks),
                FAIL,
                (),
                'its kernel',
            ),
            # What a dump says is no reason to withdraw.
            (
                self.action(UPDATE, REFERRED, HIDDEN, proof='md5', **lacks),
                FAIL,
                (),
                'its kernel',
            ),
            (
                self.action(
                    UPDATE,
                    REFERRED,
                    HIDDEN,
                    proof='md5',
                    withdraws=True,
                    **lacks,
                ),
                UPDATE,
                (HIDDEN,),
                'os_hidden; its kernel',
            ),
            (self.action(UPDATE, NAMED, **lacks), UPDATE, (NAMED,), ''),
            (self.action(plan.Verb.SKIP, **lacks), plan.Verb.SKIP, (), ''),
        ):
            found = withdrawal.within_needs(action, NEEDS)
            self.assertEqual(
                (verb, changes, told),
                (found.verb, found.changes, found.reason),
            )
            self.assertFalse(found.adopts)
            if told:
                self.assertEqual(FAIL, found.told_as or found.verb)
