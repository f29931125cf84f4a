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

"""The command line: clouds to try things on, or to run a command against."""

import argparse
from collections.abc import Mapping
from collections.abc import Sequence
import logging
import os
import pathlib
import signal
import subprocess
import sys
import typing

from osc_glance_replicate.sandbox import errors
from osc_glance_replicate.sandbox import installed
from osc_glance_replicate.sandbox import specs
from osc_glance_replicate.sandbox import stores

if typing.TYPE_CHECKING:
    from osc_glance_replicate.sandbox import fixture

_DEFAULT_CLOUDS = ['master', 'slave']
_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
_GRACE = 10.0  # seconds
_NOT_FOUND = 127  # as shells have it

_DIRECTORIES = 'OSC_GLANCE_REPLICATE_SANDBOX'

_HOW_TO = """\
export OS_CLIENT_CONFIG_FILE={clouds_yaml}

{clouds}

Try: openstack --os-cloud {first} image list
Everything is in {directory}. Ctrl-C ends it and removes everything.
"""

# Each may be given several times: option, what it takes, and what it is for.
_OPTIONS = (
    (
        '--cloud',
        'NAME[:REGION,REGION...]',
        'a cloud to start (default: master and slave)',
    ),
    ('--tls', 'NAME', 'the cloud is to speak https only'),
    (
        '--option',
        'NAME[:REGION]:SECTION.KEY=VALUE',
        'set an option in every Glance of the cloud, or in that of a region',
    ),
    (
        '--keystone-option',
        'NAME:SECTION.KEY=VALUE',
        'set an option in the Keystone of the cloud',
    ),
    (
        '--socket-timeout',
        'NAME:SECONDS',
        "how long the cloud's Glances put up with a silent peer "
        f'(default: {specs.CloudSpec.socket_timeout})',
    ),
    (
        '--glance',
        'NAME:DIRECTORY',
        "the virtual environment that has the cloud's Glance, with pyuwsgi "
        'and psycopg2-binary (default: the one of this Python)',
    ),
    (
        '--file',
        'NAME:FILE',
        "a file that the cloud's Glances find beside their configuration, as "
        'schema-image.json',
    ),
    (
        '--store',
        'NAME:KIND',
        "what the cloud's Glances keep images in by default: file, ceph, s3 "
        '(of a Ceph) or swift (default: file)',
    ),
)


class _Stopped(BaseException):
    """A signal asks for the end.

    :param number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def main() -> int:
    """Run a sandbox and return the exit code."""
    logging.basicConfig(format='%(message)s', stream=sys.stderr)
    logging.getLogger('osc_glance_replicate.sandbox').setLevel(logging.INFO)
    for number in _SIGNALS:
        signal.signal(number, _stop)
    try:
        clouds, command = _parse(sys.argv[1:])
        installed.check()
        return _run(clouds, command)
    except errors.SandboxError as error:
        print(error, file=sys.stderr)
        return 1
    except _Stopped as stopped:
        return 128 + stopped.number


def _stop(number: int, frame: object) -> typing.NoReturn:
    # Once is enough: what follows is the clean-up.
    for other in _SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    raise _Stopped(number)


def _parse(
    arguments: Sequence[str],
) -> tuple[list[specs.CloudSpec], Sequence[str]]:
    command: Sequence[str] = ()
    if '--' in arguments:
        end = arguments.index('--')
        arguments, command = arguments[:end], arguments[end + 1 :]
    parser = argparse.ArgumentParser(
        prog='python -m osc_glance_replicate.sandbox',
        usage='%(prog)s [options] [-- COMMAND [ARGS ...]]',
        description='Run real Keystones and Glances on this machine, until '
        'COMMAND or Ctrl-C ends them.',
    )
    for option, metavar, text in _OPTIONS:
        parser.add_argument(
            option,
            action='append',
            default=[],
            metavar=metavar,
            help=f'{text}; repeats',
        )
    options = parser.parse_args(arguments)
    try:
        return _specs(options), command
    except errors.SandboxError as error:
        parser.error(str(error))


def _specs(options: argparse.Namespace) -> list[specs.CloudSpec]:
    clouds = []
    glance_options = _settings(options.option, '[:REGION]')
    keystone_options = _settings(options.keystone_option)
    timeouts = _timeouts(options.socket_timeout)
    installations = _installations(options.glance)
    files = _files(options.file)
    kinds = _stores(options.store)
    for value in options.cloud or _DEFAULT_CLOUDS:
        name, colon, regions = value.partition(':')
        spec = specs.CloudSpec(
            name,
            tuple(regions.split(',')) if colon else specs.CloudSpec.regions,
            tls=name in options.tls,
            glance_options=glance_options.get(name, {}),
            keystone_options=keystone_options.get(name, {}),
            region_options={
                region: given
                for where, given in glance_options.items()
                for cloud, _, region in [where.partition(':')]
                if cloud == name and region
            },
            socket_timeout=timeouts.get(name, specs.CloudSpec.socket_timeout),
            glance=installations.get(name),
            files=tuple(files.get(name, ())),
            store=kinds.get(name, stores.FILES),
        )
        clouds.append(spec)
    named = {
        *options.tls,
        *(where.partition(':')[0] for where in glance_options),
        *keystone_options,
        *timeouts,
        *installations,
        *files,
        *kinds,
    }
    if unknown := named - {spec.name for spec in clouds}:
        raise errors.SandboxError(f'No such cloud: {", ".join(unknown)}')
    return clouds


def _settings(
    values: Sequence[str], more: str = ''
) -> dict[str, dict[str, dict[str, str]]]:
    clouds: dict[str, dict[str, dict[str, str]]] = {}
    for value in values:
        path, equals, setting = value.partition('=')
        where, colon, option = path.rpartition(':')
        section, dot, key = option.partition('.')
        if not (colon and equals and dot):
            raise errors.SandboxError(
                f'Not NAME{more}:SECTION.KEY=VALUE: {value}'
            )
        clouds.setdefault(where, {}).setdefault(section, {})[key] = setting
    return clouds


def _timeouts(values: Sequence[str]) -> dict[str, int]:
    clouds = {}
    for value in values:
        name, _, seconds = value.partition(':')
        if not seconds.isascii() or not seconds.isdecimal():
            raise errors.SandboxError(f'Not NAME:SECONDS: {value}')
        clouds[name] = int(seconds)
    return clouds


def _installations(values: Sequence[str]) -> dict[str, pathlib.Path]:
    clouds = {}
    for value in values:
        name, colon, path = value.partition(':')
        if not colon:
            raise errors.SandboxError(f'Not NAME:DIRECTORY: {value}')
        clouds[name] = pathlib.Path(path).absolute()
    return clouds


def _files(values: Sequence[str]) -> dict[str, list[pathlib.Path]]:
    clouds: dict[str, list[pathlib.Path]] = {}
    for value in values:
        name, colon, path = value.partition(':')
        if not colon or not pathlib.Path(path).is_file():
            raise errors.SandboxError(f'Not NAME:FILE: {value}')
        clouds.setdefault(name, []).append(pathlib.Path(path))
    return clouds


def _stores(values: Sequence[str]) -> dict[str, str]:
    clouds = {}
    for value in values:
        name, _, kind = value.partition(':')
        if kind not in stores.KINDS:
            raise errors.SandboxError(
                f'Not NAME:KIND: {value} (kinds: {", ".join(stores.KINDS)})'
            )
        clouds[name] = kind
    return clouds


def _run(clouds: Sequence[specs.CloudSpec], command: Sequence[str]) -> int:
    # Not importable without the extra.
    from osc_glance_replicate.sandbox import fixture

    with fixture.Sandbox(clouds) as sandbox:
        if command:
            return _run_command(command, sandbox)
        print(_how_to(sandbox), end='', flush=True)
        while True:
            signal.pause()


def _run_command(command: Sequence[str], sandbox: 'fixture.Sandbox') -> int:
    try:
        running = subprocess.Popen(  # noqa: S603
            command, env=_environment(sandbox)
        )
    except OSError as error:
        print(f'{command[0]}: {error.strerror}', file=sys.stderr)
        return _NOT_FOUND
    try:
        code = running.wait()
    except _Stopped as stopped:
        # Ctrl-C has reached the command already, the others have not.
        if stopped.number != signal.SIGINT:
            running.send_signal(stopped.number)
        try:
            running.wait(_GRACE)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()
        raise
    return code if code >= 0 else 128 - code


def _environment(sandbox: 'fixture.Sandbox') -> Mapping[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith('OS_')
    }
    # A sandbox that was started by the command of another comes last.
    directories = [os.environ.get(_DIRECTORIES), str(sandbox.directory)]
    return {
        **kept,
        'OS_CLIENT_CONFIG_FILE': str(sandbox.clouds_yaml),
        _DIRECTORIES: os.pathsep.join(filter(None, directories)),
    }


def _how_to(sandbox: 'fixture.Sandbox') -> str:
    lines = [
        f'{name:20} {description}'
        for started in sandbox.clouds.values()
        for name, description in started.descriptions().items()
    ]
    return _HOW_TO.format(
        clouds_yaml=sandbox.clouds_yaml,
        clouds='\n'.join(lines),
        first=next(iter(sandbox.clouds)),
        directory=sandbox.directory,
    )


if __name__ == '__main__':
    sys.exit(main())
