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

"""What a Glance makes by itself of what was staged, or of what it fetches."""

from collections.abc import Collection, Mapping
import datetime
import time
from typing import Any

from osc_glance_replicate import errors
from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import options
from osc_glance_replicate.places.glance import discovery as ways
from osc_glance_replicate.places.glance import image_api
from osc_glance_replicate import retry

#: The record's field that names the task which nothing else may disturb.
_LOCK = 'os_glance_import_task'

#: Seconds between two looks at an import, at first and at the most.
_SOON, _LATE = 0.2, 10.0

#: Seconds in which nothing changes before an import is no longer watched,
#: and bytes that may take one more: a download shows nothing on its way.
_SILENCE = 600.0
_SLOWEST = 10 * 1024**2

#: How long a task that has failed keeps others from its image.
_LOCKED = datetime.timedelta(hours=1)

#: Tries to begin an import where answers get lost.
_TRIES = 3


def refuse_locked(
    api: image_api.ImageApi,
    image: image_record.Image,
    delivery: options.Delivery,
) -> None:
    """Refuse a record that Glance takes no import for.

    Data that was staged for it could not get any further.

    :raises RefusedError: an import of it has failed lately
    """
    if _LOCK not in image.record or not delivery.imports:
        return
    lock = str(image.record[_LOCK])
    tasks = _tasks(api, image.id)
    if _ended(tasks, lock) and not _is_old(tasks[lock]):
        raise _failure(api, image, delivery, tasks, lock)


def _is_old(task: Mapping[str, Any]) -> bool:
    """Say whether Glance lets another task take the place of this one."""
    try:
        ended = datetime.datetime.fromisoformat(str(task.get('updated_at')))
    except ValueError:
        return False
    # It does not say that it is in UTC.
    ended = ended.replace(tzinfo=datetime.UTC)
    return datetime.datetime.now(datetime.UTC) - ended > _LOCKED


def run(
    api: image_api.ImageApi,
    image: image_record.Image,
    delivery: options.Delivery,
) -> None:
    """Have an image imported, and wait until it is.

    :raises BusyError: someone else's import of it is going on
    :raises TransientError: it failed, and may be tried again
    :raises RefusedError: it failed, and cannot be tried again like this
    :raises PlaceError: it has not ended after a long silence
    """
    before = _tasks(api, image.id)
    _begin(api, image, delivery)
    _Watch(api, image, delivery, before).wait()


def _begin(
    api: image_api.ImageApi,
    image: image_record.Image,
    delivery: options.Delivery,
) -> None:
    """Ask for an import, once more where the answer got lost."""
    trouble: errors.TransientError | None = None
    for _, delay in zip(range(_TRIES), retry.delays(), strict=False):
        try:
            response = api.request(
                'POST',
                f'{image_api.path(image.id)}/import',
                expect=(202, 409),
                json=ways.request(delivery, image.id),
            )
        except errors.TransientError as exc:
            trouble = exc
            time.sleep(retry.wait(delay, exc))
            continue
        if response.status_code == 409 and not trouble:
            raise errors.BusyError(
                api.name, f'{image.id} is being imported by someone else'
            )
        return
    if trouble:
        raise trouble


class _Watch:
    """An import that has begun, looked at until it has ended.

    :param before: its tasks, by ID, that are not of this import
    """

    def __init__(
        self,
        api: image_api.ImageApi,
        image: image_record.Image,
        delivery: options.Delivery,
        before: Collection[str],
    ) -> None:
        self._api = api
        self._image = image
        self._delivery = delivery
        self._before = before
        self._limit = _SILENCE + (image.size or 0) / _SLOWEST

    def wait(self) -> None:
        """Wait for the end; raise as run() does."""
        seen = None
        delay = _SOON
        while True:
            # In this order: a task ends after it has changed the record.
            tasks = {
                key: task
                for key, task in _tasks(self._api, self._image.id).items()
                if key not in self._before
            }
            record = self._record()
            if record.status in image_record.SETTLED:
                return
            if failed := self._failed(record, tasks):
                raise failed
            state = record.record, tasks
            now = time.monotonic()
            if state != seen:
                seen, since = state, now
            elif now - since > self._limit:
                raise errors.PlaceError(
                    self._api.name,
                    f'the import of {self._image.id} has shown nothing new '
                    f'for {self._limit:.0f} s; it may still end by itself: '
                    'run again then',
                )
            time.sleep(delay)
            delay = min(delay * 1.5, _LATE)

    def _record(self) -> image_record.Image:
        path = image_api.path(self._image.id)
        response = self._api.get(path, expect=(200, 404))
        if response.status_code == 404:
            raise errors.RefusedError(
                self._api.name,
                f'{self._image.id} was deleted there while it was imported',
            )
        return image_record.Image(self._api.json(response))

    def _failed(
        self,
        record: image_record.Image,
        tasks: Mapping[str, Mapping[str, Any]],
    ) -> errors.PlaceError | None:
        """Say whether the import has failed."""
        for key in tasks:
            if _ended(tasks, key):
                return _failure(self._api, record, self._delivery, tasks, key)
        # Where tasks are not shown, the record has to tell.
        stores = record.record.get('os_glance_failed_import')
        busy = record.record.get('os_glance_importing_to_stores')
        if not tasks and stores and not busy:
            return _failure(self._api, record, self._delivery, {}, '')
        return None


def _failure(
    api: image_api.ImageApi,
    record: image_record.Image,
    delivery: options.Delivery,
    tasks: Mapping[str, Mapping[str, Any]],
    key: str,
) -> errors.PlaceError:
    """Say how an import failed, and what can be done about it.

    :param key: ID of its task
    """
    task = tasks.get(key, {})
    stores = record.record.get('os_glance_failed_import')
    problem = f'the import of {record.id}'
    if stores:
        problem += f' to {stores}'
    problem += f' failed there: {task.get("message") or "no reason given"}'
    if request := task.get('request_id'):
        problem += f' ({request:.80})'
    problem += '; the log of its Glance tells more'
    if delivery.method is options.Method.DOWNLOAD and not stores:
        # It did not even get the record.
        problem += (
            f'. It fetches from {delivery.region} itself: its '
            '[import_filtering_opts] has to allow the host and the port of '
            'that Glance, where this user has to see the image'
        )
    if record.status == 'importing':
        return errors.RefusedError(
            api.name,
            f'{problem}. The record is left importing: its administrator has '
            "to set it back to 'queued' in Glance's database, after which "
            '--method upload completes it',
        )
    if record.record.get(_LOCK):
        now = 'run again then'
        if not record.staged:
            now = '--method upload completes it now'
        return errors.RefusedError(
            api.name,
            f'{problem}. Glance takes no other import of it for an hour: '
            f'{now}',
        )
    return errors.TransientError(api.name, problem)


def _ended(tasks: Mapping[str, Mapping[str, Any]], key: str) -> bool:
    """Say whether a task has failed."""
    return key in tasks and tasks[key].get('status') == 'failure'


def _tasks(api: image_api.ImageApi, image_id: str) -> dict[str, Any]:
    """Give an image's tasks by ID; none where Glance does not show them."""
    path = f'{image_api.path(image_id)}/tasks'
    response = api.get(path, expect=(200, 403, 404))
    if response.status_code != 200:
        return {}
    return {
        str(task.get('id')): task
        for task in ways.objects(api.json(response).get('tasks'))
    }
