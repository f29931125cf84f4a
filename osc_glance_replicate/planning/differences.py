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

"""How a replica differs from what it is to be, and what that does to it."""

from collections.abc import Iterable, Iterator
import dataclasses

from osc_glance_replicate.model import encryption
from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import plan


def of(
    action: plan.Action, replica: image_record.Image
) -> Iterator[plan.Change]:
    """Yield how a replica differs from what it is to be."""
    image, exact = action.wanted, action.exact
    wanted, have = image.portable, replica.portable
    # What only the replica has is the destination's own affair otherwise.
    for field in {**wanted, **have} if exact else wanted:
        if wanted.get(field) == have.get(field):
            continue
        if (
            encryption.is_key_policy(field)
            and field not in wanted
            and not action.cleared
        ):
            continue
        change = plan.Change(field, wanted.get(field), have.get(field), exact)
        if change.wanted != change.destination:
            yield change
    if image.status != replica.status:
        yield plan.Change('status', image.status, replica.status)
    if action.owner not in (None, replica.owner):
        yield plan.Change('owner', action.owner, replica.owner)
    if image.members is not None:
        change = plan.Change('members', image.members, replica.members, exact)
        # Of a replica whose members cannot be read none are wanted.
        if change.wanted != replica.members and (
            exact or change.wanted or replica.members
        ):
            yield change


def taking_away(changes: Iterable[plan.Change]) -> Iterator[plan.Change]:
    """Yield as much of some changes as only takes away.

    It may be done without any proof of what the data is: nobody sees more
    of it than before. Members that were not looked at are not taken away.
    """
    for change in changes:
        if change.is_of_members:
            if change.destination is None:
                continue
            kept = {
                project: status
                for project, status in change.destination.items()
                if project in change.source
            }
            if change.exact and kept != change.destination:
                yield dataclasses.replace(change, source=kept)
        elif change.field in ('visibility', 'os_hidden', 'status'):
            if not change.gives:
                yield change
