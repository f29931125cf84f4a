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

"""What Glance keeps its images in by default: files, Ceph, S3 or Swift."""

from collections.abc import Mapping
import dataclasses

from osc_glance_replicate.sandbox import ceph
from osc_glance_replicate.sandbox import errors
from osc_glance_replicate.sandbox import installed
from osc_glance_replicate.sandbox import swift

FILES = 'file'
CEPH = 'ceph'
S3 = 's3'
SWIFT = 'swift'
KINDS = (FILES, CEPH, S3, SWIFT)

#: Kinds that a Ceph serves.
ON_CEPH = frozenset((CEPH, S3))


@dataclasses.dataclass(frozen=True)
class Store:
    """What a Glance needs to know of its default store.

    :param driver: glance_store's name of the kind.
    :param options: of the section of the store; None for a directory.
    :param environment: variables on top of the server's own.
    """

    driver: str = FILES
    options: Mapping[str, str] | None = None
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)


def check(kinds: set[str]) -> None:
    """Tell the user what to install, before anything is started.

    :param kinds: that are asked for.
    """
    if kinds & ON_CEPH:
        ceph.check()
    if S3 in kinds and (missing := installed.missing(['boto3'])):
        raise errors.SandboxError(f'S3 needs {missing[0]}: pip install boto3')
    if SWIFT in kinds:
        swift.check()


def on_ceph(kind: str, running: ceph.Ceph, name: str) -> Store:
    """Return a store that a Ceph serves.

    :param kind: of it.
    :param name: of its pool, or bucket.
    """
    if kind == S3:
        return Store('s3', running.bucket(name))
    path = {'PYTHONPATH': str(running.python)}
    return Store('rbd', running.pool(name), path)
