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

"""How the data of replicas gets to a destination."""

from collections.abc import Sequence
import dataclasses
import enum


class Method(enum.Enum):
    """How the data gets to a Glance."""

    UPLOAD = 'upload'
    IMPORT = 'import'
    DOWNLOAD = 'glance-download'


@dataclasses.dataclass(frozen=True, slots=True)
class Delivery:
    """How the data gets to a Glance, and where that keeps it.

    :param stores: the IDs of its stores; none for its default
    :param all_stores: all that it has
    :param region: of the source, where the Glance downloads from it
    """

    method: Method = Method.UPLOAD
    stores: Sequence[str] = ()
    all_stores: bool = False
    region: str = ''

    def __str__(self) -> str:
        """Say it to a person; a plain upload goes without saying."""
        if self == Delivery():
            return ''
        words = f'by {self.method.value}'
        if self.region:
            words += f' from {self.region}'
        if self.all_stores:
            words += ' to all stores'
        elif self.stores:
            words += f' to {", ".join(self.stores)}'
        return words

    @property
    def imports(self) -> bool:
        """Whether the Glance does something of its own to the data."""
        return self.method is not Method.UPLOAD

    @property
    def of_staged(self) -> 'Delivery':
        """The same, for data that is staged already."""
        return dataclasses.replace(self, method=Method.IMPORT, region='')
