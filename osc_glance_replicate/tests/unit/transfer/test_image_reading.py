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

from osc_glance_replicate import errors
from osc_glance_replicate.model import options
from osc_glance_replicate.tests.doubles import fake_glance
from osc_glance_replicate.tests.doubles import places
from osc_glance_replicate.tests.doubles import samples
from osc_glance_replicate.transfer import image_reading


class TestBlocks(testtools.TestCase):
    def test_all_transfers_share_some_memory(self):
        for transfers, kib in (1, 1024), (3, 1024), (8, 384), (64, 128):
            self.assertEqual(kib * 1024, image_reading.fair_block(transfers))


class TestChecks(testtools.TestCase):
    def read(self, **kept):
        """Read data that is not what the record says."""
        image = samples.image(data=b'data')
        source = places.Place('master', b'dada')
        source.images[image.id] = image
        reading = image_reading.Reading(
            source, 0, options.Checks(checksum=False)
        )
        with reading.open(image, False, **kept) as data:
            data.look_ahead()
            return data.read(0)

    def test_what_was_kept_is_hashed_whatever_was_asked_for(self):
        self.assertEqual(b'dad', self.read())
        error = self.assertRaises(
            errors.DataError, self.read, kept=samples.Data(b'da'), start=2
        )
        self.assertIn('sha512', str(error))


class TestEnd(fake_glance.GlanceTest):
    """A source that says nothing does not hold up the end of a run."""

    # It would be given up after a minute.
    patience = 30

    def test_source_that_does_not_open(self):
        over = threading.Event()
        self.addCleanup(over.set)
        stop = threading.Event()

        def answer(request):
            stop.set()
            over.wait()
            return fake_glance.Answer(404)

        reading = image_reading.Reading(self.serve(answer), 3, stop=stop)
        with reading.open(samples.image(data=b'data'), False) as data:
            error = self.assertRaises(errors.StoppedError, data.look_ahead)
        self.assertEqual('slave: interrupted', str(error))
        self.assertEqual(1, len(self.fake.requests))
