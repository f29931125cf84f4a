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
"""What a run leaves for Prometheus, whatever becomes of the run."""

import pathlib
import signal
import time

import fixtures
from prometheus_client import parser

from osc_glance_replicate.tests.functional import faults
from osc_glance_replicate.tests.functional import links


class TestMetrics(links.BrokenLinksTest):
    alone = False

    def setUp(self):
        super().setUp()
        directory = self.useFixture(fixtures.TempDir()).path
        self.path = pathlib.Path(directory, 'nightly.prom')
        self.metrics = '--metrics', str(self.path)

    def value(self, name, **labels):
        """Return the value of the one sample; None for none."""
        text = self.path.read_text()
        found = [
            sample.value
            for family in parser.text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == f'glance_replicate_{name}'
            and labels.items() <= sample.labels.items()
        ]
        return found[0] if len(found) == 1 else found or None

    def test_from_the_first_run_on(self):
        begin = time.time()
        good = self.image(1000, name='good')
        broken = self.image(4, name='broken')
        whole = self.master.stored(broken.id).read_bytes()
        self.master.stored(broken.id).write_bytes(b'evil')
        self.copy(*self.metrics, expect=1)
        told = {
            'last_run_exit_code': 1,
            'last_success_timestamp_seconds': 0,
            'bytes': good.size,
            'destination_usable': 1,
            'oldest_missing_timestamp_seconds': broken.updated_at.timestamp(),
            'oldest_conflict_timestamp_seconds': 0,
        }
        for name, value in told.items():
            self.assertEqual(value, self.value(name), name)
        for result, count in ('copied', 1), ('failed', 1), ('conflict', 0):
            self.assertEqual(count, self.value('images', result=result))
        self.compare(expect=3)
        self.assertEqual(1, self.value('images', result='missing'))
        self.assertEqual(1, self.value('images', result='same'))
        self.assertEqual(1, self.value('images', result='copied'))
        self.master.stored(broken.id).write_bytes(whole)
        self.copy(*self.metrics)
        labels = {'verb': 'livecopy'}
        oldest = 'oldest_missing_timestamp_seconds'
        self.assertEqual(0, self.value(oldest, **labels))
        success = self.value('last_success_timestamp_seconds', **labels)
        self.assertTrue(begin < success <= time.time())
        # What compare has found stays until it finds something else.
        self.assertNotEqual(0, self.value(oldest, verb='compare'))
        self.compare()
        self.assertEqual(0, self.value(oldest, verb='compare'))

    def compare(self, expect=0):
        self.openstack(
            '--os-cloud', 'master', 'image', 'replicate', 'compare',
            '-f', 'json', '--to', 'slave', *self.metrics, *self.data,
            environment=self.environment, expect=expect,
        )  # fmt: skip

    def test_dumped_and_loaded(self):
        image = self.image(1000)
        dump = str(self.path.with_name('dump'))
        for cloud, verb in ('master', 'dump'), ('slave', 'load'):
            self.openstack(
                '--os-cloud', cloud, 'image', 'replicate', verb, dump,
                image.id, *self.metrics,
            )  # fmt: skip
        for verb, to in ('dump', dump), ('load', 'slave'):
            self.assertEqual(1000, self.value('bytes', verb=verb, to=to))

    def test_cloud_that_cannot_be_used(self):
        self.image(1000)
        self.copy(*self.metrics, '--to', 'ghost', expect=1)
        self.assertEqual(1, self.value('last_run_exit_code'))
        self.assertIsNone(self.value('destination_usable'))
        environment = self.clouds_yaml(
            gone={
                'auth_type': 'none',
                'endpoint': 'http://127.0.0.1:9',
            }
        )
        self.openstack(
            *self.words('--to', 'gone', *self.metrics),
            environment=environment, expect=1,
        )  # fmt: skip
        self.assertEqual(0, self.value('destination_usable', to='gone'))
        self.assertEqual(1, self.value('destination_usable', to='slave'))

    def test_interrupted(self):
        image = self.image()
        stall = faults.Fault(download=self.hold())
        self.source.on('GET', '/file$', stall)
        process = self.start_copy(*self.metrics)
        self.await_upload(image)
        process.send_signal(signal.SIGINT)
        self.finish(process, expect=130)
        self.assertEqual(130, self.value('last_run_exit_code'))
        self.assertIsNone(self.value('oldest_missing_timestamp_seconds'))

    def test_nothing_is_written_where_nothing_was_meant(self):
        self.image(1000)
        for words in (
            ('--metrics', str(self.path.with_suffix('.txt'))),
            (*self.metrics, '--dry-run'),
            (*self.metrics, '--transfers', '0'),
        ):
            self.copy(*words, expect=2)
        self.assertEqual([], list(self.path.parent.iterdir()))

    def test_file_of_somebody_else(self):
        self.path.write_text('node_load1 0.5\n')
        self.image(1000)
        result = self.copy(*self.metrics, expect=1)
        (line,) = result.stderr.splitlines()
        self.assertIn('nightly.prom is no file of --metrics', line)
        self.assertEqual('node_load1 0.5\n', self.path.read_text())
        self.assertEqual(set(), self.there())
