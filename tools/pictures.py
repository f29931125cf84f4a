#!/usr/bin/env python3
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

"""Make the pictures of README and the documentation, from a real run.

It takes two minutes, in a sandbox, and needs Debian's tmux and chromium::

    tox run -e pictures

Fourteen images go from one cloud to three. One of these goes down on the way
and comes back, and the data of one image is damaged.
"""

from collections.abc import Iterator
import contextlib
import io
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import links
from rich import console
from rich import terminal_theme
from rich import text

from osc_glance_replicate.sandbox import client

_IMAGES = pathlib.Path(__file__).parents[1] / 'doc' / 'source' / 'images'

#: Of the terminal, in characters.
_WIDTH, _HEIGHT = 96, 32

#: MiB by name.
_SIZES = {
    'almalinux-10': 96,
    'centos-stream-10': 80,
    'cirros-0.6': 20,
    'debian-12': 72,
    'debian-13': 80,
    'fedora-43': 64,
    'fedora-44': 64,
    'flatcar-stable': 48,
    'opensuse-leap-16': 88,
    'rocky-10': 96,
    'talos-1.12': 40,
    'ubuntu-24.04': 56,
    'ubuntu-26.04': 56,
}
_DAMAGED = 'windows-server-2025'

_NORTH, _SOUTH, _WEST = 'north', 'south', 'west'

#: Bytes per second: of a connection to the source, and of all to a region.
_SOURCE = 9e6
_SHARES = {_NORTH: 40e6, _SOUTH: 24e6, _WEST: 30e6}

#: Seconds after the start of the command.
_DOWN, _BACK, _LIMIT = 12, 35, 300

_COMMAND = (
    'openstack --os-cloud master image replicate livecopy '
    '--to north --to south --to west --report run.html'
)

_FONTS = re.compile(r'@font-face \{.*?\}', re.DOTALL)

_THEMES = {
    'light': terminal_theme.DEFAULT_TERMINAL_THEME,
    'dark': terminal_theme.SVG_EXPORT_THEME,
}

_DARK = '@media (prefers-color-scheme: dark)'


class Terminal:
    """A terminal that a person could sit at.

    :param directory: that its shell is in
    :param environment: variables of its shell, as NAME=value
    """

    def __init__(self, directory: str, environment: list[str]) -> None:
        self._tmux = 'tmux', '-u', '-L', pathlib.Path(directory).name
        self._environment = environment
        self._directory = directory

    def __enter__(self) -> 'Terminal':
        self._run(
            '-f', '/dev/null', 'new-session', '-d', '-x', str(_WIDTH),
            '-y', str(_HEIGHT), '-c', self._directory,
            'env', *self._environment, 'PS1=$ ', 'COLORTERM=truecolor',
            'sh', '-i',
        )  # fmt: skip
        # Else it is the last line of what is seen.
        self._run('set-option', 'status', 'off')
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._run('kill-server')

    def type(self, line: str) -> None:
        """Type a line, and the return key."""
        self._run('send-keys', '-l', line)
        self._run('send-keys', 'Enter')

    def screen(self) -> str:
        """Return what is seen, with its colours."""
        return self._run('capture-pane', '-p', '-e')

    def _run(self, *arguments: str) -> str:
        return subprocess.run(  # noqa: S603
            [*self._tmux, *arguments],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout


def main() -> int:
    master = client.Cloud('master')
    regions = {
        name: client.Cloud(f'fan:{name}') for name in (_NORTH, _SOUTH, _WEST)
    }
    for cloud in master, *regions.values():
        cloud.wipe()
    for name, size in _SIZES.items():
        master.create(client.Mebibytes(size), name=name, visibility='public')
    damaged = master.create(client.Mebibytes(2), name=_DAMAGED)
    master.stored(damaged.id).write_bytes(bytes(2 * 1024**2))
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        screen = _run(directory, master, regions)
        _IMAGES.mkdir(exist_ok=True)
        _picture_display(screen)
        _picture_page(directory)
    return 0


def _run(
    directory: pathlib.Path,
    master: client.Cloud,
    regions: dict[str, client.Cloud],
) -> str:
    """Copy; return what the terminal showed while a region was down."""
    with contextlib.ExitStack() as stack:
        opened = {
            f'fan:{name}': stack.enter_context(links.Link(cloud.glance.url))
            for name, cloud in regions.items()
        }
        for name, share in _SHARES.items():
            opened[f'fan:{name}'].share(share)
        opened['master'] = stack.enter_context(
            links.Link(master.glance.url, _SOURCE)
        )
        _, *environment, _ = links.openstack(directory, opened)
        terminal = stack.enter_context(Terminal(str(directory), environment))
        terminal.type(_COMMAND)
        west = opened[f'fan:{_WEST}']
        screens = []
        for second in _seconds():
            if second == _DOWN:
                west.refuse()
            elif second == _BACK:
                west.serve()
                west.share(_SHARES[_WEST])
            screens.append(terminal.screen())
            if (directory / 'run.html').exists():
                break
        else:
            raise SystemExit(f'it does not end:\n{screens[-1]}')
    return max(screens, key=_worth)


def _seconds() -> Iterator[int]:
    for second in range(_LIMIT):
        yield second
        time.sleep(1)


def _worth(screen: str) -> tuple[bool, int]:
    """Say how much is seen: a region that is down, and many transfers."""
    plain = text.Text.from_ansi(screen).plain
    return 'west is down' in plain, len(re.findall(r'MB/s', plain))


def _picture_display(screen: str) -> None:
    for name, theme in _THEMES.items():
        recorder = console.Console(
            record=True,
            width=_WIDTH,
            file=io.StringIO(),
            color_system='truecolor',
            force_terminal=True,
        )
        recorder.print(text.Text.from_ansi(screen.rstrip()))
        picture = recorder.export_svg(title='openstack', theme=theme)
        # The reader's own fonts do, and nothing is fetched.
        picture = _FONTS.sub('', picture)
        (_IMAGES / f'display-{name}.svg').write_text(picture)


def _picture_page(directory: pathlib.Path) -> None:
    page = (directory / 'run.html').read_text()
    if _DARK not in page:
        raise SystemExit('the page has no dark form')
    for name, written in (
        ('light', page),
        ('dark', page.replace(_DARK, '@media all')),
    ):
        copy = directory / f'{name}.html'
        copy.write_text(written)
        subprocess.run(  # noqa: S603
            [  # noqa: S607
                'chromium', '--headless', '--no-sandbox', '--disable-gpu',
                '--hide-scrollbars', '--window-size=1000,1430',
                f'--screenshot={_IMAGES}/page-{name}.png', copy.as_uri(),
            ],
            check=True,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip


if __name__ == '__main__':
    sys.exit(main())
