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

import requests
import testtools

from osc_glance_replicate.places.glance import error_page


class TestWords(testtools.TestCase):
    def test_words_of_pages_and_documents(self):
        for body, words in (
            (b'{"message": "too\\n bad"}', 'too bad'),
            (b'{"itemNotFound": {"message": "gone", "code": 404}}', 'gone'),
            (
                b'<html><head><title>403</title></head><body><h1>403</h1>'
                b'not <b>you</b></body></html>',
                'not you',
            ),
            (b'[1]', ''),
            (b'', ''),
        ):
            response = requests.Response()
            response._content = body
            self.assertEqual(words, error_page.words(response), body)
