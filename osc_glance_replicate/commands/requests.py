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

"""Where argparse ends: parsed options become the values of a request.

There is one function for each group of options.
"""

import argparse
from typing import Any, TYPE_CHECKING

if TYPE_CHECKING:
    from osc_glance_replicate.model import image_selection
    from osc_glance_replicate.model import options


def selection(parsed_args: argparse.Namespace) -> 'image_selection.Selection':
    """Return which images are selected."""
    from osc_glance_replicate.model import image_selection

    return image_selection.Selection(
        images=tuple(parsed_args.images),
        names=tuple(parsed_args.names),
        excludes=tuple(parsed_args.excludes),
        properties=tuple(parsed_args.properties),
        tags=tuple(parsed_args.tags),
        visibilities=tuple(parsed_args.visibilities),
        include_hidden=parsed_args.include_hidden,
        encrypted=parsed_args.encrypted,
        owner=parsed_args.project,
        disk_format=parsed_args.disk_format,
        min_size=parsed_args.min_size,
        max_size=parsed_args.max_size,
        updated_since=parsed_args.updated_since,
    )


def chooses(parsed_args: argparse.Namespace) -> bool:
    """Return whether options or names choose among all images."""
    from osc_glance_replicate.model import image_selection

    return selection(parsed_args) != image_selection.Selection()


def replica(parsed_args: argparse.Namespace) -> 'options.Replica':
    """Return what replicas are to be."""
    from osc_glance_replicate.model import options

    visibility = parsed_args.visibility
    return options.Replica(
        left_out=tuple(parsed_args.left_out),
        properties=tuple(parsed_args.set_properties),
        visibility=None if visibility == 'keep' else visibility,
        owner=options.Owner(parsed_args.owner),
        map_owners=tuple(parsed_args.map_owners),
        members=parsed_args.members,
        exact=parsed_args.exact,
        mark=parsed_args.mark or '',
        map_formats=tuple(parsed_args.map_formats),
        accepts_conversion=parsed_args.accept_conversion,
    )


def delivery(parsed_args: argparse.Namespace) -> 'options.Delivery':
    """Return how data is to get to a cloud."""
    from osc_glance_replicate.model import options

    return options.Delivery(
        options.Method(parsed_args.method),
        tuple(parsed_args.stores),
        parsed_args.all_stores,
    )


def run(parsed_args: argparse.Namespace) -> 'options.Run':
    """Return how a plan is to be carried out."""
    from osc_glance_replicate.model import options

    return options.Run(
        dry_run=parsed_args.dry_run,
        metadata_only=parsed_args.metadata_only,
        transfers=parsed_args.transfers,
        bandwidth=parsed_args.bandwidth,
        retries=parsed_args.retries,
        fail_fast=parsed_args.fail_fast,
        adopt=getattr(parsed_args, 'adopt', False),
    )


def reading(parsed_args: argparse.Namespace) -> 'options.Run':
    """Return how replicas are to be read; what is not given is None."""
    from osc_glance_replicate.model import options

    given = {
        option: value
        for option in ('transfers', 'bandwidth', 'retries')
        if (value := getattr(parsed_args, option)) is not None
    }
    return options.Run(**given)


def checks(parsed_args: argparse.Namespace) -> 'options.Checks':
    """Return what data is to be held against on its way."""
    from osc_glance_replicate.model import options

    return options.Checks(parsed_args.checksum, parsed_args.format_check)


def to_clouds(
    parsed_args: argparse.Namespace, **how: Any
) -> tuple['options.To', ...]:
    """Return the clouds that are the destinations.

    :param how: fields of ``options.To`` that are the same for all of them
    """
    from osc_glance_replicate.model import options

    return tuple(options.To(name, **how) for name in parsed_args.to)


def to_dump(path: str, members: bool = False) -> tuple['options.To', ...]:
    """Return the dump that is the only destination.

    :param members: whether it gets the members of shared images
    """
    from osc_glance_replicate.model import options

    replica = options.Replica(members=members)
    return (options.To(path, replica, is_dump=True),)
