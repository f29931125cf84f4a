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

"""The images of a dump held against their records, and other files named."""

from collections.abc import Iterable, Iterator
import dataclasses
import os

from osc_glance_replicate import errors
from osc_glance_replicate.execution import events
from osc_glance_replicate.execution import reading_crew
from osc_glance_replicate.execution import runner
from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import image_selection
from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan
from osc_glance_replicate.model import proof
from osc_glance_replicate.places import dump
from osc_glance_replicate.places.dump import layout
from osc_glance_replicate.planning import alignment
from osc_glance_replicate.transfer import image_reading


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one image or one other file.

    :param size: of the data, in bytes; None where there is none
    """

    id: str
    name: str
    size: int | None
    result: outcomes.Result
    reason: str = ''


class _InWords(events.Listeners):
    """Tells what was found rather than what became of a copy."""

    def __init__(self, listener: events.Listener, source: dump.Source) -> None:
        super().__init__([listener])
        self._source = source

    def ended(self, outcome: outcomes.Outcome) -> None:
        found = _finding(outcome, self._source)
        super().ended(
            outcomes.Outcome(outcome.action, found.result, found.reason)
        )


def verify(
    source: dump.Source,
    selection: image_selection.Selection,
    listener: events.Listener = events.Listener(),
) -> Iterator[Finding]:
    """Read all data of a dump.

    :param selection: which images; all files, too, where it takes any image
    :param listener: told how it goes
    :raises SelectionError: an image that is named is not there
    """
    listener = _InWords(listener, source)
    crew = reading_crew.ReadingCrew(
        {'': source},
        image_reading.Reading(source, retries=0),
        lambda action: _by_now(source, action.image),
        listener,
    )
    rows = alignment.rows(source, [], selection)
    for outcome in runner.Runner(
        crew,
        transfers=os.cpu_count() or 1,
        fail_fast=False,
        listener=listener,
    ).run(_actions(rows, source, selection)):
        yield _finding(outcome, source)
    if (
        dataclasses.replace(selection, include_hidden=False)
        == image_selection.Selection()
    ):
        yield from _others(source)


def _actions(
    rows: Iterable[alignment.Row],
    source: dump.Source,
    selection: image_selection.Selection,
) -> Iterator[plan.Action]:
    """Plan to read what can be read."""
    for (image,) in rows:
        if not image or not selection.takes(image):
            continue
        action = plan.Action(image, '', plan.Verb.READ)
        if image.defect:
            yield action.with_verb(plan.Verb.FAIL, image.defect)
        elif flaw := _flaw_of_members(source, image):
            yield action.with_verb(plan.Verb.FAIL, flaw)
        elif image.status not in image_record.SETTLED:
            yield action.with_verb(
                plan.Verb.SKIP, f'no data: status is {image.status}'
            )
        else:
            yield action


def _by_now(
    source: dump.Source, image: image_record.Image
) -> image_record.Image:
    """Return a record as it is by now: what was listed may be hours old.

    :raises PlaceError: it is gone, or cannot be used any more
    """
    found = source.find(image.id)
    if not found or found.defect:
        why = found.defect if found else f'{image.id} is not there any more'
        raise errors.PlaceError(source.name, why)
    return found


def _flaw_of_members(source: dump.Source, image: image_record.Image) -> str:
    if image.visibility != 'shared':
        return ''
    try:
        source.members(image)
    except errors.PlaceError as exc:
        return str(exc.problem)
    return ''


def _finding(outcome: outcomes.Outcome, source: dump.Source) -> Finding:
    image = outcome.action.image
    result, reason = outcome.result, outcome.reason
    if result is outcomes.Result.OK:
        reason = '' if image.recorded_hash else proof.SIZE_ONLY
    elif reason == outcomes.INTERRUPTED:
        result, reason = outcomes.Result.UNREAD, 'interrupted'
    elif result in (outcomes.Result.FAILED, outcomes.Result.DAMAGED):
        # Of what is not as a record should be, nothing can be compared.
        sound = not dataclasses.replace(image, flaw='').defect
        if sound and (flaw := source.flaw(image)):
            result = flaw.result
        else:
            result = (
                outcomes.Result.UNREAD
                if source.is_closed(image)
                else outcomes.Result.DAMAGED
            )
    return Finding(image.id, image.name, image.size, result, reason)


def _others(source: dump.Source) -> Iterator[Finding]:
    """Look at the files that are of no image."""
    files = source.files()
    try:
        source.known()
    except errors.PlaceError as exc:
        yield Finding(
            '',
            '',
            files.get(layout.PROJECTS),
            outcomes.Result.DAMAGED,
            str(exc.problem),
        )
    for stray in layout.strays(files):
        yield Finding(
            stray.image_id, '', stray.size, stray.result, stray.reason
        )
