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

"""How the data of images is read in a run."""

from collections.abc import Collection
import dataclasses
import threading

from osc_glance_replicate.model import image_record
from osc_glance_replicate.model import options
from osc_glance_replicate import places
from osc_glance_replicate.transfer import bandwidth
from osc_glance_replicate.transfer import data_verification
from osc_glance_replicate.transfer import read_ahead
from osc_glance_replicate.transfer import resuming_reader
from osc_glance_replicate.transfer import source_data
from osc_glance_replicate.transfer import verified_reader

#: Bytes read at a time, at the most: larger blocks are no faster.
MAX_BLOCK = 1024 * 1024

#: At the least: 16 KiB cost three times the CPU (see fact-block-size).
_MIN_BLOCK = 128 * 1024

#: Bytes that are read at a time by all readings. Each has three such blocks.
_ALL_BLOCKS = 3 * 1024 * 1024


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """How the data of images is read in a run.

    :param source: where it is
    :param retries: how often to open it again where it breaks
    :param checks: what it is held against
    :param limit: of the bytes per second that are read
    :param block: number of bytes to read at a time
    :ivar stop: to be set when the run is to end
    """

    source: places.Readable
    retries: int
    checks: options.Checks = dataclasses.field(default_factory=options.Checks)
    limit: bandwidth.Bandwidth = dataclasses.field(
        default_factory=bandwidth.Bandwidth
    )
    block: int = MAX_BLOCK
    stop: threading.Event = dataclasses.field(default_factory=threading.Event)

    def open(
        self,
        image: image_record.Image,
        inspect: bool,
        to_hash: Collection[str] = (),
        kept: places.Data | None = None,
        start: int = 0,
        renamed: str = '',
    ) -> verified_reader.VerifiedReader:
        """Get ready to read an image's data.

        :param inspect: whether the destination takes nothing but what is of
            the format that the record says
        :param to_hash: algorithms that it is hashed with, besides that of
            the recorded hash
        :param kept: what an interrupted run has left of the data
        :param start: number of bytes that are kept
        :param renamed: the other disk format that the replica is to have
        """
        source = source_data.SourceData(self.source, image)
        part = (kept, start) if kept else None
        data = resuming_reader.ResumingReader(
            source, self.retries, self.limit, part, self.stop
        )
        verification = data_verification.Verification(
            image,
            self.source.name,
            # Nobody knows who has written what was kept.
            checksum=self.checks.checksum or start > 0,
            inspect=inspect and self.checks.formats,
            to_hash=to_hash,
            renamed=renamed,
        )
        # Last, since it may get a thread, which whoever opens has to end.
        ahead = read_ahead.ReadAhead(data, self.block)
        return verified_reader.VerifiedReader(ahead, verification, self.stop)


def fair_block(readings: int) -> int:
    """Return a size of blocks that keeps the memory of a run within bounds.

    :param readings: number of those at a time, at the most: there may be one
        for each destination of each image
    :returns: bytes
    """
    return max(_MIN_BLOCK, min(MAX_BLOCK, _ALL_BLOCKS // readings))
