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

"""Show EC2-style IDs of images."""

import argparse
from collections.abc import Iterable, Sequence
from typing import Any, TYPE_CHECKING

from osc_glance_replicate.commands import base
from osc_glance_replicate.commands import shared_options
from osc_glance_replicate.commands import values

if TYPE_CHECKING:
    from osc_glance_replicate.ec2 import ec2_id


class Ec2Ids(base.ReplicateCommand):
    """Show an EC2-style ID of each image, the same in every cloud.

    It is computed from the image's UUID. Exit code 1: two images would
    share one, or an ID in use is another.
    """

    examples = r"""
    # The IDs, and whether two images of the two clouds would share one.
    openstack --os-cloud master image replicate ec2ids --to slave

    # SQL for nova's databases, to be read and applied by you.
    openstack --os-cloud master image replicate ec2ids --to slave --nova-sql
    """

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        shared_options.add_selection(parser)
        shared_options.add_to(
            parser,
            'Look for images with the same ID there, too: in a cloud of '
            'clouds.yaml, or <cloud>:<region> (repeat the option for several)',
        )
        parser.add_argument(
            '--short',
            action='store_true',
            help="Show short IDs, which fit into nova's table s3_images",
        )
        _add_nova(parser)

    def take_action(self, parsed_args: argparse.Namespace) -> base.Table:
        from osc_glance_replicate.commands import requests
        from osc_glance_replicate.ec2 import assignment
        from osc_glance_replicate.model import options
        from osc_glance_replicate.reporting import ec2_report

        kind = (
            ec2_report.NovaSqlReport
            if parsed_args.nova_sql
            else ec2_report.Ec2IdReport
        )
        report = kind(for_people=base.for_people(parsed_args))
        request = options.Request(
            requests.selection(parsed_args), requests.to_clouds(parsed_args)
        )
        in_use = parsed_args.nova_map, parsed_args.nova_map_to

        def identify() -> Iterable['ec2_id.Ec2Id']:
            found, report.problems = assignment.identify(
                self.own_cloud,
                request,
                bool(parsed_args.short or parsed_args.nova_sql or any(in_use)),
                *in_use,
            )
            return found

        return self.show(report, identify)

    def produce_output(
        self,
        parsed_args: argparse.Namespace,
        column_names: Sequence[str],
        data: Iterable[Any],
    ) -> int:
        """Print the rows; statements are for a database as they are."""
        if not parsed_args.nova_sql:
            return super().produce_output(parsed_args, column_names, data)
        for (statement,) in data:
            self.app.stdout.write(f'{statement}\n')
        return 0


def _add_nova(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group('what nova knows (these imply --short)')
    group.add_argument(
        '--nova-sql',
        action='store_true',
        help="Print SQL that puts the IDs into nova's table s3_images, "
        'instead of rows; nothing at all when there is any problem',
    )
    group.add_argument(
        '--nova-map',
        metavar='<file>',
        type=values.not_empty,
        help="Keep the IDs of this file, which has the source's rows id,uuid "
        'of s3_images, and compute those of the other images only',
    )
    group.add_argument(
        '--nova-map-to',
        metavar='<file>',
        type=values.not_empty,
        action='append',
        default=[],
        help='Look for clashes with the IDs of this file, which has the rows '
        'of a destination (repeat the option for several)',
    )
