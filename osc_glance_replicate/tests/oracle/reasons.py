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

"""The Reasons that the documentation has, with what to do."""

import functools
import json
import pathlib
import re

#: The page of Reasons.
PAGE = pathlib.Path(__file__).parents[3] / 'doc/source/user/reasons.rst'

#: The first cell of a row.
_CELL = re.compile(r'^   \* - (.*?)^     - ', re.MULTILINE | re.DOTALL)
_QUOTED = re.compile('``(.+?)``', re.DOTALL)

#: Fields of what a replica is, whose names alone are a Reason.
_UPDATED = frozenset(('updated', 'update', 'copied'))

#: Where one thing that a Reason tells may begin.
_BEGINS = r'(?:^|: |; |, |\()'


def patterns() -> list[str]:
    """Return what the page quotes, each on one line."""
    return [
        ' '.join(quoted.split())
        for cell in _CELL.findall(PAGE.read_text())
        for quoted in _QUOTED.findall(cell)
    ]


@functools.cache
def _expressions() -> tuple[re.Pattern[str], ...]:
    """Return what finds a pattern where it may begin, with what it leaves."""
    return tuple(
        re.compile(_BEGINS + '.*?'.join(map(re.escape, pattern.split('...'))))
        for pattern in patterns()
        if ' ' in pattern
    )


def is_known(reason: str, result: str = '') -> bool:
    """Return whether somebody finds a Reason on the page.

    :param result: what it is the Reason of, where that is known
    """
    if not reason or reason in patterns():
        return True
    if any(known.search(reason) for known in _expressions()):
        return True
    # The names of fields and properties, any at all.
    return result in _UPDATED and re.search('[;:.]', reason) is None


def unknown(told: str) -> list[str]:
    """Return the Reasons of a command's output that the page has not.

    :param told: JSON, or something else, in which there are none
    """
    try:
        rows = json.loads(told)
    except ValueError:
        rows = None
    if not isinstance(rows, list):
        return []
    return [
        row['Reason']
        for row in rows
        if isinstance(row, dict)
        and 'Reason' in row
        and not is_known(row['Reason'], row.get('Result', ''))
    ]
