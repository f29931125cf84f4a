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

"""Every command of README and doc/ prints what is shown below it."""

import os
import pathlib
import re
from typing import Any

from osc_glance_replicate.tests.functional import base
from osc_glance_replicate.tests.functional import documents


class TestDocuments(base.FunctionalTest):
    """The commands of a page; a test for each page is added below."""

    def test_what_is_left_out_is_there(self):
        sources = {
            command.line
            for page in documents.pages()
            for command in documents.commands(page)
        }
        self.assertEqual(set(), documents.left_out().keys() - sources)
        self.assertNotIn('', documents.left_out().values())

    def test_no_command_is_told_in_another_way(self):
        """Than in a console block, where it would be run."""
        typed = re.compile(r'^ +(\$ |openstack |tools/run |tox )', re.M)
        sources = [*(documents.ROOT / 'doc/source').rglob('*.rst')]
        for page in [documents.ROOT / 'README.rst', *sources]:
            text = page.read_text().splitlines()
            for command in documents.commands(page):
                for number in range(command.start, command.last):
                    text[number] = ''
            self.assertNotRegex('\n'.join(text), typed, page)

    def test_demo(self):
        shown = self.session().run('"$ROOT/tools/demo"; echo "exit code $?"')
        position = 0
        for told in (
            '(exit code 3: they differ)',
            'Dry run: 3 copy; 80.0 MB to copy',
            '3 copied; 80.0 MB in',
            '3 unchanged; 0 bytes in',
            '3 same',
            '4 copied; 100.0 MB in',
            '4 ok; 100.0 MB verified',
            '.img: OK',
            'debian-14 | 20000000 | slave | copied',
            'Both clouds are taken down again.',
            'exit code 0',
        ):
            self.assertIn(told, shown[position:])
            position = shown.index(told, position)

    def session(self) -> documents.Session:
        clouds = pathlib.Path(os.environ['OS_CLIENT_CONFIG_FILE'])
        return self.useFixture(documents.Session(clouds))

    def run_page(self, page: pathlib.Path) -> None:
        for name in 'master:RegionTwo', 'secure':
            self.cloud(name)
        session = self.session()
        for command in documents.commands(page):
            if command.line in documents.left_out():
                continue
            printed = session.run(command.source)
            self.assertEqual(set(), base.secrets().found(printed))
            if command.shown is None:
                self.assertEqual('', printed, command.source)
                continue
            self.assertEqual(
                documents.masked(command.shown),
                documents.masked(printed),
                f'{page}: {command.source}',
            )


def _add(page: pathlib.Path) -> None:
    def run(self: Any) -> None:
        self.run_page(page)

    name = page.relative_to(documents.ROOT).with_suffix('').as_posix()
    setattr(TestDocuments, f'test_{name.replace("/", "_")}', run)


for _page in documents.pages():
    _add(_page)
