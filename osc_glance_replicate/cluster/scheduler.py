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

"""The connection to a Dask scheduler, if that is to be trusted."""

from collections.abc import Callable, Collection
import concurrent.futures
import logging
from typing import Any, TypeVar, TypeVarTuple

import dask.config
import distributed

from osc_glance_replicate import background
from osc_glance_replicate import errors

LOG = logging.getLogger(__name__)

_Arguments = TypeVarTuple('_Arguments')
_Result = TypeVar('_Result')

#: Seconds to wait for the scheduler.
_CONNECT_TIMEOUT = 10.0

#: Seconds that the workers get to hear something.
_TELL_TIMEOUT = 1.0


class Scheduler:
    """A connection to a scheduler.

    :param retries: how often a call is made again whose worker has failed
    :raises ReplicateError: it does not answer, or is not to be trusted
    """

    def __init__(self, address: str, retries: int) -> None:
        self._client = _connect(address)
        self._executor = self._client.get_executor(pure=False, retries=retries)

    def submit(
        self,
        function: Callable[[*_Arguments], _Result],
        *args: *_Arguments,
        preferred: Collection[str] | None,
    ) -> concurrent.futures.Future[_Result]:
        """Have a worker call a function.

        :param preferred: addresses of workers, of which one is to do it if
            it can; None for any
        """
        asked: concurrent.futures.Future[_Result] = self._executor.submit(
            function,
            *args,
            workers=None if preferred is None else sorted(preferred),
            allow_other_workers=preferred is not None,
        )
        return asked

    def listen(self, topic: str, hear: Callable[[Any], None]) -> None:
        """Hear what workers tell under a topic from now on.

        :param hear: called with a message
        """
        self._client.subscribe_topic(topic, lambda event: hear(event[1]))

    def workers(self) -> set[str]:
        """Ask for the addresses of its workers.

        :raises Exception: of whatever kind; it does not answer
        """
        asked = background.start(self._client.nthreads)
        return set(asked.result(_CONNECT_TIMEOUT))

    @property
    def is_lost(self) -> bool:
        """Whether the client has given it up for good."""
        return self._client.status not in ('running', 'connecting')

    def tell(self, function: Callable[..., object], *args: object) -> None:
        """Call a function in every worker, as far as they can be reached."""
        told = background.start(
            self._client.run, function, *args, on_error='ignore'
        )
        try:
            told.result(_TELL_TIMEOUT)
        except Exception:
            LOG.debug('the workers were not told', exc_info=True)

    def close(self) -> None:
        """Let it forget what was asked for here."""
        self._client.close(_TELL_TIMEOUT)


def _connect(address: str) -> distributed.Client:
    """Connect to a scheduler.

    :raises ReplicateError: it does not answer, or is not to be trusted
    """
    for name in 'distributed', 'distributed.client', 'tornado.application':
        # They tell at length what an error or a row is about to say.
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        _require_certificates(address)
        return distributed.Client(
            address, timeout=_CONNECT_TIMEOUT, set_as_default=False
        )
    except Exception as exc:
        raise errors.ReplicateError(
            f'Cannot use the Dask scheduler at {address}: '
            f'{errors.explain(exc)}'
        ) from exc


def _require_certificates(address: str) -> None:
    """Hold an address against Dask's configuration.

    A client that could not be made would take its time to go away.

    :raises LookupError: they do not fit
    """
    arguments = distributed.Security().get_connection_args('client')
    encrypted = address.startswith('tls:')
    if encrypted and not arguments['ssl_context']:
        raise LookupError(
            'its certificates are not configured: distributed.comm.tls needs '
            'ca-file, client.cert and client.key, in a YAML file in '
            f'{" or ".join(map(str, dask.config.paths))}'
        )
    if arguments['require_encryption'] and not encrypted:
        raise LookupError(
            "Dask's configuration here says require-encryption: give tls://"
        )
