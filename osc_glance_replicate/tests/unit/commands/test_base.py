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
import os
import signal
import types

import testtools

from osc_glance_replicate.commands import load


class TestSignals(testtools.TestCase):
    def test_run_that_is_ended_before_it_has_begun(self):
        class Ended(load.LoadImages):
            def take_action(self, parsed_args):
                os.kill(os.getpid(), self.number)

        options = types.SimpleNamespace(debug=True)
        app = types.SimpleNamespace(
            options=options, stdout=io.StringIO(), stderr=io.StringIO()
        )
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            # Whoever runs the tests may have it ignored.
            before = signal.signal(number, signal.default_int_handler)
            self.addCleanup(signal.signal, number, before)
            command = Ended(app, None)
            command.number = number
            parsed_args = command.get_parser('load').parse_args(['/x'])
            self.assertEqual(code, command.run(parsed_args))
