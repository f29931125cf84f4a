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
from collections.abc import Callable, Iterator

import openstack.connection

from osc_glance_replicate import catalogue
from osc_glance_replicate import clouds
from osc_glance_replicate.places import api
from osc_glance_replicate.places import glance
from osc_glance_replicate import plan
from osc_glance_replicate import run
from osc_glance_replicate import selection
from osc_glance_replicate import task


class Engine:
    """What all verbs do before they differ.

    :param own: connects to the source
    :param args: the parsed arguments, as commands.options defines them
    :ivar to: names of the destinations; of the source itself where there
        are none
    :raises ReplicateError: a cloud or a project cannot be used
    """

    def __init__(
        self,
        own: Callable[[], openstack.connection.Connection],
        args: argparse.Namespace,
    ) -> None:
        self._args = args
        connections = clouds.connect(own, args.to)
        name = connections[0].config.name
        clouds.refuse_same([name, *args.to], connections)
        clouds.warn_of_environment(connections[0])
        for connection in connections:
            # Only livecopy moves data, and needs many connections for it.
            clouds.widen(connection, getattr(args, 'transfers', 1))
        self._source, *self._destinations = (
            glance.Glance(api.ImageApi(name, connection))
            for name, connection in zip(
                [name, *args.to], connections, strict=True
            )
        )
        self.to = args.to or [name]
        self._planner = plan.Planner(
            _selection(connections[0], args),
            metadata_only=getattr(args, 'metadata_only', False),
            extra=getattr(args, 'extra', False),
            projects={
                to: connection.current_project_id
                for to, connection in zip(
                    args.to, connections[1:], strict=True
                )
            },
        )

    def actions(self) -> Iterator[plan.Action]:
        """Plan.

        :raises ReplicateError: at once, when an image is not found or two
            clouds prove to be the same; later, when a cloud fails
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

    def livecopy(self) -> Iterator[task.Outcome]:
        """Plan, and carry it out unless it is a dry run."""
        args = self._args
        actions = self.actions()
        if args.dry_run:
            return run.rehearse(actions)
        runner = run.Runner(
            self._source,
            dict(zip(args.to, self._destinations, strict=True)),
            self._planner,
            transfers=args.transfers,
            retries=args.retries,
            checksum=args.checksum,
            fail_fast=args.fail_fast,
        )
        return runner.run(actions)


def _selection(
    own: openstack.connection.Connection, args: argparse.Namespace
) -> selection.Selection:
    owner = None
    if args.project:
        owner = clouds.project_id(own, args.project)
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
