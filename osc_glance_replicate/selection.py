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

"""Which images are copied, and why the others are not."""

from collections.abc import Sequence
import dataclasses

from osc_glance_replicate import image as image_record


@dataclasses.dataclass(frozen=True, slots=True)
class Selection:
    """The user's choice of images.

    It decides what is copied; a replica that exists is kept up to date even
    when its source was hidden or deactivated since (SPEC, "Which images").

    :param images: names and IDs given on the command line; empty for all
    """

    images: Sequence[str] = ()

    def reason_not_to_copy(self, image: image_record.Image) -> str | None:
        """Say why an image is not to be copied, or None when it is."""
        if image.status != 'active':
            return f'status is {image.status}'
        if image.hidden:
            return 'hidden'
        return _not_portable(image)


def _not_portable(image: image_record.Image) -> str | None:
    if image.record.get('cinder_encryption_key_id'):
        return "encrypted with a key of the source's key manager"
    if not image.size and image.record.get('block_device_mapping'):
        return "volume-backed snapshot: its data is the source cloud's volume"
    return None
