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

"""The ways in which data gets to a Glance, and which of them it offers."""

from collections.abc import Sequence
import dataclasses
import enum
from typing import Any

from osc_glance_replicate import errors
from osc_glance_replicate.places import api as image_api


class Method(enum.Enum):
    """How the data gets to a Glance."""

    UPLOAD = 'upload'
    IMPORT = 'import'
    DOWNLOAD = 'glance-download'


#: What Glance calls them.
_NAMES = {
    Method.IMPORT: 'glance-direct',
    Method.DOWNLOAD: 'glance-download',
}


@dataclasses.dataclass(frozen=True, slots=True)
class Way:
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
        if self == Way():
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
    def of_staged(self) -> 'Way':
        """The same, for data that is staged already."""
        return dataclasses.replace(self, method=Method.IMPORT, region='')

    def request(self, image_id: str) -> dict[str, Any]:
        """Write it as Glance wants to be asked."""
        method = {'name': _NAMES[self.method]}
        if self.method is Method.DOWNLOAD:
            method['glance_region'] = self.region
            method['glance_image_id'] = image_id
            method['glance_service_interface'] = 'public'
        document: dict[str, Any] = {'method': method}
        if self.all_stores:
            document['all_stores'] = True
        elif self.stores:
            document['stores'] = list(self.stores)
        if self.all_stores or self.stores:
            document['all_stores_must_succeed'] = True
        return document


def check(api: image_api.ImageApi, way: Way) -> None:
    """Find out whether a Glance offers a way.

    :raises CloudError: it does not; says what it offers
    """
    name = _NAMES.get(way.method)
    if name and name not in (offered := _methods(api)):
        raise errors.CloudError(
            api.name,
            f'--method {way.method.value} needs {name} among the '
            'enabled_import_methods of its Glance, which are '
            f'{", ".join(offered) or "none"}',
        )
    if way.stores or way.all_stores:
        known = _stores(api)
        if not known:
            raise errors.CloudError(
                api.name, 'its Glance lets nobody choose among stores'
            )
        if unknown := [store for store in way.stores if store not in known]:
            raise errors.CloudError(
                api.name,
                f'it has no store {", ".join(unknown)}: there are '
                f'{", ".join(known)}',
            )


def _methods(api: image_api.ImageApi) -> list[str]:
    """Ask which ways to import there are; old Glances know of none."""
    response = api.get('/info/import', expect=(200, 404))
    if response.status_code == 404:
        return []
    methods = api.json(response).get('import-methods')
    value = methods.get('value') if isinstance(methods, dict) else None
    return list(map(str, value)) if isinstance(value, list) else []


def _stores(api: image_api.ImageApi) -> list[str]:
    """Ask for the IDs of the stores; none where there is but one."""
    response = api.get('/info/stores', expect=(200, 404))
    if response.status_code == 404:
        return []
    return [
        str(store.get('id'))
        for store in objects(api.json(response).get('stores'))
        if store.get('read-only') != 'true'
    ]


def objects(listed: object) -> list[dict[str, Any]]:
    """Give what of a document is a list of objects."""
    return [
        each
        for each in (listed if isinstance(listed, list) else ())
        if isinstance(each, dict)
    ]
