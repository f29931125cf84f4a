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

"""A Keystone that notes every token before anyone is given it.

Nothing imports this module: uWSGI loads it by its path.
"""

from collections.abc import Callable, Iterable
import os
from typing import Any

from keystone.wsgi import api

# Each process adds whole lines at the end.
_NOTES = os.open(
    os.environ['OSC_GLANCE_REPLICATE_TOKENS'],
    os.O_WRONLY | os.O_APPEND | os.O_CREAT,
    mode=0o600,
)


def application(
    environ: dict[str, Any], start_response: Callable[..., Any]
) -> Iterable[bytes]:
    """Answer as Keystone does.

    :param environ: the request, as PEP 3333 has it.
    :param start_response: takes the status and the headers.
    """

    def note(
        status: str, headers: list[tuple[str, str]], *error: object
    ) -> Any:
        token = dict(headers).get('X-Subject-Token')
        # With another status it is one that was issued before.
        if token and status.startswith('201'):
            os.write(_NOTES, f'{token}\n'.encode())
        return start_response(status, headers, *error)

    answer: Iterable[bytes] = api.application(environ, note)
    return answer
