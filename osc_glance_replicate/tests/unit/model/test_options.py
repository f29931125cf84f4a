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

from osc_glance_replicate.model import options

Method = options.Method


class TestDelivery(testtools.TestCase):
    def test_in_words(self):
        for delivery, words in (
            (options.Delivery(), ''),
            (options.Delivery(Method.IMPORT), 'by import'),
            (options.Delivery(all_stores=True), 'by upload to all stores'),
            (
                options.Delivery(Method.DOWNLOAD, ('a', 'b'), region='North'),
                'by glance-download from North to a, b',
            ),
        ):
            self.assertEqual(words, str(delivery))

    def test_what_is_staged_is_imported(self):
        for method, imports in (
            (Method.UPLOAD, False),
            (Method.IMPORT, True),
            (Method.DOWNLOAD, True),
        ):
            delivery = options.Delivery(method, ('a',), region='North')
            self.assertEqual(imports, delivery.imports)
            self.assertEqual(
                options.Delivery(Method.IMPORT, ('a',)), delivery.of_staged
            )
