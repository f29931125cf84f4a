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

"""Show how much images come to."""

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING

from osc_glance_replicate.commands import base
from osc_glance_replicate.commands import shared_options

if TYPE_CHECKING:
    from osc_glance_replicate.model import plan


class SizeImages(base.ReplicateCommand):
    """Show how many images there are, and how many bytes.

    With --to: how much a livecopy with the same options would copy; with
    --dump, a dump.
    """

    examples = r"""
    # How much is there?
    openstack --os-cloud master image replicate size

    # How much would be copied?
    openstack --os-cloud master image replicate size --to slave

    # How many bytes would be dumped? A number, for a script.
    openstack --os-cloud master image replicate size --dump /srv/images \
        -f value -c Bytes
    """

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        shared_options.add_selection(parser)
        shared_options.add_destinations(parser, dump=True, required=False)

    def take_action(self, parsed_args: argparse.Namespace) -> base.Table:
        from osc_glance_replicate.commands import mistakes
        from osc_glance_replicate.commands import requests
        from osc_glance_replicate.engine import routes
        from osc_glance_replicate.model import options
        from osc_glance_replicate.reporting import plan_report

        to = requests.to_clouds(parsed_args)
        if parsed_args.dump:
            to = requests.to_dump(parsed_args.dump)
        request = options.Request(requests.selection(parsed_args), to)
        report = plan_report.SizeReport(
            for_people=base.for_people(parsed_args),
            tell_unusable=base.has_blanks(parsed_args),
        )

        def actions() -> Iterable['plan.Action']:
            if parsed_args.dump:
                mistakes.refuse_path(parsed_args.dump, '--to {}')
            ready = routes.to_any(self.own_cloud, request)
            report.begin(ready.to)
            report.unusable = ready.unusable
            return ready.actions()

        return self.show(report, actions)
