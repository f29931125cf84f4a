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

"""What a Glance offers of imports, and which stores it lets choose from."""

import logging

from osc_glance_replicate import errors
from osc_glance_replicate.model import options
from osc_glance_replicate.places.glance import image_api

LOG = logging.getLogger(__name__)

#: What Glance calls the methods that are imports.
METHODS = {
    options.Method.IMPORT: 'glance-direct',
    options.Method.DOWNLOAD: 'glance-download',
}


def check(api: image_api.ImageApi, delivery: options.Delivery) -> None:
    """Check that a Glance offers what a delivery needs.

    Where it does not tell, it will say so of each image.

    :raises CloudError: it does not; says what it offers, which its version
        does not tell: see fact-import-offers
    """
    name = METHODS.get(delivery.method)
    offered = _methods(api) if name else None
    if name and offered is not None and name not in offered:
        raise errors.CloudError(
            api.name,
            f'--method {delivery.method.value} needs {name} among the '
            'enabled_import_methods of its Glance, which are '
            f'{", ".join(offered) or "none"}',
        )
    if delivery.stores or delivery.all_stores:
        known = _stores(api)
        if known is None:
            return
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


def _methods(api: image_api.ImageApi) -> list[str] | None:
    """Return the names of the import methods; None where it does not tell."""
    document = api.hint(
        '/info/import', 'which imports it has is not foretold', own_word=True
    )
    if document is None:
        return None
    methods = document.get('import-methods')
    value = methods.get('value') if isinstance(methods, dict) else None
    if document and not isinstance(value, list):
        # That it has none is told by its 404.
        LOG.warning('%s: /v2/info/import tells no import methods', api.name)
        return None
    return list(map(str, value or ()))


def _stores(api: image_api.ImageApi) -> list[str] | None:
    """Return the IDs of the stores to choose from, if there are several.

    :returns: None where it does not tell; one store has no list
    """
    document = api.hint(
        '/info/stores', 'which stores it has is not foretold', own_word=True
    )
    if document is None:
        return None
    if document and not isinstance(document.get('stores'), list):
        LOG.warning('%s: /v2/info/stores tells no stores', api.name)
        return None
    return [
        str(store.get('id'))
        for store in image_api.objects(document.get('stores'))
        if store.get('read-only') != 'true'
    ]
