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

import re

from osc_glance_replicate import errors

#: How often the same has to be answered until it is what will be answered.
_ENOUGH = 2

#: What a Glance answers to what its authors did not expect.
_INTERNAL_ERROR = 500

#: What a service answers that has too much to do.
_TOO_MANY = 429

#: What differs in the words of one and the same trouble.
_CHANGING = re.compile(r' \(req-[^)]*\)|\d+')

#: What is told of an upload that is answered 500 each time
#: (see fact-left-object).
_LEFT_OBJECT = (
    'its store probably holds an object of this ID, left by a Glance that '
    'died: have it removed there (Ceph: rbd rm POOL/ID), then run again'
)


class Troubles:
    """What has gone wrong with one image so far."""

    def __init__(self) -> None:
        #: By what is the same in its words: the words, and how often.
        self._met: dict[str, tuple[str, int]] = {}
        #: How the latest uploads were answered, as long as that is the same.
        self._answer: tuple[int, bool, str] | None = None
        self._same = 0

    def add(self, trouble: errors.TransientError) -> None:
        """Note what a try has failed with."""
        if isinstance(trouble, errors.BusyError | errors.DroppedError):
            return
        words = str(trouble)
        _, count = self._met.get(_alike(words), ('', 0))
        self._met[_alike(words)] = words, count + 1

    def add_upload(self, trouble: errors.TransientError, whole: bool) -> None:
        """Note how an upload was answered, or that it was not.

        :param whole: whether all data had been taken before
        """
        # What stands in for the service, or is overloaded, may be well soon.
        passes = trouble.unanswered or trouble.status == _TOO_MANY
        answer = trouble.status, whole and not passes, _alike(str(trouble))
        self._same = self._same + 1 if answer == self._answer else 1
        self._answer = answer

    @property
    def are_final(self) -> bool:
        """Whether another upload would be answered as the others were.

        All data has been sent for each of these answers.
        """
        if not self._answer or self._same < _ENOUGH:
            return False
        status, is_last_word, _ = self._answer
        return bool(status) and is_last_word

    def told(self, last: Exception) -> str:
        """Return what is told of an image that has failed.

        :param last: what it has failed with
        """
        _, count = self._met.get(_alike(str(last)), ('', 1))
        self._met[_alike(str(last))] = str(last), count
        several = len(self._met) > 1
        told = '; then '.join(
            f'{words} ({count} times)' if several and count > 1 else words
            for words, count in self._met.values()
        )
        if not self._answer or self._same < _ENOUGH:
            return told
        refused = self._answer[0] == _INTERNAL_ERROR
        return f'{told}; {_LEFT_OBJECT}' if refused else told


def _alike(words: str) -> str:
    """Return what is the same in the words of one and the same trouble."""
    return _CHANGING.sub('', words)
