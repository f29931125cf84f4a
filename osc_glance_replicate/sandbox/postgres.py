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

"""One PostgreSQL for all the Glances of a sandbox."""

import contextlib
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import time
from typing import Any

import psycopg2
from psycopg2 import sql

from osc_glance_replicate.sandbox import errors
from osc_glance_replicate.sandbox import installed
from osc_glance_replicate.sandbox import process

_ROLE = 'postgres'
_STARTS_WITHIN = 300.0  # seconds
_SETTINGS = {
    'listen_addresses': '',
    # Nothing of a sandbox has to outlive a power cut.
    'fsync': 'off',
    'synchronous_commit': 'off',
    'full_page_writes': 'off',
}


class Postgres:
    """A PostgreSQL server on a Unix socket, without passwords.

    :param processes: the sandbox's.
    :param connections: how many clients there may be at once.
    """

    def __init__(self, processes: process.Processes, connections: int) -> None:
        self._processes = processes
        self._home = processes.directory / 'postgresql'
        self._log = processes.directory / 'postgresql.log'
        self._settings = {**_SETTINGS, 'max_connections': str(connections)}

    def start(self) -> None:
        """Make the data directory and start the server."""
        data = self._home / 'data'
        for directory in (self._home, data):
            directory.mkdir(mode=0o700)
        programs = installed.postgresql()
        user: dict[str, Any] = {}
        if os.geteuid() == 0:
            programs, user = self._leave_root(programs)
        self._processes.run(
            'initdb of PostgreSQL',
            [
                f'{programs}/bin/initdb',
                *('--pgdata', str(data), '--username', _ROLE),
                *('--auth', 'trust', '--encoding', 'utf8'),
                *('--locale', 'C', '--no-sync'),
            ],
            self._log,
            **user,
        )
        command = [f'{programs}/bin/postgres', '-D', str(data)]
        command += ['-k', str(self._home)]
        for name, value in self._settings.items():
            command += ['-c', f'{name}={value}']
        # SIGKILL would leave its shared memory behind.
        server = self._processes.start(
            command, self._log, end_signal=signal.SIGQUIT, **user
        )
        self._wait_for(server)

    def uri(self, database: str) -> str:
        """Say where a database is, as libpq takes it.

        :param database: its name.
        """
        return f'postgresql://{_ROLE}@/{database}?host={self._home}'

    def create(self, database: str, template: str = 'template1') -> str:
        """Create a database and return its URI.

        :param database: the name.
        :param template: the database that it is a copy of.
        """
        statement = sql.SQL('CREATE DATABASE {} TEMPLATE {}').format(
            sql.Identifier(database), sql.Identifier(template)
        )
        with contextlib.closing(
            psycopg2.connect(self.uri(_ROLE))
        ) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
        return self.uri(database)

    def _wait_for(self, server: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _STARTS_WITHIN
        while time.monotonic() < deadline:
            if server.poll() is not None:
                raise errors.SandboxError(
                    'PostgreSQL died while starting', self._log
                )
            with contextlib.suppress(psycopg2.OperationalError):
                psycopg2.connect(self.uri(_ROLE)).close()
                return
            time.sleep(0.05)
        raise errors.SandboxError(
            f'PostgreSQL is not ready after {_STARTS_WITHIN:.0f} s', self._log
        )

    def _leave_root(
        self, programs: pathlib.Path
    ) -> tuple[pathlib.Path, dict[str, Any]]:
        """Arrange for a server that is not root, which PostgreSQL refuses.

        :param programs: the installed PostgreSQL.
        :return: a copy that the user `nobody` can read, wherever the original
            is (often below /root), and the options for subprocess.Popen.
        """
        nobody = pwd.getpwnam('nobody')
        copies = self._home / 'programs'
        package = programs.parent
        copy = copies / package.name / programs.name
        shutil.copytree(
            programs, copy, ignore=shutil.ignore_patterns('include')
        )
        # Found relative to the programs, as wheels have it.
        libraries = f'{package.name}.libs'
        shutil.copytree(package.with_name(libraries), copies / libraries)
        # nobody may pass through here, and read nothing but its own.
        self._processes.directory.chmod(0o711)
        for path in (self._home, *self._home.rglob('*')):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
        return copy, {
            'user': nobody.pw_uid,
            'group': nobody.pw_gid,
            'extra_groups': [],
        }
