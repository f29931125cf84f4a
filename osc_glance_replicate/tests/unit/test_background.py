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

import threading

import testtools

from osc_glance_replicate import background
from osc_glance_replicate.tests.doubles import clocks

_PATIENCE = clocks.PATIENCE


class TestExecutor(testtools.TestCase):
    def test_calls_are_made_in_order_by_one_thread_that_holds_up_no_exit(self):
        executor = background.Executor()
        threads = [executor.submit(threading.current_thread) for _ in range(3)]
        (thread,) = {future.result(_PATIENCE) for future in threads}
        self.assertIsNot(threading.current_thread(), thread)
        self.assertTrue(thread.daemon)
        executor.close()
        thread.join(_PATIENCE)
        self.assertFalse(thread.is_alive())

    def test_what_a_call_raises_ends_that_call_alone(self):
        executor = background.Executor()
        self.addCleanup(executor.close)
        broken = executor.submit(int, 'x')
        exiting = executor.submit(exit)
        self.assertIsInstance(broken.exception(_PATIENCE), ValueError)
        self.assertIsInstance(exiting.exception(_PATIENCE), SystemExit)
        number = executor.submit(int, '12', base=3)
        self.assertEqual(5, number.result(_PATIENCE))

    def test_closed_worker_ends_what_was_started(self):
        go = threading.Event()
        executor = background.Executor()
        executor.submit(go.wait)
        last = executor.submit(str)
        executor.close()
        go.set()
        self.assertEqual('', last.result(_PATIENCE))


class TestStart(testtools.TestCase):
    def test_each_call_has_a_thread_of_its_own(self):
        meeting = threading.Barrier(3)
        calls = [background.start(meeting.wait, _PATIENCE) for _ in range(2)]
        meeting.wait(_PATIENCE)
        self.assertEqual(2, len({call.result(_PATIENCE) for call in calls}))
