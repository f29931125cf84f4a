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

"""Images that a Glance imports or downloads itself."""

from collections.abc import Callable, Collection, Mapping
import datetime
import functools
import http
import time
from typing import Any

from osc_glance_replicate import errors
from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import options
from osc_glance_replicate.places.glance import image_api
from osc_glance_replicate.places.glance import offers
from osc_glance_replicate.places.glance import records
from osc_glance_replicate import retry

#: The record's field that names the task which has the image to itself.
_LOCK_FIELD = 'os_glance_import_task'

#: How long a task that has failed keeps others from its image:
#: see fact-import-lock.
_LOCK_LIFETIME = datetime.timedelta(hours=1)

#: Seconds between two looks at an import, at first and at most.
_MIN_INTERVAL, _MAX_INTERVAL = 0.2, 10.0

#: Seconds without any change after which an import is no longer awaited, and
#: bytes that may take one more: a download shows nothing on its way.
_STALL_TIMEOUT = 600.0
_SLOWEST_RATE = 10 * 1024**2

#: Answers to a question for tasks, of whoever keeps them to himself.
_NOT_SHOWN = frozenset((400, 401, 403, 405, 410))

#: Where an image's tasks are, below it.
_TASKS = '/tasks'

#: Further tries to begin an import where answers get lost.
_RETRIES = 2


def refuse_locked(
    api: image_api.ImageApi,
    image: image_record.Image,
    delivery: options.Delivery,
) -> None:
    """Refuse a record of which Glance accepts no import.

    Data that was staged for it could not get any further.

    :raises RefusedError: an import of it has failed within the last hour
    """
    if _LOCK_FIELD not in image.record or not delivery.imports:
        return
    task = _tasks(api, image.id).get(str(image.record[_LOCK_FIELD]), {})
    if task.get('status') == 'failure' and not _is_old(task):
        raise _failure(api, image, delivery, task)


def failed(
    api: image_api.ImageApi,
    image: image_record.Image,
    delivery: options.Delivery,
) -> str:
    """Return how the import of a record has failed that stays importing.

    Its task tells; what the record says of stores may stay as it was when
    the import broke off: see fact-import-end.

    :returns: '' where it has not, as far as can be seen
    """
    found = _tasks(api, image.id, api.patiently)
    tasks = sorted(
        found.values(), key=lambda task: str(task.get('created_at'))
    )
    try:
        _check_progress(api, image, delivery, tasks[-1:])
    except errors.PlaceError as exc:
        return str(exc.problem)
    return ''


def _is_old(task: Mapping[str, Any]) -> bool:
    """Return whether Glance lets another task replace this one."""
    try:
        ended = datetime.datetime.fromisoformat(str(task.get('updated_at')))
    except ValueError:
        return False
    # It is in UTC, without saying so.
    ended = ended.replace(tzinfo=datetime.UTC)
    return datetime.datetime.now(datetime.UTC) - ended > _LOCK_LIFETIME


def run(
    api: image_api.ImageApi,
    image: image_record.Image,
    delivery: options.Delivery,
) -> None:
    """Have an image imported, and wait until it is.

    :raises BusyError: someone else's import of it is in progress
    :raises TransientError: the import failed, and may be tried again
    :raises RefusedError: the import failed, and would again
    :raises PlaceError: the import has shown no change for a long time
    """
    before = _tasks(api, image.id)
    _begin(api, image, delivery)
    _wait(api, image, delivery, before)


def _begin(
    api: image_api.ImageApi,
    image: image_record.Image,
    delivery: options.Delivery,
) -> None:
    """Ask for an import, once more where the answer got lost."""
    retries = retry.Retries(_RETRIES)
    while True:
        try:
            response = api.request(
                'POST',
                f'{image_api.path(image.id)}/import',
                expect=(202, 409),
                json=_request(delivery, image.id),
            )
        except errors.TransientError as exc:
            retries = retries.after(exc)
            time.sleep(retries.delay)
        else:
            break
    if response.status_code == 409 and not retries.failed:
        raise errors.BusyError(
            api.name,
            f'{image.id} is being imported by someone else, or was in the '
            'last hour and that has failed',
        )


def _request(delivery: options.Delivery, image_id: str) -> dict[str, Any]:
    """Return the document that asks for an import."""
    method = {'name': offers.METHODS[delivery.method]}
    if delivery.method is options.Method.DOWNLOAD:
        method['glance_region'] = delivery.region
        method['glance_image_id'] = image_id
        method['glance_service_interface'] = 'public'
    document: dict[str, Any] = {'method': method}
    if delivery.all_stores:
        document['all_stores'] = True
    elif delivery.stores:
        document['stores'] = list(delivery.stores)
    if delivery.all_stores or delivery.stores:
        document['all_stores_must_succeed'] = True
    return document


def _wait(
    api: image_api.ImageApi,
    image: image_record.Image,
    delivery: options.Delivery,
    before: Collection[str],
) -> None:
    """Wait until an import has ended; raise as run() does.

    :param before: IDs of the image's tasks that belong to other imports
    """
    limit = _STALL_TIMEOUT + (image.size or 0) / _SLOWEST_RATE
    seen = None
    delay = _MIN_INTERVAL
    while True:
        # In this order, as a task ends after it has changed the record:
        # see fact-import-end.
        tasks = {
            key: task
            for key, task in _tasks(api, image.id).items()
            if key not in before
        }
        record = retry.patiently(lambda: records.find(api, image.id))
        if record is None:
            raise errors.RefusedError(
                api.name,
                f'{image.id} was deleted there while it was imported',
            )
        if record.status in image_record.SETTLED:
            return
        _check_progress(api, record, delivery, tasks.values())
        state = record.record, tasks
        now = time.monotonic()
        if state != seen:
            seen, since = state, now
        elif now - since > limit:
            raise errors.PlaceError(
                api.name,
                f'the import of {image.id} has shown nothing new for '
                f'{limit:.0f} s; it may still end by itself: run again then',
            )
        time.sleep(delay)
        delay = min(delay * 1.5, _MAX_INTERVAL)


def _check_progress(
    api: image_api.ImageApi,
    record: image_record.Image,
    delivery: options.Delivery,
    tasks: Collection[Mapping[str, Any]],
) -> None:
    """Raise the error of an import, if it has failed."""
    for task in tasks:
        if task.get('status') == 'failure':
            raise _failure(api, record, delivery, task)
    # Where tasks are not shown, only the record tells.
    stores = record.record.get('os_glance_failed_import')
    busy = record.record.get('os_glance_importing_to_stores')
    if not tasks and stores and not busy:
        raise _failure(api, record, delivery, {})


def _failure(
    api: image_api.ImageApi,
    record: image_record.Image,
    delivery: options.Delivery,
    task: Mapping[str, Any],
) -> errors.PlaceError:
    """Return an error that says how an import failed, and what may help.

    :param task: of the import; empty where Glance does not show it
    """
    stores = record.record.get('os_glance_failed_import')
    problem = f'the import of {record.id}'
    if stores:
        problem += f' to {stores}'
    problem += f' failed there: {task.get("message") or "no reason given"}'
    if request := task.get('request_id'):
        problem += f' ({request!s:.80})'
    problem += '; the log of its Glance tells more'
    if delivery.method is options.Method.DOWNLOAD and not stores:
        # It did not even get the record: see fact-download-filter.
        problem += (
            f'. It fetches from {delivery.region} itself: its '
            '[import_filtering_opts] has to allow the host and the port of '
            'that Glance, where this user has to see the image'
        )
    if record.status == 'importing':
        return errors.RefusedError(
            api.name,
            f'{problem}. The record is left importing: its administrator has '
            "to set it back to 'queued', and its size to NULL, in Glance's "
            'database, and to remove what its stores may hold of it, after '
            'which --method upload completes it',
        )
    if record.record.get(_LOCK_FIELD):
        upload = '--method upload completes it now'
        return errors.RefusedError(
            api.name,
            f'{problem}. Glance takes no other import of it for an hour: '
            f'{"run again then" if record.staged else upload}',
        )
    return errors.TransientError(api.name, problem)


def _tasks(
    api: image_api.ImageApi,
    image_id: str,
    patiently: Callable[..., Any] = retry.patiently,
) -> dict[str, Any]:
    """Return an image's tasks by ID; none where Glance does not show them.

    :param patiently: asks again what fails
    """
    if _TASKS in api.withheld:
        return {}
    document = _found_tasks(api, image_id, patiently)
    if document is None:
        # It would cost a login each time: see fact-withheld.
        api.withheld.add(_TASKS)
        return {}
    return {
        str(task.get('id')): task
        for task in image_api.objects(document.get('tasks'))
    }


def _found_tasks(
    api: image_api.ImageApi, image_id: str, patiently: Callable[..., Any]
) -> dict[str, Any] | None:
    """Return what Glance says of an image's tasks; None: it does not.

    :param patiently: asks again what fails
    """
    path = f'{image_api.path(image_id)}{_TASKS}'
    ask = functools.partial(api.find, path, absent=_NOT_SHOWN)
    waits = iter(retry.UNHEARD)
    while True:
        try:
            found: dict[str, Any] | None = patiently(ask)
            return found
        except errors.RefusedError as exc:
            seconds = next(waits, None)
            if exc.status != http.HTTPStatus.NOT_FOUND or seconds is None:
                return None
            # It knows no tasks, or is one of several Glances and has not
            # heard of the image yet.
            time.sleep(seconds)
        except errors.PlaceError as exc:
            if exc.unanswered:
                raise
            # It has other words for not to show them.
            return None
