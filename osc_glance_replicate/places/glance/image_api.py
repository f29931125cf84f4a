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

"""Requests to an image service: an answer, or one of our own errors."""

from collections.abc import Callable, Collection, Iterator
import contextlib
import functools
import http
import logging
import time
from typing import Any, TypeVar

from keystoneauth1 import exceptions as ksa_exceptions
import openstack.connection
from openstack import exceptions as sdk_exceptions
import requests

from osc_glance_replicate.clouds import limits
from osc_glance_replicate.clouds import login
from osc_glance_replicate.clouds import throttling
from osc_glance_replicate import errors
from osc_glance_replicate.model import bounded_json
from osc_glance_replicate.model import image_record
from osc_glance_replicate.places.glance import clock
from osc_glance_replicate.places.glance import failures
from osc_glance_replicate.places.glance import newborn
from osc_glance_replicate import retry

LOG = logging.getLogger(__name__)

#: Seconds to wait for a connection.
CONNECT_TIMEOUT = 30

#: Seconds that a peer may take until it sends or accepts anything.
IDLE_TIMEOUT = 60

#: Both of them: of most requests, of those to a peer that was silent for that
#: long already, or may well be, and of a greeting.
_PATIENT = CONNECT_TIMEOUT, IDLE_TIMEOUT
_HURRIED = 3, 3
_GREETING = 5, 10

#: Seconds that an answer that others wait for may take to arrive: at first,
#: and once it is late.
_SECONDS = 60.0
_LATE_SECONDS = 30.0

#: Seconds for a connection and for anything to come, of a peer that is late
#: and was not silent: it may be slow, and well.
_LATE_TIMEOUT = 3, 20

#: Bytes that are read of an answer that is an error.
_MAX_ERROR_BODY = 16 * 1024

#: Parts of JSON that an answer may have: a page of a thousand records with
#: 128 properties and 128 tags each has 700,000.
_MAX_PARTS = 2_000_000

#: Bytes that are kept of an answer that is too long: its query is in them.
_END = 64 * 1024

#: Answers of whoever keeps a document to himself.
_KEPT = 401, 403, 404

_Result = TypeVar('_Result')


class _UnheardError(errors.TransientError):
    """A Glance has not heard of a record yet."""


class ImageApi:
    """The image API of one cloud.

    :param name: the cloud, as the user named it
    :param connection: an openstacksdk connection to it
    :param others_wait: whether others wait for what is planned here
    :ivar clock: how its clock differs from this machine's
    :ivar answered_at: when it last gave a usable answer, as of time.monotonic
    """

    def __init__(
        self,
        name: str,
        connection: openstack.connection.Connection,
        others_wait: bool = False,
    ) -> None:
        self.name = name
        self._others_wait = others_wait
        self.clock = clock.Clock()
        self._proxy = connection.image
        self._is_silent = False
        self._newborn = newborn.Newborn()
        #: What it keeps from this user: ends of paths of images.
        self.withheld: set[str] = set()
        self.answered_at = 0.0

    def made(self, path: str) -> None:
        """Note that a record was made, at this path."""
        self._newborn.note(path)

    def request(
        self, method: str, path: str, **options: Any
    ) -> requests.Response:
        """Send a request; redirects are not followed.

        It is sent again where a Glance has not heard yet of a record that was
        just made, unless it has data, of which nothing may be left.

        :param path: below /v2, with a leading slash
        :param options: as ``_request`` has them
        :raises PlaceError: there is no answer, or it is not expected; a
            TransientError or RefusedError where the status shows which
        """
        has_body = not isinstance(options.get('data', ''), str)
        for seconds in () if has_body else retry.UNHEARD:
            if not self._newborn.covers(path):
                break
            try:
                return self._request(method, path, is_newborn=True, **options)
            except _UnheardError:
                time.sleep(seconds)
        is_newborn = has_body and self._newborn.covers(path)
        return self._request(method, path, is_newborn=is_newborn, **options)

    def _request(
        self,
        method: str,
        path: str,
        *,
        expect: Collection[int] = (200,),
        stream: bool = False,
        seconds: float | None = None,
        is_newborn: bool = False,
        **options: Any,
    ) -> requests.Response:
        """Send one request.

        :param expect: the statuses that are returned rather than raised
        :param stream: whether an answer that is expected is not read yet
        :param seconds: that it may take to arrive, unless as many as usual
        :param is_newborn: whether 404 may pass
        :param options: passed on to keystoneauth's session
        """
        options = {
            'redirect': False,
            'skip_cache': True,
            # It would log documents, whose locations may hold credentials,
            # and read each of them whole for it.
            'log': False,
            'stream': True,
            # We retry ourselves, or do not: see fact-consumed-body.
            'connect_retries': 0,
            'status_code_retries': 0,
            'timeout': _PATIENT,
            **options,
        }
        start = time.monotonic()
        try:
            response = self._proxy.request(path, method, **options)
        except (
            ksa_exceptions.ClientException,
            sdk_exceptions.SDKException,
        ) as exc:
            self._is_silent = isinstance(exc, ksa_exceptions.ConnectTimeout)
            raise failures.no_answer(self.name, exc) from exc
        self._is_silent = False
        if response.status_code not in failures.UNUSABLE:
            self.answered_at = time.monotonic()
        LOG.debug(
            '%s: %s %s: HTTP %s after %.3f s%s',
            self.name,
            method,
            path,
            response.status_code,
            time.monotonic() - start,
            failures.request_id(response),
        )
        if method == 'GET':
            self.clock.note(response, time.monotonic() - start)
        if response.status_code == 404 and is_newborn:
            self._load(response, _MAX_ERROR_BODY, cut=True)
            raise _UnheardError(
                self.name,
                f'HTTP 404 for {path}, whose record was made there a moment '
                'ago',
                status=404,
            )
        is_limited = throttling.is_limited(response)
        if response.status_code not in expect or is_limited:
            self._load(response, _MAX_ERROR_BODY, cut=True)
            raise failures.not_expected(self.name, response)
        if not stream:
            self._load(response, limits.MAX_DOCUMENT, seconds=seconds)
        return response

    def patiently(self, ask: Callable[..., _Result]) -> _Result:
        """Ask in several tries; in few where others wait and each takes long.

        :param ask: asks, and changes nothing; takes options of a request
        :raises PlaceError: there is no answer
        """
        if not self._others_wait:
            return retry.patiently(ask)
        return self._hurriedly(ask)

    def _hurriedly(self, ask: Callable[..., _Result]) -> _Result:
        """Ask as ``patiently`` does where others wait."""

        def hurry(is_late: bool) -> _Result:
            if not is_late:
                return ask(seconds=_SECONDS)
            idle = _HURRIED if self._is_silent else _LATE_TIMEOUT
            return ask(timeout=idle, seconds=_LATE_SECONDS)

        return retry.hurriedly(hurry)

    def _load(
        self,
        response: requests.Response,
        most: int,
        cut: bool = False,
        seconds: float | None = None,
    ) -> None:
        """Read an answer, as ``limits.load`` does.

        :raises TooLongError: the answer is too long
        :raises TransientError: the answer broke off
        """
        with self._reading():
            limits.load(response, most, cut, seconds)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        """Raise our own errors of an answer that is read."""
        try:
            yield
        except limits.TooLongError as exc:
            raise errors.TooLongError(
                self.name, f'{exc}; is it a Glance?'
            ) from exc
        except requests.exceptions.ConnectionError as exc:
            problem = f'broke off its answer: {errors.explain(exc)}'
            is_late = isinstance(exc, requests.exceptions.Timeout)
            kind = errors.SilentError if is_late else errors.TransientError
            raise failures.unanswered(kind(self.name, problem)) from exc

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        """Return a JSON object.

        :param params: of the query
        :raises PlaceError: there is no answer, it is not expected, or no
            JSON object
        """
        hurries = self._others_wait and self._is_silent
        idle = _HURRIED if hurries else _PATIENT
        return self.json(
            self.request('GET', path, params=params, timeout=idle)
        )

    def hint(
        self,
        path: str,
        without: str,
        own_word: bool = False,
    ) -> dict[str, Any] | None:
        """Return a JSON object that is of help, and that a run does without.

        Gateways and access rules may keep it from a user who may do all that
        it is about.

        :param without: what cannot be done then, for the log
        :param own_word: whether 404 is a word as well, that of an empty
            object, if the service itself says so, and nobody before it
        :returns: None where there is none
        :raises PlaceError: nobody answers at all
        """

        ask = functools.partial(
            self.request, 'GET', path, expect=(200, *_KEPT)
        )
        try:
            response = self._hurriedly(ask)
            is_own = own_word and failures.request_id(response)
            if response.status_code == http.HTTPStatus.NOT_FOUND and is_own:
                return {}
            if response.status_code == http.HTTPStatus.OK:
                return self.json(response)
            raise failures.not_expected(self.name, response)
        except errors.PlaceError as exc:
            if exc.unanswered and not getattr(exc, 'status', 0):
                # Perhaps it is but this that gets none.
                self.greet()
            LOG.warning(
                '%s: %s: GET /v2%s: %s', self.name, without, path, exc.problem
            )
            return None

    def end(
        self,
        path: str,
        params: dict[str, Any],
        seconds: float | None = None,
        **options: Any,
    ) -> bytes:
        """Return the last bytes of an answer that is too long to be kept.

        :param params: of the query
        :param seconds: that it may take, unless as many as usual
        :param options: of the request
        :returns: b'' where it is not too long
        :raises TooLongError: it is far too long
        """
        answer = self.request(
            'GET', path, params=params, stream=True, **options
        )
        with self._reading():
            length, end = limits.skim(answer, _END, seconds)
        return end if length > limits.MAX_DOCUMENT else b''

    def find(
        self, path: str, absent: Collection[int] = (404,), **options: Any
    ) -> dict[str, Any] | None:
        """Return a JSON object as ``get`` does, or None where there is none.

        A service that has just been silent is not waited for so long again.

        :param absent: the statuses that say so
        :param options: of the request
        """
        options = {
            'timeout': _HURRIED if self._is_silent else _PATIENT,
            'seconds': _SECONDS if self._others_wait else None,
            **options,
        }
        response = self.request('GET', path, expect=(200, *absent), **options)
        return None if response.status_code in absent else self.json(response)

    def greet(self) -> None:
        """Find out whether the service answers.

        :raises PlaceError: it gives no usable answer
        """
        try:
            self.request('GET', login.NOBODYS, timeout=_GREETING)
        except errors.PlaceError as exc:
            if exc.unanswered:
                raise

    def json(self, response: requests.Response) -> dict[str, Any]:
        """Return the JSON object that an answer has to be.

        :raises PlaceError: it is none
        """
        try:
            document = bounded_json.loads(response.content, _MAX_PARTS)
        except bounded_json.TooManyError as exc:
            raise errors.PlaceError(
                self.name, f'answers with {exc}; is it a Glance?'
            ) from exc
        except (ValueError, RecursionError) as exc:
            raise errors.PlaceError(self.name, 'answered no JSON') from exc
        if not isinstance(document, dict):
            raise errors.PlaceError(self.name, 'answered no JSON object')
        return document


def objects(listed: object) -> list[dict[str, Any]]:
    """Return the objects in what should be a list of them."""
    return [
        each
        for each in (listed if isinstance(listed, list) else ())
        if isinstance(each, dict)
    ]


def path(image_id: str) -> str:
    """Return the path of an image; its ID may come from a hostile cloud.

    :raises SelectionError: the ID is no UUID, and could lead anywhere
    """
    if not image_record.is_id(image_id):
        raise errors.SelectionError(f'{image_id!r} is not an image ID')
    return f'/images/{image_id}'
