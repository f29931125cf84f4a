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
"""What those who watch make of the figures: tox -e monitoring.

promtool is of Debian's prometheus, the collector of its
prometheus-node-exporter.
"""

import pathlib
import socket
import subprocess
import urllib.request

import fixtures
from prometheus_client import parser

from osc_glance_replicate.tests.functional import links

_PAGES = pathlib.Path(__file__).parents[3] / 'doc' / 'source' / 'user'


class TestMonitoring(links.BrokenLinksTest):
    def setUp(self):
        super().setUp()
        self.directory = self.useFixture(fixtures.TempDir()).path
        self.path = pathlib.Path(self.directory, 'nightly.prom')
        self.image(1000, name='good')
        broken = self.image(4, name='broken')
        self.master.stored(broken.id).write_bytes(b'evil')
        self.copy('--metrics', str(self.path), expect=1)

    def promtool(self, *arguments, **options):
        done = subprocess.run(
            ['promtool', *arguments],
            cwd=_PAGES,
            text=True,
            capture_output=True,
            **options,
        )
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def test_figures_are_as_conventions_have_them(self):
        told = self.promtool('check', 'metrics', input=self.path.read_text())
        self.assertEqual('', told)

    def test_alerts(self):
        told = self.promtool('check', 'rules', 'alerts.yaml')
        self.assertIn('SUCCESS: 3 rules found', told)
        self.promtool('test', 'rules', 'alerts-test.yaml')

    def test_they_are_collected(self):
        with socket.create_server(('127.0.0.1', 0)) as free:
            port = free.getsockname()[1]
        exporter = subprocess.Popen(
            [
                'prometheus-node-exporter',
                f'--web.listen-address=127.0.0.1:{port}',
                '--collector.disable-defaults',
                '--collector.textfile',
                f'--collector.textfile.directory={self.directory}',
            ],
            stderr=subprocess.DEVNULL,
        )
        self.addCleanup(exporter.wait)
        self.addCleanup(exporter.kill)
        text = self.wait_for(lambda: _read(f'http://127.0.0.1:{port}/metrics'))
        told = {
            (sample.name, sample.labels.get('result')): sample.value
            for family in parser.text_string_to_metric_families(text)
            for sample in family.samples
        }
        self.assertEqual(0, told['node_textfile_scrape_error', None])
        for result in 'copied', 'failed':
            self.assertEqual(1, told['glance_replicate_images', result])


def _read(url):
    try:
        with urllib.request.urlopen(url) as response:
            return response.read().decode()
    except OSError:
        return ''
