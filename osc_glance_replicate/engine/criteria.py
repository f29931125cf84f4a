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

"""The options understood by the places that they are about."""

import argparse
from collections.abc import Mapping
import dataclasses

import openstack.connection

from osc_glance_replicate.clouds import endpoints
from osc_glance_replicate.clouds import projects
from osc_glance_replicate import errors
from osc_glance_replicate.model import image_selection as selection
from osc_glance_replicate.model import options
from osc_glance_replicate.model import owners
from osc_glance_replicate.model import replica_template as replica
from osc_glance_replicate.places.dump import source as directory
from osc_glance_replicate.places.glance import destination as glance


def selection_of(
    connection: openstack.connection.Connection,
    source: glance.Glance,
    args: argparse.Namespace,
) -> selection.Selection:
    """Understand the options by the cloud that they are about.

    :raises ReplicateError: it does not know what they name
    """
    if args.disk_format:
        known = source.formats.get('disk_format', ())
        if known and args.disk_format not in known:
            raise errors.SelectionError(
                f"{source.name} knows no disk format '{args.disk_format}' "
                f'({", ".join(sorted(known))})'
            )
    owner = None
    if args.project:
        owner = projects.find_id(connection, args.project)
    return _selection(args, owner)


def selection_in(
    source: directory.Directory, args: argparse.Namespace
) -> selection.Selection:
    """Understand the options by the dump that they are about.

    :raises ReplicateError: it does not know the project that they name
    """
    owner = owners.find(source, args.project) if args.project else None
    return _selection(args, owner)


def _selection(
    args: argparse.Namespace, owner: str | None
) -> selection.Selection:
    """Understand the options that say which images.

    :param owner: ID of the project that --project means
    """
    return selection.Selection(
        images=tuple(args.images),
        names=tuple(args.names),
        excludes=tuple(args.excludes),
        properties=tuple(args.properties),
        tags=tuple(args.tags),
        visibilities=tuple(args.visibilities),
        include_hidden=args.include_hidden,
        owner=owner,
        disk_format=args.disk_format,
        min_size=args.min_size,
        max_size=args.max_size,
        updated_since=args.updated_since,
    )


def template(
    args: argparse.Namespace,
    source: owners.Projects,
    destinations: Mapping[str, openstack.connection.Connection],
) -> replica.Template:
    """Understand the options that say what a replica is.

    :raises ReplicateError: a project that is to be mapped is not there
    """
    whose: replica.Owners
    match getattr(args, 'owner', 'mine'):
        case 'by-name':
            whose = owners.ByName(
                source,
                {
                    name: projects.Projects(name, connection)
                    for name, connection in destinations.items()
                },
            )
        case 'same':
            whose = replica.Same()
        case _:
            whose = replica.Mine()
    if mapped := getattr(args, 'map_owners', ()):
        explicit = {
            name: {
                owners.find(source, one): projects.find_id(connection, other)
                for one, other in mapped
            }
            for name, connection in destinations.items()
        }
        whose = owners.Mapped(explicit, whose)
    visibility = getattr(args, 'visibility', 'keep')
    return replica.Template(
        left_out=getattr(args, 'left_out', ()),
        properties=dict(getattr(args, 'set_properties', ())),
        visibility=None if visibility == 'keep' else visibility,
        owners=whose,
        members=getattr(args, 'members', False),
    )


def ways_to(
    args: argparse.Namespace,
    source: openstack.connection.Connection | None,
    destinations: Mapping[str, openstack.connection.Connection],
) -> dict[str, options.Delivery]:
    """Understand the options that say how data gets to each destination.

    :param source: None where it is no cloud
    :raises CloudError: a destination could not download from the source
    """
    delivery = options.Delivery(
        options.Method(getattr(args, 'method', 'upload')),
        tuple(getattr(args, 'stores', ())),
        getattr(args, 'all_stores', False),
    )
    if delivery.method is not options.Method.DOWNLOAD or source is None:
        return dict.fromkeys(destinations, delivery)
    return {
        name: dataclasses.replace(
            delivery, region=endpoints.shared_region(source, name, connection)
        )
        for name, connection in destinations.items()
    }
