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

"""Nova's table s3_images, which says what EC2 IDs its images have."""

from collections.abc import Iterable, Iterator
import re

from osc_glance_replicate.ec2 import ec2_id
from osc_glance_replicate import errors
from osc_glance_replicate.model import image_record

#: Its column holds 31 bits.
_MAX_ID = 2**31 - 1

_HEADER = re.compile(r'"?id"?\s*[,\t]\s*"?uuid"?', re.IGNORECASE)
_ROW = re.compile(r'"?(\d{1,10})"?\s*[,\t]\s*"?([^"]*)"?', re.ASCII)


def read(lines: Iterable[str], where: str) -> Iterator[ec2_id.Ec2Id]:
    """Yield the rows ``id,uuid`` of nova's s3_images.

    :param lines: with commas or tabs; the first may be a header
    :param where: the file's name
    :raises SelectionError: a line is no such row, or contradicts another
    """
    seen: dict[str, str] = {}
    filled = (
        (number, line.strip())
        for number, line in enumerate(lines, start=1)
        if line.strip()
    )
    for place, (number, line) in enumerate(filled):
        if place == 0 and _HEADER.fullmatch(line):
            continue
        try:
            row = _read_row(line, where)
            one = seen.setdefault(row.key, row.digits)
            other = seen.setdefault(row.digits, row.key)
            if (one, other) != (row.digits, row.key):
                raise ValueError(f'{line!r} contradicts a line above')
        except ValueError as exc:
            raise errors.SelectionError(
                f'{where}, line {number}: {exc}'
            ) from exc
        yield row


def _read_row(line: str, where: str) -> ec2_id.Ec2Id:
    row = _ROW.fullmatch(line)
    if not row or not image_record.is_id(row[2]):
        raise ValueError(f'{line!r:.60} is not id,uuid')
    if not 0 < int(row[1]) <= _MAX_ID:
        raise ValueError(f'nova has no ID {row[1]}')
    return ec2_id.Ec2Id(row[2], f'{int(row[1]):08x}', where)


def statements(ec2_ids: Iterable[ec2_id.Ec2Id]) -> Iterator[str]:
    """Yield the SQL that puts IDs into nova's s3_images, and changes none.

    It is what MySQL, MariaDB, PostgreSQL and SQLite have in common. Where
    the table has exactly the row, nothing is inserted. Where it has the UUID
    with another ID, it is that ID that is inserted, which the primary key
    refuses, as it does where the ID is another UUID's.
    """
    yield '-- EC2 IDs of images for s3_images in a cell database of nova.'
    yield '-- Stop at the first error: a row there differs. None is changed.'
    yield 'BEGIN;'
    for each in ec2_ids:
        if not image_record.is_id(each.image_id):
            raise ValueError(f'{each.image_id!r} is not a UUID')
        number = int(each.digits, 16)
        yield (
            'INSERT INTO s3_images (id, uuid, created_at, deleted)'  # noqa: S608
            f" SELECT COALESCE(held, {number}), '{each.image_id}',"
            ' CURRENT_TIMESTAMP, 0'
            ' FROM (SELECT COUNT(*) AS held_rows, MAX(id) AS held'
            f" FROM s3_images WHERE uuid = '{each.image_id}') AS present"
            f' WHERE held_rows <> 1 OR held <> {number};'
        )
    yield 'COMMIT;'
