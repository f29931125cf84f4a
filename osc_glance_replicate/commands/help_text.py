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

"""The help of a command: whole paragraphs, and examples to copy."""

import argparse
import inspect
import textwrap
from typing import Any


class _Paragraphs(argparse.HelpFormatter):
    """Fill paragraphs one by one, and leave examples as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        fill = super()._fill_text
        # The two colons are for the command reference, which is reST.
        paragraphs = text.replace('::\n', ':\n').split('\n\n')
        return '\n\n'.join(
            part if part.startswith(' ') else fill(part, width, indent)
            for part in paragraphs
        )


def keep_paragraphs(parser: argparse.ArgumentParser) -> None:
    """Make the help of a parser keep paragraphs and lines of examples."""
    usual: Any = parser.formatter_class
    kept: Any = type('HelpFormatter', (_Paragraphs, usual), {})
    parser.formatter_class = kept


def epilog(examples: str, usual: str) -> str:
    """Return the end of --help, in reST.

    :param examples: what one may type, as a shell takes it
    :param usual: what cliff would say there
    """
    indented = textwrap.indent(inspect.cleandoc(examples), '  ')
    return f'Examples::\n\n{indented}\n\n{usual.strip()}'
