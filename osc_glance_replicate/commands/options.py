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


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Add what says which images."""
    parser.add_argument(
        'images',
        metavar='<image>',
        nargs='*',
        help='Image to replicate (name or ID); all active ones that the '
        'user can see, hidden ones excepted, when none is given',
    )


def add_destinations(parser: argparse.ArgumentParser) -> None:
    """Add what says where to."""
    parser.add_argument(
        '--to',
        metavar='<cloud>[:<region>]',
        action='append',
        required=True,
        help='Destination: a cloud of clouds.yaml, or a region of it (repeat '
        'the option for several destinations)',
    )


def add_execution(parser: argparse.ArgumentParser) -> None:
    """Add what says how a plan is carried out."""
    parser.add_argument(
        '--dry-run',
        action='store_true',
        help='Show what would be done and write nothing',
    )
    parser.add_argument(
        '--metadata-only',
        action='store_true',
        help='Move no data: bring existing replicas up to date only',
    )
    parser.add_argument(
        '--transfers',
        metavar='<number>',
        type=at_least(1),
        default=4,
        help='Images to copy at a time (default: %(default)s)',
    )
    parser.add_argument(
        '--retries',
        metavar='<number>',
        type=at_least(0),
        default=3,
        help='Further tries per image and destination after a failure that '
        'may pass (default: %(default)s)',
    )
    parser.add_argument(
        '--fail-fast',
        action='store_true',
        help='Start nothing more after the first failure (default: go on '
        'with the other images)',
    )
    parser.add_argument(
        '--no-checksum',
        dest='checksum',
        action='store_false',
        help='Do not hash the data on its way; what the destination computed '
        'is compared all the same',
    )


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add what says which rows are shown."""
    parser.add_argument(
        '--show-all',
        action='store_true',
        help='Show the images that need no attention, too: unchanged ones '
        'and those that are never replicated',
    )
