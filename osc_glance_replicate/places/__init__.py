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
from typing import Protocol

from osc_glance_replicate import clouds
from osc_glance_replicate import errors
from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import image_selection
from osc_glance_replicate.model import plan


class Data(Protocol):
    """An image's bytes, read one after the other.

    :ivar unwanted: number of bytes that come before those asked for
    :ivar prompt: whether a read gives data, or breaks, within the time that a
        peer may be silent, and the end at once
    """

    unwanted: int
    prompt: bool

    def read(self, most: int) -> bytes:
        """Return what has arrived, as soon as anything has.

        :param most: maximum number of bytes
        :returns: b'' at the end
        :raises PlaceError: the source broke
        """

    def fileno(self) -> int | None:
        """Return the descriptor that is ready when a read would not wait.

        :returns: None where no descriptor shows it
        """

    def interrupt(self) -> None:
        """End a read that waits in another thread soon, if possible."""


class Body(clouds.Upload, Protocol):
    """An image's bytes, to be sent once; its length is known beforehand.

    :ivar digests: their hashes, by algorithm; none before their end
    """

    @property
    def digests(self) -> Mapping[str, str]: ...

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[bytes | memoryview]: ...


#: Lets a staged replica get its data from the source, and waits for it.
Fetch = Callable[[image_record.Image], None]


class Place(Protocol):
    """Either end of a replication.

    All methods raise errors.PlaceError, whose message names the place.

    :ivar name: what messages call it
    :ivar dates: whether the place itself sets ``created_at``, so that equal
        dates show two places to be one and the same
    """

    name: str
    dates: bool

    def images(
        self, selection: image_selection.Selection | None = None
    ) -> Iterator[image_record.Image]:
        """Yield all images, hidden ones too, in ascending order of their IDs.

        Those with capital letters come last (see image_record.rank).

        :param selection: images that do not match it may be left out
        """

    def find(self, image_id: str) -> image_record.Image | None:
        """Return the image with this ID, or None where it cannot be seen."""

    def members(self, image: image_record.Image) -> Mapping[str, str] | None:
        """Return the members of a shared image: project ID → status.

        :returns: None where the place does not know them
        """


class NamingPlace(Place, Protocol):
    """A place that images are selected from."""

    def named(self, name: str) -> Sequence[image_record.Image]:
        """Return the images with this name."""


class Readable(Place, Protocol):
    """A place whose images have data to read."""

    def read(
        self, image: image_record.Image, start: int = 0
    ) -> contextlib.AbstractContextManager[Data]:
        """Open an image's data.

        :param start: number of bytes to leave out; fewer than there are
        :raises DataError: there is none, though the record promises some
        """


class Source(NamingPlace, Readable, Protocol):
    """Where images come from."""


class Destination(Readable, Protocol):
    """Where replicas go.

    A new replica is staged, written and published, in this order, and is
    visible to nobody but the runner before it is published. A destination
    that inherits from this class takes any data as it comes, keeps nothing of
    an interrupted write, and has nothing to stage or to publish.

    :ivar inspects: whether it may refuse data whose format is not the one
        in the record
    :ivar imports: whether it processes the data by itself; its bytes can
        only be verified afterwards then: a Glance may convert them
        (see fact-import-converts)
    :ivar fetch: how it gets data by itself; None where data has to be written
    :ivar answered_at: when it last gave a usable answer, as of time.monotonic
    """

    # The methods that return something here may be left out by a subclass.
    inspects: bool = False
    imports: bool = False
    fetch: Fetch | None = None
    answered_at: float = 0.0

    def greet(self) -> None:
        """Find out whether it answers.

        :raises PlaceError: it gives no usable answer
        """
        return

    def read(
        self, image: image_record.Image, start: int = 0
    ) -> contextlib.AbstractContextManager[Data]:
        """Open a replica's data."""
        raise errors.RefusedError(self.name, 'nothing is read there')

    def kept(
        self, image: image_record.Image
    ) -> contextlib.AbstractContextManager[tuple[Data | None, int]]:
        """Open the data that an interrupted write has left.

        :returns: the data, and its number of bytes; None and 0 where nothing
            is kept
        """
        return contextlib.nullcontext((None, 0))

    def to_hash(self, image: image_record.Image) -> Collection[str]:
        """Return by which hashes it can be told whether data has arrived.

        One of them is enough.

        :returns: algorithms; none where the recorded hashes tell, or nothing
            does
        """
        return ()

    def stage(self, action: plan.Action) -> None:
        """Create a private record without data, or complete one.

        Also find out, where possible, whether the replica may be published
        later.

        :raises TakenError: the ID is in use
        :raises RefusedError: the record as it should be is not accepted
        """
        return

    def write(self, image: image_record.Image, body: Body) -> None:
        """Write the data of a staged replica, from the start.

        What is kept of it, see :meth:`kept`, is open meanwhile.

        Errors raised by the body itself are passed through, which only our
        own are: see fact-body-errors.
        """

    def importer(self, image: image_record.Image) -> Fetch | None:
        """Return what makes a replica of data that was written.

        :returns: None where nothing has to be done for it
        """
        return None

    def publish(
        self, action: plan.Action, verified: image_record.Image
    ) -> None:
        """Set the owner, visibility and the like of a verified replica.

        :param verified: the replica, as it was when it was
        :raises RefusedError: it is not any more, and private again
        """
        return

    def update(self, action: plan.Action) -> None:
        """Make the changes of an action to its replica.

        :raises RefusedError: names the fields that did not change; the
            others did
        :raises TransientError: likewise, where another try may succeed
        """

    def adopt(self, action: plan.Action) -> image_record.Image:
        """Make another's image the runner's own, private and unprotected.

        Its members are removed.

        :returns: the image as it is then
        :raises RefusedError: this user may not, or nothing is another's there
        """
        raise errors.RefusedError(self.name, 'nothing there is of another')

    def quarantine(self, image: image_record.Image) -> None:
        """Keep a replica whose bytes proved wrong from being used.

        :raises RefusedError: this user may not
        """
