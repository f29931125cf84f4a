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

"""From a request to an engine between the places that it names."""

import collections
from collections.abc import Callable, Mapping, Sequence
import concurrent.futures
import dataclasses
import logging
import os

import openstack.connection

from osc_glance_replicate import background
from osc_glance_replicate.clouds import endpoints
from osc_glance_replicate.clouds import entries
from osc_glance_replicate.clouds import login
from osc_glance_replicate.clouds import projects
from osc_glance_replicate.clouds import runners
from osc_glance_replicate.engine import criteria
from osc_glance_replicate.engine import dump_engine
from osc_glance_replicate.engine import engine
from osc_glance_replicate.engine import fleet
from osc_glance_replicate import errors
from osc_glance_replicate.execution import crew
from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import image_selection
from osc_glance_replicate.model import options
from osc_glance_replicate.model import ownership
from osc_glance_replicate.model import replica_template
from osc_glance_replicate.places import dump
from osc_glance_replicate.places.dump import layout
from osc_glance_replicate.places import glance
from osc_glance_replicate.places.glance import image_api
from osc_glance_replicate.places.glance import offers
from osc_glance_replicate.planning import decisions
from osc_glance_replicate.planning import rules

LOG = logging.getLogger(__name__)

#: Connects to the command's own cloud.
OwnCloud = Callable[[], openstack.connection.Connection]

#: From the request and the connections, the source's first, to what assembles
#: a crew.
Hire = Callable[
    [options.Request, Sequence[openstack.connection.Connection]],
    Callable[[], crew.Crew],
]

#: Connections that are being made, by the names of the clouds.
Connecting = Mapping[
    str, concurrent.futures.Future[openstack.connection.Connection]
]


def to_clouds(
    own: OwnCloud,
    request: options.Request,
    hire: Hire | None = None,
    strict: bool = False,
) -> engine.Engine:
    """Get ready to replicate from the command's own cloud to others.

    :param hire: finds who copies, unless it is this process
    :param strict: whether the run ends where any destination cannot be used
    :raises ReplicateError: a cloud or a project cannot be used
    """
    entries.refuse_unknown([to.name for to in request.to])
    names = entries.in_full([to.name for to in request.to])
    _refuse_twice(names)
    request = dataclasses.replace(
        request,
        to=[
            dataclasses.replace(to, name=name)
            for to, name in zip(request.to, names, strict=True)
        ],
    )
    logins = login.Logins()
    connecting = {
        name: background.start(logins.connect, name) for name in names
    }
    strict = strict or request.run.fail_fast or len(names) < 2
    return between(own(), connecting, request, hire, strict)


def _refuse_twice(names: Sequence[str]) -> None:
    """Refuse a destination that is named twice.

    :raises CloudError: names it
    """
    for name, count in collections.Counter(names).items():
        if count > 1:
            raise errors.CloudError(
                name, 'it is named twice: give each --to once'
            )


def between(
    own: openstack.connection.Connection,
    connecting: Connecting,
    request: options.Request,
    hire: Hire | None = None,
    strict: bool = False,
    patience: float | None = fleet.PATIENCE,
) -> engine.Engine:
    """Get ready to replicate from one cloud to others.

    :param own: connection to the source
    :param connecting: the destinations
    :param hire: finds who copies, unless it is this process
    :param strict: whether the run ends where any destination cannot be used
    :param patience: seconds that destinations wait for others; None for no
        limit
    :raises ReplicateError: a cloud or a project cannot be used
    """
    name = own.config.name
    readings = request.run.transfers * max(1, len(request.to))
    source = glance.Source(_image_api(name, own, readings))
    known = projects.KeystoneProjects(name, own)
    criteria.refuse_unknown_owners(request.to, known)

    def prepare(to: options.To) -> fleet.Ready:
        connection = connecting[to.name].result()
        if not strict:
            # It may be up, and have a database that is not.
            login.greet(to.name, connection)
        to = criteria.delivered(to, own, connection)
        place = _destination(to, connection, request, others_wait=not strict)
        there = _rules(to, known, connection, place, lambda: source.clock)
        return fleet.Ready(place, there, connection)

    def accept(to: str, before: Mapping[str, fleet.Ready]) -> None:
        there = destinations.ready[to].connection
        others = [ready.connection for ready in before.values()]
        endpoints.refuse_same(
            [name, *before, to], list(filter(None, [own, *others, there]))
        )

    destinations = fleet.Fleet(
        {to.name: background.start(prepare, to) for to in request.to},
        strict,
        accept,
    )
    destinations.wait(patience)
    if hire:
        # What workers are told is told once.
        destinations.refuse_late()
    entries.warn_of_environment(own)
    selection = criteria.selection_of(own, source, request.selection)
    by_name = destinations.rules
    if not request.to:
        # What a cloud holds is counted, whether it boots elsewhere or not.
        by_name = {name: rules.Rules(at_rest=True)}
    return engine.Engine(
        source,
        destinations,
        _planner(request, selection, by_name, runners.of(name, own)),
        request,
        assemble=_hired(hire, own, destinations, request) if hire else None,
    )


def _hired(
    hire: Hire,
    own: openstack.connection.Connection,
    destinations: fleet.Fleet,
    request: options.Request,
) -> Callable[[], crew.Crew] | None:
    """Return what assembles a crew for the destinations that can be used.

    :returns: None where there is none
    """
    ready = [to for to in request.to if to.name in destinations.places]
    connections = [destinations.ready[to.name].connection for to in ready]
    if not ready:
        return None
    return hire(
        dataclasses.replace(request, to=ready),
        [own, *filter(None, connections)],
    )


def to_any(own: OwnCloud, request: options.Request) -> engine.Engine:
    """Get ready for other clouds or for a directory, as the request says.

    :raises ReplicateError: one of them cannot be used
    """
    if any(to.is_dump for to in request.to):
        return to_dump(own, request)
    return to_clouds(own, request)


def to_dump(own: OwnCloud, request: options.Request) -> engine.Engine:
    """Get ready to replicate from the command's own cloud to a directory.

    :param request: its destination is the path, which need not be there
    :raises ReplicateError: the cloud, a project or the directory cannot be
        used
    """
    (to,) = request.to
    destination = dump.Destination(to.name)
    connection = own()
    entries.warn_of_environment(connection)
    name = connection.config.name
    source = glance.Source(_image_api(name, connection, request.run.transfers))
    _refuse_image(to.name, source)
    # A dump is to be what the cloud holds, and nobody works in it.
    at_rest = rules.Rules(
        replica_template.Template(
            owners=ownership.Same(),
            members=to.replica.members,
            key_policies=True,
        ),
        exact=True,
        at_rest=True,
    )
    selection = criteria.selection_of(connection, source, request.selection)
    return dump_engine.DumpEngine(
        source,
        projects.KeystoneProjects(name, connection),
        destination,
        _planner(
            request,
            selection,
            {to.name: at_rest},
            runners.of(name, connection),
        ),
        request,
    )


def _refuse_image(path: str, source: glance.Source) -> None:
    """Refuse a directory that is not there, if an image is called so.

    One whose path has a slash is always meant.

    :raises UsageError: says both ways to mean it
    """
    if os.sep in path or os.path.lexists(path):
        return
    if image_record.is_id(path):
        found = source.find(path) is not None
    else:
        found = bool(source.named(path))
    if found:
        raise errors.UsageError(
            f'{path!r} is an image of {source.name}, which is named after the '
            f'directory; write ./{path} for a directory of that name'
        )


def from_dump(
    own: OwnCloud, request: options.Request, path: str
) -> engine.Engine:
    """Get ready to replicate from a directory to the command's own cloud.

    :raises ReplicateError: the cloud or the directory cannot be used
    """
    source = dump.Source(path)
    source.require_dump()
    if unfinished := layout.unfinished(source.files()):
        LOG.warning(
            '%s: the dump is not complete: images without a record: %s, the '
            'first of them is %s; verify names all',
            errors.printable(path),
            len(unfinished),
            unfinished[0],
        )
    connection = own()
    entries.warn_of_environment(connection)
    name = connection.config.name
    (to,) = request.to
    to = dataclasses.replace(to, name=name)
    destination = _destination(to, connection, request)
    selection = criteria.selection_in(source, request.selection)
    there = _rules(to, source, connection, destination)
    return engine.Engine(
        source,
        fleet.of([fleet.Ready(destination, there)]),
        _planner(request, selection, {name: there}),
        request,
    )


def _planner(
    request: options.Request,
    selection: image_selection.Selection,
    destinations: Mapping[str, rules.Rules],
    reader: ownership.Runner | None = None,
) -> decisions.Planner:
    """Return the planner.

    :param reader: who reads the source; None for a dump
    """
    return decisions.Planner(
        selection,
        metadata_only=request.run.metadata_only,
        extra=request.extra,
        adopt=request.run.adopt,
        destinations=destinations,
        reader=reader.reader if reader else None,
        dumped=reader is None,
    )


def _rules(
    to: options.To,
    source: ownership.Projects,
    connection: openstack.connection.Connection,
    place: glance.Destination,
    clock: Callable[[], float] = float,
) -> rules.Rules:
    """Return what holds at a cloud.

    :param clock: returns the seconds by which that of the source is ahead
    """
    return rules.Rules(
        criteria.template(to.replica, source, to.name, connection),
        exact=to.replica.exact,
        # Asked for only if anything is to be copied.
        schema=lambda: place.schema,
        failed_import=place.failed_import,
        runner=place.runner,
        ahead=lambda: place.clock - clock(),
        delivery=to.delivery,
        mark=to.replica.mark,
        accepts_conversion=to.replica.accepts_conversion,
    )


def _destination(
    to: options.To,
    connection: openstack.connection.Connection,
    request: options.Request,
    others_wait: bool = False,
) -> glance.Destination:
    transfers = request.run.transfers
    api = _image_api(to.name, connection, transfers, others_wait)
    offers.check(api, to.delivery)
    runner = runners.of(to.name, connection)
    return glance.Destination(api, runner, to.delivery)


def _image_api(
    name: str,
    connection: openstack.connection.Connection,
    transfers: int,
    others_wait: bool = False,
) -> image_api.ImageApi:
    login.limit(connection, transfers)
    return image_api.ImageApi(name, connection, others_wait)
