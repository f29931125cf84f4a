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

"""Records that were just made, of which not every Glance may know yet.

Several Glances of one cloud may read from databases that lag behind the one
that was written to, and answer 404 until these catch up.
"""

import time

#: Seconds after which each of them has heard of a record.
_HEARD = 60.0

#: Parts of an image's path that whoever knows the record knows as well.
_KNOWN = ('', '/file', '/stage', '/import', '/members', '/actions')

#: Records after which those that are old are forgotten.
_MANY = 1000


class Newborn:
    """Knows the paths of the records that were made here a moment ago."""

    def __init__(self) -> None:
        #: When each was made, as of time.monotonic.
        self._made: dict[str, float] = {}

    def note(self, path: str) -> None:
        """Note that a record was made.

        :param path: of the image
        """
        now = time.monotonic()
        self._made[path] = now
        if len(self._made) > _MANY:
            old = [
                each
                for each, made in list(self._made.items())
                if now - made > _HEARD
            ]
            for each in old:
                self._made.pop(each, None)

    def covers(self, path: str) -> bool:
        """Return whether a path is of a record that was just made."""
        image, slash, rest = path.removeprefix('/images/').partition('/')
        made = self._made.get(f'/images/{image}')
        if made is None or time.monotonic() - made > _HEARD:
            return False
        return f'{slash}{rest.partition("/")[0]}' in _KNOWN
