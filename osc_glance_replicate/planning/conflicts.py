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

"""What is told of an image that is in the way of a replica."""

import datetime

from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import plan


def other_data(action: plan.Action, evidence: str) -> plan.Action:
    """Return what is told where there is other data under an image's ID.

    :param evidence: what differs: size, or the name of a hash
    """
    return action.with_verb(
        plan.Verb.CONFLICT, words_of_other_data(action, evidence)
    )


def words_of_other_data(action: plan.Action, evidence: str) -> str:
    """Return the reason of a conflict of data, with both sides of it."""
    return f'other data under this ID: {evidence} differs{_sides(action)}'


def was_first(action: plan.Action) -> plan.Action:
    """Return what is told where a record is older than its source."""
    return action.with_verb(
        plan.Verb.CONFLICT,
        with_withdrawal('was there first', action) + _sides(action),
    )


def left_to_owner(
    action: plan.Action, replica: image_record.Image, serves: bool
) -> plan.Action:
    """Return what is told of an image that is not ours.

    :param serves: it is as good as a replica
    """
    if serves and not with_withdrawal('', action):
        return action.with_verb(
            plan.Verb.SKIP,
            f'{replica.visibility} there, of project {replica.owner}',
            routine=True,
            serves=True,
        )
    return action.with_verb(
        plan.Verb.CONFLICT,
        with_withdrawal(plan.belongs_to(replica.owner), action)
        if with_withdrawal('', action)
        else plan.left_to(replica.owner),
        foreign=str(replica.owner),
    )


def with_withdrawal(reason: str, action: plan.Action) -> str:
    """Return a reason, with what it keeps from being withdrawn."""
    replica = action.replica
    is_to_go = action.image.status == 'deactivated'
    if is_to_go and replica and replica.status == 'active':
        return f'{reason}, deactivated at its source'
    return reason


def _sides(action: plan.Action) -> str:
    """Return what tells the two images of one ID apart, for who decides."""
    if not action.replica:
        return ''
    source, there = map(_side, (action.image, action.replica.as_stored))
    return f'; source: {source}; there: {there}'


def _side(image: image_record.Image) -> str:
    told = [f'{image.size} bytes' if image.size is not None else 'no data']
    if image.owner:
        told.append(f'project {image.owner}')
    if image.updated_at:
        changed = image.updated_at.astimezone(datetime.UTC)
        told.append(f'updated {changed:%Y-%m-%dT%H:%M:%SZ}')
    return ', '.join(told)
