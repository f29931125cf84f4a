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

import os
import types

import fixtures
import openstack.config
import testtools

from osc_glance_replicate.clouds import entries
from osc_glance_replicate import errors


class TestCloudId(testtools.TestCase):
    def test_words(self):
        for region, words in (('North', 'North'), ('', '(none)')):
            self.assertEqual(
                f'project p in region {words}',
                str(entries.CloudId('p', region)),
            )


class EntriesTest(testtools.TestCase):
    """Has a clouds.yaml."""

    def write(self, text):
        path = os.path.join(
            self.useFixture(fixtures.TempDir()).path, 'clouds.yaml'
        )
        with open(path, 'w') as file:
            file.write(text)
        self.useFixture(
            fixtures.EnvironmentVariable('OS_CLIENT_CONFIG_FILE', path)
        )


class TestUnknown(EntriesTest):
    def setUp(self):
        super().setUp()
        self.write("""
            clouds:
              all: {regions: [North, South], auth: {auth_url: http://x/v3}}
              one: {region_name: North}
              any: {auth_type: nonsense, cacert: /none}
              broken: {regions: [{nobody: North}]}
        """)

    def test_what_may_have_been_meant(self):
        self.write('clouds: {2024: {}, master: {}, mars: {}}')
        for name, close in (('mastre', 'master'), ('202', '2024')):
            error = self.assertRaises(
                errors.CloudError, entries.refuse_unknown, [name]
            )
            self.assertIn(f'; did you mean {close}?', str(error))
        error = self.assertRaises(
            errors.CloudError, entries.refuse_unknown, ['ghost']
        )
        self.assertNotIn('did you mean', str(error))
        self.assertIn('its name has to be one in clouds.yaml', str(error))

    def test_what_is_there_may_be_unusable(self):
        entries.refuse_unknown(
            ['all', 'all:South', 'one:North', 'any', 'any:North', 'broken',
             'broken:North']
        )  # fmt: skip

    def test_name_that_is_not_there(self):
        error = self.assertRaises(
            errors.CloudError, entries.refuse_unknown, ['all', 'ghost', 'no']
        )
        self.assertIn("Cannot use cloud 'ghost': Cloud ghost", str(error))
        self.assertIn('; its name has to be one in clouds.yaml', str(error))

    def test_region_that_is_not_there(self):
        for name in 'all:Mars', 'one:South':
            error = self.assertRaises(
                errors.CloudError, entries.refuse_unknown, [name]
            )
            self.assertIn(f"Cannot use cloud '{name}'", str(error))
            self.assertIn('North', str(error))


class TestInFull(EntriesTest):
    def test_region_is_told_where_nobody_has_said_which(self):
        self.write(
            """
            clouds:
              plain: {region_name: B}
              one: {regions: [A]}
              several: {regions: [A, B]}
              detailed: {regions: [{name: A, values: {}}, B]}
              first: {region_name: A, regions: [A, B]}
              second: {region_name: B, regions: [A, B]}
              broken: {regions: [{nobody: A}, B]}
            """
        )
        names = [
            'plain', 'one', 'several', 'detailed', 'first', 'second',
            'several:B', 'broken', 'unknown',
        ]  # fmt: skip
        self.assertEqual(
            [
                'plain', 'one', 'several:A', 'detailed:A', 'first', 'second:A',
                'several:B', 'broken', 'unknown',
            ],
            entries.in_full(names),
        )  # fmt: skip
        config = openstack.config.OpenStackConfig()
        for name in 'several', 'detailed', 'first', 'second':
            taken = config.get_one(name, validate=False).config['region_name']
            self.assertEqual('A', taken)


class TestEntries(EntriesTest):
    def setUp(self):
        super().setUp()
        self.write('clouds: {master: {auth: {auth_url: http://x}}, other: {}}')

    def connection(self, name, region=None, auth_url=None):
        config = types.SimpleNamespace(
            name=name,
            auth={'auth_url': auth_url},
            get_region_name=lambda service: region,
        )
        return types.SimpleNamespace(config=config, current_project_id='p')

    def test_name_that_another_machine_can_find(self):
        for region, name in (None, 'master'), ('North', 'master:North'):
            connection = self.connection('master', region)
            self.assertEqual(name, entries.portable_name(connection))
            self.assertEqual(
                entries.CloudId('p', region or ''),
                entries.cloud_id(connection),
            )

    def test_cloud_without_an_entry(self):
        for name in 'envvars', 'ghost':
            error = self.assertRaises(
                errors.CloudError,
                entries.portable_name,
                self.connection(name),
            )
            self.assertIn(f"'{name}'", str(error))

    def test_environment_that_wins_is_warned_of(self):
        for name, used, warns in (
            ('master', 'http://x', False),
            ('master', 'http://y', True),
            ('other', 'http://y', False),
            ('envvars', 'http://y', False),
        ):
            with fixtures.FakeLogger('osc_glance_replicate') as log:
                entries.warn_of_environment(
                    self.connection(name, auth_url=used)
                )
            self.assertEqual(warns, 'OS_AUTH_URL' in log.output, name)
