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

import http.client

import keystoneauth1.exceptions
import requests
import testtools
import urllib3

from osc_glance_replicate import errors


class TestPrintable(testtools.TestCase):
    def test_ordinary_text_stays(self):
        for text in ('plain', 'Zürich 東京', 'עברית', 'emoji 😀', ''):
            self.assertEqual(text, errors.printable(text))

    def test_terminal_cannot_be_steered(self):
        for text, safe in (
            ('a\x1b[2Jb', r'a\x1b[2Jb'),
            ('two\nlines\r\t', r'two\nlines\r\t'),
            ('C1 \x9b31m', r'C1 \x9b31m'),
            ('reversed \u202etxt', r'reversed \u202etxt'),
            ('separator\u2028', r'separator\u2028'),
            ('zero\u200bwidth', r'zero\u200bwidth'),
            ('lone \udc80 surrogate', r'lone \udc80 surrogate'),
        ):
            self.assertEqual(safe, errors.printable(text))


class TestErrors(testtools.TestCase):
    def test_message_is_one_printable_line_that_names_the_place(self):
        error = errors.PlaceError('slave', 'said \x1b[31m\nboo')
        self.assertEqual(r'slave: said \x1b[31m\nboo', str(error))

    def test_message_is_no_longer_than_somebody_reads(self):
        told = str(errors.CloudError('slave', 'x' * 11_000_000))
        self.assertTrue(told.startswith("Cannot use cloud 'slave': xxx"))
        self.assertTrue(told.endswith('x… (11000026 characters)'))
        self.assertLess(len(told), 4100)
        # Half a password is one, too.
        url = f'http://user:{"secret" * 1000}@x/'
        self.assertEqual('http://x/', errors.line(url))

    def test_cloud_is_named(self):
        self.assertEqual(
            "Cannot use cloud 'slave': no such host",
            str(errors.CloudError('slave', 'no such host')),
        )


class TestUnexpected(testtools.TestCase):
    def test_one_line_says_something(self):
        for exc, words in (
            (ValueError('a\x1b'), r'unexpected ValueError: a\x1b'),
            (KeyError(), 'unexpected KeyError'),
            (ValueError(' '), 'unexpected ValueError'),
        ):
            self.assertEqual(words, errors.unexpected(exc))
        for exc in MemoryError(), MemoryError('cannot allocate'):
            self.assertIn('not enough memory', errors.unexpected(exc))


class TestExplain(testtools.TestCase):
    def test_wraps_are_left_out(self):
        try:
            try:
                raise ConnectionRefusedError(111, 'Connection refused')
            except OSError as exc:
                raise ValueError(
                    "Unable to reach http://x/v3: HTTPConnectionPool(host='x'"
                    '): Max retries exceeded (Caused by ...)'
                ) from exc
        except ValueError as exc:
            self.assertEqual(
                'Unable to reach http://x/v3: Connection refused',
                errors.explain(exc),
            )

    def test_what_urllib3_quotes_is_said_once(self):
        inner = ConnectionResetError(104, 'Connection reset by peer')
        quoted = f'Connection broken: {inner!r}'
        self.assertEqual(
            '[Errno 104] Connection reset by peer',
            errors.explain(urllib3.exceptions.ProtocolError(quoted, inner)),
        )

    def test_connection_that_was_closed_is_said_without_its_classes(self):
        inner = http.client.RemoteDisconnected('Remote end closed connection')
        quoted = urllib3.exceptions.ProtocolError('Connection aborted.', inner)
        quoted.__cause__ = inner
        wrapped = requests.ConnectionError(quoted)
        wrapped.__cause__ = quoted
        self.assertEqual(
            'Remote end closed connection', errors.explain(wrapped)
        )
        told = keystoneauth1.exceptions.ConnectFailure(
            f'Unable to establish connection to http://x: {wrapped}'
        )
        told.__cause__ = wrapped
        self.assertEqual(
            'Unable to establish connection to http://x: '
            'Remote end closed connection',
            errors.explain(told),
        )

    def test_plain_message_stays(self):
        self.assertEqual('two lines', errors.explain(ValueError('two\nlines')))
        self.assertEqual('KeyError', errors.explain(KeyError()))
        told = 'certificate verify failed (_ssl.c:1006); what next'
        self.assertEqual(
            'certificate verify failed; what next',
            errors.explain(OSError(told)),
        )

    def test_password_of_a_url_is_left_out(self):
        told = 'Unable to reach http://me:s3c@ret@x:5000/v3: gone'
        self.assertEqual(
            'Unable to reach http://x:5000/v3: gone',
            errors.explain(OSError(told)),
        )
        self.assertEqual(
            "Cannot use cloud 'a': Unable to reach http://x:5000/v3: gone",
            str(errors.CloudError('a', told)),
        )

    def test_what_is_no_password_of_a_url_stays(self):
        for told in 'http://x/a@b', 'http://x then a@b', 'tcp://x?a@b':
            self.assertEqual(told, errors.explain(OSError(told)))
