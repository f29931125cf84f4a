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

"""A Ceph of one node, for Glances that keep their images in RBD or by S3."""

import importlib.machinery
import json
import pathlib
import shutil
import socket
import subprocess
import time
import uuid

from osc_glance_replicate.sandbox import errors
from osc_glance_replicate.sandbox import ports
from osc_glance_replicate.sandbox import process

_PROGRAMS = ('ceph', 'ceph-mon', 'ceph-osd', 'radosgw', 'rbd')
_PACKAGES = (
    'apt-get install --no-install-recommends ceph-mon ceph-osd radosgw '
    'ceph-common python3-rados python3-rbd'
)

# Debian's modules, which are of its own Python, whose version has to be ours.
_DEBIAN = pathlib.Path('/usr/lib/python3/dist-packages')
_MODULES = ('rados', 'rbd')

_UP_WITHIN = 120.0  # seconds
_DISK = 64 * 1024**3  # bytes of a sparse file

_CONFIGURATION = """\
[global]
fsid = {fsid}
mon host = [v2:{address},v1:{old_address}]
public addr = {host}
cluster addr = {host}
run dir = {directory}
admin socket = {directory}/$name.$pid.asok
log file = {directory}/$name.log
keyring = {directory}/$name.keyring
auth allow insecure global id reclaim = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
mon data avail warn = 1
mon data avail crit = 1
[mon.a]
mon data = {directory}/mon
[osd.0]
osd data = {directory}/osd
bluestore block size = {disk}
bluestore fsck quick fix on mount = false
osd memory target = 939524096
bluestore cache autotune = false
bluestore cache size = 134217728
[client.rgw]
rgw data = {directory}/rgw
rgw frontends = beast endpoint={gateway}
"""


def check() -> None:
    """Tell the user what to install, before anything is started."""
    missing = [name for name in _PROGRAMS if not shutil.which(name)]
    missing += [name for name in _MODULES if not _module(name)]
    if missing:
        raise errors.SandboxError(
            f'A Ceph needs {", ".join(missing)}: {_PACKAGES}'
        )


def _module(name: str) -> pathlib.Path | None:
    """Find a module of Ceph for this Python, if there is one."""
    # The names of extension modules tell their Python.
    for suffix in importlib.machinery.EXTENSION_SUFFIXES:
        path = _DEBIAN / f'{name}{suffix}'
        if path.exists():
            return path
    return None


class Ceph:
    """A monitor and a disk, and a gateway for S3 if one is asked for.

    :param processes: the sandbox's.
    """

    def __init__(self, processes: process.Processes) -> None:
        self._processes = processes
        self._directory = processes.directory / 'ceph'
        self._log = processes.directory / 'ceph.log'
        self._gateway = _address()
        self.configuration = self._directory / 'ceph.conf'

    def start(self) -> None:
        """Start it, and wait until it takes data."""
        for name in ('', 'mon', 'osd', 'rgw', 'python'):
            (self._directory / name).mkdir(mode=0o700)
        for name in _MODULES:
            if found := _module(name):
                (self.python / found.name).symlink_to(found)
        fsid = str(uuid.uuid4())
        address, old_address = _address(), _address()
        self.configuration.write_text(
            _CONFIGURATION.format(
                fsid=fsid,
                address=address,
                old_address=old_address,
                host=process.LOOPBACK,
                directory=self._directory,
                disk=_DISK,
                gateway=self._gateway,
            )
        )
        self._make_monitor(fsid, f'[v2:{address},v1:{old_address}]')
        self._daemon('ceph-mon', '-i', 'a')
        self._wait('mon', 'stat')
        self._make_disk()
        self._daemon('ceph-osd', '-i', '0')
        deadline = time.monotonic() + _UP_WITHIN
        while not json.loads(self._ask('osd', 'stat')).get('num_up_osds'):
            self._patience(deadline)

    @property
    def python(self) -> pathlib.Path:
        """Where its modules for Python are, and no others."""
        return self._directory / 'python'

    def pool(self, name: str) -> dict[str, str]:
        """Make a pool, and return the options of a store in it.

        :param name: of the pool.
        """
        self._ceph('osd', 'pool', 'create', name, '8', '8')
        self._run('rbd', 'pool', 'init', name)
        self._ceph(
            *('auth', 'get-or-create', f'client.{name}'),
            *('mon', 'profile rbd', 'osd', f'profile rbd pool={name}'),
            *('-o', f'{self._directory}/client.{name}.keyring'),
        )
        return {
            'rbd_store_ceph_conf': str(self.configuration),
            'rbd_store_pool': name,
            'rbd_store_user': name,
        }

    def bucket(self, name: str) -> dict[str, str]:
        """Return the options of a store in a bucket that it makes.

        :param name: of the bucket.
        """
        self._start_gateway()
        made = self._output(
            'radosgw-admin', 'user', 'create', '--uid', name,
            '--display-name', name,
        )  # fmt: skip
        (key,) = json.loads(made)['keys']
        return {
            's3_store_host': f'http://{self._gateway}',
            's3_store_access_key': key['access_key'],
            's3_store_secret_key': key['secret_key'],
            's3_store_bucket': name,
            's3_store_create_bucket_on_put': 'true',
            's3_store_bucket_url_format': 'path',
        }

    def _start_gateway(self) -> None:
        keyring = self._directory / 'client.rgw.keyring'
        if keyring.exists():
            return
        self._ceph(
            *('auth', 'get-or-create', 'client.rgw', 'mon', 'allow rw'),
            *('osd', 'allow rwx', '-o', str(keyring)),
        )
        self._daemon('radosgw', '-n', 'client.rgw')
        host, _, port = self._gateway.partition(':')
        deadline = time.monotonic() + _UP_WITHIN
        while True:
            try:
                socket.create_connection((host, int(port)), 1).close()
                return
            except OSError:
                self._patience(deadline)

    def _make_monitor(self, fsid: str, addresses: str) -> None:
        admin = self._directory / 'client.admin.keyring'
        monitor = self._directory / 'mon.keyring'
        allowed = [
            word
            for daemon in ('mon', 'osd', 'mgr')
            for word in ('--cap', daemon, 'allow *')
        ]
        for keyring, name in ((admin, 'client.admin'), (monitor, 'mon.')):
            self._run(
                'ceph-authtool', '--create-keyring', str(keyring),
                '--gen-key', '-n', name, *allowed,
            )  # fmt: skip
        self._run(
            'ceph-authtool', str(monitor), '--import-keyring', str(admin)
        )
        # The monitor looks for its own key by its name.
        shutil.copy(monitor, self._directory / 'mon.a.keyring')
        monmap = str(self._directory / 'monmap')
        self._run(
            'monmaptool', '--create', '--fsid', fsid,
            '--addv', 'a', addresses, monmap,
        )  # fmt: skip
        self._run(
            'ceph-mon', '--mkfs', '-i', 'a', '--monmap', monmap,
            '--keyring', str(monitor),
        )  # fmt: skip

    def _make_disk(self) -> None:
        self._ceph('osd', 'create')
        self._ceph(
            *('auth', 'get-or-create', 'osd.0', 'mon', 'allow profile osd'),
            *('osd', 'allow *'),
            *('-o', f'{self._directory}/osd.0.keyring'),
        )
        self._run('ceph-osd', '-i', '0', '--mkfs')

    def _daemon(self, program: str, *arguments: str) -> None:
        self._processes.start(
            [program, '-f', '-c', str(self.configuration), *arguments],
            self._log,
        )

    def _ceph(self, *arguments: str) -> None:
        self._run('ceph', *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        self._processes.run(
            program, self._command(program, *arguments), self._log
        )

    def _command(self, program: str, *arguments: str) -> list[str]:
        # Two of the programs know of no configuration.
        if program in ('ceph-authtool', 'monmaptool'):
            return [program, *arguments]
        return [program, '-c', str(self.configuration), *arguments]

    def _ask(self, *arguments: str) -> str:
        return self._output(
            'ceph', '--connect-timeout', '5', '-f', 'json', *arguments
        )

    def _output(self, program: str, *arguments: str) -> str:
        with self._log.open('ab') as log:
            return subprocess.run(  # noqa: S603
                self._command(program, *arguments),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                check=True,
            ).stdout

    def _wait(self, *arguments: str) -> None:
        """Wait until a question is answered."""
        deadline = time.monotonic() + _UP_WITHIN
        while True:
            try:
                self._ask(*arguments)
                return
            except subprocess.CalledProcessError:
                self._patience(deadline)

    def _patience(self, deadline: float) -> None:
        if time.monotonic() > deadline:
            raise errors.SandboxError(
                f'Ceph is not ready after {_UP_WITHIN:.0f} s', self._log
            )
        time.sleep(0.2)


def _address() -> str:
    return f'{process.LOOPBACK}:{ports.free()}'
