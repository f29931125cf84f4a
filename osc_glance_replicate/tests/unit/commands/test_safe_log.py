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

import io
import logging

import fixtures
import testtools

from osc_glance_replicate.commands import safe_log


class TestSafeLog(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.stream = io.StringIO()
        handler = logging.StreamHandler(self.stream)
        handler.setFormatter(logging.Formatter('begin %(message)s'))
        root = logging.getLogger()
        self.useFixture(
            fixtures.MonkeyPatch('logging.root.handlers', [handler])
        )
        self.addCleanup(root.setLevel, root.level)
        root.setLevel(logging.DEBUG)
        safe_log.install()
        safe_log.install()

    def test_what_no_one_takes_is_not_made(self):
        log = logging.getLogger(__name__)
        self.assertTrue(log.isEnabledFor(logging.DEBUG))
        (handler,) = logging.root.handlers
        handler.setLevel(logging.WARNING)
        safe_log.install()
        self.assertFalse(log.isEnabledFor(logging.INFO))
        self.assertTrue(log.isEnabledFor(logging.WARNING))

    def test_what_is_not_made_stays_so(self):
        logging.getLogger().setLevel(logging.WARNING)
        safe_log.install()
        self.assertFalse(
            logging.getLogger(__name__).isEnabledFor(logging.INFO)
        )

    def test_nothing_steers_a_terminal(self):
        logging.warning('to %s', 'http://x/\x1b[2J\u202e\r\nforged')
        self.assertEqual(
            'begin to http://x/\\x1b[2J\\u202e\\r\\nforged\n',
            self.stream.getvalue(),
        )

    def test_message_with_percent_and_no_arguments(self):
        logging.warning('100 %s')
        self.assertEqual('begin 100 %s\n', self.stream.getvalue())

    def test_passwords_of_urls(self):
        logging.warning('to %s', 'http://user:secret@x/')
        self.assertEqual('begin to http://x/\n', self.stream.getvalue())

    def test_what_nobody_can_read_is_cut(self):
        end = '… (11000000 characters)\n'
        for tell, most in (logging.error, 4000), (logging.debug, 64_000):
            self.stream.truncate(0)
            self.stream.seek(0)
            tell('x' * 11_000_000)
            self.assertEqual(
                f'begin {"x" * most}{end}', self.stream.getvalue()
            )
        try:
            raise ValueError('y' * 11_000_000)
        except ValueError:
            logging.exception('it failed')
        self.assertLess(len(self.stream.getvalue()), 140_000)

    def test_traceback_keeps_its_lines(self):
        try:
            raise ValueError('\x1b[2J http://user:secret@x/')
        except ValueError:
            logging.exception('it failed')
        told = self.stream.getvalue()
        self.assertIn('begin it failed\nTraceback', told)
        self.assertIn('\\x1b[2J http://x/\n', told)
        self.assertNotIn('ValueError: \x1b', told)
