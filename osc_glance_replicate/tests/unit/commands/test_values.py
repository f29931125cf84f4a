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

import argparse

from osc_glance_replicate.commands import values
from osc_glance_replicate.tests.doubles import parsing


class TestValues(parsing.ParserTest):
    def test_scheduler_that_strangers_could_reach_is_refused(self):
        for address in (
            'tls://host:8786',
            'tls://10.0.0.1:8786',
            'tcp://localhost:8786',
            'tcp://127.0.0.1:8786',
            'tcp://[::1]:8786',
        ):
            parsed = self.parse('--to', 'x', '--scheduler', address)
            self.assertEqual(address, parsed.scheduler)
        parsed = self.parse('--to', 'x', '--scheduler', '127.0.0.1:8786')
        self.assertEqual('tcp://127.0.0.1:8786', parsed.scheduler)
        for address in (
            'tcp://host:8786',
            'host:8786',
            'tcp://10.0.0.1:8786',
            'tcp://127.0.0.1.example:8786',
        ):
            told = self.assertWrong('--to', 'x', '--scheduler', address)
            self.assertIn('tls://', told)
            self.assertIn('distributed.comm.tls', told)
        for address in (
            'ws://host:8786',
            'inproc://1',
            'tls://host',
            'tls://host:x',
            'tls://',
            'tcp://localhost@host:8786',
            'tls://me:secret@host:8786',
            '',
        ):
            told = self.assertWrong('--to', 'x', '--scheduler', address)
            self.assertIn('no address of a scheduler', told)

    def test_no_password_is_quoted(self):
        url = 'tls://me:secret@host:8786'
        for words in (
            ('--scheduler', url),
            ('--scheduler', 'me:secret@host:8786'),
            ('--to', f':{url}'),
            ('--min-size', url),
            ('--transfers', url),
            ('--set-property', url),
            ('--method', url),
            ('--none-such', url),
        ):
            told = self.assertWrong('--to', 'x', *words)
            self.assertNotIn('secret', told, words)

    def test_sizes(self):
        for text, number in (
            ('5', 5),
            ('5B', 5),
            ('1k', 1000),
            ('1.5G', 1500000000),
            ('1Ki', 1024),
            ('2GiB', 2 * 1024**3),
        ):
            self.assertEqual(number, values.size(text))

    def test_numbers_have_a_lowest(self):
        self.assertEqual(0, values.at_least(0)('0'))
        self.assertRaises(argparse.ArgumentTypeError, values.at_least(1), '0')
