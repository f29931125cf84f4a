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
import subprocess
from typing import Any

from testtools import content

from osc_glance_replicate.tests.functional import base
from osc_glance_replicate.tests.functional import documents


class TestDocuments(base.FunctionalTest):
    """The commands of a page; a test for each page is added below."""

    def test_what_is_left_out_is_there(self):
        sources = {
            command.source
            for page in documents.pages()
            for command in documents.commands(page)
        }
        self.assertEqual(set(), documents.left_out().keys() - sources)
        self.assertNotIn('', documents.left_out().values())

    def test_demo(self):
        ended = subprocess.run(
            [documents.ROOT / 'tools/demo'],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={
                **os.environ,
                'PATH': f'{documents.SCRIPTS}:{os.environ["PATH"]}',
            },
            timeout=300,
        )
        self.addDetail('shown', content.text_content(ended.stdout))
        self.assertEqual(0, ended.returncode)
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
        ):
            self.assertIn(told, ended.stdout[position:])
            position = ended.stdout.index(told, position)

    def run_page(self, page: pathlib.Path) -> None:
        for name in 'master:RegionTwo', 'secure':
            self.cloud(name)
        clouds = pathlib.Path(os.environ['OS_CLIENT_CONFIG_FILE'])
        session = self.useFixture(documents.Session(clouds))
        for command in documents.commands(page):
            if command.source in documents.left_out():
                continue
            printed = session.run(command.source)
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
