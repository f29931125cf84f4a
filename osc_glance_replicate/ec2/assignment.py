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

"""The EC2-style IDs of a cloud's images, and what speaks against them."""

import argparse
import itertools
import logging

from osc_glance_replicate.ec2 import ec2_id as ec2
from osc_glance_replicate.engine import routes
from osc_glance_replicate import errors
from osc_glance_replicate.model import image_record

LOG = logging.getLogger(__name__)


def identify(
    own: routes.Own, args: argparse.Namespace
) -> tuple[list[ec2.Identity], list[str]]:
    """Give the images that are meant their EC2-style IDs.

    :returns: the IDs, and what speaks against them, in a line each
    :raises ReplicateError: a cloud or a file cannot be used
    """
    kept = _table(args.nova_map) if args.nova_map else []
    others = [row for path in args.nova_map_to for row in _table(path)]
    scheme = ec2.Scheme(
        short=bool(
            args.short or args.nova_sql or args.nova_map or args.nova_map_to
        ),
        kept={row.key: row.digits for row in kept},
    )
    cloud = routes.to_clouds(own, args)
    source = cloud.source
    chosen = []
    problems = []
    for action in cloud.actions_from_scratch():
        if action.image.defect:
            problems.append(f'{action.image.id} ({source}): {action.reason}')
        elif ec2.is_meant(action):
            chosen.append(scheme.identify(action.image, source))
        elif not action.routine:
            LOG.warning('%s has no ID: %s', action.image.id, action.reason)
    elsewhere = cloud.everything() if args.to else ()
    listed = (
        scheme.identify(image, where)
        for where, image in elsewhere
        if image_record.is_id(image.id)
    )
    problems += ec2.problems(chosen, itertools.chain(listed, kept, others))
    return chosen, [errors.printable(problem) for problem in problems]


def _table(path: str) -> list[ec2.Identity]:
    """Read a file with rows of nova's s3_images."""
    try:
        with open(path, encoding='utf-8-sig', errors='replace') as lines:
            return list(ec2.read_table(lines, path))
    except OSError as exc:
        raise errors.SelectionError(f'{path}: {exc.strerror}') from exc
