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

"""Check the images in a directory."""

import argparse
from collections.abc import Iterable

from osc_glance_replicate.commands import base
from osc_glance_replicate.commands import shared_options


class VerifyImages(base.ReplicateCommand):
    """Read all images of a dump directory and check them.

    The data of each image is hashed and held against its record, and what
    does not belong to a dump is named. It needs no cloud. Exit code 1:
    something is damaged or missing.
    """

    examples = r"""
    # All images of the dump; exit code 1 if one is damaged.
    openstack image replicate verify /srv/images

    # Some images, for a script.
    openstack image replicate verify /srv/images --name 'debian-*' -f json
    """

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        shared_options.add_path(parser)
        shared_options.add_selection(parser)
        shared_options.add_progress(parser)

    def take_action(self, parsed_args: argparse.Namespace) -> base.Table:
        from osc_glance_replicate.commands import mistakes
        from osc_glance_replicate.commands import requests
        from osc_glance_replicate.engine import criteria
        from osc_glance_replicate.engine import verify
        from osc_glance_replicate.places import dump
        from osc_glance_replicate.reporting import report

        asked = requests.selection(parsed_args)

        def findings() -> Iterable[verify.Finding]:
            mistakes.refuse_path(
                parsed_args.path, 'compare --data --to {}', parsed_args.images
            )
            source = dump.Source(parsed_args.path)
            source.require_dump()
            selection = criteria.selection_in(source, asked)
            with self.listening(parsed_args, parsed_args.progress) as listener:
                yield from verify.verify(source, selection, listener)

        return self.show(
            report.VerifyReport(
                for_people=base.for_people(parsed_args),
                fold=parsed_args.formatter == 'table',
            ),
            findings,
        )
