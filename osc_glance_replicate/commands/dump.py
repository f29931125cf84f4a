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

"""Copy images to a directory."""

import argparse

from osc_glance_replicate.commands import copying
from osc_glance_replicate.commands import copying_options
from osc_glance_replicate.commands import shared_options


class DumpImages(copying.CopyCommand):
    """Copy images to a directory.

    The images of the command's own cloud (--os-cloud) that are not whole in
    the directory yet are written there, with their records; what is whole is
    not read again, and what was interrupted goes on. No image is ever removed
    from it.
    """

    examples = r"""
    # Make the directory, or bring it up to date.
    openstack --os-cloud master image replicate dump /srv/images

    # Public images that were changed in the last week, to a smaller disk.
    openstack --os-cloud master image replicate dump /srv/week \
        --public --updated-since 7d
    """

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        shared_options.add_path(parser)
        shared_options.add_selection(parser)
        copying_options.add_members(parser)
        parser.add_argument(
            '--no-room-check',
            dest='room_check',
            action='store_false',
            help='Begin, even if there is no room for the sum of the sizes: '
            'zeros become holes, and some file systems compress',
        )
        copying_options.add_run(parser)

    def engine(self, parsed_args: argparse.Namespace) -> copying.Engine:
        from osc_glance_replicate.commands import mistakes
        from osc_glance_replicate.commands import requests
        from osc_glance_replicate.engine import routes
        from osc_glance_replicate.model import options

        mistakes.refuse_path(
            parsed_args.path, 'livecopy --to {}', parsed_args.images
        )
        request = options.Request(
            requests.selection(parsed_args),
            requests.to_dump(parsed_args.path, parsed_args.members),
            requests.run(parsed_args),
            options.Checks(room=parsed_args.room_check),
        )
        return routes.to_dump(self.own_cloud, request)
