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

import itertools
import json
import tracemalloc

import testtools

from osc_glance_replicate.model import bounded_json

MIB = 1024 * 1024


class TestLoads(testtools.TestCase):
    def test_it_is_decoded_as_ever(self):
        for document in (
            {'a': ['b', 5, None, {'c': 'd"[{,\\'}]},
            'z\xfcrich \u5b57 \U0001f4bf \ud800',
            [],
            1.5,
        ):
            for encoding, ascii in itertools.product(
                ('utf-8', 'utf-8-sig', 'utf-16', 'utf-32-be'), (True, False)
            ):
                text = json.dumps(document, ensure_ascii=ascii)
                content = text.encode(encoding, 'surrogatepass')
                self.assertEqual(document, bounded_json.loads(content, 20))

    def test_options(self):
        found = bounded_json.loads(b'{"a": 1}', 9, object_pairs_hook=list)
        self.assertEqual([('a', 1)], found)

    def test_what_is_no_json(self):
        for content in b'', b'"', b'"\\', b'{"a', b'nothing', b'\xff':
            self.assertRaises(ValueError, bounded_json.loads, content, 9)

    def test_parts_are_counted(self):
        for content, count in (
            ('5', 0),
            ('"a"', 1),
            ('[]', 1),
            ('[[], {}, 5]', 5),
            ('{"a": "b", "c": 5}', 5),
            (json.dumps({'a[,{': 'b\\",\\\\"[{\n,'}), 3),
        ):
            for encoding in 'utf-8', 'utf-16', 'utf-32-le':
                told = content.encode(encoding)
                bounded_json.loads(told, count)
                if count:
                    self.assertRaises(
                        bounded_json.TooManyError,
                        bounded_json.loads,
                        told,
                        count - 1,
                    )

    def test_no_object_is_made_of_too_many_parts(self):
        for part in b'{}', b'[]', b'1.5', b'"ab"', b'{"a":{}}':
            content = b'[' + b','.join([part] * 500_000) + b']'
            self._assert_small(MIB, content, bounded_json.TooManyError)

    def test_long_texts_are_read_in_place(self):
        for text in b'x', b'\\n', b'x\\u00e9', b'\\"':
            # Without its end, it is no JSON.
            content = b'"' + text * (4 * MIB // len(text))
            self._assert_small(9 * MIB, content, ValueError)

    def _assert_small(self, most, content, error):
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        self.assertRaises(error, bounded_json.loads, content, 1000)
        self.assertLess(tracemalloc.get_traced_memory()[1], most)
        tracemalloc.stop()
