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

from collections.abc import Sequence
import dataclasses
import itertools
import logging

from osc_glance_replicate.ec2 import ec2_id
from osc_glance_replicate.ec2 import nova_table
from osc_glance_replicate.engine import routes
from osc_glance_replicate import errors
from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import options
from osc_glance_replicate.model import plan

LOG = logging.getLogger(__name__)


def identify(
    own: routes.OwnCloud,
    request: options.Request,
    short: bool,
    nova_map: str | None,
    nova_map_to: Sequence[str],
) -> tuple[list[ec2_id.Ec2Id], list[str]]:
    """Return EC2-style IDs of the images that are selected.

    :param short: the IDs are to fit into nova's column
    :param nova_map: file with the IDs that are in use in the source
    :param nova_map_to: files with those that are in use in destinations
    :returns: the IDs, and what speaks against them, in a line each
    :raises ReplicateError: a cloud or a file cannot be used
    """
    kept = _table(nova_map) if nova_map else []
    others = [row for path in nova_map_to for row in _table(path)]
    # What keeps an image from being copied does not keep it from being used.
    selection = dataclasses.replace(request.selection, unportable=True)
    request = dataclasses.replace(request, selection=selection)
    scheme = ec2_id.Scheme(short, {row.key: row.digits for row in kept})
    cloud = routes.to_clouds(own, request, strict=True)
    source = cloud.source
    chosen = []
    problems = []
    for action in cloud.actions_from_scratch():
        if action.image.defect:
            problems.append(f'{action.image.id} ({source}): {action.reason}')
        elif action.verb is not plan.Verb.SKIP:
            chosen.append(scheme.identify(action.image, source))
        elif not action.routine:
            LOG.warning('%s has no ID: %s', action.image.id, action.reason)
    elsewhere = cloud.everything() if request.to else ()
    listed = (
        scheme.identify(image, where)
        for where, image in elsewhere
        if image_record.is_id(image.id)
    )
    problems += ec2_id.problems(chosen, itertools.chain(listed, kept, others))
    return chosen, [errors.printable(problem) for problem in problems]


def _table(path: str) -> list[ec2_id.Ec2Id]:
    """Read a file with rows of nova's s3_images."""
    try:
        with open(path, encoding='utf-8-sig', errors='replace') as lines:
            return list(nova_table.read(lines, path))
    except OSError as exc:
        raise errors.SelectionError(f'{path}: {exc.strerror}') from exc
