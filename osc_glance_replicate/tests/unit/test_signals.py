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

import os
import signal
import subprocess
import sys

import testtools

from osc_glance_replicate import signals


class TestHeeded(testtools.TestCase):
    def setUp(self):
        super().setUp()
        # Whoever runs the tests may have them ignored.
        for number in signal.SIGINT, signal.SIGTERM:
            before = signal.signal(number, signal.default_int_handler)
            self.addCleanup(signal.signal, number, before)

    def test_first_signal_is_raised_and_handlers_come_back(self):
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            before = signal.getsignal(number)
            with testtools.ExpectedException(signals.Ended, number.name):
                with signals.heeded():
                    self.assertIsNot(before, signal.getsignal(number))
                    os.kill(os.getpid(), number)
                    self.fail('it goes on')
            self.assertIs(before, signal.getsignal(number))
            self.assertEqual(code, signals.Ended(number).exit_code)

    def test_second_signal_ends_the_process_at_once(self):
        code = (
            'import os, signal\n'
            'from osc_glance_replicate import signals\n'
            'for number in signal.SIGINT, signal.SIGTERM:\n'
            '    signal.signal(number, signal.SIG_DFL)\n'
            'with signals.heeded():\n'
            '    try:\n'
            '        os.kill(os.getpid(), signal.SIGTERM)\n'
            '    except signals.Ended:\n'
            '        os.kill(os.getpid(), signal.SIGINT)\n'
        )
        ended = subprocess.run([sys.executable, '-c', code])
        self.assertEqual(-signal.SIGINT, ended.returncode)

    def test_what_is_ignored_stays_ignored(self):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with signals.heeded():
            os.kill(os.getpid(), signal.SIGINT)
        self.assertIs(signal.SIG_IGN, signal.getsignal(signal.SIGINT))
