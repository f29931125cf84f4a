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
import queue
import threading
from typing import ParamSpec, TypeVar

_Parameters = ParamSpec('_Parameters')
_Result = TypeVar('_Result')


class Executor:
    """A thread that makes one call after the other, until it is closed.

    The interpreter waits at its end for the threads of a ThreadPoolExecutor,
    and so does a user who has pressed Ctrl-C while one of them waits for a
    server that does not answer. It does not wait for this one.
    """

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = (
            queue.SimpleQueue()
        )
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        while call := self._calls.get():
            call()

    def submit(
        self,
        function: Callable[_Parameters, _Result],
        *args: _Parameters.args,
        **kwargs: _Parameters.kwargs,
    ) -> concurrent.futures.Future[_Result]:
        """Call a function when all that was started before has ended."""
        future: concurrent.futures.Future[_Result] = (
            concurrent.futures.Future()
        )

        def call() -> None:
            try:
                future.set_result(function(*args, **kwargs))
            except BaseException as exc:
                future.set_exception(exc)

        self._calls.put(call)
        return future

    def close(self) -> None:
        """End the thread when all that was started has ended."""
        self._calls.put(None)


def start(
    function: Callable[_Parameters, _Result],
    *args: _Parameters.args,
    **kwargs: _Parameters.kwargs,
) -> concurrent.futures.Future[_Result]:
    """Call a function in a thread of its own."""
    executor = Executor()
    future = executor.submit(function, *args, **kwargs)
    executor.close()
    return future
