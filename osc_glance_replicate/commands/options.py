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
import datetime
import re

_VISIBILITIES = ('public', 'private', 'shared', 'community')

_SECONDS = {'s': 1, 'm': 60, 'h': 3600, 'd': 86400, 'w': 7 * 86400}


def accept_any_order(parser: argparse.ArgumentParser) -> None:
    """Let options and images be mixed on the command line.

    argparse refuses ``image1 --to slave image2`` unless it is asked to
    parse intermixed; cliff calls parse_args.
    """
    setattr(parser, 'parse_args', parser.parse_intermixed_args)


def at_least(lowest: int) -> Callable[[str], int]:
    """Make an argument type: a whole number, not below the lowest."""

    def number(text: str) -> int:
        value = int(text)
        if value < lowest:
            raise argparse.ArgumentTypeError(f'{text} is less than {lowest}')
        return value

    return number


def size(text: str) -> int:
    """Read a size: bytes, or with a unit k, M, G, T or Ki, Mi, Gi, Ti.

    :returns: bytes
    """
    from oslo_utils import strutils

    number = text.removesuffix('B')
    try:
        value: int = (
            int(number)
            if number.isascii() and number.isdecimal()
            else strutils.string_to_bytes(
                f'{number}B', unit_system='mixed', return_int=True
            )
        )
    except ValueError:
        value = -1
    if not 0 <= value < 2**63:
        raise argparse.ArgumentTypeError(
            f'{text!r} is no size: give bytes, or a number with k, M, G, Ki, '
            'Mi or Gi'
        )
    return value


def time(text: str) -> datetime.datetime:
    """Read a time: ISO 8601, in UTC unless it says so, or how long ago.

    :returns: a time in UTC
    """
    ago = re.fullmatch(r'(\d+)([smhdw])', text, re.ASCII)
    try:
        if ago:
            seconds = int(ago[1]) * _SECONDS[ago[2]]
            now = datetime.datetime.now(datetime.UTC)
            return now - datetime.timedelta(seconds=seconds)
        value = datetime.datetime.fromisoformat(text)
        if not value.tzinfo:
            value = value.replace(tzinfo=datetime.UTC)
        return value.astimezone(datetime.UTC)
    except (ValueError, OverflowError) as exc:
        raise argparse.ArgumentTypeError(
            f'{text!r} is no time: give 2026-11-21, 2026-11-21T09:30:00Z, or '
            'how long ago, such as 36h or 7d'
        ) from exc


def key_value(text: str) -> tuple[str, str]:
    """Read KEY=VALUE; the value may be empty."""
    from osc_glance_replicate import image

    key, equals, value = text.partition('=')
    if not key or not equals:
        raise argparse.ArgumentTypeError(f'{text!r} is not KEY=VALUE')
    if not image.is_property(key):
        raise argparse.ArgumentTypeError(
            f'{key} is no custom property, of which this is about'
        )
    return key, value


def source_destination(text: str) -> tuple[str, str]:
    """Read SOURCE=DESTINATION."""
    source, _, destination = text.partition('=')
    if not source or not destination:
        raise argparse.ArgumentTypeError(f'{text!r} is not SOURCE=DESTINATION')
    return source, destination


def not_empty(text: str) -> str:
    """Read a text that is there: an unset variable of a script is not."""
    if not text:
        raise argparse.ArgumentTypeError('it is empty')
    return text


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Add what says which images."""
    parser.add_argument(
        'images',
        metavar='<image>',
        nargs='*',
        # Else argparse calls it required.
        default=[],
        help='Image (name or ID); when none is given, all that are active and '
        'not hidden',
    )
    group = parser.add_argument_group(
        'which images', 'An image must fit all kinds of option that are given.'
    )
    group.add_argument(
        '--name',
        metavar='<glob>',
        dest='names',
        action='append',
        default=[],
        help='Only images whose name fits (repeat for alternatives)',
    )
    group.add_argument(
        '--exclude',
        metavar='<glob>',
        dest='excludes',
        action='append',
        default=[],
        help='No image whose name or ID fits (repeat for several)',
    )
    group.add_argument(
        '--property',
        metavar='<key=value>',
        dest='properties',
        type=key_value,
        action='append',
        default=[],
        help='Only images with this property (repeat: with all of them)',
    )
    group.add_argument(
        '--tag',
        metavar='<tag>',
        dest='tags',
        action='append',
        default=[],
        help='Only images with this tag (repeat: with all of them)',
    )
    for visibility in _VISIBILITIES:
        group.add_argument(
            f'--{visibility}',
            dest='visibilities',
            action='append_const',
            const=visibility,
            default=[],
            help=f'Only {visibility} images (several such options: any of '
            'these)',
        )
    group.add_argument(
        '--include-hidden',
        action='store_true',
        help='Hidden images, too',
    )
    group.add_argument(
        '--project',
        metavar='<project>',
        type=not_empty,
        help='Only images of this project (name or ID)',
    )
    group.add_argument(
        '--disk-format',
        metavar='<format>',
        type=not_empty,
        help='Only images of this disk format',
    )
    for bound, words in (('min', 'smaller'), ('max', 'larger')):
        group.add_argument(
            f'--{bound}-size',
            metavar='<size>',
            type=size,
            help=f'No image {words} than this: bytes, or with k, M, G, Ki, '
            'Mi, Gi',
        )
    group.add_argument(
        '--updated-since',
        metavar='<time>',
        type=time,
        help='Only images changed since: a time (2026-11-21T09:30:00Z), or '
        'how long ago (36h, 7d)',
    )


def add_destinations(
    parser: argparse.ArgumentParser,
    dump: bool = False,
    required: bool = True,
) -> None:
    """Add what says where to.

    :param dump: it may be a directory instead
    """
    where = parser.add_mutually_exclusive_group(required=required)
    where.add_argument(
        '--to',
        metavar='<cloud>[:<region>]',
        action='append',
        default=[],
        help='Destination: a cloud of clouds.yaml, or a region of it (repeat '
        'the option for several destinations)',
    )
    if dump:
        where.add_argument(
            '--dump',
            metavar='<path>',
            type=not_empty,
            help='Destination: a dump directory, which need not be there',
        )


def add_path(parser: argparse.ArgumentParser) -> None:
    """Add the dump directory, which comes before any images."""
    parser.add_argument(
        'path', metavar='<path>', type=not_empty, help='The dump directory'
    )


def add_members(parser: argparse._ActionsContainer) -> None:
    """Add what says that members are replicated, too."""
    parser.add_argument(
        '--members',
        action='store_true',
        help='The members of shared images, too',
    )


def add_replica(parser: argparse.ArgumentParser) -> None:
    """Add what says how a replica differs from its source."""
    group = parser.add_argument_group('what a replica is')
    group.add_argument(
        '--dont-replicate',
        metavar='<glob>',
        dest='left_out',
        type=not_empty,
        action='append',
        default=[],
        help='Leave out the properties whose names fit (repeat for several)',
    )
    group.add_argument(
        '--set-property',
        metavar='<key=value>',
        dest='set_properties',
        type=key_value,
        action='append',
        default=[],
        help='Give every replica this property (repeat for several)',
    )
    group.add_argument(
        '--visibility',
        choices=('keep', *_VISIBILITIES),
        default='keep',
        help="Visibility of the replicas (default: keep the source's)",
    )
    group.add_argument(
        '--owner',
        choices=('mine', 'same', 'by-name'),
        default='mine',
        help="Whose the replicas are: the destination user's project "
        "(default), the source's project ID, or the project of the same name",
    )
    group.add_argument(
        '--map-owner',
        metavar='<source=destination>',
        dest='map_owners',
        type=source_destination,
        action='append',
        default=[],
        help='Replicas of the images of one project (name or ID) are those '
        'of another at the destination (repeat for several)',
    )
    add_members(group)
    group.add_argument(
        '--exact',
        action='store_true',
        help='No properties, tags and members that only a replica has',
    )


def shapes_replicas(parsed_args: argparse.Namespace) -> bool:
    """Say whether an option was given by which replicas differ."""
    return bool(
        parsed_args.left_out
        or parsed_args.set_properties
        or parsed_args.visibility != 'keep'
        or parsed_args.owner != 'mine'
        or parsed_args.map_owners
        or parsed_args.exact
    )


def add_execution(parser: argparse.ArgumentParser) -> None:
    """Add what says how a plan is carried out."""
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
    group.add_argument(
        '--transfers',
        metavar='<number>',
        type=at_least(1),
        default=4,
        help='Images to copy at a time (default: %(default)s)',
    )
    group.add_argument(
        '--retries',
        metavar='<number>',
        type=at_least(0),
        default=3,
        help='Further tries per image and destination after a failure that '
        'may pass (default: %(default)s)',
    )
    group.add_argument(
        '--fail-fast',
        action='store_true',
        help='Start nothing more after the first failure (default: go on '
        'with the other images)',
    )


def add_checks(parser: argparse.ArgumentParser) -> None:
    """Add what says that data is not checked before it is there."""
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


def add_show_all(parser: argparse.ArgumentParser, rows: str) -> None:
    """Add what says that all rows are shown.

    :param rows: which are shown in addition
    """
    parser.add_argument(
        '--show-all',
        action='store_true',
        help=f'Show the images that need no attention, too: {rows}',
    )
