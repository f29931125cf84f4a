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
from collections.abc import Iterator

import openstack.connection

from osc_glance_replicate import catalogue
from osc_glance_replicate import clouds
from osc_glance_replicate.places import api
from osc_glance_replicate.places import glance
from osc_glance_replicate import plan
from osc_glance_replicate import run
from osc_glance_replicate import selection


def livecopy(
    own: openstack.connection.Connection, args: argparse.Namespace
) -> Iterator[run.Outcome]:
    """Copy from one cloud to those that ``--to`` names.

    :param own: the connection to the source
    :param args: the parsed arguments, as commands.options defines them
    :raises ReplicateError: before any work, when that cannot be done
    """
    connections = [own, *clouds.connect(args.to)]
    names = [own.config.name, *args.to]
    clouds.refuse_same(names, connections)
    for connection in connections:
        clouds.widen(connection, args.transfers)
    source, *destinations = (
        glance.Glance(api.ImageApi(name, connection))
        for name, connection in zip(names, connections, strict=True)
    )
    planner = plan.Planner(
        selection.Selection(args.images), metadata_only=args.metadata_only
    )
    rows = catalogue.rows(source, destinations, args.images)
    actions = planner.plan(rows, args.to)
    if args.dry_run:
        return run.rehearse(actions)
    runner = run.Runner(
        source,
        dict(zip(args.to, destinations, strict=True)),
        planner,
        transfers=args.transfers,
        retries=args.retries,
        checksum=args.checksum,
        fail_fast=args.fail_fast,
    )
    return runner.run(actions)
