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

"""The options for how data is read."""

import argparse

from osc_glance_replicate.commands import shared_options
from osc_glance_replicate.commands import values


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add the option to read replicas, and those for how that is done."""
    group = parser.add_argument_group('the data of replicas')
    group.add_argument(
        '--data',
        action='store_true',
        help='Read each replica from its destination, too, and hold its data '
        'against what the source recorded. All of it comes to this machine. '
        'The other options here need this one',
    )
    add_pace(group, 'read at a time from')
    shared_options.add_progress(group)
    shared_options.add_check(parser, _problem)


def _problem(parsed_args: argparse.Namespace) -> str | None:
    """Return what is wrong with the options together."""
    if parsed_args.data:
        if parsed_args.dump:
            return '--data reads clouds: verify is the same for a dump'
        return None
    for option in 'transfers', 'bandwidth', 'retries', 'progress':
        if getattr(parsed_args, option) is not None:
            return f'--{option} is about reading: it needs --data'
    return None


def add_pace(group: argparse._ActionsContainer, deed: str) -> None:
    """Add the options for how fast and how often data is read.

    They are None where they are not given.

    :param deed: what is done to images at a destination
    """
    from osc_glance_replicate.model import options

    defaults = options.Run()
    group.add_argument(
        '--transfers',
        metavar='<number>',
        type=values.at_least(1),
        help=f'Images to {deed} each destination (default: '
        f'{defaults.transfers})',
    )
    group.add_argument(
        '--bandwidth',
        metavar='<rate>',
        type=values.rate,
        help='Bytes per second that are read at the most, by all transfers '
        'together: a number, or one with k, M, G or Ki, Mi, Gi (default: no '
        'limit)',
    )
    group.add_argument(
        '--retries',
        metavar='<number>',
        type=values.at_least(0),
        help='Further tries per image and destination after a failure that '
        f'may pass (default: {defaults.retries})',
    )
