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

from osc_glance_replicate.model import conversions
from osc_glance_replicate.model import proof
from osc_glance_replicate.tests.doubles import samples

UNHASHED = {'os_hash_algo': None, 'os_hash_value': None, 'checksum': None}
MD5_ONLY = {'os_hash_algo': None, 'os_hash_value': None}


def marked(image, data=b'made', **fields):
    """Make a replica that was converted, as its mark says."""
    return samples.image(
        **{
            'data': data,
            'disk_format': 'raw',
            'replica_source_hash': conversions.source_hash(image),
            **fields,
        }
    )


class TestAsSent(testtools.TestCase):
    def assertSent(self, image, replica, renamed=''):
        sent = conversions.as_sent(image, replica, renamed)
        self.assertIs(replica, sent.stored)
        self.assertEqual(image.size, sent.size)
        algorithm, value = image.recorded_hash
        self.assertEqual({algorithm: value}, sent.digests)
        self.assertEqual(replica.name, sent.name)
        return sent

    def assertNot(self, image, replica, renamed=''):
        self.assertIs(replica, conversions.as_sent(image, replica, renamed))

    def test_what_the_mark_tells(self):
        image = samples.image(disk_format='qcow2')
        sent = self.assertSent(image, marked(image, name='x'))
        self.assertEqual('qcow2', sent.record['disk_format'])
        old = samples.image(disk_format='qcow2', **MD5_ONLY)
        self.assertTrue(conversions.source_hash(old).startswith('md5:'))
        self.assertSent(old, marked(old))
        # Its Glance has hashed it by another algorithm since.
        replica = marked(old)
        sent = conversions.as_sent(
            samples.image(disk_format='qcow2', checksum=None), replica, ''
        )
        self.assertIs(replica, sent.stored)
        for of in f'north/{image.id}', image.id:
            self.assertSent(image, marked(image, replica_of=of))
        packed = samples.image(container_format='compressed')
        sent = self.assertSent(packed, marked(packed))
        self.assertEqual('compressed', sent.record['container_format'])

    def test_sent_in_another_format(self):
        image = samples.image(disk_format='gpt')
        replica = marked(image, disk_format='qcow2')
        sent = self.assertSent(image, replica, 'raw')
        self.assertEqual('raw', sent.record['disk_format'])
        self.assertNot(image, marked(image), 'raw')

    def test_what_the_mark_does_not_tell(self):
        image = samples.image(disk_format='qcow2')
        other = samples.image(2, data=b'other')
        for fields in (
            {'disk_format': 'qcow2'},
            {'replica_source_hash': conversions.source_hash(other)},
            {'replica_source_hash': None},
            {'replica_source_hash': 5},
            {'replica_source_hash': 'sha512:'},
            {'replica_source_hash': image.record['os_hash_value']},
            # The data itself tells that it is the same.
            {'data': b'data'},
            # As Nova has it in what is made of a replica.
            {'replica_of': f'north/{other.id}'},
            {'replica_of': other.id},
            # It has no data yet.
            {'status': 'uploading', 'size': None},
            {'status': 'queued', 'size': None},
        ):
            self.assertNot(image, marked(image, **fields))

    def test_without_any_hash_at_the_source(self):
        image = samples.image(disk_format='qcow2', **UNHASHED)
        self.assertEqual('', conversions.source_hash(image))
        replica = marked(image, replica_source_hash='sha512:' + 128 * 'a')
        sent = conversions.as_sent(image, replica, '')
        self.assertEqual({'sha512': 128 * 'a'}, sent.digests)
        self.assertEqual(image.size, sent.size)

    def test_mark_that_makes_no_record(self):
        image = samples.image(disk_format='qcow2', **UNHASHED)
        self.assertNot(
            image, marked(image, replica_source_hash='sha512:' + 999 * 'a')
        )


class TestConversion(testtools.TestCase):
    def test_advice(self):
        told = {each: each.advice for each in conversions.Conversion}
        refused = conversions.Conversion.REFUSED
        self.assertIn('--accept-conversion', told[refused])
        foreign = conversions.Conversion.FOREIGN
        self.assertNotIn('--accept-conversion', told[foreign])
        self.assertIn('--method upload', told[foreign])
        staged = conversions.Conversion.STAGED
        self.assertNotIn('--method upload', told[staged])
        spoiling = {each for each in conversions.Conversion if each.spoils}
        self.assertEqual({refused, foreign, staged}, spoiling)

    def test_what_was_converted(self):
        raw = samples.image()
        for fields, told in (
            ({'disk_format': 'qcow2'}, ('qcow2', 'raw')),
            ({'container_format': 'compressed'}, ('compressed', 'bare')),
            (
                {'disk_format': 'qcow2', 'container_format': 'ovf'},
                ('qcow2', 'raw'),
            ),
        ):
            wanted = samples.image(**fields)
            self.assertTrue(conversions.is_converted(wanted, raw))
            self.assertEqual(told, conversions.formats(wanted, raw))
        self.assertFalse(conversions.is_converted(raw, raw))

    def test_what_is_told(self):
        for evidence, told in (
            ('sha512', 'converted there'),
            (proof.SIZE, 'converted there, not compared'),
        ):
            self.assertEqual(told, conversions.told(evidence))
