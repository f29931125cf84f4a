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

"""What the verbs that replicate have in common."""

import argparse
from collections.abc import Iterable
from typing import Any, TYPE_CHECKING

from osc_lib.command import command

if TYPE_CHECKING:
    import openstack.connection

    from osc_glance_replicate import report
    from osc_glance_replicate import run


class ReplicateCommand(command.Lister):
    """A list of outcomes on stdout, a summary on stderr, an exit code."""

    # openstackclient would log in before the command runs, and its errors
    # name no cloud; own_cloud() does it instead.
    auth_required = False

    def own_cloud(self) -> 'openstack.connection.Connection':
        """Connect to the command's own cloud, as openstackclient would.

        :raises CloudError: the cloud cannot be used
        """
        from osc_glance_replicate import clouds

        if not self.app.options.debug:
            clouds.hush()
        name = self.app.options.cloud or self.app.cloud.name
        with clouds.named_in_errors(name):
            self.auth_required = True
            self.app.prepare_to_run_command(self)
            connection = self.app.client_manager.sdk_connection
            clouds.endpoint(connection)
        return connection

    def show(
        self,
        outcomes: Iterable['run.Outcome'],
        report: 'report.Report',
    ) -> tuple[tuple[str, ...], Iterable[Any]]:
        """Give what cliff prints; the end of it decides the exit code."""
        self._report = report
        return report.columns, report.rows(outcomes)

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Run the command, then say how it went."""
        super().run(parsed_args)
        if self.app.options.verbose_level:
            self.app.stderr.write(f'{self._report.summary}\n')
        if isinstance(self._report.trouble, Exception):
            raise self._report.trouble
        return self._report.exit_code
