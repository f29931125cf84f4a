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

"""One request to an image service: an answer, or one of our own errors."""

from collections.abc import Collection
import email.utils
import html
import io
import logging
import time
from typing import Any
import urllib.parse

from keystoneauth1 import exceptions as ksa_exceptions
import openstack.connection
from openstack import exceptions as sdk_exceptions
import requests
import urllib3

from osc_glance_replicate import errors
from osc_glance_replicate import image as image_record
from osc_glance_replicate import retry

LOG = logging.getLogger(__name__)

#: Seconds to wait for a connection.
CONNECT_TIMEOUT = 30

#: Seconds of silence to put up with: until a peer gives or takes anything.
IDLE_TIMEOUT = 60

#: Bytes of a document at the most: a page of a thousand records, each of
#: which may have 128 properties (FACTS.md, "Fields").
_LONGEST_DOCUMENT = 64 * 1024**2

#: Seconds that a document may take to arrive.
_DOCUMENT_TIMEOUT = 300.0

#: Further tries of what only reads; it is not the transfer of an image.
_RETRIES = 3

#: Answers after which the same request may succeed; 401 comes although a
#: new token was tried.
_PASSING = frozenset((401, 408, 429, 500, 502, 503, 504))

_LONGEST_PROBLEM = 400

#: The header that holds where a redirect leads to, instead of its own.
_LOCATION = 'X-Osc-Glance-Replicate-Location'


class ImageApi:
    """The image API of one cloud.

    :param name: the cloud, as the user named it
    :param connection: an openstacksdk connection to it
    """

    def __init__(
        self, name: str, connection: openstack.connection.Connection
    ) -> None:
        self.name = name
        self._proxy = connection.image

    def request(
        self,
        method: str,
        path: str,
        *,
        expect: Collection[int] = (200,),
        **options: Any,
    ) -> requests.Response:
        """Send one request; redirects are not followed, with no token.

        :param path: below /v2, with a leading slash
        :param expect: the statuses that are returned rather than raised
        :param options: passed on to keystoneauth's session; with
            ``stream=True``, an answer that is expected is not read yet
        :raises PlaceError: no answer, or one that is not expected;
            TransientError and RefusedError where the status tells
        """
        streamed = options.pop('stream', False)
        options = {
            'redirect': False,
            'skip_cache': True,
            # It would log what documents hold, such as locations with
            # credentials, and read any of them whole for it.
            'log': False,
            'stream': True,
            # We retry ourselves, or do not: see FACTS.md on consumed bodies.
            'connect_retries': 0,
            'status_code_retries': 0,
            'hooks': {'response': _set_redirect_aside},
            'timeout': (CONNECT_TIMEOUT, IDLE_TIMEOUT),
            **options,
            # What is small may become huge when it is unpacked.
            'headers': {
                'Accept-Encoding': 'identity',
                **options.get('headers', {}),
            },
        }
        start = time.monotonic()
        try:
            response = self._proxy.request(path, method, **options)
        except (
            ksa_exceptions.ClientException,
            sdk_exceptions.SDKException,
        ) as exc:
            raise self._failure(exc) from exc
        LOG.debug(
            '%s: %s %s: HTTP %s after %.3f s%s',
            self.name,
            method,
            path,
            response.status_code,
            time.monotonic() - start,
            _request_id(response),
        )
        if response.status_code in expect and streamed:
            return response
        self._load(response)
        if response.status_code not in expect:
            raise self._error(response)
        return response

    def _failure(self, exc: Exception) -> errors.PlaceError:
        """Say why there is no answer."""
        error: type[errors.PlaceError] = errors.PlaceError
        passing = (
            ksa_exceptions.ConnectionError,
            # Of Keystone, when it was asked for a new token.
            ksa_exceptions.HttpServerError,
        )
        if isinstance(exc, passing) and (
            'CERTIFICATE_VERIFY_FAILED' not in str(exc)
        ):
            error = errors.TransientError
        return error(self.name, errors.explain(exc))

    def _load(self, response: requests.Response) -> None:
        """Read an answer, as much as is reasonable and while it takes.

        :raises PlaceError: it has no end
        :raises TransientError: it broke off
        """
        document = io.BytesIO()
        deadline = time.monotonic() + _DOCUMENT_TIMEOUT
        with response:
            try:
                while block := response.raw.read1(65536, decode_content=False):
                    document.write(block)
                    if document.tell() > _LONGEST_DOCUMENT:
                        raise errors.PlaceError(
                            self.name,
                            f'answers with more than {_LONGEST_DOCUMENT} '
                            'bytes; is it a Glance?',
                        )
                    if time.monotonic() > deadline:
                        raise errors.TransientError(
                            self.name,
                            f'took more than {_DOCUMENT_TIMEOUT:.0f} s to '
                            f'send {document.tell()} bytes',
                        )
            except (urllib3.exceptions.HTTPError, OSError) as exc:
                raise errors.TransientError(
                    self.name, f'broke off its answer: {errors.explain(exc)}'
                ) from exc
        document.seek(0)
        response.raw = document

    def get(
        self, path: str, *, expect: Collection[int] = (200,), **params: Any
    ) -> requests.Response:
        """Ask for a document, patiently: what may pass is tried again.

        :param params: of the query
        """
        for _, delay in zip(range(_RETRIES), retry.delays(), strict=False):
            try:
                return self.request('GET', path, expect=expect, params=params)
            except errors.TransientError as exc:
                time.sleep(retry.wait(delay, exc))
        return self.request('GET', path, expect=expect, params=params)

    def json(self, response: requests.Response) -> dict[str, Any]:
        """Decode an answer that has to be a JSON object."""
        try:
            document = response.json()
        except (ValueError, RecursionError) as exc:
            raise errors.PlaceError(self.name, 'answered no JSON') from exc
        if not isinstance(document, dict):
            raise errors.PlaceError(self.name, 'answered no JSON object')
        return document

    def _error(self, response: requests.Response) -> errors.PlaceError:
        status = response.status_code
        if 300 <= status < 400:
            host = _host(response.headers.get(_LOCATION, ''))
            return errors.PlaceError(
                self.name,
                f'HTTP {status}: redirects to {host}, which is not followed: '
                'no token may go there',
            )
        problem = f'HTTP {status}: {_details(response)}'
        if status in _PASSING:
            return errors.TransientError(
                self.name, problem, retry_after=_retry_after(response)
            )
        if 400 <= status < 500:
            return errors.RefusedError(self.name, problem, status)
        return errors.PlaceError(self.name, problem)


def path(image_id: str) -> str:
    """Give the path of an image; its ID may come from a hostile cloud.

    :raises SelectionError: it is no UUID, and could lead anywhere
    """
    if not image_record.is_id(image_id):
        raise errors.SelectionError(f'{image_id!r} is not an image ID')
    return f'/images/{image_id}'


def _details(response: requests.Response) -> str:
    """Get Glance's own words out of an answer, with the request ID."""
    try:
        sdk_exceptions.raise_from_response(response)
        words = response.reason
    except sdk_exceptions.HttpException as exc:
        words = exc.details or response.reason
    words = html.unescape(str(words))
    return ' '.join(words.split())[:_LONGEST_PROBLEM] + _request_id(response)


def _set_redirect_aside(
    response: requests.Response, *args: object, **options: object
) -> None:
    """Keep requests from preparing to follow a redirect.

    It would read all that comes with it, and fail where the URL is none.
    """
    if response.is_redirect:
        response.headers[_LOCATION] = response.headers.pop('Location')


def _host(url: str) -> str:
    """Give the host of a URL, the rest of which may be a signature."""
    try:
        return urllib.parse.urlsplit(url).hostname or 'nowhere'
    except ValueError:
        return 'nowhere'


def _request_id(response: requests.Response) -> str:
    """Give what administrators find a request by in their logs."""
    request_id = response.headers.get('x-openstack-request-id', '')
    return f' ({request_id:.80})' if request_id else ''


def _retry_after(response: requests.Response) -> float:
    """Give the seconds that a Retry-After header asks for; 0 without one."""
    value = response.headers.get('retry-after', '')
    if value.isascii() and value.isdecimal():
        return float(value)
    try:
        until = email.utils.parsedate_to_datetime(value)
        return max(until.timestamp() - time.time(), 0.0)
    except (ValueError, OverflowError):
        return 0.0
