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

"""The log of a command, in which nothing from outside steers a terminal."""

import copy
import logging

from osc_glance_replicate import errors


def install() -> None:
    """Have all that is logged made safe, on stderr and in --log-file.

    The libraries below quote what clouds answer: URLs of catalogues, headers,
    documents.
    """
    for handler in logging.getLogger().handlers:
        if not isinstance(handler.formatter, Formatter):
            handler.setFormatter(
                Formatter(handler.formatter or logging.Formatter())
            )


class Formatter(logging.Formatter):
    """Makes what another formatter writes printable, without passwords.

    A message is one line, whatever is in it; a traceback has lines of its
    own.

    :param inner: the other one
    """

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """Return what is written."""
        # Others have the same record.
        safe = copy.copy(record)
        safe.msg, safe.args = _safe(record.getMessage()), None
        return '\n'.join(map(_safe, self._inner.format(safe).split('\n')))


def _safe(text: str) -> str:
    return errors.printable(errors.without_passwords(text))
