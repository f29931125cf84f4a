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

"""What images are read from and written to: a cloud, or a directory."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
import contextlib
from typing import Any, Protocol

from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import image_selection
from osc_glance_replicate.model import plan


class Readable(Protocol):
    """Bytes that are read one after the other."""

    def read(self, most: int) -> bytes:
        """Give what has arrived, as soon as anything has.

        :param most: number of bytes at the most
        :returns: b'' at the end
        :raises PlaceError: the source broke
        """

    def rewind(self) -> None:
        """Start again.

        :raises io.UnsupportedOperation: it cannot be given twice
        """

    def interrupt(self) -> None:
        """Let a read that waits in another thread end soon, if it can."""


class Data(Readable, Protocol):
    """An image's bytes, being read.

    :ivar unwanted: number of bytes that come before those asked for
    """

    unwanted: int

    def fileno(self) -> int | None:
        """Give the descriptor that is ready when a read would not wait.

        :returns: None where there is none that tells
        """


class OpenData(Readable, contextlib.AbstractContextManager[Any], Protocol):
    """Data that wants to be closed."""

    @property
    def watched(self) -> bool:
        """Whether ``arrived`` can tell."""

    def arrived(self, most: int) -> bytes | None:
        """Give what has arrived, without waiting for more than a moment.

        What breaks is left to ``read``, which mends it.

        :param most: number of bytes at the most
        :returns: None where ``read`` may have to wait
        """

    def nudge(self) -> None:
        """Break off a read that waits in another thread; go on then."""


class Nothing:
    """No data."""

    unwanted = 0

    def read(self, most: int) -> bytes:
        """Give none."""
        return b''

    def fileno(self) -> None:
        """Tell that nothing can be waited for."""

    def rewind(self) -> None:
        """Do nothing."""

    def interrupt(self) -> None:
        """Do nothing."""


class Body(Protocol):
    """An image's bytes, to be sent: as long as it says, and only once."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[bytes | memoryview]: ...


#: Lets a staged replica get its data from the source, and waits for it.
Fetch = Callable[[image_record.Image], None]


class Place(Protocol):
    """Either end of a replication.

    All methods raise errors.PlaceError, whose message names the place.
    """

    name: str

    #: Whether it dates its records itself, so that equal dates at two places
    #: show them to be one.
    dates: bool

    def images(
        self, selection: image_selection.Selection | None = None
    ) -> Iterator[image_record.Image]:
        """Give all images, hidden ones too, in ascending order of their IDs.

        :param selection: images that it does not match may be left out
        """

    def find(self, image_id: str) -> image_record.Image | None:
        """Give the image of this ID, or None where it cannot be seen."""

    def members(self, image: image_record.Image) -> Mapping[str, str] | None:
        """Give the members of a shared image: project ID → status.

        :returns: None where the place does not know
        """


class Source(Place, Protocol):
    """Where images come from."""

    def named(self, name: str) -> Sequence[image_record.Image]:
        """Give the images that bear this name."""

    def read(
        self, image: image_record.Image, start: int = 0
    ) -> contextlib.AbstractContextManager[Data]:
        """Open an image's data.

        :param start: number of bytes to leave out; fewer than there are
        :raises DataError: there is none, though the record promises some
        """


class Destination(Place, Protocol):
    """Where replicas go.

    A new replica is staged, written and published, in this order, and
    nobody but the runner sees it before it is published.
    """

    #: Whether it may refuse data that is not of the format that its record
    #: says.
    inspects: bool

    @property
    def imports(self) -> bool:
        """Whether it does something of its own to the data.

        Its bytes can only be checked afterwards then.
        """

    @property
    def fetch(self) -> Fetch | None:
        """How it gets data by itself; None where that has to be written."""

    @property
    def formats(self) -> Mapping[str, Collection[str]]:
        """The values that it takes for disk_format and container_format.

        A field where it takes anything, or does not say, is missing.
        """

    def stage(self, action: plan.Action) -> None:
        """Make a private record without data, or complete one that is there.

        Also finds out, where that can be asked, whether the replica may be
        published later.

        :raises TakenError: the ID is in use
        :raises RefusedError: the record as it should be is not accepted
        """

    def kept(
        self, image: image_record.Image
    ) -> contextlib.AbstractContextManager[tuple[Data, int]]:
        """Open the data that an interrupted write has left.

        :returns: the data, and the number of bytes, 0 where nothing is kept
        """

    def write(self, image: image_record.Image, body: Body) -> None:
        """Write the data of a staged replica, from the start.

        Errors raised by the body itself are passed through.
        """

    def publish(self, action: plan.Action) -> None:
        """Give a verified replica its owner, visibility and the like."""

    def update(self, action: plan.Action) -> None:
        """Make the changes of an action to its replica.

        :raises RefusedError: names the fields that did not change; the
            others did
        """

    def quarantine(self, image: image_record.Image) -> None:
        """Keep a replica whose bytes proved wrong from being used.

        :raises RefusedError: this user may not
        """
