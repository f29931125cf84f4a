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

"""Who runs a replication, by the token that a cloud has given him."""

from typing import Any

import openstack.connection

from osc_glance_replicate.clouds import login
from osc_glance_replicate.model import ownership


def of(
    name: str, connection: openstack.connection.Connection
) -> ownership.Runner:
    """Return who the user of a connection is.

    Without a Keystone nobody is told apart.

    :param name: of the cloud, as the user named it
    :raises CloudError: it cannot be used
    """
    auth: Any = connection.session.auth
    if hasattr(auth, 'get_access'):
        with login.named_in_errors(name):
            access = auth.get_access(connection.session)
        # Old Glances may be set to take the user for the owner.
        project, owners = access.project_id, [access.user_id]
        is_admin = 'admin' in (access.role_names or ())
    else:
        project, owners = connection.current_project_id, []
        is_admin = True
    return ownership.Runner(
        frozenset(filter(None, [project, *owners])), is_admin, project
    )
