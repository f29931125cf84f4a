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

import testtools

from osc_glance_replicate import errors
from osc_glance_replicate.tests.doubles import places
from osc_glance_replicate.tests.doubles import samples
from osc_glance_replicate.transfer import bandwidth
from osc_glance_replicate.transfer import source_data

IMAGE = samples.image(data=b'some data')


class TestSourceData(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.source = places.BreakingSource(b'some data')
        self.source.images[IMAGE.id] = IMAGE
        self.data = source_data.SourceData(self.source, IMAGE)

    def read(self, start):
        stream = self.data.open(start)
        self.addCleanup(stream.close)
        limit = bandwidth.Bandwidth()
        return b''.join(iter(lambda: stream.read(100, limit), b''))

    def test_it_is_opened_wherever_it_is_wanted(self):
        self.assertEqual(b'some data', self.read(0))
        self.assertEqual(b'data', self.read(5))
        self.assertEqual([0, 5], self.source.starts)
        # The record was looked at before the rest was taken for the same.
        self.assertEqual(['find'], self.source.calls)

    def test_what_has_changed_is_not_opened_again(self):
        self.read(0)
        for now in None, samples.image(data=b'other data'):
            self.source.images[IMAGE.id] = now
            error = self.assertRaises(errors.DataError, self.data.open, 5)
            self.assertIn('changed or deleted while', str(error))


class TestThroughput(testtools.TestCase):
    def test_a_window_has_to_have_enough(self):
        for count, problem in (
            (3000, ''),
            (2999, 'sent 5998 bytes in 60 s,'),
        ):
            throughput = source_data.Throughput()
            self.assertEqual('', throughput.add(count, 30))
            self.assertEqual(problem, throughput.add(count, 30))

    def test_each_window_counts_anew(self):
        throughput = source_data.Throughput()
        self.assertEqual('', throughput.add(10**9, 60))
        self.assertIn('sent 1 bytes', throughput.add(1, 60))
