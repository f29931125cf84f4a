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

"""The options that say which images."""

import argparse

from osc_glance_replicate.commands import shared_options
from osc_glance_replicate.commands import values


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Add what says which images."""
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
    shared_options.add_list(
        group,
        '--name',
        'names',
        '<glob>',
        'Only images whose name fits (repeat for alternatives)',
    )
    shared_options.add_list(
        group,
        '--exclude',
        'excludes',
        '<glob>',
        'No image whose name or ID fits (repeat for several)',
    )
    shared_options.add_list(
        group,
        '--property',
        'properties',
        '<key=value>',
        'Only images with this property (repeat: with all of them)',
        type=values.key_value,
    )
    shared_options.add_list(
        group,
        '--tag',
        'tags',
        '<tag>',
        'Only images with this tag (repeat: with all of them)',
    )


def _add_visibilities(group: argparse._ArgumentGroup) -> None:
    for visibility in shared_options.VISIBILITIES:
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
