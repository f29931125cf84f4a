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

"""What a user may do with any new image, asked once of each kind."""

from collections.abc import Callable, Hashable
import threading

#: Seconds that one waits for the answer that another has asked for.
_PATIENCE = 1.0

#: Kinds that are remembered, at the most: each owner makes one.
_MAX_KINDS = 1000


class Permissions:
    """Remembers what was allowed, and nothing that was not.

    A refusal may be one of an image, so that the next one asks again.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: Kinds that were asked for; set when there is an answer.
        self._asked: dict[Hashable, threading.Event] = {}
        self._granted: set[Hashable] = set()

    def require(self, kind: Hashable, ask: Callable[[], object]) -> None:
        """Ask for a permission, unless it is known that there is one.

        Several threads may ask for the same at a time; they wait for the
        first of them, but not for long: it may be met with silence.

        :param kind: what is asked for
        :param ask: raises where it is not given
        """
        with self._lock:
            is_first = kind not in self._asked
            if is_first and len(self._asked) >= _MAX_KINDS:
                self._granted.clear()
                self._asked.clear()
            answered = self._asked.setdefault(kind, threading.Event())
        if not is_first:
            answered.wait(_PATIENCE)
            if kind in self._granted:
                return
        try:
            ask()
            with self._lock:
                self._granted.add(kind)
        finally:
            answered.set()

    def forget(self) -> None:
        """Have all asked for again: something was refused when it was used."""
        with self._lock:
            self._granted.clear()
            self._asked.clear()
