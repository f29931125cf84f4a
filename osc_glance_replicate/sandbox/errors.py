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

"""What the sandbox has to say when it cannot go on."""

import pathlib

_TAIL_LINES = 15


class SandboxError(Exception):
    """A sandbox that cannot start, or no longer be trusted.

    :param message: one line, naming the service and the cloud.
    :param log: the log of that service; its last lines are shown.
    :param until: what ends the part of the log that tells the reason.
    """

    def __init__(
        self,
        message: str,
        log: pathlib.Path | None = None,
        until: str | None = None,
    ) -> None:
        super().__init__(message + (_tail(log, until) if log else ''))


def _tail(log: pathlib.Path, until: str | None) -> str:
    try:
        text = log.read_text(errors='replace')
    except OSError as error:
        return f'\n(no log: {error})'
    if until:
        text = text.partition(until)[0]
    lines = text.splitlines()
    shown = ''.join(f'\n  | {line}' for line in lines[-_TAIL_LINES:])
    return f'\nThe end of {log}:{shown}'
