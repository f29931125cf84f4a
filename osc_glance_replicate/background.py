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

import collections
from collections.abc import Callable
import concurrent.futures
import os
import queue
import threading
from typing import ParamSpec, TypeVar

_Parameters = ParamSpec('_Parameters')
_Result = TypeVar('_Result')

#: Threads that are kept for whoever needs one next, at the most.
_MAX_IDLE = 64


class _Thread:
    """A thread that serves one executor after the other.

    To start one takes as long as half a request.
    """

    def __init__(self) -> None:
        self.calls: queue.SimpleQueue[Callable[[], None] | None] = (
            queue.SimpleQueue()
        )
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        while True:
            while call := self.calls.get():
                call()
                # What it holds is not kept until the next one.
                del call
            if len(_IDLE) >= _MAX_IDLE:
                break
            _IDLE.append(self)


#: What waits for an executor; the latest one is the first to be taken.
_IDLE: collections.deque[_Thread] = collections.deque()

# A child of this process has none of them.
os.register_at_fork(after_in_child=_IDLE.clear)


def _thread() -> _Thread:
    try:
        return _IDLE.pop()
    except IndexError:
        return _Thread()


class Executor:
    """A thread that makes one call after the other, until it is closed.

    The interpreter waits at its end for the threads of a ThreadPoolExecutor,
    and so does a user who has pressed Ctrl-C while one of them waits for a
    server that does not answer. It does not wait for this one.
    """

    def __init__(self) -> None:
        self._calls = _thread().calls

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
        """Have done with the thread when all that was started has ended."""
        self._calls.put(None)


def start(
    function: Callable[_Parameters, _Result],
    *args: _Parameters.args,
    **kwargs: _Parameters.kwargs,
) -> concurrent.futures.Future[_Result]:
    """Call a function in a thread that nobody else uses meanwhile."""
    executor = Executor()
    future = executor.submit(function, *args, **kwargs)
    executor.close()
    return future
