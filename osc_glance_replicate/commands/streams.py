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

"""stdout and stderr where they are closed, full, or know few characters."""

from collections.abc import Iterable
import contextlib
import io
import logging
import os
import sys
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from osc_lib import shell


#: What encoders do with characters that they lack, and fail at some.
_FAILING = 'strict', 'surrogateescape'


def prepare(app: 'shell.OpenStackShell') -> None:
    """Make closed streams safe to use, and keep log errors quiet.

    Writing to a stdout that was closed fails all the same: there is no
    report.
    """
    if not app.options.debug:
        # A log that cannot be written is no reason for a traceback.
        logging.raiseExceptions = False
    # Any file opened later would take the place of a closed stream.
    if app.stdout is None:
        closed = os.open(os.devnull, os.O_RDONLY)
        # cliff asks the latter how wide it is.
        app.stdout = sys.stdout = os.fdopen(closed, 'w')
    if app.stderr is None:
        app.stderr = open(os.devnull, 'w')
    for stream in app.stdout, app.stderr, sys.stdout, sys.stderr:
        escape(stream)


def escape(stream: IO[str] | None) -> None:
    """Have a stream escape what its encoding lacks, rather than fail.

    A name that it cannot show is no reason to end a run.
    """
    if isinstance(stream, io.TextIOWrapper) and stream.errors in _FAILING:
        # It may be closed, or have become another file since.
        with contextlib.suppress(OSError, ValueError):
            stream.reconfigure(errors='backslashreplace')


def write_lines(stream: IO[str], lines: Iterable[str]) -> None:
    """Write lines at once; a stream that cannot be written is silenced."""
    try:
        for line in lines:
            stream.write(f'{line}\n')
        stream.flush()
    except OSError:
        silence(stream)


def silence(stream: IO[str]) -> None:
    """Keep the final flush of what is left in a stream from failing."""
    with open(os.devnull, 'w') as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())
