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
import datetime

import testtools

from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import image_selection
from osc_glance_replicate.tests.doubles import samples

IMAGE = samples.image(
    name='debian-13',
    tags=['a', 'b'],
    os_distro='debian',
    owner='p',
    size=100,
    updated_at='2026-01-02T00:00:00Z',
)
DAY = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
SECOND = datetime.timedelta(seconds=1)


class TestMatches(testtools.TestCase):
    def test_each_kind_of_option(self):
        for option, fitting, other in (
            ('names', ('x', 'debian-*'), ('Debian-*', 'debian')),
            ('properties', (('os_distro', 'debian'),), (('os_distro', 'd'),)),
            ('properties', (), (('os_distro', 'debian'), ('x', 'y'))),
            ('tags', ('b', 'a'), ('a', 'c')),
            ('visibilities', ('public', 'private'), ('public',)),
            ('owner', 'p', 'q'),
            ('disk_format', 'raw', 'qcow2'),
            ('min_size', 100, 101),
            ('max_size', 100, 99),
            ('max_size', None, 0),
            ('updated_since', DAY, DAY + SECOND),
            ('excludes', ('debian',), ('debian*',)),
            ('excludes', (), (f'{IMAGE.id[:8]}*',)),
        ):
            for value, selected in (fitting, True), (other, False):
                selection = image_selection.Selection(**{option: value})
                self.assertEqual(
                    selected, selection.matches(IMAGE), (option, value)
                )

    def test_what_a_record_lacks_is_as_glance_takes_it(self):
        bare = image_record.Image({'id': IMAGE.id, 'status': 'active'})
        for option, fitting, other in (
            ('visibilities', ('private',), ('public',)),
            ('tags', (), ('a',)),
            ('disk_format', None, 'raw'),
            ('owner', None, 'p'),
        ):
            for value, selected in (fitting, True), (other, False):
                selection = image_selection.Selection(**{option: value})
                self.assertEqual(
                    selected, selection.matches(bare), (option, value)
                )

    def test_all_kinds_have_to_fit(self):
        selection = image_selection.Selection(names=('*',), tags=('c',))
        self.assertFalse(selection.matches(IMAGE))

    def test_damaged_record_is_told_of_unless_it_is_excluded(self):
        damaged = samples.image(name='x', size='big')
        self.assertTrue(image_selection.Selection(('y',)).matches(damaged))
        excluding = image_selection.Selection(excludes=('x',))
        self.assertFalse(excluding.matches(damaged))

    def test_sound_record_tells_whatever_its_flaw_is(self):
        flawed = dataclasses.replace(IMAGE, flaw='it is out of order')
        for name, selected in ('debian-*', True), ('x', False):
            selection = image_selection.Selection(names=(name,))
            self.assertEqual(selected, selection.matches(flawed))
        # Nothing can be told of what is not there.
        nothing = image_record.Image({'id': IMAGE.id}, 'it is too long')
        self.assertTrue(selection.matches(nothing))


class TestReason(testtools.TestCase):
    def test_reasons(self):
        chosen = image_selection.Selection()
        for fields, words in (
            ({}, None),
            ({'status': 'queued'}, 'status is queued'),
            ({'os_hidden': True}, 'hidden (--include-hidden selects it)'),
            ({'cinder_encryption_key_id': 'x'}, '(cinder_encryption_key_id)'),
            ({'os_encrypt_key_id': 'x'}, "a key of the source's key manager"),
            ({'os_encrypt_key_id': ''}, None),
            (
                {'hw_ephemeral_encryption_secret_uuid': 'x'},
                '(hw_ephemeral_encryption_secret_uuid)',
            ),
            # Who encrypts says how, too.
            ({'os_encrypt_format': 'luks'}, None),
            ({'block_device_mapping': '[]', 'size': 0}, 'volume-backed'),
            ({'block_device_mapping': '[]'}, None),
        ):
            reason = chosen.reason_not_to_copy(samples.image(**fields))
            if words is None:
                self.assertIsNone(reason)
            else:
                self.assertIn(words, reason)

    def test_encrypted_one_whose_key_both_clouds_have(self):
        asking = image_selection.Selection(encrypted=True)
        image = samples.image(os_encrypt_key_id='x')
        self.assertIsNone(asking.reason_not_to_copy(image))
        # That makes no data of what has none.
        volume = samples.image(
            block_device_mapping='[]', size=0, cinder_encryption_key_id='x'
        )
        self.assertIn('volume-backed', asking.reason_not_to_copy(volume))

    def test_what_is_not_portable_may_be_chosen(self):
        asking = image_selection.Selection(unportable=True)
        for words, fields in (
            (None, {'os_encrypt_key_id': 'x'}),
            (None, {'block_device_mapping': '[]', 'size': 0}),
            ('hidden', {'os_hidden': True, 'os_encrypt_key_id': 'x'}),
            ('status', {'status': 'queued', 'size': 0}),
        ):
            reason = asking.reason_not_to_copy(samples.image(**fields))
            self.assertEqual(words, reason and reason.split()[0])

    def test_hidden_one_that_is_asked_for_or_needed(self):
        hidden = samples.image(os_hidden=True)
        asking = image_selection.Selection(include_hidden=True)
        self.assertIsNone(asking.reason_not_to_copy(hidden))
        chosen = image_selection.Selection()
        self.assertIsNone(chosen.reason_not_to_copy(hidden, referred=True))
