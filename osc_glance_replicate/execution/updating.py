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

"""A replica that has its data brought up to date."""

import dataclasses
import functools

from osc_glance_replicate import errors
from osc_glance_replicate.execution import events
from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan
from osc_glance_replicate import places
from osc_glance_replicate.planning import differences
from osc_glance_replicate.transfer import image_reading
from osc_glance_replicate.transfer import proving


def update(
    action: plan.Action,
    destination: places.Destination,
    reading: image_reading.Reading,
    listener: events.Listener,
) -> outcomes.Outcome:
    """Make the changes of an action.

    Before those that give more, its data is proven where that is needed.

    :raises PlaceError: the source broke, or the destination refuses
    """
    if action.proof:
        less = tuple(differences.taking_away(action.changes))
        if less and not action.adopts:
            destination.update(dataclasses.replace(action, changes=less))
        if not _is_proven(action, reading, listener):
            return outcomes.Outcome(
                action,
                outcomes.Result.CONFLICT,
                f'other data under this ID: {action.proof} differs',
            )
    if action.adopts:
        action = _adopt(action, destination)
    destination.update(action)
    if action.fixed or action.doubt:
        return outcomes.as_planned(action)
    return outcomes.Outcome(action, outcomes.Result.UPDATED, action.reason)


def _is_proven(
    action: plan.Action,
    reading: image_reading.Reading,
    listener: events.Listener,
) -> bool:
    """Read the source's data, and hold it against the replica's hash."""
    tell = functools.partial(listener.checked, action)
    found = proving.digest(reading, action.image, action.proof, tell)
    return action.replica is not None and (
        found == action.replica.digests[action.proof]
    )


def _adopt(
    action: plan.Action, destination: places.Destination
) -> plan.Action:
    """Make another's image the runner's own, seen by nobody else.

    :returns: what is to be changed from there on
    :raises RefusedError: it is not the image any more that was judged
    """
    replica = destination.adopt(action)
    if _data_of(replica) != _data_of(action.replica):
        raise errors.RefusedError(
            action.to,
            f'{action.image.id} has changed meanwhile, and is private now: '
            'run again',
        )
    marking = [c for c in action.changes if c.field == image_record.MARK]
    changes = (*differences.of(action, replica), *marking)
    return dataclasses.replace(action, replica=replica, changes=changes)


def _data_of(replica: image_record.Image | None) -> object:
    return replica and (replica.status, replica.size, replica.digests)
