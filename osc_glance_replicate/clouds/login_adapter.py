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

"""The transport of a login: how long it may take, and what went wrong.

What breaks on its way is raised past keystoneauth and openstacksdk, which go
on all the same, and say something else in the end: see fact-discovery.
"""

from collections.abc import Callable
import logging
import time
from typing import Any, TypeVar
import urllib.parse

from keystoneauth1 import exceptions as ksa_exceptions
import requests

from osc_glance_replicate import background
from osc_glance_replicate.clouds import environ_proxy
from osc_glance_replicate.clouds import limits
from osc_glance_replicate.clouds import throttling
from osc_glance_replicate import errors
from osc_glance_replicate import retry

LOG = logging.getLogger(__name__)

#: Further tries of each step of a login.
_RETRIES = 2

_Result = TypeVar('_Result')


class ServiceError(Exception):
    """A service cannot be reached, or has no answer.

    :param problem: which one, where, and what it does instead
    :param may_pass: whether another try may succeed in a moment
    :param status: of its answer, if there is one
    """

    def __init__(
        self, problem: str, may_pass: bool, status: int | None = None
    ) -> None:
        super().__init__(problem)
        self.may_pass = may_pass
        self.status = status


class LoginAdapter(limits.Adapter):
    """A transport adapter for all requests of one login.

    :param seconds: that it may take in all
    :ivar service: what is asked, in words
    :ivar left: seconds that are left of them; what a user is asked for, and
        takes his time to type, is not taken from them
    :ivar count: requests so far
    """

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.service = 'Keystone'
        self.left = self._allowed = seconds
        self.count = 0

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: dict[str, str] | None = None,
    ) -> requests.Response:
        """Send a request, unless there is no time left for it.

        :raises ServiceError: there is no answer, or it is one of 5xx, or
            says that too much is asked
        """
        self.count += 1
        start = time.monotonic()
        call = background.start(
            super().send, request, stream, timeout, verify, cert, proxies
        )
        try:
            response = call.result(self.left)
        except TimeoutError as exc:
            raise self._silent(request) from exc
        except requests.exceptions.RequestException as exc:
            raise self._broken(request, exc) from exc
        finally:
            self.left -= time.monotonic() - start
        if response.status_code >= 500 or throttling.is_limited(response):
            raise self._unavailable(request, response)
        return response

    def persist(self, step: Callable[[], _Result]) -> _Result:
        """Take a step of the login, in several tries.

        keystoneauth tries nothing again on the way to a token.

        :raises Exception: whatever went wrong the last time
        """
        retries = retry.Retries(_RETRIES)
        while True:
            try:
                return step()
            except ServiceError as exc:
                if not exc.may_pass:
                    raise
                retries = retries.after(exc)
                if retries.delay >= self.left:
                    raise
                LOG.info('Tries to log in again: %s', errors.explain(exc))
                time.sleep(retries.delay)
                self.left -= retries.delay

    def _silent(self, request: requests.PreparedRequest) -> ServiceError:
        # It has been waited for long enough.
        return ServiceError(
            f'{self._who(request)} does not answer ({self._allowed:g} s)',
            may_pass=False,
        )

    def _broken(
        self,
        request: requests.PreparedRequest,
        exc: requests.exceptions.RequestException,
    ) -> ServiceError:
        is_direct = not isinstance(exc, requests.exceptions.ProxyError)
        if isinstance(exc, requests.exceptions.Timeout) or (
            is_direct
            and isinstance(exc, requests.exceptions.ConnectionError)
            and isinstance(_cause(exc), TimeoutError)
        ):
            return self._silent(request)
        who = self._who(request)
        if proxy := environ_proxy.blamed(exc):
            who = f'{proxy}, by which {who} is asked,'
        return ServiceError(
            f'{who} {_what(exc)}',
            may_pass=isinstance(exc, requests.exceptions.ConnectionError)
            and not isinstance(exc, requests.exceptions.SSLError),
        )

    def _unavailable(
        self, request: requests.PreparedRequest, response: requests.Response
    ) -> ServiceError:
        error = ksa_exceptions.from_response(
            response, str(request.method), str(request.url)
        )
        return ServiceError(
            f'{self._who(request)} answers: {error}',
            may_pass=True,
            status=response.status_code,
        )

    def _who(self, request: requests.PreparedRequest) -> str:
        """Return who is asked; a query may be nobody else's business."""
        url = urllib.parse.urlsplit(str(request.url))
        where = url._replace(query='', fragment='').geturl()
        return f'its {self.service} at {where}'


def _what(exc: BaseException) -> str:
    """Return what a service does instead of answering."""
    if isinstance(exc, limits.TooLongError):
        return str(exc)
    cause = _cause(exc)
    words = getattr(cause, 'strerror', None) or str(cause)
    if isinstance(cause, ConnectionRefusedError):
        return 'refuses connections'
    if isinstance(cause, ConnectionError):
        return f'breaks the connection: {words}'
    return f'cannot be reached: {words}'


def _cause(exc: BaseException) -> BaseException:
    """Return what has gone wrong first."""
    while inner := exc.__cause__ or exc.__context__:
        exc = inner
    return exc
