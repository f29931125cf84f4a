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
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
import itertools
import logging

import openstack.connection

from osc_glance_replicate import catalogue
from osc_glance_replicate import clouds
from osc_glance_replicate import ec2
from osc_glance_replicate import errors
from osc_glance_replicate import image as image_record
from osc_glance_replicate import order
from osc_glance_replicate import owners
from osc_glance_replicate import places
from osc_glance_replicate.places import api
from osc_glance_replicate.places import directory
from osc_glance_replicate.places import dump
from osc_glance_replicate.places import glance
from osc_glance_replicate import plan
from osc_glance_replicate import replica
from osc_glance_replicate import run
from osc_glance_replicate import selection
from osc_glance_replicate import task

LOG = logging.getLogger(__name__)

#: Connects to the command's own cloud.
_Own = Callable[[], openstack.connection.Connection]


class Engine:
    """What all verbs do, between whatever places.

    :param source: where images come from
    :param destinations: where they go; none, to look at the source alone
    :param planner: the judgement
    :param args: the parsed arguments, as commands.options defines them
    :param check_first: read all of an image's data before anything is made
        of it
    :ivar source: name of the source
    :ivar to: names of the destinations; of the source itself where there
        are none
    """

    def __init__(
        self,
        source: places.Source,
        destinations: Sequence[places.Destination],
        planner: plan.Planner,
        args: argparse.Namespace,
        check_first: bool = False,
    ) -> None:
        self._source = source
        self._check_first = check_first
        self._destinations = destinations
        self._planner = planner
        self._args = args
        self.source = source.name
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
            members=self._planner.template.members,
        )
        if not self._destinations:
            # As if to a cloud that has nothing.
            rows = ([*row, None] for row in rows)
        sequence = order.Order(self._planner, self.to, self._look_up)
        return sequence.actions(rows)

    def actions_from_scratch(self) -> Iterator[plan.Action]:
        """Plan as if to a cloud that has nothing."""
        alone = Engine(self._source, [], self._planner, self._args)
        return alone.actions()

    def everything(self) -> Iterator[tuple[str, image_record.Image]]:
        """Give all images of all places, whatever is meant.

        :returns: each with the name of its place
        """
        places = [self._source, *self._destinations]
        rows = catalogue.rows(
            self._source,
            self._destinations,
            self._planner.selection,
            whole=True,
        )
        return (
            (place.name, image)
            for row in rows
            for place, image in zip(places, row, strict=True)
            if image
        )

    def _look_up(self, image_id: str) -> plan.Row:
        row = catalogue.row(
            self._source,
            self._destinations,
            image_id,
            members=self._planner.template.members,
        )
        return row if self._destinations else [*row, None]

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
            checks=task.Checks(
                getattr(self._args, 'checksum', True),
                getattr(self._args, 'format_check', False),
                self._check_first,
            ),
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
        projects: owners.Projects,
        destination: dump.Dump,
        planner: plan.Planner,
        args: argparse.Namespace,
    ) -> None:
        super().__init__(source, [destination], planner, args)
        self._dump = destination
        self._projects = projects

    def outcomes(self) -> Iterator[task.Outcome]:
        """Plan, and carry it out unless it is a dry run.

        :raises RefusedError: there is no room, or another dump is running
        """
        if self._args.dry_run:
            return super().outcomes()
        self._dump.open()
        actions = list(self.actions())
        self._dump.make_room(actions)
        self._dump.note_checksums(actions)
        if self._args.members:
            self._note_projects(actions)
        return self._carry_out(actions)

    def _note_projects(self, actions: Iterable[plan.Action]) -> None:
        """Keep the names of owners and members, as far as they are known."""
        try:
            known = self._projects.known()
        except errors.CloudError as exc:
            LOG.warning('The names of projects are not dumped: %s', exc)
            return
        found = {
            project: known[project]
            for action in actions
            for project in (action.image.owner, *(action.wanted.members or ()))
            if project in known
        }
        self._dump.note_projects(found)


def to_clouds(own: _Own, args: argparse.Namespace) -> Engine:
    """Get ready to replicate from the command's own cloud to others.

    :raises ReplicateError: a cloud or a project cannot be used
    """
    connections = clouds.connect(own, args.to)
    name = connections[0].config.name
    clouds.refuse_same([name, *args.to], connections)
    clouds.warn_of_environment(connections[0])
    others = dict(zip(args.to, connections[1:], strict=True))
    source, *destinations = (
        _glance(name, connection, args)
        for name, connection in zip([name, *args.to], connections, strict=True)
    )
    planner = plan.Planner(
        _selection_of(connections[0], source, args),
        metadata_only=getattr(args, 'metadata_only', False),
        extra=getattr(args, 'extra', False),
        exact=args.to if getattr(args, 'exact', False) else (),
        # What a cloud holds is counted, whether it boots elsewhere or not.
        dumps=() if args.to else (name,),
        template=_template(
            args, clouds.Projects(name, connections[0]), others
        ),
        formats={place.name: _formats(place) for place in destinations},
        projects=_own_projects(others),
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
    name = connection.config.name
    source = _glance(name, connection, args)
    planner = plan.Planner(
        _selection_of(connection, source, args),
        metadata_only=getattr(args, 'metadata_only', False),
        extra=getattr(args, 'extra', False),
        # A dump is to be what the cloud holds, and nobody works in it.
        exact=(path,),
        dumps=(path,),
        template=replica.Template(
            owners=replica.Same(), members=getattr(args, 'members', False)
        ),
    )
    projects = clouds.Projects(name, connection)
    return _DumpEngine(source, projects, destination, planner, args)


def from_dump(own: _Own, args: argparse.Namespace, path: str) -> Engine:
    """Get ready to replicate from a directory to the command's own cloud.

    :raises ReplicateError: the cloud or the directory cannot be used
    """
    source = directory.Directory(path)
    source.require_dump()
    (connection,) = clouds.connect(own, ())
    clouds.warn_of_environment(connection)
    name = connection.config.name
    destination = _glance(name, connection, args)
    planner = plan.Planner(
        selection_in(source, args),
        metadata_only=args.metadata_only,
        exact=(name,) if args.exact else (),
        template=_template(args, source, {name: connection}),
        formats={name: _formats(destination)},
        projects=_own_projects({name: connection}),
    )
    return Engine(source, [destination], planner, args, check_first=True)


def _formats(
    place: glance.Glance,
) -> Callable[[], Mapping[str, Collection[str]]]:
    """Let the formats be asked for only if anything is to be copied."""
    return lambda: place.formats


def ec2_ids(
    own: _Own, args: argparse.Namespace
) -> tuple[list[ec2.Identity], list[str]]:
    """Give the images that are meant their EC2-style IDs.

    :returns: the IDs, and what speaks against them, in a line each
    :raises ReplicateError: a cloud or a file cannot be used
    """
    kept = _ec2_table(args.nova_map) if args.nova_map else []
    others = [row for path in args.nova_map_to for row in _ec2_table(path)]
    scheme = ec2.Scheme(
        short=bool(
            args.short or args.nova_sql or args.nova_map or args.nova_map_to
        ),
        kept={row.key: row.digits for row in kept},
    )
    cloud = to_clouds(own, args)
    source = cloud.source
    chosen = []
    problems = []
    for action in cloud.actions_from_scratch():
        if action.image.defect:
            problems.append(f'{action.image.id} ({source}): {action.reason}')
        elif ec2.is_meant(action):
            chosen.append(scheme.identify(action.image, source))
        elif not action.routine:
            LOG.warning('%s has no ID: %s', action.image.id, action.reason)
    elsewhere = cloud.everything() if args.to else ()
    listed = (
        scheme.identify(image, where)
        for where, image in elsewhere
        if image_record.is_id(image.id)
    )
    problems += ec2.problems(chosen, itertools.chain(listed, kept, others))
    return chosen, [errors.printable(problem) for problem in problems]


def _ec2_table(path: str) -> list[ec2.Identity]:
    """Read a file with rows of nova's s3_images."""
    try:
        with open(path, encoding='utf-8-sig', errors='replace') as lines:
            return list(ec2.read_table(lines, path))
    except OSError as exc:
        raise errors.SelectionError(f'{path}: {exc.strerror}') from exc


def _template(
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
                    name: clouds.Projects(name, connection)
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
                owners.find(source, one): clouds.project_id(connection, other)
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
) -> glance.Glance:
    # Only what moves data needs many connections.
    clouds.widen(connection, getattr(args, 'transfers', 1))
    return glance.Glance(
        api.ImageApi(name, connection), connection.current_project_id
    )


def _selection_of(
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
        owner = clouds.project_id(connection, args.project)
    return _selected(args, owner)


def selection_in(
    source: directory.Directory, args: argparse.Namespace
) -> selection.Selection:
    """Understand the options by the dump that they are about.

    :raises ReplicateError: it does not know the project that they name
    """
    owner = owners.find(source, args.project) if args.project else None
    return _selected(args, owner)


def _selected(
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
