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

"""By which algorithms a Glance hashes what it gets."""

from collections.abc import Collection

from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import ownership

#: Where nothing is known: its default, and what any Glance computes besides
#: (see fact-hashes).
_UNKNOWN = 'sha512', 'md5'


class Hashing:
    """What the images of a Glance tell of how it hashes.

    The newest one tells, as an administrator may have changed it. Only the
    runner's own do: one of others may be there by location, with any hash
    that they chose.

    :param runner: whose new images are
    """

    def __init__(self, runner: ownership.Runner) -> None:
        self._runner = runner
        #: Of the newest image: created_at, algorithm.
        self._newest = '', ''

    def noted(self, image: image_record.Image) -> image_record.Image:
        """Note what an image tells, and return it."""
        if (
            image.status == 'active'
            and not image.defect
            and self._runner.owns(image.owner)
            and (recorded := image.recorded_hash)
        ):
            made = str(image.record.get('created_at') or '')
            self._newest = max(self._newest, (made, recorded[0]))
        return image

    def needed(self, image: image_record.Image) -> Collection[str]:
        """Return by which hashes it can be told whether data has arrived.

        :returns: none where the hashes that the image has tell
        """
        _, algorithm = self._newest
        computed = (algorithm,) if algorithm else _UNKNOWN
        known = {*computed, *_UNKNOWN[1:]} & image.digests.keys()
        return () if known or not image.size else computed
