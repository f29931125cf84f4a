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

"""The options that the verbs share."""

import argparse
from collections.abc import Callable
from typing import Any

from osc_glance_replicate.commands import values

VISIBILITIES = ('public', 'private', 'shared', 'community')


def accept_any_order(
    parser: argparse.ArgumentParser,
    check: Callable[[argparse.Namespace], str] = lambda parsed_args: '',
) -> None:
    """Let options and images be mixed on the command line.

    argparse refuses ``image1 --to slave image2`` unless it is asked to
    parse intermixed, see fact-arguments; cliff calls parse_args.

    :param check: says what is wrong with options that are given together
    """

    def parse_args(*arguments: Any) -> argparse.Namespace:
        parsed_args: argparse.Namespace = parser.parse_intermixed_args(
            *arguments
        )
        if problem := check(parsed_args):
            parser.error(problem)
        return parsed_args

    setattr(parser, 'parse_args', parse_args)


def add_list(
    group: argparse._ActionsContainer,
    name: str,
    dest: str,
    metavar: str,
    help: str,
    type: Callable[[str], Any] = str,
) -> None:
    """Add an option that repeats."""
    group.add_argument(
        name,
        metavar=metavar,
        dest=dest,
        type=type,
        action='append',
        default=[],
        help=help,
    )


def add_destinations(
    parser: argparse.ArgumentParser,
    dump: bool = False,
    required: bool = True,
) -> None:
    """Add what says where to.

    :param dump: it may be a directory instead
    """
    where: argparse._ActionsContainer = parser
    if dump:
        where = parser.add_mutually_exclusive_group(required=required)
    where.add_argument(
        '--to',
        metavar='<cloud>',
        type=values.cloud,
        required=required and not dump,
        action='append',
        default=[],
        help='Destination: a cloud of clouds.yaml, or <cloud>:<region> '
        '(repeat the option for several destinations)',
    )
    if dump:
        where.add_argument(
            '--dump',
            metavar='<path>',
            type=values.not_empty,
            help='Destination: a dump directory, which need not be there',
        )


def add_path(parser: argparse.ArgumentParser) -> None:
    """Add the dump directory, which comes before any images."""
    parser.add_argument(
        'path',
        metavar='<path>',
        type=values.not_empty,
        help='Directory of the dump',
    )


def add_members(parser: argparse._ActionsContainer) -> None:
    """Add what says that members are replicated, too."""
    parser.add_argument(
        '--members',
        action='store_true',
        help='Replicate the members of shared images, too',
    )


def add_replica(parser: argparse.ArgumentParser) -> None:
    """Add what says how a replica differs from its source."""
    from osc_glance_replicate.model import options

    group = parser.add_argument_group('what a replica is')
    add_list(
        group,
        '--dont-replicate',
        'left_out',
        '<glob>',
        'Leave out the properties whose names fit (repeat for several)',
        type=values.not_empty,
    )
    add_list(
        group,
        '--set-property',
        'set_properties',
        '<key=value>',
        'Give every replica this property (repeat for several)',
        type=values.key_value,
    )
    group.add_argument(
        '--visibility',
        choices=('keep', *VISIBILITIES),
        default='keep',
        help="Visibility of the replicas (default: keep the source's)",
    )
    group.add_argument(
        '--owner',
        choices=[owner.value for owner in options.Owner],
        default=options.Replica().owner.value,
        help="Whose the replicas are. mine: the destination user's project's "
        '(default). same: those of the project with the same ID. by-name: '
        'those of the project with the same name.',
    )
    add_list(
        group,
        '--map-owner',
        'map_owners',
        '<source=destination>',
        'Give the images of this project of the source to that one of the '
        'destination (names or IDs; repeat for several)',
        type=values.source_destination,
    )
    add_members(group)
    group.add_argument(
        '--exact',
        action='store_true',
        help='Remove what only a replica has: properties, tags and, with '
        '--members, members',
    )


def add_progress(parser: argparse._ActionsContainer) -> None:
    """Add what says whether it is shown how far a run is."""
    parser.add_argument(
        '--progress',
        action=argparse.BooleanOptionalAction,
        help='Show how far it is, on stderr (default: where that is a '
        'terminal; elsewhere -v shows a line for each image)',
    )


def add_show_all(parser: argparse.ArgumentParser, rows: str) -> None:
    """Add what says that all rows are shown.

    :param rows: which are shown in addition
    """
    parser.add_argument(
        '--show-all',
        action='store_true',
        help=f'Show the images that need no attention, too: {rows}',
    )
