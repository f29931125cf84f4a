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

"""What a record says of the key by which its image is encrypted."""

from collections.abc import Mapping
from typing import Any

#: Properties that name it.
_KEYS = (
    'cinder_encryption_key_id',
    'os_encrypt_key_id',
    'hw_ephemeral_encryption_secret_uuid',
)

#: The end of the names of those that tell what becomes of it when the image
#: is deleted: Glance may delete it, too (see fact-image-keys).
_POLICY = '_key_deletion_policy'


def naming_keys(record: Mapping[str, Any]) -> list[str]:
    """Return the properties that name keys; none where it has no key."""
    return [field for field in _KEYS if record.get(field)]


def is_key_policy(field: str) -> bool:
    """Return whether a property says whether the key goes with the image.

    A replica has its source's key, which is to outlive it.
    """
    return field.endswith(_POLICY)
