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

"""Images that others may change at the same time.

Glance writes back what it has read for a request, so that a change may be
undone by one that was under way: see fact-written-back.
"""

from collections.abc import Mapping
import contextlib
import time
from typing import Any

from osc_glance_replicate import errors
from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import ownership
from osc_glance_replicate.model import plan
from osc_glance_replicate.places.glance import image_api
from osc_glance_replicate.places.glance import members
from osc_glance_replicate.places.glance import records
from osc_glance_replicate.places.glance import refused
from osc_glance_replicate import retry

#: How often a change is made that is undone meanwhile.
_TRIES = 3

#: Seconds that requests of others may take that were made before.
_IN_FLIGHT = 1.0


def hold_against(
    api: image_api.ImageApi,
    runner: ownership.Runner,
    action: plan.Action,
    judged: image_record.Image,
    answer: image_record.Image,
    status: str | None = None,
) -> None:
    """Take back what was given where it is not what was judged.

    Who may change the image may have done so since it was read.

    :param answer: the image as it was after it was given
    :param status: what it was given since, if it was
    :raises RefusedError: it is not
    """
    wanted, have = action.wanted.properties, judged.properties
    # What the user does not own keeps nothing that its owner has set.
    may_keep = have if runner.owns(judged.owner) else {}
    same = (
        (answer.size, answer.digests) == (judged.size, judged.digests)
        and answer.status in (judged.status, status)
        and answer.owner in (judged.owner, action.owner)
        and answer.properties.keys() <= wanted.keys() | may_keep.keys()
        and all(
            value in (wanted.get(name), have.get(name))
            for name, value in answer.properties.items()
        )
    )
    if not same:
        raise errors.RefusedError(
            api.name,
            f'{answer.id} was changed meanwhile in project '
            f'{judged.owner}, and {_take_back(api, answer.id)}',
        )


def _take_back(api: image_api.ImageApi, image_id: str) -> str:
    """Make an image private, and tell whether it is."""
    for _ in range(_TRIES):
        try:
            records.change(api, image_id, {'visibility': 'private'})
            found = retry.patiently(lambda: records.find(api, image_id))
        except errors.PlaceError as exc:
            return f'could not be made private: {exc.problem}; deactivate it'
        if not found or found.visibility == 'private':
            return 'is private now: run again'
    return 'is made visible again and again: deactivate it'


def look_again(
    api: image_api.ImageApi, image_id: str, asked: Mapping[str, Any]
) -> None:
    """See whether what was changed in another's image stays so.

    :param asked: the fields that were changed
    :raises TransientError: it does not
    """
    found = records.find(api, image_id)
    undone = [
        field
        for field in ('status', 'owner', *image_record.PUBLISHED)
        if found and field in asked and asked[field] != found.record.get(field)
    ]
    if undone:
        raise errors.TransientError(
            api.name,
            f'{", ".join(undone)} of {image_id} was changed back meanwhile: '
            'its project changes it at the same time',
        )


def adopt(
    api: image_api.ImageApi, runner: ownership.Runner, action: plan.Action
) -> image_record.Image:
    """Make another's image the runner's own, private and unprotected.

    :returns: the image as it is then
    :raises RefusedError: this user may not, or it is gone
    :raises TransientError: it is the other's still, who changes it
    """
    judged = action.replica or action.image
    if judged.visibility != 'shared':
        # It may have members all the same, whom nobody could remove
        # (see fact-hidden-members).
        records.change(api, judged.id, {'visibility': 'shared'})
    try:
        refusals = refused.Refusals()
        members.write(api, judged.id, {}, True, refusals)
        refusals.tell(api)
        return _take_over(api, runner, action, judged)
    except errors.PlaceError:
        _give_back(api, judged)
        raise


def _take_over(
    api: image_api.ImageApi,
    runner: ownership.Runner,
    action: plan.Action,
    found: image_record.Image,
) -> image_record.Image:
    owner = {'owner': runner.project} if runner.project else {}
    mine = {**owner, 'visibility': 'private', 'protected': False}
    for _ in range(_TRIES):
        # What the other has set goes at once: whoever goes on with this after
        # an interruption takes the image for the runner's own.
        records.change(api, found.id, {**_to_undo(action, found), **mine})
        time.sleep(_IN_FLIGHT)
        now = records.find(api, found.id)
        if not now:
            raise errors.RefusedError(
                api.name, f'{found.id} was deleted there'
            )
        found = now
        if (
            runner.owns(found.owner)
            and found.visibility == 'private'
            and not _to_undo(action, found)
        ):
            return found
    raise errors.TransientError(
        api.name,
        f'{found.id} cannot be adopted while project {found.owner} changes it',
    )


def _to_undo(action: plan.Action, found: image_record.Image) -> dict[str, Any]:
    """Return the changes by which an image has nothing that its source lacks.

    Tags and properties are meant, and marks that are not ours.
    """
    wanted, have = action.wanted.portable, found.portable
    return {
        **{
            field: wanted.get(field)
            for field in {**wanted, **have}
            if (field == 'tags' or image_record.is_property(field))
            and wanted.get(field) != have.get(field)
        },
        **{
            field: None
            for field, value in found.marks.items()
            if (field, value) != (image_record.MARK, action.mark)
        },
    }


def _give_back(api: image_api.ImageApi, judged: image_record.Image) -> None:
    """Leave another's image as visible as it was, if it is his still."""
    with contextlib.suppress(errors.PlaceError):
        found = records.find(api, judged.id)
        if found and found.owner == judged.owner:
            records.change(api, judged.id, {'visibility': judged.visibility})
