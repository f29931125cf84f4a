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

from osc_glance_replicate.commands import streams
from osc_glance_replicate import errors


def install() -> None:
    """Have all that is logged made safe, on stderr and in --log-file.

    The libraries below quote what clouds answer: URLs of catalogues, headers,
    documents.
    """
    root = logging.getLogger()
    # Nor is made what no one takes: two records for each request.
    taken = min((each.level for each in root.handlers), default=0)
    root.setLevel(max(root.level, taken))
    for handler in root.handlers:
        streams.escape(getattr(handler, 'stream', None))
        if not isinstance(handler.formatter, Formatter):
            handler.setFormatter(
                Formatter(handler.formatter or logging.Formatter())
            )


#: Characters of a message for debugging, which may be a document, and of a
#: line of a traceback.
_DOCUMENT = 64_000
_LINE = 65_536


class Formatter(logging.Formatter):
    """Makes what another formatter writes a line that may be told.

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
        debugs = record.levelno <= logging.DEBUG
        most = _DOCUMENT if debugs else errors.MOST
        safe.msg, safe.args = errors.line(record.getMessage(), most), None
        lines = self._inner.format(safe).split('\n')
        return '\n'.join(errors.line(each, _LINE) for each in lines)
