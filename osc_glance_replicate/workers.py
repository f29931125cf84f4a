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

"""Threads that do not keep the process alive."""

from collections.abc import Callable
import concurrent.futures
import threading
from typing import ParamSpec, TypeVar

_Parameters = ParamSpec('_Parameters')
_Result = TypeVar('_Result')


def start(
    function: Callable[_Parameters, _Result],
    *args: _Parameters.args,
    **kwargs: _Parameters.kwargs,
) -> concurrent.futures.Future[_Result]:
    """Call a function in a thread of its own.

    The interpreter waits at its end for the threads of a ThreadPoolExecutor,
    and so does a user who has pressed Ctrl-C while one of them waits for a
    server that does not answer. It does not wait for this one.
    """
    future: concurrent.futures.Future[_Result] = concurrent.futures.Future()

    def work() -> None:
        try:
            future.set_result(function(*args, **kwargs))
        except BaseException as exc:
            future.set_exception(exc)

    threading.Thread(target=work, daemon=True).start()
    return future
