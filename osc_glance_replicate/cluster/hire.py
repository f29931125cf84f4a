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

from collections.abc import Callable, Sequence
import functools
import importlib.util
import uuid

import openstack.connection

from osc_glance_replicate.clouds import entries
from osc_glance_replicate.cluster import messages
from osc_glance_replicate.engine import routes
from osc_glance_replicate import errors
from osc_glance_replicate.execution import crew
from osc_glance_replicate.model import options


def from_scheduler(address: str) -> routes.Hire:
    """Return what hires the workers of a scheduler, when clouds are known.

    :raises ReplicateError: Dask is not installed
    """
    # What to install is said before anyone waits for a cloud.
    if importlib.util.find_spec('distributed') is None:
        raise errors.ReplicateError(
            "--scheduler needs Dask: pip install 'osc-glance-replicate[dask]'"
            ', here and where the workers run'
        )

    def hire(
        request: options.Request,
        connections: Sequence[openstack.connection.Connection],
    ) -> Callable[[], crew.Crew]:
        # These import Dask.
        from osc_glance_replicate.cluster import dask_crew
        from osc_glance_replicate.cluster import worker

        brief = messages.Brief(
            str(uuid.uuid4()),
            worker.version(),
            entries.portable_name(connections[0]),
            request,
            tuple(map(entries.cloud_id, connections)),
        )
        return functools.partial(dask_crew.DaskCrew, address, brief)

    return hire
