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

import gzip
import io
import os
import zlib

import requests
import testtools

from osc_glance_replicate.clouds import decoding

DATA = os.urandom(100_000) + bytes(1_000_000)


class TestDecoding(testtools.TestCase):
    def read(self, encoding, content, most=4096):
        """Read an answer to its end.

        :returns: the data, and the longest piece of it
        """
        response = requests.Response()
        if encoding:
            response.headers['Content-Encoding'] = encoding
        read = decoding.unpacked(response, io.BytesIO(content).read)
        pieces = list(iter(lambda: read(most), b''))
        return b''.join(pieces), max(map(len, pieces), default=0)

    def test_what_is_packed(self):
        for encoding, content in (
            ('gzip', gzip.compress(DATA)),
            ('x-gzip', gzip.compress(DATA)),
            ('GZIP ', gzip.compress(DATA)),
            ('deflate', zlib.compress(DATA)),
            ('', DATA),
            ('identity', DATA),
            ('utf-8', DATA),
            ('none, br', DATA),
            ('br, gzip', gzip.compress(DATA)),
            ('gzip, deflate', zlib.compress(gzip.compress(DATA))),
            ('gzip', gzip.compress(DATA[:1000]) + gzip.compress(DATA[1000:])),
            # Some send it without a header.
            ('deflate', zlib.compress(DATA)[2:-4]),
            # What comes after the end is not looked at.
            ('gzip', gzip.compress(DATA) + bytes(100)),
            ('gzip', gzip.compress(DATA) + b'\x1f'),
            ('deflate', zlib.compress(DATA) + b'\n'),
        ):
            for most in 97, 4096, 10_000_000:
                found, longest = self.read(encoding, content, most)
                self.assertEqual(DATA, found)
                self.assertLessEqual(longest, most)

    def test_byte_by_byte(self):
        data = DATA[90_000:110_000]
        for encoding, content in (
            ('gzip', gzip.compress(data)),
            ('deflate', zlib.compress(data)),
            ('', data),
        ):
            self.assertEqual((data, 1), self.read(encoding, content, 1))

    def test_no_more_is_unpacked_than_is_wanted(self):
        bomb = gzip.compress(bytes(1 << 28))
        response = requests.Response()
        response.headers['Content-Encoding'] = 'gzip'
        read = decoding.unpacked(response, io.BytesIO(bomb).read)
        self.assertEqual(65536, len(read(65536)))

    def test_nothing_is_nothing_however_it_is_packed(self):
        """Gateways say that of each answer, also of one without a body."""
        for encoding in 'gzip', 'deflate':
            self.assertEqual((b'', 0), self.read(encoding, b''))

    def test_what_is_broken(self):
        for encoding, content, told in (
            ('gzip', gzip.compress(DATA)[:-100], 'ends too early'),
            ('gzip', b'no gzip', 'it is no gzip'),
            ('deflate', b'no deflate', 'it is no deflate'),
            ('gzip,' * 2000, gzip.compress(DATA), 'more than 4 times'),
        ):
            error = self.assertRaises(
                decoding.PackedError, self.read, encoding, content
            )
            self.assertIn(told, str(error))

    def test_of_which_nothing_comes(self):
        empty = zlib.compressobj()
        start = empty.compress(b'') + empty.flush(zlib.Z_FULL_FLUSH)
        endless = start + 2_000_000 * b'\0\0\0\xff\xff'
        error = self.assertRaises(
            decoding.PackedError, self.read, 'deflate', endless
        )
        self.assertIn('nothing comes of it', str(error))
