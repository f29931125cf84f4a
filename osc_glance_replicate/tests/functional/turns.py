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

"""Who runs in which sandbox: several tests side by side, or one alone."""

import contextlib
import fcntl
import os
import pathlib
import time
from typing import IO

import fixtures

from osc_glance_replicate.sandbox import client

#: The sandboxes that were started for the tests; none where they are listed.
_SANDBOXES = [
    pathlib.Path(path)
    for path in os.environ.get(client.DIRECTORIES, '').split(os.pathsep)
    if path
]


class Turn(fixtures.Fixture):
    """The clouds of one sandbox, for the length of a test.

    Tests that share meet in the first sandbox. Who is to be alone waits for
    any that nobody uses, and takes that one last: the others cannot go
    elsewhere.

    :param alone: whether no other test may use the clouds meanwhile
    """

    def __init__(self, alone: bool) -> None:
        self._alone = alone

    def _setUp(self) -> None:
        if not _SANDBOXES:
            raise RuntimeError('there is no sandbox: see base.py')
        if self._alone:
            directory, claim = _claim_any()
        else:
            directory = _SANDBOXES[0]
            claim = _open(directory)
            fcntl.flock(claim, fcntl.LOCK_SH)
        self.addCleanup(claim.close)
        for name, value in (
            (client.DIRECTORIES, directory),
            ('OS_CLIENT_CONFIG_FILE', directory / 'clouds.yaml'),
        ):
            self.useFixture(fixtures.EnvironmentVariable(name, str(value)))


def _claim_any() -> tuple[pathlib.Path, IO[str]]:
    """Wait for a sandbox that nobody uses."""
    with _open(_SANDBOXES[0], 'queue') as queue:
        # Else who came later could get what becomes free during the sleep.
        fcntl.flock(queue, fcntl.LOCK_EX)
        while True:
            for directory in reversed(_SANDBOXES):
                claim = _open(directory)
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return directory, claim
                claim.close()
            time.sleep(0.02)


def _open(directory: pathlib.Path, name: str = 'claim') -> IO[str]:
    return (directory / name).open('w')
