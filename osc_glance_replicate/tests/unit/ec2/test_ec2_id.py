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

import hashlib
import uuid

from hypothesis import given
from hypothesis import strategies
import testtools

from osc_glance_replicate.ec2 import ec2_id
from osc_glance_replicate.tests.doubles import ec2_ids
from osc_glance_replicate.tests.doubles import samples

ONE, TWO, THREE = ec2_ids.ONE, ec2_ids.TWO, ec2_ids.THREE

identity = ec2_ids.identity

#: As in the documentation, for others to check theirs by.
VECTORS = {
    'c0ffee00-1234-4abc-8def-0123456789ab': ('c9bb158139fe1bf8c', '09bb1581'),
    '00000000-0000-0000-0000-000000000000': ('49fa855343dfeecff', '09fa8553'),
    '6f1f8e5c-5a5e-4b7e-9f0e-2b1f0a3c4d5e': ('32f4503731a81a38c', '32f45037'),
}


class TestVectors(testtools.TestCase):
    def test_vectors(self):
        for image_id, (digits, short) in VECTORS.items():
            self.assertEqual(digits, ec2_id.digits(image_id))
            self.assertEqual(short, ec2_id.short_digits(image_id))

    @given(strategies.uuids())
    def test_rule(self, image_id):
        """As doc/source/user/ec2ids.rst has it, in other words."""
        text = hashlib.sha256(b'ec2-image-id:v1:' + image_id.bytes).hexdigest()
        self.assertEqual(text[:17], ec2_id.digits(str(image_id)))
        self.assertEqual(
            '%08x' % (int(text[:8], 16) % 2**30),
            ec2_id.short_digits(str(image_id).upper()),
        )


class TestScheme(testtools.TestCase):
    def test_kinds(self):
        for container_format, kind in (
            ('aki', 'aki'),
            ('kernel', 'aki'),
            ('ari', 'ari'),
            ('ramdisk', 'ari'),
            ('ami', 'ami'),
            ('bare', 'ami'),
            (None, 'ami'),
        ):
            image = samples.image(container_format=container_format)
            found = ec2_id.Scheme().identify(image, 'master')
            self.assertEqual(f'{kind}-{ec2_id.digits(image.id)}', found.ec2_id)

    def test_kept_ids(self):
        image = samples.image(0xA)
        capital = samples.image(id=image.id.upper())
        scheme = ec2_id.Scheme(short=True, kept={image.id: '00000005'})
        for given_image in image, capital:
            found = scheme.identify(given_image, 'master')
            self.assertEqual('ami-00000005', found.ec2_id)
            self.assertEqual(given_image.id, found.image_id)
        other = scheme.identify(samples.image(2), 'master')
        self.assertEqual(
            ec2_id.short_digits(samples.image(2).id), other.digits
        )


class TestProblems(testtools.TestCase):
    def test_none(self):
        chosen = [identity(ONE, '1'), identity(TWO, '2')]
        others = [
            # The same image elsewhere; others that are not in question.
            identity(ONE, '1', 'slave'),
            identity(THREE, '3', 'slave'),
            identity(str(uuid.UUID(int=4)), '3', 'slave'),
            identity(ONE.upper(), '1', 'table'),
        ]
        self.assertEqual([], ec2_id.problems(chosen, others))

    def test_images_that_share_an_id(self):
        chosen = [identity(ONE, '1'), identity(TWO, '1')]
        text = f'{ONE} (master) and {TWO} (master) share the ID 1'
        self.assertEqual([text], ec2_id.problems(chosen, []))
        # They are seen again when all of the cloud is listed.
        self.assertEqual([text], ec2_id.problems(chosen, chosen))

    def test_image_elsewhere(self):
        chosen = [identity(THREE, '3'), identity(ONE, '1')]
        others = [identity(TWO, '1', 'slave'), identity(TWO, '1', 'secure')]
        self.assertEqual(
            [
                f'{ONE} (master) and {TWO} ({where}) share the ID 1'
                for where in ('slave', 'secure')
            ],
            ec2_id.problems(chosen, others),
        )

    def test_other_id_in_use(self):
        self.assertEqual(
            [f'{ONE} (slave.csv) has the ID 2, and would get 1'],
            ec2_id.problems(
                [identity(ONE, '1')], [identity(ONE, '2', 'slave.csv')]
            ),
        )

    def test_no_id_is_zero(self):
        """To MySQL it would be the next number."""
        (text,) = ec2_id.problems([identity(ONE, '00000000')], [])
        self.assertIn(ONE, text)
