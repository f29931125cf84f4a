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

"""Logging in to the command's own cloud, as openstackclient would."""

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import openstack.connection
    from osc_lib.command import command


def connect(verb: 'command.Command') -> 'openstack.connection.Connection':
    """Connect to the cloud of --os-cloud or of the environment.

    Its errors name it, and it is tried as patiently as a destination is.

    :param verb: its auth_required makes openstackclient log in
    :raises CloudError: the cloud cannot be used
    """
    from osc_glance_replicate.clouds import login
    from osc_glance_replicate.clouds import login_adapter

    app = verb.app
    if not app.options.debug:
        login.hush()
    name = app.options.cloud or app.cloud.name or 'defaults'
    with login.named_in_errors(name):
        seconds = app.cloud.config.get('api_timeout')
        if seconds is None:
            # As if it were a global option, which openstackclient lacks.
            app.options.api_timeout = seconds = login.API_TIMEOUT
        adapter = login_adapter.LoginAdapter(float(seconds))

        def prepare() -> 'openstack.connection.Connection':
            # It has a setting for this, and openstackclient none; afterwards
            # the password has been sent.
            setattr(
                app.cloud_config,
                '_session_constructor',
                functools.partial(login.limited_session, adapter),
            )
            app.prepare_to_run_command(verb)
            return app.client_manager.sdk_connection

        return login.log_in(prepare, adapter)
