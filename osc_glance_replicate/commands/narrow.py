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

"""Tables on a terminal that is too narrow for them.

No ID is folded there: somebody wants to copy it. What the last column says of
an image stands below the table, and the size is left out where there is no
room for it.
"""

from collections.abc import Sequence
import textwrap
from typing import Any

#: The columns that say something in a sentence.
_TEXTS = ('Reason', 'Detail')

#: Characters of a name that are shown side by side at least.
_LEAST = 6

Row = Sequence[Any]


def fitted(
    columns: Sequence[str], rows: Sequence[Row], width: int
) -> tuple[Sequence[str], Sequence[Row], list[str]]:
    """Return a table as it fits a terminal, and the lines below it.

    :param columns: their names
    :param width: of the terminal, in characters
    """
    if not rows or wide(columns, rows) <= width or columns[-1] not in _TEXTS:
        return columns, rows, []
    several = (
        'To' in columns and len({row[columns.index('To')] for row in rows}) > 1
    )
    lines = []
    for row in rows:
        if text := str(row[-1]):
            lines += textwrap.wrap(
                f'{_label(columns, row, several)}{text}',
                width,
                subsequent_indent='  ',
                break_long_words=False,
                break_on_hyphens=False,
            )
    columns, rows = columns[:-1], [row[:-1] for row in rows]
    folded = _with_folded_names(columns, rows, width)
    if 'Size' in columns and wide(columns, folded) > width:
        index = columns.index('Size')
        columns = (*columns[:index], *columns[index + 1 :])
        rows = [(*row[:index], *row[index + 1 :]) for row in rows]
        folded = _with_folded_names(columns, rows, width)
    return columns, folded, lines


def _label(columns: Sequence[str], row: Row, several: bool) -> str:
    """Return which row it is: by image, or by destination for all of it.

    :param several: whether there are several destinations
    """
    fields = dict(zip(columns, map(str, row), strict=True))
    image_id, to = fields.get('ID'), fields.get('To')
    if image_id and several:
        return f'{image_id} to {to}: '
    return f'{image_id or to}: ' if image_id or to else ''


def _with_folded_names(
    columns: Sequence[str], rows: Sequence[Row], width: int
) -> Sequence[Row]:
    too_much = wide(columns, rows) - width
    if too_much <= 0 or 'Name' not in columns:
        return rows
    index = columns.index('Name')
    room = max(_widths(columns, rows)[index] - too_much, _LEAST)
    return [
        (
            *row[:index],
            '\n'.join(textwrap.wrap(str(row[index]), room)),
            *row[index + 1 :],
        )
        for row in rows
    ]


def wide(columns: Sequence[str], rows: Sequence[Row]) -> int:
    """Return how many characters a table is wide, with all its lines."""
    return sum(width + 3 for width in _widths(columns, rows)) + 1


def _widths(columns: Sequence[str], rows: Sequence[Row]) -> list[int]:
    from rich import cells

    return [
        max(
            cells.cell_len(line)
            for cell in (name, *column)
            for line in str(cell).split('\n')
        )
        for name, *column in zip(columns, *rows, strict=True)
    ]
