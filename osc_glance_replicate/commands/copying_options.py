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

"""The options for replicas, and for the verbs that make them."""

import argparse
from collections.abc import Sequence
from typing import Any

from osc_glance_replicate.commands import reading_options
from osc_glance_replicate.commands import shared_options
from osc_glance_replicate.commands import values

#: The values of ``--method``, and the help of each.
_METHODS = {
    'upload': 'upload: the data is sent through this machine (default).',
    'import': 'import: the same, but the destination imports it '
    '(glance-direct), so that its import plugins run.',
    'glance-download': 'glance-download: the destination fetches it by '
    'itself from the region of the source; takes one Keystone for both.',
}


class _AppendPair(argparse.Action):
    """Append a pair, whose first value must not have another one."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        pairs = getattr(namespace, self.dest)
        old, new = values
        if (other := dict(pairs).get(old, new)) != new:
            raise argparse.ArgumentError(
                self, f'{old} cannot be both {other} and {new}'
            )
        setattr(namespace, self.dest, [*pairs, values])


def add_copying_to_clouds(
    parser: argparse.ArgumentParser,
    methods: Sequence[str] = tuple(_METHODS),
    cluster: bool = False,
) -> None:
    """Add the options that all verbs share that make replicas in clouds.

    :param methods: the values of --method that make sense; the first is the
        default
    :param cluster: whether other machines may copy
    """
    add_replica(parser)
    _add_method(parser, methods)
    add_conversion(parser)
    parser.add_argument(
        '--no-checksum',
        dest='checksum',
        action='store_false',
        help='Do not hash the data on its way; what the destination computed '
        'is compared all the same',
    )
    parser.add_argument(
        '--no-format-check',
        dest='format_check',
        action='store_false',
        help='Send data that is not of the disk format that its record says, '
        'to a destination that takes it',
    )
    add_run(parser, cluster)
    parser.add_argument(
        '--adopt',
        action='store_true',
        help='Make replicas of the images that are named by their IDs even '
        'where they are of another project there, or were there first: their '
        'data is proven first; then owner, members and properties of their '
        'own go. What they need to boot has to be named, too',
    )
    shared_options.add_check(parser, _problem)


def add_replica(parser: argparse.ArgumentParser) -> None:
    """Add the options for how replicas differ from their sources."""
    group = parser.add_argument_group('what a replica is')
    shared_options.add_list(
        group,
        '--dont-replicate',
        'left_out',
        '<glob>',
        'Leave out the properties whose names fit (repeat for several)',
        type=values.property_glob,
    )
    shared_options.add_list(
        group,
        '--set-property',
        'set_properties',
        '<key=value>',
        'Give every replica this property (repeat for several)',
        type=values.key_value,
    )
    group.add_argument(
        '--map-format',
        metavar='<old=new>',
        dest='map_formats',
        type=values.formats,
        action=_AppendPair,
        default=[],
        help='Give replicas of images of this disk format another name of it, '
        'e.g. gpt=raw for a Glance that has no gpt; what is not found to be '
        'of both fails (repeat for several)',
    )
    group.add_argument(
        '--visibility',
        choices=('keep', *shared_options.VISIBILITIES),
        default='keep',
        help="Visibility of the replicas (default: keep the source's)",
    )
    _add_owners(group)
    add_members(group)
    group.add_argument(
        '--exact',
        action='store_true',
        help='Remove what only a replica has: properties, tags and, with '
        '--members, members',
    )
    group.add_argument(
        '--mark',
        metavar='<name>',
        type=values.mark,
        help='Give every replica the property replica_of=<name>/<its ID>: it '
        'is proof that a replica is our own, and that it is of that name. To '
        'be given in every run, from the first one on',
    )


def _add_owners(group: argparse._ActionsContainer) -> None:
    """Add the options for whose the replicas are."""
    from osc_glance_replicate.model import options

    group.add_argument(
        '--owner',
        metavar=f'{{{",".join(owner.value for owner in options.Owner)}}}',
        type=values.owner,
        default=options.Replica().owner.value,
        help="Whose the replicas are. mine: the destination user's project's "
        '(default). same: those of the project with the same ID. by-name: '
        'those of the project with the same name.',
    )
    shared_options.add_list(
        group,
        '--map-owner',
        'map_owners',
        '<source=destination>',
        'Give the images of this project of the source to that one of the '
        'destination (names or IDs; repeat for several)',
        type=values.source_destination,
    )


def add_conversion(parser: argparse._ActionsContainer) -> None:
    """Add the option to take converted images for replicas."""
    parser.add_argument(
        '--accept-conversion',
        action='store_true',
        help='Take images for replicas that a destination has converted on '
        'import (image_conversion): what is sent is verified, and what comes '
        'of it is believed, where it is of your own project. To be given in '
        'every run, and to compare',
    )


def add_members(parser: argparse._ActionsContainer) -> None:
    """Add the option to replicate members, too."""
    parser.add_argument(
        '--members',
        action='store_true',
        help='Replicate the members of shared images, too',
    )


def add_run(parser: argparse.ArgumentParser, cluster: bool = False) -> None:
    """Add the options for a run, wherever the images go.

    :param cluster: whether other machines may copy
    """
    _add_execution(parser, cluster)
    group = parser.add_argument_group('what it shows')
    shared_options.add_progress(group)
    group.add_argument(
        '--report',
        metavar='<file>',
        type=values.not_empty,
        help='Write the run as an HTML page, too: totals, failures, and when '
        'each image was on its way',
    )
    shared_options.add_metrics(group)
    shared_options.add_check(parser, _problem_of_run)
    shared_options.add_show_all(
        parser, 'unchanged ones and those not replicated'
    )


def _add_execution(parser: argparse.ArgumentParser, cluster: bool) -> None:
    """Add the options for how a plan is carried out."""
    from osc_glance_replicate.model import options

    defaults = options.Run()
    group = parser.add_argument_group('how it is done')
    group.add_argument(
        '--dry-run',
        action='store_true',
        help='Show what would be done and write nothing',
    )
    group.add_argument(
        '--metadata-only',
        action='store_true',
        help='Move no data: bring existing replicas up to date only',
    )
    reading_options.add_pace(group, 'copy at a time to')
    group.set_defaults(transfers=defaults.transfers, retries=defaults.retries)
    group.add_argument(
        '--fail-fast',
        action='store_true',
        help='Start nothing more after the first failure (default: go on '
        'with the other images)',
    )
    if cluster:
        group.add_argument(
            '--scheduler',
            metavar='<address>',
            type=values.scheduler,
            help='Have the workers of this Dask scheduler copy, e.g. '
            'tls://host:8786; each finds the clouds in its own clouds.yaml '
            '(needs the extra dask)',
        )


def _add_method(
    parser: argparse.ArgumentParser, methods: Sequence[str]
) -> None:
    """Add the options for how data gets to a cloud, and into which stores."""
    group = parser.add_argument_group('how data gets there')
    group.add_argument(
        '--method',
        choices=methods,
        default=methods[0],
        help=' '.join(_METHODS[method] for method in methods),
    )
    where = group.add_mutually_exclusive_group()
    shared_options.add_list(
        where,
        '--store',
        'stores',
        '<store>',
        'Keep the data in this store of the destination (repeat for several, '
        'which takes another method than upload)',
        type=values.not_empty,
    )
    where.add_argument(
        '--all-stores',
        action='store_true',
        help='Keep the data in all stores of the destination (takes another '
        'method than upload)',
    )


def _problem_of_run(parsed_args: argparse.Namespace) -> str | None:
    """Return what is wrong with the options for a run together."""
    if parsed_args.dry_run and parsed_args.metrics:
        return '--metrics is about what was done: leave out --dry-run'
    return None


def _problem(parsed_args: argparse.Namespace) -> str | None:
    """Return what is wrong with the options together."""
    from osc_glance_replicate.model import image_record

    uploads = parsed_args.method == 'upload' and not parsed_args.metadata_only
    if parsed_args.accept_conversion and uploads:
        return (
            '--accept-conversion is about imports: give --method import, or '
            'leave it out'
        )
    if parsed_args.accept_conversion and not parsed_args.checksum:
        return (
            '--accept-conversion rests on what is verified while it is sent: '
            'leave out --no-checksum'
        )
    several = parsed_args.all_stores or len(parsed_args.stores) > 1
    if parsed_args.method == 'upload' and several:
        return (
            '--method upload puts data into one store: give --method import '
            'for several'
        )
    named = parsed_args.images
    if parsed_args.adopt and not (
        named and all(map(image_record.is_id, named))
    ):
        return '--adopt takes images, each named by its ID'
    return None
