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

"""What tells that two records are of the same bytes, and how well."""

from collections.abc import Mapping

from osc_glance_replicate.model import image_record

#: Hashes for which nobody can make other data of the same hash.
_STRONG = frozenset(
    (
        'sha256',
        'sha384',
        'sha512',
        'sha3_256',
        'sha3_384',
        'sha3_512',
        'blake2b',
    )
)

#: Evidence that anybody can forge who may choose a record's data.
SIZE = 'size'

#: What is told where it has been nothing else.
SIZE_ONLY = 'verified by size only: no hash recorded'


def same_data(
    one: image_record.Image, other: image_record.Image
) -> tuple[bool, str]:
    """Return whether two records are of the same bytes.

    The strongest evidence that both records bear decides: os_hash_value of
    the same algorithm, else md5, else the size (see fact-hashes).

    :returns: (whether they do, what was compared: the name of the
        algorithm, or ``size``)
    """
    if None not in (one.size, other.size) and one.size != other.size:
        return False, SIZE
    algorithm = common(one.digests, other.digests)
    if not algorithm:
        return one.size == other.size, SIZE
    return one.digests[algorithm] == other.digests[algorithm], algorithm


def common(one: Mapping[str, str], other: Mapping[str, str]) -> str:
    """Return the strongest algorithm of which both have a hash, or ''.

    :param one: hashes by algorithm, strongest first
    """
    return next((algorithm for algorithm in one if algorithm in other), '')


def is_strong(evidence: str) -> bool:
    """Return whether equal evidence proves equal data, whoever made it."""
    return evidence in _STRONG


def to_read_for(replica: image_record.Image) -> str:
    """Return the algorithm by which reading data proves it to be a replica's.

    :returns: the strongest one that the replica bears; empty if there is none
    """
    found = replica.recorded_hash
    return found[0] if found else ''
