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

"""From the arguments of a verb to an engine between the places they name."""

import argparse
from collections.abc import Callable, Collection, Mapping, Sequence
import logging

import openstack.connection

from osc_glance_replicate.clouds import endpoints
from osc_glance_replicate.clouds import login as clouds
from osc_glance_replicate.clouds import projects
from osc_glance_replicate.engine import criteria
from osc_glance_replicate.engine import engine
from osc_glance_replicate import errors
from osc_glance_replicate.execution import runner as run
from osc_glance_replicate.model import options
from osc_glance_replicate.model import replica_template as replica
from osc_glance_replicate.places.dump import destination as dump
from osc_glance_replicate.places.dump import files as dump_files
from osc_glance_replicate.places.dump import source as directory
from osc_glance_replicate.places.glance import destination as glance
from osc_glance_replicate.places.glance import discovery as ways
from osc_glance_replicate.places.glance import image_api as api
from osc_glance_replicate.planning import planner as planning

LOG = logging.getLogger(__name__)

#: Connects to the command's own cloud.
Own = Callable[[], openstack.connection.Connection]

#: From the connections, the source's first, to what assembles a crew.
Hire = Callable[
    [Sequence[openstack.connection.Connection]], Callable[[], run.Crew]
]


def to_clouds(
    own: Own, args: argparse.Namespace, hire: Hire | None = None
) -> engine.Engine:
    """Get ready to replicate from the command's own cloud to others.

    :param hire: finds who copies, unless it is this process
    :raises ReplicateError: a cloud or a project cannot be used
    """
    return between(clouds.connect(own, args.to), args, hire)


def between(
    connections: Sequence[openstack.connection.Connection],
    args: argparse.Namespace,
    hire: Hire | None = None,
) -> engine.Engine:
    """Get ready to replicate from one cloud to others.

    :param connections: to the source and to ``args.to``, in this order
    :param hire: finds who copies, unless it is this process
    :raises ReplicateError: a cloud or a project cannot be used
    """
    name = connections[0].config.name
    endpoints.refuse_same([name, *args.to], connections)
    clouds.warn_of_environment(connections[0])
    others = dict(zip(args.to, connections[1:], strict=True))
    source = _glance(name, connections[0], args)
    chosen = criteria.ways_to(args, connections[0], others)
    destinations = [
        _glance(name, connection, args, chosen[name])
        for name, connection in others.items()
    ]
    planner = planning.Planner(
        criteria.selection_of(connections[0], source, args),
        metadata_only=getattr(args, 'metadata_only', False),
        extra=getattr(args, 'extra', False),
        exact=args.to if getattr(args, 'exact', False) else (),
        # What a cloud holds is counted, whether it boots elsewhere or not.
        dumps=() if args.to else (name,),
        template=criteria.template(
            args, projects.Projects(name, connections[0]), others
        ),
        formats={place.name: _formats(place) for place in destinations},
        projects=_own_projects(others),
        ways={to: str(delivery) for to, delivery in chosen.items()},
    )
    return engine.Engine(
        source,
        destinations,
        planner,
        args,
        assemble=hire(connections) if hire else None,
    )


def to_any(own: Own, args: argparse.Namespace) -> engine.Engine:
    """Get ready for other clouds or for a directory, as the options say.

    :raises ReplicateError: one of them cannot be used
    """
    if args.dump:
        return to_dump(own, args, args.dump)
    return to_clouds(own, args)


def to_dump(own: Own, args: argparse.Namespace, path: str) -> engine.Engine:
    """Get ready to replicate from the command's own cloud to a directory.

    :param path: of the directory, which need not be there
    :raises ReplicateError: the cloud, a project or the directory cannot be
        used
    """
    destination = dump.Dump(path)
    (connection,) = clouds.connect(own, ())
    clouds.warn_of_environment(connection)
    name = connection.config.name
    source = _glance(name, connection, args)
    planner = planning.Planner(
        criteria.selection_of(connection, source, args),
        metadata_only=getattr(args, 'metadata_only', False),
        extra=getattr(args, 'extra', False),
        # A dump is to be what the cloud holds, and nobody works in it.
        exact=(path,),
        dumps=(path,),
        template=replica.Template(
            owners=replica.Same(), members=getattr(args, 'members', False)
        ),
    )
    known = projects.Projects(name, connection)
    return engine.DumpEngine(source, known, destination, planner, args)


def from_dump(own: Own, args: argparse.Namespace, path: str) -> engine.Engine:
    """Get ready to replicate from a directory to the command's own cloud.

    :raises ReplicateError: the cloud or the directory cannot be used
    """
    source = directory.Directory(path)
    source.require_dump()
    if unfinished := dump_files.unfinished(source.files()):
        LOG.warning(
            '%s: the dump is not complete: images without a record: %s, the '
            'first of them is %s; verify names all',
            errors.printable(path),
            len(unfinished),
            unfinished[0],
        )
    (connection,) = clouds.connect(own, ())
    clouds.warn_of_environment(connection)
    name = connection.config.name
    chosen = criteria.ways_to(args, None, {name: connection})
    destination = _glance(name, connection, args, chosen[name])
    planner = planning.Planner(
        criteria.selection_in(source, args),
        metadata_only=args.metadata_only,
        exact=(name,) if args.exact else (),
        template=criteria.template(args, source, {name: connection}),
        formats={name: _formats(destination)},
        projects=_own_projects({name: connection}),
        ways={name: str(chosen[name])},
    )
    return engine.Engine(
        source, [destination], planner, args, check_first=True
    )


def _formats(
    place: glance.Glance,
) -> Callable[[], Mapping[str, Collection[str]]]:
    """Let the formats be asked for only if anything is to be copied."""
    return lambda: place.formats


def _own_projects(
    destinations: Mapping[str, openstack.connection.Connection],
) -> dict[str, str | None]:
    return {
        name: connection.current_project_id
        for name, connection in destinations.items()
    }


def _glance(
    name: str,
    connection: openstack.connection.Connection,
    args: argparse.Namespace,
    delivery: options.Delivery = options.Delivery(),
) -> glance.Glance:
    # Only what moves data needs many connections.
    clouds.limit(connection, getattr(args, 'transfers', 1))
    image_api = api.ImageApi(name, connection)
    ways.check(image_api, delivery)
    return glance.Glance(image_api, connection.current_project_id, delivery)
