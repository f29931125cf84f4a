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

"""A cloud's Glance as a source or a destination of images."""

from collections.abc import Collection, Iterator, Mapping, Sequence
import contextlib
import functools
import heapq
import json
import operator
from typing import Any
import uuid

import requests

from osc_glance_replicate import errors
from osc_glance_replicate import image as image_record
from osc_glance_replicate import places
from osc_glance_replicate.places import api as image_api
from osc_glance_replicate.places import download
from osc_glance_replicate.places import filters
from osc_glance_replicate.places import imports
from osc_glance_replicate.places import listing
from osc_glance_replicate.places import members as image_members
from osc_glance_replicate.places import patch
from osc_glance_replicate.places import ways
from osc_glance_replicate import plan
from osc_glance_replicate import selection as image_selection

#: Seconds that a destination may take to answer after the last byte, while
#: its store commits.
_COMMIT_TIMEOUT = 600


class Glance:
    """The images of one cloud, as one user of it sees them.

    :param api: the cloud's image API
    :param project: ID of the user's project, whose new images are; None where
        there is none
    :param way: how data gets there
    """

    dates = True
    inspects = True

    def __init__(
        self,
        api: image_api.ImageApi,
        project: str | None = None,
        way: ways.Way = ways.Way(),
    ) -> None:
        self.name = api.name
        self._api = api
        self._project = project
        self._way = way
        #: IDs of the replicas whose data an interrupted run has staged.
        self._staged: set[str] = set()

    @property
    def imports(self) -> bool:
        """Whether it does something of its own to the data."""
        return self._way.method is not ways.Method.UPLOAD

    @property
    def fetch(self) -> places.Fetch | None:
        """Have it download from the source's region, if that is the way."""
        downloads = self._way.method is ways.Method.DOWNLOAD
        return self._import if downloads else None

    def images(
        self, selection: image_selection.Selection | None = None
    ) -> Iterator[image_record.Image]:
        """Give all images, hidden ones too, in ascending order of their IDs.

        :param selection: images that it does not match may be left out
        """
        asked = filters.of(selection) if selection else {}
        return heapq.merge(
            listing.images(self._api, asked),
            listing.images(self._api, {**asked, 'os_hidden': 'true'}),
            key=operator.attrgetter('key'),
        )

    def named(self, name: str) -> Sequence[image_record.Image]:
        """Give the images that bear this name, hidden ones too."""
        return [
            image
            for hidden in ('false', 'true')
            # Without the operator, Glance would take what stands before a
            # colon in the name for one.
            for image in listing.images(
                self._api, {'name': f'eq:{name}', 'os_hidden': hidden}
            )
            if image.name == name
        ]

    def find(self, image_id: str) -> image_record.Image | None:
        """Give the image of this ID, or None where it cannot be seen."""
        response = self._api.get(image_api.path(image_id), expect=(200, 404))
        if response.status_code == 404:
            return None
        return image_record.Image(self._api.json(response))

    @contextlib.contextmanager
    def read(
        self, image: image_record.Image, start: int = 0
    ) -> Iterator[places.Data]:
        """Open an image's data.

        Not every store can begin in the middle (FACTS.md, "Download"): then
        what is not asked for comes as well, and has to be dropped.

        :param start: number of bytes to leave out; fewer than there are
        :raises DataError: the record promises data and there is none, or
            of another length
        """
        response = self._download(image, start)
        with response:
            partial = response.status_code == 206
            size = image.size or 0
            # What is chunked is counted when it has been read.
            expected = str(size - start if partial else size)
            offered = response.headers.get('Content-Length', expected)
            if response.status_code == 204:
                offered = '0'
            if offered != expected:
                raise errors.DataError(
                    self.name,
                    f'the data of {image.id} is lost or damaged: {expected} '
                    f'bytes are recorded, {offered} offered',
                )
            unwanted = 0 if partial else start
            yield download.Download(self.name, response, unwanted)

    def _download(
        self, image: image_record.Image, start: int
    ) -> requests.Response:
        """Ask for data, of which the answer leaves out the start or not."""
        headers = {'Accept-Encoding': 'identity'}
        if start:
            headers['Range'] = f'bytes={start}-'
        response = self._api.request(
            'GET',
            image_api.path(image.id) + '/file',
            expect=(200, 204, 404, *((206, 400, 416) if start else ())),
            stream=True,
            headers=headers,
        )
        if response.status_code == 404:
            raise errors.RefusedError(
                self.name, f'{image.id} was deleted there meanwhile'
            )
        if response.status_code in (200, 204):
            return response
        promised = f'bytes {start}-{(image.size or 0) - 1}/{image.size}'
        if (
            response.status_code == 206
            and response.headers.get('Content-Range') == promised
        ):
            return response
        response.close()
        return self._download(image, 0)

    @functools.cached_property
    def formats(self) -> Mapping[str, Collection[str]]:
        """The formats that this Glance knows, by field.

        None are given where its schema does not say.
        """
        document = self._api.json(self._api.get('/schemas/image'))
        found = {}
        for field in 'disk_format', 'container_format':
            try:
                known = document['properties'][field]['enum']
                found[field] = frozenset(filter(None, known))
            except (KeyError, TypeError):
                continue
        return found

    def stage(self, action: plan.Action) -> None:
        """Make a private record without data, or complete one that is there.

        :raises TakenError: the ID is in use, perhaps by a deleted image
        :raises RefusedError: the record is not accepted as it should be, or
            the replica could not be published
        """
        image, replica = action.wanted, action.replica
        wanted = {**image.portable, **image_record.PUBLISHED}
        if replica is None:
            self._create(image, wanted)
        else:
            self._note_staged(image, replica)
            imports.refuse_locked(self._api, replica, self._way_of(image))
            changes = patch.completion(action, replica)
            # Glance would take '/visibility ' for the visibility itself.
            mistaken = [
                field
                for field in changes
                if field not in image_record.DEFAULTS
                and not image_record.can_change(field)
            ]
            if mistaken:
                raise errors.RefusedError(
                    self.name,
                    f'{image.id} is queued there, and Glance lets nobody set '
                    f'{", ".join(map(repr, mistaken))} of it any more',
                )
            self._patch(replica.id, changes)
        self._ask_to_publish(action)

    def _note_staged(
        self, image: image_record.Image, replica: image_record.Image
    ) -> None:
        """Remember that data is staged, and has only to be imported."""
        self._staged.discard(image.id)
        if not replica.staged:
            return
        if replica.size != image.size:
            raise errors.RefusedError(
                self.name,
                f'{replica.size} bytes are staged there for {image.id}, which '
                f'has {image.size}: its administrator has to remove them from '
                "the staging store and set it back to 'queued' in Glance's "
                'database',
            )
        self._staged.add(image.id)

    def _way_of(self, image: image_record.Image) -> ways.Way:
        staged = image.id in self._staged
        return self._way.of_staged if staged else self._way

    def _create(
        self, image: image_record.Image, wanted: Mapping[str, Any]
    ) -> None:
        record = {
            field: value
            for field, value in wanted.items()
            if value is not None
        }
        try:
            response = self._api.request(
                'POST',
                '/images',
                expect=(201, 409),
                json={'id': image.id, **record},
            )
        except errors.RefusedError as exc:
            # Not accepted, protected, or too many.
            if exc.status not in (400, 403, 413):
                raise
            raise errors.RefusedError(
                self.name,
                f'{exc.problem}; --dont-replicate leaves properties out',
            ) from exc
        if response.status_code == 409:
            raise errors.TakenError(
                self.name, f'the ID {image.id} is taken there'
            )
        self._check_heeded(self._api.json(response), wanted)

    def _ask_to_publish(self, action: plan.Action) -> None:
        changes = self._publication(action)
        if not changes:
            return
        # To remove a property that is not there is refused with 409 after the
        # operations before it were found to be allowed (FACTS.md, "Also").
        nowhere = f'osc_glance_replicate_{uuid.uuid4().hex}'
        response = self._api.request(
            'PATCH',
            image_api.path(action.image.id),
            expect=(403, 409),
            headers={'Content-Type': patch.MEDIA_TYPE},
            data=json.dumps(
                [
                    *patch.operations(changes),
                    {'op': 'remove', 'path': f'/{nowhere}'},
                ]
            ),
        )
        if response.status_code == 403:
            asked = ', '.join(f'{k}={v}' for k, v in changes.items())
            raise errors.RefusedError(
                self.name,
                f'this user may not set {asked} (HTTP 403); no data was sent',
            )

    def kept(
        self, image: image_record.Image
    ) -> contextlib.AbstractContextManager[tuple[places.Data, int]]:
        """Give nothing: Glance drops what an interrupted upload has sent."""
        return contextlib.nullcontext((places.Nothing(), 0))

    def write(self, image: image_record.Image, body: places.Body) -> None:
        """Send the data of a staged replica.

        The body is sent once: keystoneauth would otherwise answer a 401 or
        503 by sending what is left of it, that is nothing, and Glance would
        make an empty image active (FACTS.md).

        :raises BusyError: another upload of it is going on
        :raises TransientError: also where the token has expired: the next
            request gets a new one
        """
        if image.id not in self._staged:
            self._send(image, body)
        if self.imports or image.id in self._staged:
            self._import(image)

    def _import(self, image: image_record.Image) -> None:
        """Have an image made of what is staged, or of what it fetches."""
        imports.run(self._api, image, self._way_of(image))
        self._staged.discard(image.id)

    def _send(self, image: image_record.Image, body: places.Body) -> None:
        try:
            response = self._put(image, body)
        except errors.RefusedError as exc:
            if 'img_signature' not in image.record:
                raise
            raise errors.RefusedError(
                self.name,
                f"{exc.problem}; --dont-replicate 'img_signature*' leaves its "
                'signature out',
            ) from exc
        if response.status_code == 404:
            raise errors.RefusedError(
                self.name,
                f'{image.id} was deleted there while it was copied; its ID '
                "is free after 'glance-manage db purge_images_table' there",
            )
        if 'has data on staging' in response.text:
            raise errors.RefusedError(
                self.name,
                f'data of {image.id} lies staged there, of an import that '
                'failed: --method upload does without, or its administrator '
                'has to remove it from the staging store',
            )
        if response.status_code != 204:
            raise errors.BusyError(
                self.name, f'{image.id} is being uploaded by someone else'
            )

    def _put(
        self, image: image_record.Image, body: places.Body
    ) -> requests.Response:
        where = 'stage' if self.imports else 'file'
        headers = {
            'Content-Type': 'application/octet-stream',
            'X-OpenStack-Image-Size': str(len(body)),
        }
        if self._way.stores and not self.imports:
            headers['X-Image-Meta-Store'] = self._way.stores[0]
        return self._api.request(
            'PUT',
            f'{image_api.path(image.id)}/{where}',
            expect=(204, 404, 409, 410),
            data=body if len(body) else b''.join(body),
            headers=headers,
            allow_reauth=False,
            # The first of the two is urllib3's limit while it sends, too.
            timeout=(image_api.IDLE_TIMEOUT, _COMMIT_TIMEOUT),
        )

    def publish(self, action: plan.Action) -> None:
        """Set owner, visibility, protected and os_hidden, in one request.

        Members come after it: what is not shared yet can have none.
        """
        image_id = action.image.id
        changes = self._publication(action)
        replica = self.find(image_id) if self.imports else None
        if replica:
            # Its Glance has brought along what it likes to (FACTS.md).
            changes = {**patch.completion(action, replica), **changes}
        self._patch(image_id, changes)
        members = action.wanted.members
        # What is completed may have some that an earlier run has set.
        if members or (members is not None and action.exact):
            refused = image_members.write(
                self._api, image_id, members, action.exact
            )
            if refused:
                raise errors.RefusedError(self.name, '; '.join(refused))

    def _publication(self, action: plan.Action) -> dict[str, Any]:
        """Give what distinguishes a published replica from a staged one."""
        wanted = action.wanted.portable
        changes = {
            field: wanted[field]
            for field, staged in image_record.PUBLISHED.items()
            if wanted[field] != staged
        }
        if action.owner not in (None, self._project):
            changes['owner'] = action.owner
        return changes

    def update(self, action: plan.Action) -> None:
        """Change fields of a replica that has its data.

        :raises RefusedError: names what could not be changed; all else was
        """
        image_id = action.image.id
        asked = {change.field: change.wanted for change in action.changes}
        status = asked.pop('status', None)
        members = asked.pop('members', None)
        refused: list[str] = []
        # What is withdrawn is withdrawn before it is, perhaps, published.
        if status == 'deactivated':
            refused += self._set_status_if_possible(image_id, status)
        refused += self._patch_what_is_possible(image_id, asked)
        if members is not None:
            refused += image_members.write(
                self._api, image_id, members, action.exact
            )
        if status == 'active':
            refused += self._set_status_if_possible(image_id, status)
        if refused:
            owner = action.replica.owner if action.replica else None
            if self._project and owner not in (None, self._project):
                refused.append(f'it belongs to project {owner} there')
            raise errors.RefusedError(self.name, '; '.join(refused))

    def _patch_what_is_possible(
        self, image_id: str, changes: Mapping[str, Any]
    ) -> list[str]:
        """Change all fields at once or, if refused, one by one.

        :returns: what was refused, and how
        """
        try:
            self._patch(image_id, changes)
            return []
        except errors.RefusedError:
            refused = []
        for field, value in changes.items():
            try:
                self._patch(image_id, {field: value})
            except errors.RefusedError as exc:
                refused.append(f'{field}: {exc.problem}')
        return refused

    def _set_status_if_possible(self, image_id: str, status: str) -> list[str]:
        """Change the status.

        :returns: how it was refused, if it was
        """
        try:
            self._set_status(image_id, status)
            return []
        except errors.RefusedError as exc:
            return [f'status: {exc.problem}']

    def members(self, image: image_record.Image) -> Mapping[str, str]:
        """Give the members of a shared image: project ID → status."""
        return image_members.read(self._api, image.id)

    def quarantine(self, image: image_record.Image) -> None:
        """Deactivate a replica."""
        self._set_status(image.id, 'deactivated')

    def _set_status(self, image_id: str, status: str) -> None:
        act = 'reactivate' if status == 'active' else 'deactivate'
        self._api.request(
            'POST', f'{image_api.path(image_id)}/actions/{act}', expect=(204,)
        )

    def _patch(self, image_id: str, changes: Mapping[str, Any]) -> None:
        if not changes:
            return
        response = self._api.request(
            'PATCH',
            image_api.path(image_id),
            headers={'Content-Type': patch.MEDIA_TYPE},
            data=json.dumps(patch.operations(changes)),
        )
        self._check_heeded(self._api.json(response), changes)

    def _check_heeded(
        self, answer: Mapping[str, Any], asked: Mapping[str, Any]
    ) -> None:
        """Hold what Glance says that it stored against what was asked."""
        if ignored := patch.ignored(answer, asked):
            raise errors.RefusedError(
                self.name, f'does not change {", ".join(ignored)}'
            )
