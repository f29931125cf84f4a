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

"""The choice of who copies: the workers of a Dask cluster."""

import argparse
from collections.abc import Callable, Sequence
import functools
import importlib.util
import uuid

import openstack.connection

from osc_glance_replicate.clouds import login as clouds
from osc_glance_replicate import errors
from osc_glance_replicate.execution import runner as run


def from_scheduler(
    args: argparse.Namespace,
) -> Callable[
    [Sequence[openstack.connection.Connection]], Callable[[], run.Crew]
]:
    """Get ready to hire the workers of a scheduler.

    :returns: what does so when the clouds are known
    :raises ReplicateError: Dask is not installed
    """
    # What to install is said before anyone waits for a cloud.
    if importlib.util.find_spec('distributed') is None:
        raise errors.ReplicateError(
            "--scheduler needs Dask: pip install 'osc-glance-replicate[dask]'"
            ', here and where the workers run'
        )
    return functools.partial(_hire, args)


def _hire(
    args: argparse.Namespace,
    connections: Sequence[openstack.connection.Connection],
) -> Callable[[], run.Crew]:
    """Find out how workers can find the source.

    :raises CloudError: they cannot
    """
    origin = clouds.entry(connections[0])
    return functools.partial(_cluster, origin, connections, args)


def _cluster(
    origin: str,
    connections: Sequence[openstack.connection.Connection],
    args: argparse.Namespace,
) -> run.Crew:
    """Have it done by the workers of a Dask cluster.

    :param origin: the source, as workers can find it
    :raises ReplicateError: the cluster cannot be used
    """
    from osc_glance_replicate.cluster import dask_crew as cluster
    from osc_glance_replicate.cluster import worker as remote

    told = remote.Run(
        str(uuid.uuid4()),
        remote.version(),
        origin,
        {**vars(args), 'scheduler': None},
        tuple(map(clouds.identity, connections)),
    )
    return cluster.Cluster(args.scheduler, told, args.bandwidth)
