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

"""What can go wrong, as exceptions that are each one line to a person.

::

    ReplicateError
    ├── CloudError      a cloud cannot be used at all
    ├── LostError       a cloud could be used until now
    ├── UsageError      the command line says what nobody means
    ├── SelectionError  what was asked for cannot be found or understood
    │   └── NoImageError  an image that was named
    └── PlaceError      one request to a place failed; says which place
        ├── TransientError  another try may well succeed
        │   ├── SilentError nothing has come in time
        │   ├── BusyError   someone else is uploading the image
        │   ├── EndedError  the bytes have ended too early
        │   └── DroppedError  the other destinations could not wait
        ├── RefusedError    the place will not have it, however often asked
        ├── TakenError      the UUID is in use there
        ├── UnreadableError  the record of one image cannot be had
        │   ├── OtherCaseError  it takes two UUIDs in other letters for one
        │   └── TooLongError  an answer has more bytes than are read
        ├── DataError       the bytes are not those that the record promises
        ├── ShortError      the bytes end too early, however often asked for
        └── StoppedError    the run was ended meanwhile
"""

import re


def printable(text: object) -> str:
    """Make a text that a cloud or a file supplied safe for a terminal.

    Control characters, newlines, escape sequences and marks that reorder
    the line are written as Python would write them in a string literal.

    :param text: anything; str() of it is used
    :returns: the text on one line, every character of it printable
    """
    words = str(text)
    if words.isprintable():
        return words
    return ''.join(
        char
        if char.isprintable()
        else char.encode('unicode_escape').decode('ascii')
        for char in words
    )


#: Who logs in, with what password, in a URL.
_USER_INFO = re.compile(r'(?<=://)[^\s/?#\'"<>]*@')


def without_passwords(text: object) -> str:
    """Leave user:password@ out of all URLs of a text.

    :param text: anything; str() of it is used
    """
    return _USER_INFO.sub('', str(text))


#: Characters of a text that says something: more than anybody reads, and all
#: that a whole terminal holds.
MOST = 4000


def shortened(words: str, most: int = MOST) -> str:
    """Cut a text; a long one ends with how long it is."""
    if len(words) <= most:
        return words
    return f'{words[:most]}… ({len(words)} characters)'


def line(text: object, most: int = MOST) -> str:
    """Return what may be told of an error, wherever that is read.

    It is one printable line that somebody can read, without passwords of
    URLs.

    :param text: anything; str() of it is used
    :param most: maximum number of its characters
    """
    # What is cut in the middle of a password would not look like one.
    return printable(shortened(without_passwords(text), most))


#: Where in Python's source OpenSSL has said something.
_PYTHONS_OWN = re.compile(r' ?\(_ssl\.c:\d+\)')

#: How requests quotes urllib3, which quotes Python, and what that has said.
_QUOTED = re.compile(
    r"""\('Connection \w+\.', \w+\((?:\d+, )?(['"])(.{1,200}?)\1\)\)"""
)


def explain(exc: BaseException) -> str:
    """Reduce an exception of the HTTP stack to one line without its wraps.

    keystoneauth quotes requests, which quotes urllib3, which quotes the
    system; what the first and the last say is enough.

    :param exc: any exception
    """
    if len(exc.args) > 1 and isinstance(exc.args[1], Exception):
        # urllib3 gives what it quotes once more.
        exc = exc.args[1]
    words = ' '.join(str(exc).split()) or type(exc).__name__
    words = _QUOTED.sub(r'\2', words)
    head, wrap, _ = words.partition(': HTTP')
    if wrap:
        while inner := exc.__cause__ or exc.__context__:
            exc = inner
        words = f'{head}: {getattr(exc, "strerror", None) or exc}'
    return without_passwords(_PYTHONS_OWN.sub('', words))


def unexpected(exc: BaseException) -> str:
    """Say in one line what went wrong that nobody has provided for.

    :param exc: any exception; many have no words of their own
    """
    if isinstance(exc, MemoryError):
        return (
            'not enough memory: allow more of it (ulimit -v, MemoryMax=), or '
            'run it for fewer images at a time'
        )
    name = f'unexpected {type(exc).__name__}'
    return line(f'{name}: {exc}' if str(exc).strip() else name)


class ReplicateError(Exception):
    """Base of all errors of this plugin.

    The message is one line, as line() makes it: what, where and what to do
    next.
    """

    def __str__(self) -> str:
        return line(super().__str__())


class CloudError(ReplicateError):
    """A cloud cannot be used.

    :param cloud: its name in clouds.yaml
    :param problem: what is wrong with it
    """

    def __init__(self, cloud: str, problem: object) -> None:
        super().__init__(f"Cannot use cloud '{cloud}': {problem}")
        self.place = cloud


class LostError(ReplicateError):
    """A cloud could be used until now.

    :param cloud: its name in clouds.yaml
    :param problem: what is wrong with it
    """

    def __init__(self, cloud: str, problem: object) -> None:
        super().__init__(f"Cannot use cloud '{cloud}' any more: {problem}")


class UsageError(ReplicateError):
    """The command line says what nobody means, and nothing was done."""


class SelectionError(ReplicateError):
    """An image that was asked for is not there or is ambiguous."""


class NoImageError(SelectionError):
    """An image that was named is not there.

    :param name: as it was given
    :param place: name of the source
    """

    def __init__(self, name: str, place: str) -> None:
        super().__init__(f"There is no image '{name}' in {place}")
        self.name = name


class PlaceError(ReplicateError):
    """A place did not do what it was asked.

    :param place: name of the source or the destination
    :param problem: what it answered or failed to do
    :ivar unanswered: whether it gave no usable answer: it refused, was silent
        or broken, or would not know the user after a fresh login
    """

    unanswered = False

    def __init__(self, place: str, problem: object) -> None:
        super().__init__(f'{place}: {problem}')
        self.place = place
        self.problem = problem


class TransientError(PlaceError):
    """A request failed in a way that may be gone in a while.

    :param retry_after: seconds that the place asked to be left alone
    :param status: of its answer, where there was one and that was HTTP
    """

    def __init__(
        self,
        place: str,
        problem: object,
        retry_after: float = 0.0,
        status: int = 0,
    ) -> None:
        super().__init__(place, problem)
        self.retry_after = retry_after
        self.status = status


class SilentError(TransientError):
    """Nothing has come in time."""


class BusyError(TransientError):
    """Someone else is uploading the image."""


class EndedError(TransientError):
    """Bytes have ended too early, which nobody calls a failure."""


class DroppedError(TransientError):
    """A destination was too slow for those that share its source."""


class RefusedError(PlaceError):
    """The place refused a request and would refuse it again.

    :param status: of its answer, where that was HTTP
    """

    def __init__(self, place: str, problem: object, status: int = 0) -> None:
        super().__init__(place, problem)
        self.status = status


class TakenError(PlaceError):
    """The UUID is in use at the destination."""


class UnreadableError(PlaceError):
    """The record of one image cannot be had, which is that image's trouble."""


class OtherCaseError(UnreadableError):
    """The place answers for a UUID with that of an image in other letters."""


class TooLongError(UnreadableError):
    """An answer has more bytes than are read of it."""


class DataError(PlaceError):
    """Bytes are missing, too many or not the ones that were recorded."""


class ShortError(PlaceError):
    """Bytes end too early, and at the same one however often asked for."""


class StoppedError(PlaceError):
    """The run ended before this was done."""
