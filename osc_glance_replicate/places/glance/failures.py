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

"""What became of a request that has not got the answer it should."""

import re
import urllib.parse

from keystoneauth1 import exceptions as ksa_exceptions
import requests

from osc_glance_replicate.clouds import environ_proxy
from osc_glance_replicate.clouds import redirects
from osc_glance_replicate.clouds import throttling
from osc_glance_replicate import errors
from osc_glance_replicate.places.glance import error_page

#: Answers after which the same request may succeed, besides 5xx; 401 comes
#: although a new token was tried.
_PASSING = frozenset((401, 408, 423, 425, 499))

#: Those of 5xx that would come again.
_LASTING = frozenset((501, 505, 507, 508, 510, 511))

#: Characters of Glance's own words that become part of an error.
_MAX_DETAILS = 400

#: Answers that come from somebody who stands in for the service, or who knows
#: nobody: 401 comes although a new token was tried.
UNUSABLE = frozenset((401, 502, 503, 504, *range(520, 531), 598, 599))

#: Where a request went, in the words of keystoneauth and requests: the place
#: is named already, and what is told of a thousand images is to be alike.
_WHERE = re.compile(
    r' (?:to |connecting to )?https?://[^\s\'"]*?(?=:?(?:\s|$))'
)


def no_answer(place: str, exc: Exception) -> errors.PlaceError:
    """Return the error that says why there is no answer.

    :param place: the cloud, as the user named it
    """
    passing = (
        ksa_exceptions.ConnectionError,
        # From Keystone, when it was asked for a new token.
        ksa_exceptions.HttpServerError,
    )
    problem = _WHERE.sub('', errors.explain(exc))
    if proxy := environ_proxy.blamed(exc):
        problem = f'{problem} (by {proxy})'
    if isinstance(exc, ksa_exceptions.Unauthorized):
        # So is this: to ask again would lock the account.
        return unanswered(errors.PlaceError(place, problem))
    if not isinstance(exc, passing):
        return errors.PlaceError(place, problem)
    if 'CERTIFICATE_VERIFY_FAILED' in str(exc):
        return unanswered(errors.PlaceError(place, problem))
    is_silent = isinstance(exc, ksa_exceptions.ConnectTimeout)
    kind = errors.SilentError if is_silent else errors.TransientError
    return unanswered(kind(place, problem))


def not_expected(place: str, response: requests.Response) -> errors.PlaceError:
    """Return the error that an answer is.

    :param place: the cloud, as the user named it
    """
    status = response.status_code
    if 300 <= status < 400:
        host = _host(response.headers.get(redirects.LOCATION, ''))
        return errors.PlaceError(
            place,
            f'HTTP {status}: redirects to {host}, which is not followed: '
            'no token may go there',
        )
    problem = f'HTTP {status}: {_details(response)}'
    if throttling.is_limited(response) or _may_pass(status):
        passing = errors.TransientError(
            place, problem, throttling.retry_after(response), status
        )
        return unanswered(passing) if status in UNUSABLE else passing
    if 400 <= status < 500:
        return errors.RefusedError(place, problem, status)
    return errors.PlaceError(place, problem)


def _may_pass(status: int) -> bool:
    return status in _PASSING or (500 <= status and status not in _LASTING)


def unanswered(error: errors.PlaceError) -> errors.PlaceError:
    """Return an error that says that there was no usable answer."""
    error.unanswered = True
    return error


def _details(response: requests.Response) -> str:
    """Return Glance's own words in an answer, with the request ID.

    openstacksdk's way to extract them takes minutes on a hostile page:
    see fact-error-page.
    """
    words = error_page.words(response) or str(response.reason)
    return words[:_MAX_DETAILS] + request_id(response)


def foreign_words(response: requests.Response) -> str:
    """Return what an answer says that is not the service's own, in brackets.

    :returns: '' for one that is, whose words say no more than its status does
    """
    if request_id(response):
        return ''
    return f' (HTTP {response.status_code}: {_details(response)})'


def _host(url: str) -> str:
    """Return the host of a URL, whose other parts may be a signature."""
    try:
        return urllib.parse.urlsplit(url).hostname or 'nowhere'
    except ValueError:
        return 'nowhere'


def request_id(response: requests.Response) -> str:
    """Return the ID by which administrators find a request in their logs."""
    found = response.headers.get('x-openstack-request-id', '')
    return f' ({found:.80})' if found else ''
