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

"""The rooms of the house connected: from a verb's arguments to outcomes."""

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence

import openstack.connection

from osc_glance_replicate import catalogue
from osc_glance_replicate import clouds
from osc_glance_replicate import places
from osc_glance_replicate.places import api
from osc_glance_replicate.places import directory
from osc_glance_replicate.places import dump
from osc_glance_replicate.places import glance
from osc_glance_replicate import plan
from osc_glance_replicate import run
from osc_glance_replicate import selection
from osc_glance_replicate import task

#: Connects to the command's own cloud.
_Own = Callable[[], openstack.connection.Connection]


class Engine:
    """What all verbs do, between whatever places.

    :param source: where images come from
    :param destinations: where they go; none, to look at the source alone
    :param planner: the judgement
    :param args: the parsed arguments, as commands.options defines them
    :ivar to: names of the destinations; of the source itself where there
        are none
    """

    def __init__(
        self,
        source: places.Source,
        destinations: Sequence[places.Destination],
        planner: plan.Planner,
        args: argparse.Namespace,
    ) -> None:
        self._source = source
        self._destinations = destinations
        self._planner = planner
        self._args = args
        self.to = [place.name for place in destinations] or [source.name]

    def actions(self) -> Iterator[plan.Action]:
        """Plan.

        :raises ReplicateError: at once, when an image is not found or two
            clouds prove to be the same; later, when a place fails
        """
        rows = catalogue.rows(
            self._source,
            self._destinations,
            self._planner.selection,
            whole=self._planner.extra,
        )
        if not self._destinations:
            # As if to a cloud that has nothing.
            rows = ([*row, None] for row in rows)
        return self._planner.plan(rows, self.to)

    def outcomes(self) -> Iterator[task.Outcome]:
        """Plan, and carry it out unless it is a dry run."""
        if self._args.dry_run:
            return run.rehearse(self.actions())
        return self._carry_out(self.actions())

    def _carry_out(
        self, actions: Iterable[plan.Action]
    ) -> Iterator[task.Outcome]:
        runner = run.Runner(
            self._source,
            {place.name: place for place in self._destinations},
            self._planner,
            transfers=self._args.transfers,
            retries=self._args.retries,
            checksum=self._args.checksum,
            fail_fast=self._args.fail_fast,
        )
        return runner.run(actions)


class _DumpEngine(Engine):
    """The same, where nothing is begun before all of it has room.

    The plan is held for that: about 2 kB of memory for each image.
    """

    def __init__(
        self,
        source: places.Source,
        destination: dump.Dump,
        planner: plan.Planner,
        args: argparse.Namespace,
    ) -> None:
        super().__init__(source, [destination], planner, args)
        self._dump = destination

    def outcomes(self) -> Iterator[task.Outcome]:
        """Plan, and carry it out unless it is a dry run.

        :raises RefusedError: there is no room, or another dump is running
        """
        if self._args.dry_run:
            return super().outcomes()
        self._dump.open()
        actions = list(self.actions())
        self._dump.make_room(actions)
        return self._carry_out(actions)


def to_clouds(own: _Own, args: argparse.Namespace) -> Engine:
    """Get ready to replicate from the command's own cloud to others.

    :raises ReplicateError: a cloud or a project cannot be used
    """
    connections = clouds.connect(own, args.to)
    name = connections[0].config.name
    clouds.refuse_same([name, *args.to], connections)
    clouds.warn_of_environment(connections[0])
    planner = plan.Planner(
        _selection_of(connections[0], args),
        metadata_only=getattr(args, 'metadata_only', False),
        extra=getattr(args, 'extra', False),
        projects={
            to: connection.current_project_id
            for to, connection in zip(args.to, connections[1:], strict=True)
        },
    )
    source, *destinations = (
        _glance(name, connection, args)
        for name, connection in zip([name, *args.to], connections, strict=True)
    )
    return Engine(source, destinations, planner, args)


def to_any(own: _Own, args: argparse.Namespace) -> Engine:
    """Get ready for other clouds or for a directory, as the options say.

    :raises ReplicateError: one of them cannot be used
    """
    if args.dump:
        return to_dump(own, args, args.dump)
    return to_clouds(own, args)


def to_dump(own: _Own, args: argparse.Namespace, path: str) -> Engine:
    """Get ready to replicate from the command's own cloud to a directory.

    :param path: of the directory, which need not be there
    :raises ReplicateError: the cloud, a project or the directory cannot be
        used
    """
    destination = dump.Dump(path)
    (connection,) = clouds.connect(own, ())
    clouds.warn_of_environment(connection)
    planner = plan.Planner(
        _selection_of(connection, args),
        metadata_only=getattr(args, 'metadata_only', False),
        extra=getattr(args, 'extra', False),
        # A dump is to be what the cloud holds, and nobody works in it.
        exact=(path,),
    )
    source = _glance(connection.config.name, connection, args)
    return _DumpEngine(source, destination, planner, args)


def from_dump(own: _Own, args: argparse.Namespace, path: str) -> Engine:
    """Get ready to replicate from a directory to the command's own cloud.

    :raises ReplicateError: the cloud or the directory cannot be used
    """
    source = directory.Directory(path)
    (connection,) = clouds.connect(own, ())
    clouds.warn_of_environment(connection)
    name = connection.config.name
    planner = plan.Planner(
        selection_of(args, args.project),
        metadata_only=args.metadata_only,
        projects={name: connection.current_project_id},
    )
    return Engine(source, [_glance(name, connection, args)], planner, args)


def _glance(
    name: str,
    connection: openstack.connection.Connection,
    args: argparse.Namespace,
) -> glance.Glance:
    # Only what moves data needs many connections.
    clouds.widen(connection, getattr(args, 'transfers', 1))
    return glance.Glance(api.ImageApi(name, connection))


def _selection_of(
    connection: openstack.connection.Connection, args: argparse.Namespace
) -> selection.Selection:
    """Understand the options by the cloud that they are about."""
    owner = None
    if args.project:
        owner = clouds.project_id(connection, args.project)
    return selection_of(args, owner)


def selection_of(
    args: argparse.Namespace, owner: str | None
) -> selection.Selection:
    """Understand the options that say which images.

    :param owner: ID of the project that --project means
    """
    return selection.Selection(
        images=args.images,
        names=args.names,
        excludes=args.excludes,
        properties=args.properties,
        tags=args.tags,
        visibilities=args.visibilities,
        include_hidden=args.include_hidden,
        owner=owner,
        disk_format=args.disk_format,
        min_size=args.min_size,
        max_size=args.max_size,
        updated_since=args.updated_since,
    )
