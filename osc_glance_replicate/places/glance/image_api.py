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

from collections.abc import Collection, Iterator
import contextlib
import email.utils
import logging
import re
import time
from typing import Any
import urllib.parse
import uuid

from keystoneauth1 import exceptions as ksa_exceptions
import openstack.connection
from openstack import exceptions as sdk_exceptions
import requests

from osc_glance_replicate.clouds import limits
from osc_glance_replicate.clouds import redirects
from osc_glance_replicate import errors
from osc_glance_replicate.model import bounded_json
from osc_glance_replicate.model import image_record
from osc_glance_replicate.places.glance import clock
from osc_glance_replicate.places.glance import error_page

LOG = logging.getLogger(__name__)

#: Seconds to wait for a connection.
CONNECT_TIMEOUT = 30

#: Seconds that a peer may take until it sends or accepts anything.
IDLE_TIMEOUT = 60

#: Both of them: of most requests, and of those to a peer that was silent for
#: that long already, or may well be.
_PATIENT = CONNECT_TIMEOUT, IDLE_TIMEOUT
_HURRIED = 3, 3
_GREETING = 5, 10

#: Bytes that are read of an answer that is an error.
_MAX_ERROR_BODY = 16 * 1024

#: Parts of JSON that an answer may have: a page of a thousand records with
#: 128 properties and 128 tags each has 700,000.
_MAX_PARTS = 2_000_000

#: Bytes that are kept of an answer that is too long: its query is in them.
_END = 64 * 1024

#: Answers after which the same request may succeed; 401 comes although a
#: new token was tried.
_PASSING = frozenset((401, 408, 429, 500, 502, 503, 504))

#: Characters of Glance's own words that become part of an error.
_MAX_DETAILS = 400

#: Answers that come from somebody who stands in for the service, or who knows
#: nobody: 401 comes although a new token was tried.
_UNUSABLE = frozenset((401, 502, 503, 504))

#: Where a request went, in the words of keystoneauth and requests: the place
#: is named already, and what is told of a thousand images is to be alike.
_WHERE = re.compile(
    r' (?:to |connecting to )?https?://[^\s\'"]*?(?=:?(?:\s|$))'
)


class ImageApi:
    """The image API of one cloud.

    :param name: the cloud, as the user named it
    :param connection: an openstacksdk connection to it
    :ivar clock: how its clock differs from this machine's
    :ivar answered_at: when it last gave a usable answer, as of time.monotonic
    """

    def __init__(
        self, name: str, connection: openstack.connection.Connection
    ) -> None:
        self.name = name
        self.clock = clock.Clock()
        self._proxy = connection.image
        self._is_silent = False
        self.answered_at = 0.0

    def request(
        self,
        method: str,
        path: str,
        *,
        expect: Collection[int] = (200,),
        stream: bool = False,
        **options: Any,
    ) -> requests.Response:
        """Send one request; redirects are not followed.

        :param path: below /v2, with a leading slash
        :param expect: the statuses that are returned rather than raised
        :param stream: whether an answer that is expected is not read yet
        :param options: passed on to keystoneauth's session
        :raises PlaceError: there is no answer, or it is not expected; a
            TransientError or RefusedError where the status shows which
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
            raise self._failure(exc) from exc
        self._is_silent = False
        if response.status_code not in _UNUSABLE:
            self.answered_at = time.monotonic()
        LOG.debug(
            '%s: %s %s: HTTP %s after %.3f s%s',
            self.name,
            method,
            path,
            response.status_code,
            time.monotonic() - start,
            _request_id(response),
        )
        if method == 'GET':
            self.clock.note(response, time.monotonic() - start)
        if response.status_code not in expect:
            self._load(response, _MAX_ERROR_BODY, cut=True)
            raise self._error(response)
        if not stream:
            self._load(response, limits.MAX_DOCUMENT)
        return response

    def _failure(self, exc: Exception) -> errors.PlaceError:
        """Return the error that says why there is no answer."""
        passing = (
            ksa_exceptions.ConnectionError,
            # From Keystone, when it was asked for a new token.
            ksa_exceptions.HttpServerError,
        )
        problem = _WHERE.sub('', errors.explain(exc))
        if isinstance(exc, ksa_exceptions.Unauthorized):
            # So is this: to ask again would lock the account.
            return _unanswered(errors.PlaceError(self.name, problem))
        if not isinstance(exc, passing):
            return errors.PlaceError(self.name, problem)
        passes = 'CERTIFICATE_VERIFY_FAILED' not in str(exc)
        kind = errors.TransientError if passes else errors.PlaceError
        return _unanswered(kind(self.name, problem))

    def _load(
        self, response: requests.Response, most: int, cut: bool = False
    ) -> None:
        """Read an answer, as ``limits.load`` does.

        :raises TooLongError: the answer is too long
        :raises TransientError: the answer broke off
        """
        with self._reading():
            limits.load(response, most, cut)

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
            raise _unanswered(
                errors.TransientError(self.name, problem)
            ) from exc

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        """Return a JSON object.

        :param params: of the query
        :raises PlaceError: there is no answer, it is not expected, or no
            JSON object
        """
        return self.json(self.request('GET', path, params=params))

    def end(self, path: str, params: dict[str, Any]) -> bytes:
        """Return the last bytes of an answer that is too long to be kept.

        :param params: of the query
        :returns: b'' where it is not too long
        :raises TooLongError: it is far too long
        """
        answer = self.request('GET', path, stream=True, params=params)
        with self._reading():
            length, end = limits.skim(answer, _END)
        return end if length > limits.MAX_DOCUMENT else b''

    def find(
        self, path: str, absent: Collection[int] = (404,)
    ) -> dict[str, Any] | None:
        """Return a JSON object as ``get`` does, or None where there is none.

        A service that has just been silent is not waited for so long again.

        :param absent: the statuses that say so
        """
        idle = _HURRIED if self._is_silent else _PATIENT
        response = self.request(
            'GET', path, expect=(200, *absent), timeout=idle
        )
        return None if response.status_code in absent else self.json(response)

    def greet(self, patiently: bool = False) -> None:
        """Find out whether the service answers.

        :param patiently: wait for it for as long as for any answer
        :raises PlaceError: it gives no usable answer
        """
        idle = _PATIENT if patiently else _GREETING
        try:
            # Its database is asked, and has nothing to look for.
            self.request('GET', path(str(uuid.UUID(int=0))), timeout=idle)
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

    def _error(self, response: requests.Response) -> errors.PlaceError:
        status = response.status_code
        if 300 <= status < 400:
            host = _host(response.headers.get(redirects.LOCATION, ''))
            return errors.PlaceError(
                self.name,
                f'HTTP {status}: redirects to {host}, which is not followed: '
                'no token may go there',
            )
        problem = f'HTTP {status}: {_details(response)}'
        if status in _PASSING:
            passing = errors.TransientError(
                self.name, problem, _retry_after(response), status
            )
            return _unanswered(passing) if status in _UNUSABLE else passing
        if 400 <= status < 500:
            return errors.RefusedError(self.name, problem, status)
        return errors.PlaceError(self.name, problem)


def _unanswered(error: errors.PlaceError) -> errors.PlaceError:
    """Return an error that says that there was no usable answer."""
    error.unanswered = True
    return error


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


def _details(response: requests.Response) -> str:
    """Return Glance's own words in an answer, with the request ID.

    openstacksdk's way to extract them takes minutes on a hostile page:
    see fact-error-page.
    """
    words = error_page.words(response) or str(response.reason)
    return words[:_MAX_DETAILS] + _request_id(response)


def _host(url: str) -> str:
    """Return the host of a URL, whose other parts may be a signature."""
    try:
        return urllib.parse.urlsplit(url).hostname or 'nowhere'
    except ValueError:
        return 'nowhere'


def _request_id(response: requests.Response) -> str:
    """Return the ID by which administrators find a request in their logs."""
    request_id = response.headers.get('x-openstack-request-id', '')
    return f' ({request_id:.80})' if request_id else ''


def _retry_after(response: requests.Response) -> float:
    """Return the seconds that a Retry-After header asks for, or 0."""
    value = response.headers.get('retry-after', '')
    if value.isascii() and value.isdecimal():
        return float(value)
    try:
        until = email.utils.parsedate_to_datetime(value)
        return max(until.timestamp() - time.time(), 0.0)
    except (ValueError, OverflowError):
        return 0.0
