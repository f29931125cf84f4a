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

from osc_glance_replicate.clouds import hints


class TestHints(testtools.TestCase):
    def test_what_is_known(self):
        for problem, word in (
            ('its Keystone at http://x refuses connections', 'is up'),
            ('... (HTTP 401)', "check its 'auth'"),
            ('Proxy Authentication Required (HTTP 407)', 'https_proxy'),
            ('Please check proxy URL. It is malformed', 'https_proxy'),
            ('Missing dependencies for SOCKS support.', 'https_proxy'),
            ("could not convert string to float: 'abc'", "'api_timeout'"),
            ('No endpoint data found.', "image_api_version: '2'"),
        ):
            (hint,) = hints.about(problem)
            self.assertIn(word, hint)

    def test_what_is_not(self):
        self.assertEqual([], hints.about('The sky is falling'))
