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

import testtools

from osc_glance_replicate import errors
from osc_glance_replicate.tests.doubles import clocks
from osc_glance_replicate.tests.doubles import places
from osc_glance_replicate.tests.doubles import samples
from osc_glance_replicate.transfer import bandwidth
from osc_glance_replicate.transfer import read_ahead
from osc_glance_replicate.transfer import resuming_reader
from osc_glance_replicate.transfer import source_data

DATA = b'0123456789'

BROKEN = errors.TransientError('master', 'broke')


class Silent:
    """Data that waits to be interrupted."""

    watched = True

    def arrived(self, most):
        return None

    def __init__(self):
        self.waits = threading.Event()
        self._over = threading.Event()
        self.closed = threading.Event()

    def read(self, most):
        self.waits.set()
        self._over.wait()
        raise errors.StoppedError('master', 'interrupted')

    def interrupt(self):
        self._over.set()

    def close(self):
        self.closed.set()


class TestReadAhead(testtools.TestCase):
    def test_a_read_that_waits_is_ended(self):
        silent = Silent()
        with contextlib.closing(read_ahead.ReadAhead(silent, 100)) as data:
            self.assertIsNone(data.read(0.001))
            self.assertTrue(silent.waits.wait(clocks.PATIENCE))
        self.assertTrue(silent.closed.wait(clocks.PATIENCE))

    def test_errors_are_passed_on(self):
        for error in BROKEN, TimeoutError('of the source'):
            image = samples.image(data=DATA)
            source = resuming_reader.ResumingReader(
                source_data.SourceData(
                    places.Place('master', DATA, read=[error]), image
                ),
                0,
                bandwidth.Bandwidth(),
            )
            with contextlib.closing(read_ahead.ReadAhead(source, 100)) as data:
                self.assertRaises(
                    (errors.PlaceError, TimeoutError),
                    data.read,
                    clocks.PATIENCE,
                )
