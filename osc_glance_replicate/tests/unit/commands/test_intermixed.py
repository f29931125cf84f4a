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

from osc_glance_replicate.commands import dump
from osc_glance_replicate.commands import intermixed
from osc_glance_replicate.commands import verify
from osc_glance_replicate.tests.doubles import parsing


class TestIntermixed(parsing.ParserTest):
    def images(self, *arguments, **options):
        return self.parse(*arguments, **options).images

    def test_images_that_begin_with_a_dash(self):
        for arguments, images in (
            (['--', '-weird'], ['-weird']),
            (['--', '--name', '-v', 'x'], ['--name', '-v', 'x']),
            (['a', '--', '-weird'], ['a', '-weird']),
            (['--', '--'], ['--']),
            (['--'], []),
            (['a', '--no-checksum', 'b'], ['a', 'b']),
        ):
            for before in ['--to', 'slave', *arguments], [
                arguments[0], '--to', 'slave', *arguments[1:],
            ]:  # fmt: skip
                if before[0] == '--':
                    continue
                self.assertEqual(images, self.images(*before), before)

    def test_path_and_images(self):
        for command in dump.DumpImages, verify.VerifyImages:
            for arguments, path, images in (
                (['/p', '--', '-weird'], '/p', ['-weird']),
                (['--', '-p', '-weird'], '-p', ['-weird']),
                (['--', '-p'], '-p', []),
            ):
                parsed = self.parse(*arguments, command=command)
                self.assertEqual((path, images), (parsed.path, parsed.images))

    def test_what_is_wrong_is_told_as_it_was_given(self):
        told = self.assertWrong('--to', 'slave', '-weird')
        self.assertIn('-weird', told)
        self.assertEqual(
            "no integer: '-1', nor -1",
            intermixed.shown("no integer: '\\x00-1', nor \0-1"),
        )

    def test_what_is_no_text(self):
        """A path need not be any; what is told to a cloud has to."""
        told = self.assertWrong('--to', 'slave', '\udcff')
        self.assertIn("'\\udcff' is no text in this locale", told)
        for words in ['a/\udcff'], ['--set-property', 'key=/\udcff/']:
            told = self.assertWrong('--to', 'slave', *words)
            self.assertIn('is no text in this locale', told)
        for path in '/srv/\udcff', '\udcff':
            self.parse(path, command=dump.DumpImages)
        self.parse('--to', 'slave', '--report', '\udcff.html')
