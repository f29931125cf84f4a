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

import contextlib
import threading

import fixtures
import testtools

from osc_glance_replicate import background
from osc_glance_replicate import errors
from osc_glance_replicate.tests.doubles import clocks
from osc_glance_replicate.transfer import fan_out

_PATIENCE = clocks.PATIENCE


class Blocks:
    """Verified data that comes block by block.

    :param blocks: what is read, or gives it; an error is raised
    """

    def __init__(self, *blocks):
        self._blocks = iter(blocks)
        self.opened = 0

    @contextlib.contextmanager
    def __call__(self):
        self.opened += 1
        yield self

    def look_ahead(self):
        pass

    def read(self, seconds):
        block = next(self._blocks, b'')
        if isinstance(block, Exception):
            raise block
        return block() if callable(block) else block


class TestBranches(testtools.TestCase):
    def setUp(self):
        super().setUp()
        for name, value in (
            ('_STRAGGLER_TIMEOUT', _PATIENCE),
            ('_MAX_LEAD', 4),
        ):
            self.useFixture(
                fixtures.MonkeyPatch(f'{fan_out.__name__}.{name}', value)
            )

    def received(self, branch):
        """Read all that one destination gets, in a thread of its own."""

        def read():
            with branch:
                branch.look_ahead()
                return b''.join(iter(lambda: branch.read(_PATIENCE), b''))

        return background.start(read)

    def test_all_get_all_of_it_and_it_is_read_once(self):
        data = Blocks(b'one', b'two', b'three', b'four')
        fan = fan_out.FanOut(data, 'abc')
        coming = [self.received(fan.branch(name)) for name in 'abc']
        self.assertEqual(
            [b'onetwothreefour'] * 3,
            [each.result(_PATIENCE) for each in coming],
        )
        self.assertEqual(1, data.opened)

    def test_whoever_does_not_come_is_not_waited_for(self):
        fan = fan_out.FanOut(Blocks(b'data'), 'ab')
        coming = self.received(fan.branch('a'))
        fan.leave('b')
        self.assertEqual(b'data', coming.result(_PATIENCE))
        self.assertIsNone(fan.branch('b'))
        self.assertIsNone(fan.branch('stranger'))

    def test_trouble_of_the_source_is_everybodys(self):
        broken = errors.TransientError('master', 'broke')
        fan = fan_out.FanOut(Blocks(b'one', broken), 'ab')
        coming = [self.received(fan.branch(name)) for name in 'ab']
        self.assertEqual(
            [broken, broken], [each.exception(_PATIENCE) for each in coming]
        )

    def test_whoever_holds_up_the_others_is_dropped(self):
        taken, go = threading.Event(), threading.Event()

        def third():
            # No patience for what is late only once both are at it.
            taken.wait(_PATIENCE)
            self.useFixture(
                fixtures.MonkeyPatch(
                    f'{fan_out.__name__}._STRAGGLER_TIMEOUT', 0.05
                )
            )
            return b'3333'

        fan = fan_out.FanOut(Blocks(b'1111', b'2222', third), 'ab')
        quick, slow = fan.branch('a'), fan.branch('b')

        def read_slowly():
            with slow:
                slow.look_ahead()
                slow.read(_PATIENCE)
                taken.set()
                go.wait(_PATIENCE)
                return b''.join(iter(lambda: slow.read(_PATIENCE), b''))

        blocked = background.start(read_slowly)
        coming = self.received(quick)
        self.assertEqual(b'111122223333', coming.result(_PATIENCE))
        go.set()
        error = blocked.exception(_PATIENCE)
        self.assertIsInstance(error, errors.DroppedError)
        self.assertIn('b: held up the other destinations', str(error))
