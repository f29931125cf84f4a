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

"""Words for an error that has none: the line of stderr would be empty."""

from collections.abc import Iterator
import contextlib

from osc_glance_replicate import errors


@contextlib.contextmanager
def ensured() -> Iterator[None]:
    """See that whatever ends the run tells something.

    :raises ReplicateError: for an exception that does not
    """
    try:
        yield
    except MemoryError as exc:
        told = errors.unexpected(exc)
        # What has filled the memory would be held, and the line need some.
        exc.__traceback__ = None
    except Exception as exc:
        if str(exc).strip():
            raise
        raise errors.ReplicateError(
            f'{errors.unexpected(exc)}; --debug tells where'
        ) from exc
    else:
        return
    raise errors.ReplicateError(told)
