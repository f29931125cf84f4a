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

"""What is told of a record that its Glance has converted, or may have."""

from collections.abc import Sequence
import dataclasses

from osc_glance_replicate.model import conversions
from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import plan
from osc_glance_replicate.planning import rules
from osc_glance_replicate.planning import withdrawal


def explained(
    told: plan.Action, replica: image_record.Image, there: rules.Rules
) -> plan.Action:
    """Return why a record has other data, where a conversion is the reason.

    :param told: that it has
    """
    image = told.image
    source_mark = image.marks.get(image_record.SOURCE_HASH, '')
    algorithm, _, value = source_mark.partition(':')
    if value and replica.digests.get(algorithm) == value:
        return dataclasses.replace(
            told, reason=f'{told.reason}; what is there was converted to it'
        )
    if (
        there.at_rest
        or not there.runner.owns(replica.owner)
        or not conversions.is_converted(told.wanted, replica)
    ):
        return told
    _, made = conversions.formats(told.wanted, replica)
    renamed = there.template.renamed(image)
    if conversions.as_sent(image, replica, renamed).stored:
        return dataclasses.replace(
            told,
            reason=f'converted to {made} there: --accept-conversion makes it '
            'a replica',
        )
    # As it is left where a conversion is refused, or was interrupted.
    if (
        replica.visibility != 'private'
        or replica.marks
        or there.was_first(image, replica)
    ):
        return told
    return dataclasses.replace(
        told,
        reason=f'{told.reason}; it is {made} there: if its Glance has '
        f'converted it, {conversions.FREE}',
        converted=made,
    )


def kept(action: plan.Action, found: Sequence[plan.Change]) -> plan.Action:
    """Return why a converted replica does not become another project's.

    It could not be told again there.

    :param found: how it differs
    """
    reason = (
        f'{conversions.THERE}, and stays in its project, as another could '
        'forge what tells it: leave out --owner and --map-owner for it'
    )
    less = withdrawal.only_losing(
        action, found, reason, told_as=plan.Verb.FAIL
    )
    return less or action.with_verb(plan.Verb.FAIL, reason)
