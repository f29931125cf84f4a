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

"""Compare the images of clouds."""

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from osc_glance_replicate.commands import base
from osc_glance_replicate.commands import copying_options
from osc_glance_replicate.commands import reading_options
from osc_glance_replicate.commands import shared_options

if TYPE_CHECKING:
    from osc_glance_replicate.engine import comparison


class CompareImages(base.ReplicateCommand):
    """Show in what the images of other clouds differ from one's own.

    What differs is what a livecopy with the same options would do. With
    --data each replica is read and hashed, too. Exit code 0: nothing
    differs; 3: something does; 1: that cannot be told of all.
    """

    examples = r"""
    # Is all that livecopy would copy in the other cloud, and unchanged?
    openstack --os-cloud master image replicate compare --to slave

    # One image, also where nothing differs, for a script.
    openstack --os-cloud master image replicate compare --to slave \
        debian-13 --show-all -f json

    # Is what was copied still what it was? Slowly, beside other work.
    openstack --os-cloud master image replicate compare --to slave \
        --data --bandwidth 50M

    # What would be dumped?
    openstack --os-cloud master image replicate compare --dump /srv/images
    """

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        shared_options.add_selection(parser)
        shared_options.add_destinations(parser, dump=True)
        copying_options.add_replica(parser)
        copying_options.add_conversion(parser)
        parser.add_argument(
            '--extra',
            action='store_true',
            help='Show the images that only a destination has, too',
        )
        reading_options.add_data(parser)
        shared_options.add_metrics(parser)
        shared_options.add_show_all(parser, 'those that are the same')
        shared_options.add_check(parser, _problem)

    def take_action(self, parsed_args: argparse.Namespace) -> base.Table:
        from osc_glance_replicate.commands import mistakes
        from osc_glance_replicate.commands import requests
        from osc_glance_replicate.engine import comparison
        from osc_glance_replicate.engine import routes
        from osc_glance_replicate.model import options
        from osc_glance_replicate.reporting import plan_report

        replica = requests.replica(parsed_args)
        to = requests.to_clouds(parsed_args, replica=replica)
        if parsed_args.dump:
            to = requests.to_dump(parsed_args.dump, replica.members)
        request = options.Request(
            requests.selection(parsed_args),
            to,
            requests.reading(parsed_args),
            extra=parsed_args.extra,
        )
        report = plan_report.CompareReport(
            completed_by='dump' if parsed_args.dump else 'livecopy',
            show_all=parsed_args.show_all,
            for_people=base.for_people(parsed_args),
            fold=parsed_args.formatter == 'table',
            tell_unusable=base.has_blanks(parsed_args),
        )

        def findings() -> Iterator['comparison.Finding']:
            if parsed_args.dump:
                mistakes.refuse_path(parsed_args.dump, '--to {}')
            ready = routes.to_any(self.own_cloud, request)
            report.to = ready.to
            report.unusable = ready.unusable
            if not parsed_args.data:
                yield from comparison.of_records(ready)
                return
            with self.listening(parsed_args, parsed_args.progress) as listener:
                yield from comparison.with_data(ready, listener)

        return self.show(report, findings, parsed_args.metrics)


def _problem(parsed_args: argparse.Namespace) -> str | None:
    """Return what is wrong with the options together."""
    from osc_glance_replicate.commands import requests
    from osc_glance_replicate.model import options

    if parsed_args.extra and (parsed_args.images or parsed_args.project):
        return (
            '--extra is about the images of all projects: leave it out, or '
            'the images and --project'
        )
    replica = requests.replica(parsed_args)
    if parsed_args.dump and replica != options.Replica(
        members=replica.members
    ):
        return (
            '--dump compares with the images as they are: of the options that '
            'say what a replica is, it takes --members only'
        )
    return None
