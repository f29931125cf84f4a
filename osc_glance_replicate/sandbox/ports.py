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

"""Ports for servers that cannot be handed a socket."""

import socket

from osc_glance_replicate.sandbox import process


def free() -> int:
    """Find a port that nobody listens on, by now."""
    with socket.create_server((process.LOOPBACK, 0)) as taken:
        port: int = taken.getsockname()[1]
    return port
