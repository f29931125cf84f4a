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

import collections
import threading
import time
import weakref

import fixtures
import testtools

from osc_glance_replicate import background
from osc_glance_replicate.tests.doubles import clocks
from osc_glance_replicate.tests.doubles import forks

_PATIENCE = clocks.PATIENCE


class TestExecutor(testtools.TestCase):
    def test_calls_are_made_in_order_by_one_thread_that_holds_up_no_exit(self):
        executor = background.Executor()
        threads = [executor.submit(threading.current_thread) for _ in range(3)]
        (thread,) = {future.result(_PATIENCE) for future in threads}
        self.assertIsNot(threading.current_thread(), thread)
        self.assertTrue(thread.daemon)
        executor.close()

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


class TestFork(testtools.TestCase):
    def test_a_child_has_threads_of_its_own(self):
        background.start(str).result(_PATIENCE)
        code = forks.in_child(
            lambda: background.start(int, '5').result(_PATIENCE)
        )
        self.assertEqual(5, code)


class TestIdle(testtools.TestCase):
    """A thread that is not needed any more is there for the next one."""

    def setUp(self):
        super().setUp()
        self.idle = collections.deque()
        self.useFixture(
            fixtures.MonkeyPatch(f'{background.__name__}._IDLE', self.idle)
        )

    def use(self, executor):
        """Use an executor, and have done with it."""
        thread = executor.submit(threading.current_thread).result(_PATIENCE)
        executor.close()
        return thread

    def wait_until_idle(self, count):
        """Wait until so many threads are."""
        end = time.monotonic() + _PATIENCE
        while len(self.idle) < count and time.monotonic() < end:
            time.sleep(0.001)

    def test_it_is_used_again(self):
        self.use(background.Executor())
        self.wait_until_idle(1)
        start = threading.Thread.start
        started = []
        self.useFixture(
            fixtures.MonkeyPatch(
                'threading.Thread.start',
                lambda thread: started.append(thread) or start(thread),
            )
        )
        self.use(background.Executor())
        self.assertEqual([], started)

    def test_not_while_it_is_used(self):
        executors = [background.Executor() for _ in range(2)]
        self.assertEqual(2, len(set(map(self.use, executors))))

    def test_what_a_call_held_is_not_kept(self):
        class Held:
            """What can be looked after."""

        held = Held()
        gone = threading.Event()
        seen = weakref.ref(held, lambda _: gone.set())
        executor = background.Executor()
        self.addCleanup(executor.close)
        executor.submit(id, held).result(_PATIENCE)
        del held
        self.assertTrue(gone.wait(_PATIENCE))
        self.assertIsNone(seen())

    def test_no_more_than_enough_are_kept(self):
        self.useFixture(
            fixtures.MonkeyPatch(f'{background.__name__}._MAX_IDLE', 1)
        )
        first, *others = [background.Executor() for _ in range(3)]
        self.use(first)
        self.wait_until_idle(1)
        for thread in map(self.use, others):
            thread.join(_PATIENCE)
            self.assertFalse(thread.is_alive())


class TestStart(testtools.TestCase):
    def test_each_call_has_a_thread_of_its_own(self):
        meeting = threading.Barrier(3)
        calls = [background.start(meeting.wait, _PATIENCE) for _ in range(2)]
        meeting.wait(_PATIENCE)
        self.assertEqual(2, len({call.result(_PATIENCE) for call in calls}))
