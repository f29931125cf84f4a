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

"""Every change of every image, as the Glance's database sees it."""

from typing import NamedTuple

import fixtures

from osc_glance_replicate.sandbox import client

_BEGIN = """
CREATE TABLE image_history (LIKE images);
ALTER TABLE image_history ADD number serial;
CREATE FUNCTION note_image() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO image_history SELECT NEW.*;
        RETURN NULL;
    END
$$;
CREATE TRIGGER note_image AFTER INSERT OR UPDATE ON images
    FOR EACH ROW EXECUTE FUNCTION note_image();
"""

_END = """
DROP TRIGGER IF EXISTS note_image ON images;
DROP FUNCTION IF EXISTS note_image;
DROP TABLE IF EXISTS image_history;
"""


class State(NamedTuple):
    """An image's record, from one change to the next."""

    image_id: str
    status: str
    visibility: str
    deleted: bool
    size: int | None
    digest: str | None


class History(fixtures.Fixture):
    """Has a trigger note what happens to the images of a cloud."""

    def __init__(self, cloud: client.Cloud) -> None:
        super().__init__()
        self._cloud = cloud

    def _setUp(self) -> None:
        # Of a run that was killed.
        self._cloud.sql(_END)
        self.addCleanup(self._cloud.sql, _END)
        self._cloud.sql(_BEGIN)

    def states(self) -> list[State]:
        """Give all that there were, in their order."""
        rows = self._cloud.sql(
            'SELECT id, status, visibility, deleted, size, os_hash_value '
            'FROM image_history ORDER BY number'
        )
        return [State(*row) for row in rows]
