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

"""Real Keystone and Glance clouds on this machine, from PyPI alone.

For a first try and for the functional tests. Needs the extra `sandbox`.
"""

import typing

from osc_glance_replicate.sandbox.errors import SandboxError
from osc_glance_replicate.sandbox.specs import CloudSpec

if typing.TYPE_CHECKING:
    from osc_glance_replicate.sandbox.fixture import load
    from osc_glance_replicate.sandbox.fixture import Sandbox

__all__ = ['CloudSpec', 'Sandbox', 'SandboxError', 'load']


def __getattr__(name: str) -> object:
    # Not before it is asked for: without the extra the import fails, and
    # __main__ has to get as far as to say what to install.
    if name not in ('Sandbox', 'load'):
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    from osc_glance_replicate.sandbox import fixture

    return getattr(fixture, name)
