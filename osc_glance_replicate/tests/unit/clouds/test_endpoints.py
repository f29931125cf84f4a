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

from unittest import mock

import testtools

from osc_glance_replicate.clouds import endpoints
from osc_glance_replicate import errors


class TestRegion(testtools.TestCase):
    """The source as the destination's Glance can find it."""

    def connection(self, name, region, **urls):
        """Make a connection to a cloud with a catalogue.

        :param urls: by region
        """
        connection = mock.Mock()
        connection.config.name = name
        connection.config.get_region_name.return_value = region
        connection.session.get_endpoint = lambda region_name, **others: (
            urls.get(region_name)
        )
        return connection

    def test_it_is_what_both_catalogues_have(self):
        urls = {'North': 'http://n:1', 'South': 'http://s:1'}
        self.assertEqual(
            'North',
            endpoints.shared_region(
                self.connection('master', 'North', **urls),
                'slave',
                self.connection('slave', 'South', **urls),
            ),
        )

    def test_what_is_wrong_names_the_cloud(self):
        north = self.connection('master', 'North', North='http://n:1')
        for source, destination, words in (
            (
                self.connection('master', None),
                north,
                "'master': .* .region_name.",
            ),
            (self.connection('master', 'North'), north, "'master': .* none"),
            (north, self.connection('slave', 'S', S='x'), "'to': .* Keystone"),
            (
                north,
                self.connection('slave', 'North', North='http://other:1'),
                "'to': .* Keystone",
            ),
        ):
            error = self.assertRaises(
                errors.CloudError,
                endpoints.shared_region,
                source,
                'to',
                destination,
            )
            self.assertThat(
                str(error),
                testtools.matchers.MatchesRegex(f'Cannot use cloud {words}'),
            )
