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

"""Both ends of a copy, whose troubles are made to order."""

import contextlib
import hashlib

from osc_glance_replicate.tests.doubles import samples


class Place:
    """What is read from one is written to the other.

    :param troubles: by method, what its next calls raise; None for nothing
    """

    inspects = True
    imports = False
    fetch = None
    answered_at = 0.0
    #: By which data is hashed that has no hash at its source, and by which
    #: what has arrived is hashed.
    hashed_by = 'sha512', 'md5'
    hashes_by = 'sha512', 'md5'
    #: How many bytes are read at a time.
    piece = 3

    def __init__(self, name, data=b'data', **troubles):
        self.name = name
        self.data = data
        self.images = {}
        self.part = b''
        self.calls = []
        self._troubles = {k: iter(v) for k, v in troubles.items()}

    def _call(self, method):
        self.calls.append(method)
        if trouble := next(self._troubles.get(method, iter(())), None):
            raise trouble

    def find(self, image_id):
        self._call('find')
        return self.images.get(image_id)

    @contextlib.contextmanager
    def read(self, image, start=0):
        self._call('read')
        yield samples.Data(self.data[start:], self.piece)

    def kept(self, image):
        return contextlib.nullcontext(
            (samples.Data(self.part), len(self.part))
        )

    def to_hash(self, image):
        return () if image.digests else self.hashed_by

    def stage(self, action):
        self._call('stage')

    def write(self, image, body):
        written = b''.join(body)
        self.images[image.id] = self.hashed(written)
        self._call('write')

    def hashed(self, data):
        """Return the record of data as this place hashes it."""
        strong, weak = self.hashes_by
        return samples.image(
            data=data,
            os_hash_algo=strong,
            os_hash_value=strong and hashlib.new(strong, data).hexdigest(),
            checksum=weak and hashlib.new(weak, data).hexdigest(),
        )

    def importer(self, image):
        return None

    def publish(self, action, verified):
        self._call('publish')

    def update(self, action):
        self._call('update')

    def quarantine(self, image):
        self._call('quarantine')


class BreakingSource(Place):
    """A source that breaks while it is read.

    :param ends: for each reading: how many bytes it gives, or an error
        instead of any; all there are, where nothing is said
    :param error: raised after those bytes; None to end without a word
    :ivar starts: where each reading has begun
    """

    def __init__(self, data, ends=(), error=None):
        super().__init__('master', data)
        self.starts = []
        self._ends = iter(ends)
        self._error = error

    @contextlib.contextmanager
    def read(self, image, start=0):
        self.starts.append(start)
        end = next(self._ends, None)
        if isinstance(end, Exception):
            raise end
        if end is None:
            yield samples.Data(self.data[start:])
        else:
            yield _Broken(self.data[start : start + end], self._error)


class _Broken(samples.Data):
    def __init__(self, data, error):
        super().__init__(data)
        self._error = error

    def read(self, most):
        if data := super().read(most):
            return data
        if self._error:
            raise self._error
        return b''
