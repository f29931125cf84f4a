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

import fixtures
import testtools

from osc_glance_replicate import background
from osc_glance_replicate.places.glance import permissions
from osc_glance_replicate.tests.doubles import clocks

MODULE = permissions.__name__


class TestTogether(testtools.TestCase):
    """Several ask for the same at a time."""

    def setUp(self):
        super().setUp()
        self.permissions = permissions.Permissions()
        self.asks = threading.Semaphore(0)
        self.go = threading.Event()
        self.addCleanup(self.go.set)

    def patience(self, seconds):
        self.useFixture(fixtures.MonkeyPatch(f'{MODULE}._PATIENCE', seconds))

    def ask(self):
        self.asks.release()
        self.go.wait(clocks.PATIENCE)

    def require(self, ask):
        return background.start(self.permissions.require, 'public', ask)

    def first(self, ask):
        """Have somebody ask."""
        first = self.require(ask)
        self.asks.acquire(timeout=clocks.PATIENCE)
        return first

    def test_they_wait_for_the_first(self):
        self.patience(clocks.PATIENCE)
        first = self.first(self.ask)
        # It fails where it is called.
        others = [self.require(None) for _ in range(3)]
        self.go.set()
        for each in first, *others:
            self.assertIsNone(each.result(clocks.PATIENCE))

    def test_not_for_long(self):
        self.patience(0.01)
        first = self.first(self.ask)
        self.require(lambda: None).result(clocks.PATIENCE)
        self.assertFalse(first.done())

    def test_they_ask_themselves_where_it_was_refused(self):
        self.patience(clocks.PATIENCE)

        def refuse():
            self.ask()
            raise LookupError

        others = []
        first = self.first(refuse)
        other = self.require(lambda: others.append('asked'))
        self.go.set()
        self.assertIsInstance(first.exception(clocks.PATIENCE), LookupError)
        other.result(clocks.PATIENCE)
        self.assertEqual(['asked'], others)


class TestMemory(testtools.TestCase):
    def test_it_is_bounded(self):
        self.useFixture(fixtures.MonkeyPatch(f'{MODULE}._MAX_KINDS', 2))
        remembered = permissions.Permissions()
        asks = []
        for kind in 'a', 'b', 'a', 'c', 'c', 'a':
            remembered.require(kind, lambda kind=kind: asks.append(kind))
        self.assertEqual(['a', 'b', 'c', 'a'], asks)
