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

"""Clouds seen through a link: late, of a limited rate, counted, and cut."""

from collections.abc import Mapping
import contextlib
import json
import math
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

import link_process
import yaml


class Link:
    """A proxy before a Glance.

    :param target: URL of the Glance
    :param rate: bytes per second of each connection, in either direction
    :param latency: seconds that an echo takes
    :ivar url: what to use instead
    """

    def __init__(
        self, target: str, rate: float = math.inf, latency: float = 0.0
    ) -> None:
        self._target = target
        self._rate = rate
        self._latency = latency

    def __enter__(self) -> 'Link':
        with contextlib.ExitStack() as stack:
            # Only a port that was asked for stays bound while it refuses.
            with socket.socket() as reserved:
                reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                reserved.bind(('127.0.0.1', 0))
                address = reserved.getsockname()
                listening = stack.enter_context(
                    socket.create_server(address, backlog=100)
                )
            self.url = 'http://{}:{}'.format(*listening.getsockname())
            self._log = tempfile.NamedTemporaryFile('r')
            self._process = subprocess.Popen(  # noqa: S603
                [
                    sys.executable, link_process.__file__,
                    str(listening.fileno()), self._target,
                    str(self._rate), str(self._latency), self._log.name,
                ],
                pass_fds=[listening.fileno()],
                stdin=subprocess.PIPE,
                text=True,
            )  # fmt: skip
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._process.terminate()
        self._process.communicate()
        self._log.close()

    def refuse(self) -> None:
        """Reset what is connected, and refuse what comes."""
        self._tell('refuse')

    def hold(self) -> None:
        """Pass nothing on, in either direction, and take what comes."""
        self._tell('hold')

    def share(self, rate: float) -> None:
        """Limit what all connections together send.

        :param rate: bytes per second
        """
        self._tell(f'share {rate}')

    def serve(self) -> None:
        """Be as in the beginning again."""
        self._tell('serve')

    def _tell(self, words: str) -> None:
        print(words, file=self._process.stdin, flush=True)

    def calls(self) -> list[link_process.Call]:
        """Give what has ended since the last time, in the order of its end."""
        time.sleep(0.5)  # They are noted when both sides are closed.
        return [link_process.Call(**json.loads(line)) for line in self._log]


def openstack(directory: pathlib.Path, links: Mapping[str, Link]) -> list[str]:
    """Give the start of a command that finds clouds behind their links.

    :param directory: of its own, for the configuration
    :param links: by name of the cloud; those of CLOUD:REGION are entries of
        their own, REGION
    """
    path = pathlib.Path(os.environ['OS_CLIENT_CONFIG_FILE'])
    clouds = yaml.safe_load(path.read_text())['clouds']
    for place, link in links.items():
        name, _, region = place.partition(':')
        if region:
            clouds[region] = {
                **clouds[name],
                'regions': [region],
                'region_name': region,
            }
        clouds[region or name] |= {
            'image_endpoint_override': f'{link.url}/v2',
            'image_api_version': '2',
        }
    changed = directory / 'clouds.yaml'
    changed.touch(mode=0o600)
    changed.write_text(yaml.safe_dump({'clouds': clouds}))
    return ['env', f'OS_CLIENT_CONFIG_FILE={changed}', 'openstack']
