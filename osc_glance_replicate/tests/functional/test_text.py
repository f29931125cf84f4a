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

"""Names that a terminal, a pipe or a log of few characters cannot take."""

import pathlib

import fixtures

from osc_glance_replicate.tests.functional import base

NAMES = {'Übung': rb'\xdcbung', '日本語': rb'\u65e5\u672c\u8a9e'}


class TestEncodings(base.FunctionalTest):
    """Nothing of a run depends on what can be shown of it."""

    alone = False
    #: The encoding of its streams is what a process begins with.
    preloads = False

    def setUp(self):
        super().setUp()
        self.scratch = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.log = self.scratch / 'log'
        self.images = {
            name: self.master.create(name.encode(), name=name)
            for name in NAMES
        }
        # Its Reason has an ellipsis, whatever it is called.
        self.damaged = self.master.create(b'damaged', name='plain')
        self.master.stored(self.damaged.id).write_bytes(b'datamaged')

    def run_in(self, encoding, verb, *words, expect):
        stdout, stderr = self.scratch / 'out', self.scratch / 'err'
        with stdout.open('wb') as out, stderr.open('wb') as err:
            process = self.start_script(
                '--os-cloud', 'master', '-vv', '--log-file', str(self.log),
                'image', 'replicate', verb, '--to', 'slave', *words,
                environment={'PYTHONIOENCODING': encoding},
                stdout=out, stderr=err,
            )  # fmt: skip
            self.assertEqual(expect, process.wait(), stderr.read_bytes())
        return stdout.read_bytes(), stderr.read_bytes()

    def test_all_is_done_and_escaped(self):
        ids = [image.id for image in self.images.values()]
        for format_ in 'value', 'table', 'csv':
            told, _ = self.run_in(
                'ascii', 'compare', '-f', format_, *ids, expect=3
            )
            for escaped in NAMES.values():
                self.assertIn(escaped, told)
        report = self.scratch / 'report.html'
        told, summary = self.run_in(
            'ascii', 'livecopy', *ids, self.damaged.id, '-f', 'value',
            '--progress', '--report', str(report), expect=1,
        )  # fmt: skip
        for image in self.images.values():
            self.assertReplica(image, image.name.encode())
        for escaped in NAMES.values():
            self.assertIn(escaped, told)
        self.assertIn(b'2 copied', summary)
        self.assertIn(b'1 failed', summary)
        for name in NAMES:
            self.assertIn(name, report.read_text('utf-8'))
        for stream in told, summary:
            self.assertNotIn(b'Traceback', stream)
            self.assertNotIn(b'Error', stream)

    def test_what_can_be_shown_is(self):
        told, _ = self.run_in(
            'latin-1', 'compare', '-f', 'value',
            *(image.id for image in self.images.values()), expect=3,
        )  # fmt: skip
        self.assertIn('Übung'.encode('latin-1'), told)
        self.assertIn(NAMES['日本語'], told)

    def test_log_of_few_characters(self):
        """As in a locale that has no UTF-8."""
        environment = {
            'PYTHONIOENCODING': 'ascii',
            'LC_ALL': 'C',
            'PYTHONCOERCECLOCALE': '0',
            'PYTHONUTF8': '0',
        }
        for name, image in self.images.items():
            self.master.patch(image.id, name=f'{name} 2')
        for image in self.images.values():
            result = self.openstack(
                '--os-cloud', 'master', '--debug', '--log-file',
                str(self.log), 'image', 'replicate', 'livecopy', '--to',
                'slave', image.id, '-f', 'json', environment=environment,
            )  # fmt: skip
            self.assertEqual({image.id: 'copied'}, result.results)
            self.assertNotIn('Logging error', result.stderr)
            self.assertNotIn('UnicodeEncodeError', result.stderr)
