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

import io
import os
import pathlib
import sys
import types

import fixtures
import testtools

from osc_glance_replicate.commands import streams


class TestStreams(testtools.TestCase):
    def test_lines_are_written_at_once(self):
        ours, theirs = os.pipe()
        self.addCleanup(os.close, ours)
        with os.fdopen(theirs, 'w') as stream:
            streams.write_lines(stream, ['a', 'b'])
            self.assertEqual(b'a\nb\n', os.read(ours, 100))

    def test_full_disk_is_silenced(self):
        with open('/dev/full', 'w') as stream:
            streams.write_lines(stream, ['a'])
            self.assertEqual(
                pathlib.Path(os.devnull),
                pathlib.Path(f'/proc/self/fd/{stream.fileno()}').readlink(),
            )

    def test_closed_streams(self):
        self.useFixture(fixtures.MonkeyPatch('sys.stdout', None))
        self.useFixture(fixtures.MonkeyPatch('logging.raiseExceptions', True))
        app = types.SimpleNamespace(
            options=types.SimpleNamespace(debug=True), stdout=None, stderr=None
        )
        streams.prepare(app)
        self.addCleanup(app.stderr.close)
        self.assertIs(app.stdout, sys.stdout)
        app.stderr.write('into the void')
        app.stdout.write('x')
        # There is nobody to print to.
        self.assertRaises(OSError, app.stdout.flush)
        streams.silence(app.stdout)
        os.dup2(app.stderr.fileno(), app.stdout.fileno())
        app.stdout.close()

    def test_characters_that_an_encoding_lacks_are_escaped(self):
        for name, shown in (
            ('ascii', rb'\xdc \u65e5 \udc80'),
            ('latin-1', b'\xdc ' + rb'\u65e5 \udc80'),
            ('utf-8', 'Ü 日'.encode() + rb' \udc80'),
        ):
            for failing in 'strict', 'surrogateescape':
                raw = io.BytesIO()
                stream = io.TextIOWrapper(raw, name, failing)
                streams.escape(stream)
                stream.write('Ü 日 \udc80')
                stream.flush()
                self.assertEqual(shown, raw.getvalue())
        replacing = io.TextIOWrapper(io.BytesIO(), 'ascii', 'replace')
        streams.escape(replacing)
        self.assertEqual('replace', replacing.errors)
        streams.escape(None)

    def test_streams_that_are_there_stay(self):
        stdout, stderr = io.StringIO(), io.StringIO()
        app = types.SimpleNamespace(
            options=types.SimpleNamespace(debug=True),
            stdout=stdout,
            stderr=stderr,
        )
        streams.prepare(app)
        self.assertIs(stdout, app.stdout)
        self.assertIs(stderr, app.stderr)
