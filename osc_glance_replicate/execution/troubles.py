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

"""What the tries of one image have met, and what that tells."""

import http
import re

from osc_glance_replicate import errors

#: How often the same has to be answered until it is what will be answered.
_ENOUGH = 2

#: What differs in the words of one and the same trouble, but not its status.
_CHANGING = re.compile(r' \(req-[^)]*\)|(?<!\d)(?<!HTTP )\d+')

#: Answers that are about the moment rather than the data: requests come too
#: fast, or a Glance has not heard of the record yet.
_PASSING = frozenset((403, 404, 413, 425, 429, 498))

#: What is told of an upload that is answered 500 each time
#: (see fact-left-object).
_LEFT_OBJECT = (
    'its store probably holds an object of this ID, left by a Glance that '
    'died: unless it is that of another Glance, which shares the store, have '
    'it removed (Ceph: rbd rm POOL/ID), then run again'
)


class Troubles:
    """What has gone wrong with one image so far."""

    def __init__(self) -> None:
        #: By what is the same in its words: the words, and how often.
        self._met: dict[str, tuple[str, int]] = {}
        #: The latest upload's, if it was none that succeeded.
        self._upload: errors.TransientError | None = None
        #: How it was answered after all data, and how often in a row.
        self._answer: tuple[int, str] | None = None
        self._same = 0
        #: How many uploads in a row Glance has had no word for.
        self._refused = 0

    def add(self, trouble: errors.TransientError) -> None:
        """Note what a try has failed with."""
        if isinstance(trouble, errors.BusyError | errors.DroppedError):
            return
        words = str(trouble)
        # What was met last is told last.
        _, count = self._met.pop(_alike(words), ('', 0))
        self._met[_alike(words)] = words, count + 1

    def add_upload(self, trouble: errors.TransientError, whole: bool) -> None:
        """Note how an upload was answered, or that it was not.

        :param whole: whether all data had been taken before
        """
        status = trouble.status
        # What stands in for the service, or is overloaded, may be well soon.
        is_passing = status in _PASSING
        passes = trouble.unanswered or is_passing
        is_last_word = whole and status and not passes
        answer = (status, _alike(str(trouble))) if is_last_word else None
        self._same = self._same + 1 if answer == self._answer else 1
        self._answer = answer
        is_error = status == http.HTTPStatus.INTERNAL_SERVER_ERROR
        self._refused = self._refused + 1 if is_error else 0
        self._upload = trouble

    def forget_uploads(self) -> None:
        """Note that an upload has succeeded."""
        self._upload, self._answer = None, None
        self._same = self._refused = 0

    @property
    def are_final(self) -> bool:
        """Whether another upload would be answered as the others were.

        All data has been sent for each of these answers.
        """
        return self._answer is not None and self._same >= _ENOUGH

    def told(self, last: Exception) -> str:
        """Return what is told of an image that has failed.

        :param last: what it has failed with
        """
        _, count = self._met.pop(_alike(str(last)), ('', 1))
        self._met[_alike(str(last))] = str(last), count
        several = len(self._met) > 1
        told = '; then '.join(
            f'{words} ({count} times)' if several and count > 1 else words
            for words, count in self._met.values()
        )
        is_left = last is self._upload and self._refused >= _ENOUGH
        return f'{told}; {_LEFT_OBJECT}' if is_left else told


def _alike(words: str) -> str:
    """Return what is the same in the words of one and the same trouble."""
    return _CHANGING.sub('', words)
