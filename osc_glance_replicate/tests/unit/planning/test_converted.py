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

from osc_glance_replicate.model import conversions
from osc_glance_replicate.model import ownership
from osc_glance_replicate.model import plan
from osc_glance_replicate.tests.doubles import samples
from osc_glance_replicate.tests.unit.planning import test_updates


class TestConverted(test_updates.JudgeTest):
    """Replicas whose data their Glance has converted."""

    def setUp(self):
        super().setUp()
        self.image = samples.image(disk_format='qcow2')
        self.mark = conversions.source_hash(self.image)

    def left(self, **fields):
        """Give the record that a conversion leaves that is refused."""
        return samples.image(
            **{
                'data': b'made',
                'owner': 'mine',
                'status': 'deactivated',
                **fields,
            }
        )

    def replica(self, **fields):
        return self.left(
            **{
                'status': 'active',
                'replica_source_hash': self.mark,
                **fields,
            }
        )

    def test_option_makes_it_a_replica(self):
        found = self.decide(self.image, self.replica(), accepts=True)
        self.assertIs(plan.Verb.UNCHANGED, found.verb)
        self.assertEqual('converted there', found.reason)
        found = self.decide(self.image, self.replica())
        self.assertIs(plan.Verb.CONFLICT, found.verb)
        self.assertEqual(
            'converted to raw there: --accept-conversion makes it a replica',
            found.reason,
        )
        self.assertEqual('', found.converted)

    def test_it_follows_its_source(self):
        found = self.decide(self.image, self.replica(name='old'), accepts=True)
        self.assertIs(plan.Verb.UPDATE, found.verb)
        self.assertEqual(['name'], [each.field for each in found.changes])
        self.assertEqual('', found.proof)

    def test_mark_of_what_has_no_hash_is_proven_first(self):
        image = samples.image(disk_format='qcow2', **test_updates.WEAK)
        replica = self.replica(name='old')
        found = self.decide(image, replica, accepts=True)
        self.assertEqual('sha512', found.proof)
        self.assertEqual(
            self.mark, f'sha512:{found.replica.digests["sha512"]}'
        )
        found = self.decide(image, replica, accepts=True, metadata_only=True)
        self.assertIs(plan.Verb.CONFLICT, found.verb)

    def test_replica_of_a_dump_is_proven_first(self):
        found = self.decide(
            self.image, self.replica(name='old'), accepts=True, dumped=True
        )
        self.assertEqual('sha512', found.proof)

    def test_what_a_refused_conversion_leaves(self):
        for option in True, False:
            found = self.decide(self.image, self.left(), accepts=option)
            self.assertIs(plan.Verb.CONFLICT, found.verb)
            self.assertIn('purge_images_table', found.reason)
            self.assertEqual('raw', found.converted)

    def test_what_is_no_conversion(self):
        for fields in (
            {'disk_format': 'qcow2'},
            {'visibility': 'public'},
            {'replica_source_hash': 'sha512:00'},
            # Who makes an image of its ID at the source stops no others.
            {'created_at': test_updates.EARLIER},
        ):
            found = self.decide(self.image, self.left(**fields))
            self.assertIs(plan.Verb.CONFLICT, found.verb)
            self.assertIn(
                'other data under this ID: sha512 differs', found.reason
            )
            self.assertNotIn('converted', found.reason)
            self.assertEqual('', found.converted)

    def test_it_stays_in_the_project_where_it_can_be_told(self):
        owners = ownership.Same()
        image = samples.image(disk_format='qcow2', owner='other')
        found = self.decide(image, self.replica(), accepts=True, owners=owners)
        self.assertIs(plan.Verb.FAIL, found.verb)
        self.assertIn('leave out --owner', found.reason)
        image = samples.image(
            disk_format='qcow2', owner='other', status='deactivated'
        )
        found = self.decide(image, self.replica(), accepts=True, owners=owners)
        self.assertIs(plan.Verb.FAIL, found.told_as)
        self.assertEqual(['status'], [each.field for each in found.changes])

    def test_what_others_have_marked(self):
        theirs = self.replica(owner='other')
        found = self.decide(self.image, theirs, accepts=True)
        self.assertIs(plan.Verb.CONFLICT, found.verb)
        self.assertIn('belongs to project other', found.reason)
        same = ownership.Same()
        image = samples.image(disk_format='qcow2', owner='other')
        found = self.decide(image, theirs, accepts=True, owners=same)
        self.assertIs(plan.Verb.CONFLICT, found.verb)
        self.assertIn('other data', found.reason)

    def test_source_that_was_made_of_it(self):
        """As when all is copied back after a recovery."""
        original = samples.image(data=b'qcow', owner='mine')
        made = samples.image(
            disk_format='qcow2',
            replica_source_hash=conversions.source_hash(original),
        )
        found = self.decide(made, original)
        self.assertIs(plan.Verb.CONFLICT, found.verb)
        self.assertIn('what is there was converted to it', found.reason)
