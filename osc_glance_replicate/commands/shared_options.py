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

"""The options that the verbs share, and those that select images."""

import argparse
from collections.abc import Callable
from typing import Any

from osc_glance_replicate.commands import values

VISIBILITIES = ('public', 'private', 'shared', 'community')


def add_list(
    group: argparse._ActionsContainer,
    name: str,
    dest: str,
    metavar: str,
    help: str,
    type: Callable[[str], Any] = str,
) -> None:
    """Add an option that may be repeated."""
    group.add_argument(
        name,
        metavar=metavar,
        dest=dest,
        type=type,
        action='append',
        default=[],
        help=help,
    )


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Add the images, and the options that select among them."""
    parser.add_argument(
        'images',
        metavar='<image>',
        nargs='*',
        # Else argparse calls it required.
        default=[],
        help='Image (name or ID; default: all images that are active and not '
        'hidden)',
    )
    group = parser.add_argument_group(
        'which images', 'An image must fit all kinds of option that are given.'
    )
    _add_repeatable(group)
    _add_visibilities(group)
    _add_single(group)


def _add_repeatable(group: argparse._ArgumentGroup) -> None:
    add_list(
        group,
        '--name',
        'names',
        '<glob>',
        'Only images whose name fits (repeat for alternatives)',
    )
    add_list(
        group,
        '--exclude',
        'excludes',
        '<glob>',
        'No image whose name or ID fits (repeat for several)',
    )
    add_list(
        group,
        '--property',
        'properties',
        '<key=value>',
        'Only images with this property (repeat: with all of them)',
        type=values.key_value,
    )
    add_list(
        group,
        '--tag',
        'tags',
        '<tag>',
        'Only images with this tag (repeat: with all of them)',
    )


def _add_visibilities(group: argparse._ArgumentGroup) -> None:
    for visibility in VISIBILITIES:
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
        help='Choose hidden images, too',
    )
    group.add_argument(
        '--encrypted',
        action='store_true',
        help="Choose images that are encrypted with a key of the source's key "
        'manager, too: for clouds that share it',
    )


def _add_single(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        '--project',
        metavar='<project>',
        type=values.not_empty,
        help='Only images of this project (name or ID)',
    )
    group.add_argument(
        '--disk-format',
        metavar='<format>',
        type=values.not_empty,
        help='Only images of this disk format',
    )
    for bound, words in (('min', 'smaller'), ('max', 'larger')):
        group.add_argument(
            f'--{bound}-size',
            metavar='<size>',
            type=values.size,
            help=f'No image {words} than this: bytes, or with k, M, G, Ki, '
            'Mi, Gi',
        )
    group.add_argument(
        '--updated-since',
        metavar='<time>',
        type=values.time,
        help='Only images changed since: a time (2026-11-21T09:30:00Z), or '
        'how long ago (36h, 7d)',
    )


class _AppendOnce(argparse.Action):
    """Append a value that must not be there yet."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        there = getattr(namespace, self.dest)
        if values in there:
            raise argparse.ArgumentError(self, f'{values} is given twice')
        setattr(namespace, self.dest, [*there, values])


def add_to(
    parser: argparse._ActionsContainer, help: str, required: bool = False
) -> None:
    """Add the option for clouds, which may be repeated."""
    parser.add_argument(
        '--to',
        metavar='<cloud>',
        type=values.cloud,
        required=required,
        action=_AppendOnce,
        default=[],
        help=help,
    )


def add_destinations(
    parser: argparse.ArgumentParser,
    dump: bool = False,
    required: bool = True,
) -> None:
    """Add the options for the destinations.

    :param dump: whether a directory may be given instead of clouds
    :param required: whether there has to be a destination
    """
    where: argparse._ActionsContainer = parser
    if dump:
        where = parser.add_mutually_exclusive_group(required=required)
    add_to(
        where,
        'Destination: a cloud of clouds.yaml, or <cloud>:<region> (repeat the '
        'option for several destinations)',
        required=required and not dump,
    )
    if dump:
        where.add_argument(
            '--dump',
            metavar='<path>',
            type=values.directory,
            help='Destination: a dump directory, which need not be there',
        )


def add_path(parser: argparse.ArgumentParser) -> None:
    """Add the dump directory, which comes before any images."""
    parser.add_argument(
        'path',
        metavar='<path>',
        type=values.directory,
        help='Directory of the dump',
    )


def add_progress(parser: argparse._ActionsContainer) -> None:
    """Add the option to show the progress of a run, or not to."""
    parser.add_argument(
        '--progress',
        action=argparse.BooleanOptionalAction,
        help='Show how far it is, on stderr (default: where that is a '
        'terminal; elsewhere -v shows a line for each image)',
    )


def add_metrics(parser: argparse._ActionsContainer) -> None:
    """Add the option to leave a file for Prometheus."""
    parser.add_argument(
        '--metrics',
        metavar='<file.prom>',
        type=values.metrics_file,
        help="Write how the run has ended for Prometheus, into the directory "
        "of node_exporter's textfile collector; other verbs' lines in the "
        'file stay (needs the extra metrics)',
    )


def add_show_all(parser: argparse.ArgumentParser, rows: str) -> None:
    """Add the option to show all rows.

    :param rows: the rows that it adds
    """
    parser.add_argument(
        '--show-all',
        action='store_true',
        help=f'Show the images that need no attention, too: {rows}',
    )


def add_check(
    parser: argparse.ArgumentParser,
    problem: Callable[[argparse.Namespace], str | None],
) -> None:
    """Make a parser refuse what its options are together.

    :param problem: returns what is wrong with them; None for nothing
    """
    parse_args = parser.parse_args

    def parse_and_check(*arguments: Any) -> argparse.Namespace:
        parsed_args: argparse.Namespace = parse_args(*arguments)
        if found := problem(parsed_args):
            parser.error(found)
        return parsed_args

    setattr(parser, 'parse_args', parse_and_check)
