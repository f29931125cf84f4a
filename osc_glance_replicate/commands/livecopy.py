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

"""Copy images from cloud to cloud."""

import argparse

from osc_glance_replicate.commands import copying
from osc_glance_replicate.commands import copying_options
from osc_glance_replicate.commands import shared_options


class LivecopyImages(copying.CopyCommand):
    """Copy images, with their metadata, to other clouds.

    The images of the command's own cloud (--os-cloud) that are missing in a
    destination are copied under the same IDs; those that are there get
    their metadata brought up to date. Data that is there is never
    overwritten and no image is ever deleted.
    """

    examples = r"""
    # Show what would be done, then do it.
    openstack --os-cloud master image replicate livecopy --to slave --dry-run
    openstack --os-cloud master image replicate livecopy --to slave

    # Some images, to a cloud and to a region, each image read once for both.
    openstack --os-cloud master image replicate livecopy \
        --to slave --to master:RegionTwo --name 'debian-*' --exclude '*-old'

    # At night: no more than 50 MB/s, and a page to look at in the morning.
    openstack --os-cloud master image replicate livecopy --to slave \
        --bandwidth 50M --report /srv/replicate.html
    """

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        shared_options.add_selection(parser)
        shared_options.add_destinations(parser)
        copying_options.add_copying_to_clouds(parser, cluster=True)

    def engine(self, parsed_args: argparse.Namespace) -> copying.Engine:
        from osc_glance_replicate.cluster import hire
        from osc_glance_replicate.commands import requests
        from osc_glance_replicate.engine import routes
        from osc_glance_replicate.model import options

        request = options.Request(
            requests.selection(parsed_args),
            requests.to_clouds(
                parsed_args,
                replica=requests.replica(parsed_args),
                delivery=requests.delivery(parsed_args),
            ),
            requests.run(parsed_args),
            requests.checks(parsed_args),
        )
        crew = None
        if parsed_args.scheduler:
            crew = hire.from_scheduler(parsed_args.scheduler)
        return routes.to_clouds(self.own_cloud, request, crew)
