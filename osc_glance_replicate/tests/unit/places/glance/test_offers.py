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


import fixtures

from osc_glance_replicate import errors
from osc_glance_replicate.model import options
from osc_glance_replicate.places.glance import offers
from osc_glance_replicate.tests.doubles import importing

DOWNLOAD, IMPORT = importing.DOWNLOAD, importing.IMPORT


class TestCheck(importing.ImportTest):
    """What is not there is named, with what is, before any work."""

    def refused(self, way):
        return str(
            self.assertRaises(errors.CloudError, offers.check, self.api, way)
        )

    def test_methods(self):
        for offered, told in (
            ([], 'which are none'),
            (['web-download', 'copy-image'], 'are web-download, copy-image'),
        ):
            self.info['import'] = {'import-methods': {'value': offered}}
            for way, name in (
                (IMPORT, 'glance-direct'),
                (DOWNLOAD, 'glance-download'),
            ):
                line = self.refused(way)
                for words in "'slave'", name, told:
                    self.assertIn(words, line)
        value = ['glance-direct', 'glance-download']
        self.info['import'] = {'import-methods': {'value': value}}
        offers.check(self.api, IMPORT)
        offers.check(self.api, DOWNLOAD)

    def test_stores(self):
        some = options.Delivery(stores=('fast', 'web', 'ghost'))
        every = options.Delivery(all_stores=True)
        self.info_headers = {'x-openstack-request-id': 'req-1'}
        for way in some, every:
            self.assertIn('nobody choose among stores', self.refused(way))
        self.info['stores'] = {
            'stores': [
                {'id': 'fast', 'default': 'true'},
                {'id': 'web', 'read-only': 'true'},
                {'id': 'slow'},
            ]
        }
        line = self.refused(some)
        for words in "'slave'", 'no store web, ghost:', 'are fast, slow':
            self.assertIn(words, line)
        offers.check(self.api, every)
        offers.check(self.api, options.Delivery(stores=('slow',)))

    def test_what_a_glance_itself_says_is_its_word(self):
        """Old ones, and those that import nothing, answer 404."""
        self.info_status = 404
        self.info_headers = {'x-openstack-request-id': 'req-1'}
        self.assertIn('which are none', self.refused(IMPORT))

    def test_what_it_does_not_tell_is_not_refused(self):
        log = self.useFixture(fixtures.FakeLogger('osc_glance_replicate'))
        self.info_status = 404
        offers.check(self.api, IMPORT)
        (line,) = log.output.splitlines()
        self.assertIn('slave: which imports it has is not foretold', line)
        self.assertIn('GET /v2/info/import: HTTP 404', line)
        for status in 401, 403, 404, 500:
            self.info_status = status
            offers.check(self.api, options.Delivery(stores=('x',)))
            offers.check(self.api, DOWNLOAD)

    def test_limit_of_requests_is_waited_for(self):
        value = ['glance-direct']
        self.info['import'] = {'import-methods': {'value': value}}
        self.info_limits = 2
        offers.check(self.api, IMPORT)
        self.assertEqual(3, len(self.asked('GET')))

    def test_plain_upload_asks_nothing(self):
        offers.check(self.api, options.Delivery())
        self.assertEqual([], self.fake.requests)

    def test_hostile_answers(self):
        log = self.useFixture(fixtures.FakeLogger('osc_glance_replicate'))
        for methods in 1, {}, {'value': None}, {'value': 'glance-direct'}:
            document = {'import-methods': methods, 'stores': methods}
            self.info.update({'import': document, 'stores': document})
            offers.check(self.api, IMPORT)
            offers.check(self.api, options.Delivery(stores=('x',)))
            for told in 'tells no import methods', 'tells no stores':
                self.assertIn(told, log.output)
        self.info['stores'] = {'stores': [1, {}, None]}
        self.refused(options.Delivery(stores=('x',)))
