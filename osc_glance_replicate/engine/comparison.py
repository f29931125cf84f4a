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

"""What two places have in common and what not, and whether it can be read."""

from collections.abc import Iterator
import dataclasses

from osc_glance_replicate.engine import engine
from osc_glance_replicate.execution import events
from osc_glance_replicate.model import conversions
from osc_glance_replicate.model import difference
from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan
from osc_glance_replicate.model import proof

#: What a record says of its data.
_HASHES = ('checksum', 'os_hash_algo', 'os_hash_value')


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """What is known of one image at one destination.

    What differs in its record is told by one, and what is wrong with its
    data by another one: either may be found without the other.

    :param action: what would be done
    :param difference: None where there is nothing to tell
    :param detail: of the data that was read or was to be
    :param data: what became of that; None where none was to be read
    :param unanswered: since when the destination has given no usable answer,
        as of time.time, if the data could not be read for that; else 0
    """

    action: plan.Action
    difference: difference.Difference | None
    detail: str = ''
    data: outcomes.Result | None = None
    unanswered: float = 0.0


def of_records(ready: engine.Engine) -> Iterator[Finding]:
    """Compare records.

    :raises ReplicateError: a place fails
    """
    return map(planned, ready.actions())


def with_data(
    ready: engine.Engine, listener: events.Listener = events.Listener()
) -> Iterator[Finding]:
    """Compare records, and hold the data of replicas against them.

    What was found is yielded in the order in which it becomes known.

    :param listener: told how it goes
    :raises ReplicateError: a place fails
    """
    #: What was planned before the data was to be read.
    compared: dict[plan.Key, plan.Action] = {}

    def to_read(action: plan.Action) -> Iterator[plan.Action]:
        compared[action.key] = action
        return _to_read(action)

    for outcome in ready.read_replicas(to_read, _expected, listener):
        action = compared[outcome.action.key]
        is_read = outcome.action.verb is plan.Verb.READ
        if is_read or not difference.is_replica(action):
            del compared[action.key]
        yield _of_data(action, outcome) if is_read else planned(action)


def planned(action: plan.Action) -> Finding:
    """Return what records tell of one image."""
    return Finding(action, difference.of(action))


def _to_read(action: plan.Action) -> Iterator[plan.Action]:
    """Yield what is told at once of an image, and its data to be read."""
    is_read = difference.is_replica(action)
    if not is_read or difference.of(action) is not difference.Difference.SAME:
        yield plan.Action(action.image, action.to, plan.Verb.SKIP)
    if is_read:
        yield plan.Action(
            action.image, action.to, plan.Verb.READ, action.replica
        )


def _expected(action: plan.Action) -> image_record.Image:
    """Return what a replica is held against: the strongest that is recorded.

    Where the source has recorded nothing, it is what the destination has.
    """
    image = action.image
    replica = (action.replica or image).as_stored
    if not image.recorded_hash or _is_converted(action):
        return replica
    hashes = {field: image.record.get(field) for field in _HASHES}
    return image_record.Image({**replica.record, **hashes})


def _is_converted(action: plan.Action) -> bool:
    return action.replica is not None and action.replica.stored is not None


def _of_data(action: plan.Action, outcome: outcomes.Outcome) -> Finding:
    """Return what the data of a replica tells.

    :param action: what would be done
    :param outcome: of the reading
    """
    result = outcome.result
    found: difference.Difference | None = difference.Difference.UNREAD
    told = [_without_names(outcome)]
    match result:
        case outcomes.Result.OK:
            found, told = _as_before(action), [_whose(action), _proof(action)]
        case outcomes.Result.SKIPPED:
            closed = 'not read: it is deactivated there'
            found, told = _as_before(action), [_whose(action), closed]
        case outcomes.Result.DAMAGED:
            found = difference.Difference.DATA
            told.append(_proof(action))
        case _:
            result = outcomes.Result.UNREAD
            if outcome.reason == outcomes.INTERRUPTED:
                told = ['interrupted']
    detail = '; '.join(filter(None, told))
    return Finding(action, found, detail, result, outcome.unanswered)


def _without_names(outcome: outcomes.Outcome) -> str:
    """Return what is wrong, without what its row says anyway."""
    action = outcome.action
    reason = outcome.reason.removeprefix(f'{action.to}: ')
    return reason.replace(f' of {action.image.id}', '')


def _as_before(action: plan.Action) -> difference.Difference | None:
    """Return what is told of a replica whose data is no difference.

    That its record differs was told before it was read.
    """
    same = difference.Difference.SAME
    return same if difference.of(action) is same else None


def _whose(action: plan.Action) -> str:
    """Return who else the replica belongs to."""
    return action.reason if action.serves else ''


def _proof(action: plan.Action) -> str:
    """Return what data is held against, unless it proves all."""
    image, replica = action.image, action.replica
    if not image.size:
        return ''
    is_converted = _is_converted(action)
    if image.recorded_hash and not is_converted:
        algorithm, _ = image.recorded_hash
        return '' if proof.is_strong(algorithm) else f'{algorithm} only'
    if replica and (recorded := replica.as_stored.recorded_hash):
        none = 'no hash that can be computed' if image.digests else 'no hash'
        why = f'the source recorded {none}'
        return (
            f'{conversions.THERE if is_converted else why}: held against the '
            f'{recorded[0]} that {action.to} recorded'
        )
    return proof.SIZE_ONLY
