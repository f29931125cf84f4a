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

"""What a Glance has refused of several changes of one image, and why."""

from collections.abc import Iterator
import contextlib
import http

from osc_glance_replicate import errors
from osc_glance_replicate.places.glance import image_api


class Refusals:
    """What a Glance has refused of several changes, and why."""

    def __init__(self) -> None:
        self._problems: list[str] = []
        self._may_pass = False
        self._kept: list[str] = []

    @contextlib.contextmanager
    def noting(self, what: str, stays: bool = False) -> Iterator[None]:
        """Note a refusal instead of raising it, or an internal error.

        :param what: what it is that may be refused
        :param stays: whether something of the image's is there then that was
            to go
        """
        try:
            yield
        except errors.RefusedError as exc:
            problem = exc.problem
        except errors.TransientError as exc:
            if exc.status != http.HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            problem = exc.problem
            self._may_pass = True
        else:
            return
        self._problems.append(f'{what}: {problem}')
        if stays:
            self._kept.append(what)

    def allow(self, what: str) -> bool:
        """Return whether more may be given: nothing stays that was to go.

        What the image's owner has set would be given with it.

        :param what: what it is that gives more; noted where it may not
        """
        if self._kept:
            kept = ', '.join(self._kept)
            self._problems.append(f'{what}: not while it has {kept}')
        return not self._kept

    def tell(self, api: image_api.ImageApi, remark: str = '') -> None:
        """Raise what was noted, if anything was.

        :param remark: added to it
        :raises TransientError: some of it may be heeded another time
        :raises RefusedError: none of it would
        """
        if not self._problems:
            return
        problem = '; '.join([*self._problems, *filter(None, [remark])])
        if self._may_pass:
            raise errors.TransientError(api.name, problem)
        raise errors.RefusedError(api.name, problem)
