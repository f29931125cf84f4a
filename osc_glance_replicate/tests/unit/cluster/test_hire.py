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

import sys
from unittest import mock

import testtools

from osc_glance_replicate.cluster import hire
from osc_glance_replicate import errors


class TestFromScheduler(testtools.TestCase):
    def test_what_to_install_is_said_first(self):
        missing = mock.patch.dict(sys.modules, {'distributed': None})
        missing.start()
        self.addCleanup(missing.stop)
        error = self.assertRaises(
            errors.ReplicateError,
            hire.from_scheduler,
            'tls://host:8786',
        )
        self.assertIn("pip install 'osc-glance-replicate[dask]'", str(error))
