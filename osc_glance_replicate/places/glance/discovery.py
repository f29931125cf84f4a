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

from typing import Any

from osc_glance_replicate import errors
from osc_glance_replicate.model import options
from osc_glance_replicate.places.glance import image_api


#: What Glance calls them.
_NAMES = {
    options.Method.IMPORT: 'glance-direct',
    options.Method.DOWNLOAD: 'glance-download',
}


def request(delivery: options.Delivery, image_id: str) -> dict[str, Any]:
    """Write it as Glance wants to be asked."""
    method = {'name': _NAMES[delivery.method]}
    if delivery.method is options.Method.DOWNLOAD:
        method['glance_region'] = delivery.region
        method['glance_image_id'] = image_id
        method['glance_service_interface'] = 'public'
    document: dict[str, Any] = {'method': method}
    if delivery.all_stores:
        document['all_stores'] = True
    elif delivery.stores:
        document['stores'] = list(delivery.stores)
    if delivery.all_stores or delivery.stores:
        document['all_stores_must_succeed'] = True
    return document


def check(api: image_api.ImageApi, delivery: options.Delivery) -> None:
    """Find out whether a Glance offers what a delivery takes.

    :raises CloudError: it does not; says what it offers
    """
    name = _NAMES.get(delivery.method)
    if name and name not in (offered := _methods(api)):
        raise errors.CloudError(
            api.name,
            f'--method {delivery.method.value} needs {name} among the '
            'enabled_import_methods of its Glance, which are '
            f'{", ".join(offered) or "none"}',
        )
    if delivery.stores or delivery.all_stores:
        known = _stores(api)
        if not known:
            raise errors.CloudError(
                api.name, 'its Glance lets nobody choose among stores'
            )
        if unknown := [
            store for store in delivery.stores if store not in known
        ]:
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
