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

"""Copy images from a directory."""

import argparse

from osc_glance_replicate.commands import copying
from osc_glance_replicate.commands import copying_options
from osc_glance_replicate.commands import shared_options


class LoadImages(copying.CopyCommand):
    """Copy images from a directory.

    The images that a dump left in the directory are copied to the command's
    own cloud (--os-cloud) under the same IDs, as livecopy copies from a
    cloud. What is damaged is not loaded.
    """

    examples = r"""
    # Show what would be done, then do it.
    openstack --os-cloud slave image replicate load /srv/images --dry-run
    openstack --os-cloud slave image replicate load /srv/images

    # One image, without the properties of the source's hypervisor.
    openstack --os-cloud slave image replicate load /srv/images debian-13 \
        --dont-replicate 'hw_*'
    """

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        shared_options.add_path(parser)
        shared_options.add_selection(parser)
        copying_options.add_copying_to_clouds(
            parser, methods=('upload', 'import')
        )

    def engine(self, parsed_args: argparse.Namespace) -> copying.Engine:
        from osc_glance_replicate.commands import mistakes
        from osc_glance_replicate.commands import requests
        from osc_glance_replicate.engine import routes
        from osc_glance_replicate.model import options

        mistakes.refuse_path(
            parsed_args.path,
            '--os-cloud {} stands before the command',
            parsed_args.images,
        )
        to = options.To(
            replica=requests.replica(parsed_args),
            delivery=requests.delivery(parsed_args),
        )
        request = options.Request(
            requests.selection(parsed_args),
            (to,),
            requests.run(parsed_args),
            requests.checks(parsed_args),
        )
        return routes.from_dump(self.own_cloud, request, parsed_args.path)
