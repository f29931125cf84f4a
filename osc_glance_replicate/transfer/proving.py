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

"""An image's data read for no more than a hash of it."""

from collections.abc import Callable

from osc_glance_replicate.model import image_record
from osc_glance_replicate.transfer import image_reading


def digest(
    reading: image_reading.Reading,
    image: image_record.Image,
    algorithm: str,
    tell: Callable[[int], None],
) -> str:
    """Read all data of an image, and return its hash.

    It is held against the source's record as it would be to be sent.

    :param algorithm: of the hash
    :param tell: told how many bytes more have been read
    :returns: in hexadecimal
    :raises DataError: the data is not what the record promises
    :raises PlaceError: the source broke
    """
    with reading.open(image, inspect=False, to_hash=[algorithm]) as data:
        for block in data.blocks():
            tell(len(block))
    return data.digests[algorithm]
