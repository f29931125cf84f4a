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

from osc_glance_replicate.commands import livecopy
from osc_glance_replicate import errors


class TestCluster(testtools.TestCase):
    def test_dask_is_missing(self):
        missing = mock.patch.dict(sys.modules, {'distributed': None})
        missing.start()
        self.addCleanup(missing.stop)
        command = livecopy.LivecopyImages(mock.Mock(), None)
        command.own_cloud = lambda: self.fail('nobody shall wait for a cloud')
        error = self.assertRaises(
            errors.ReplicateError,
            command.engine,
            command.get_parser('livecopy').parse_args(
                ['--to', 'slave', '--scheduler', 'tls://host:8786']
            ),
        )
        self.assertIn("pip install 'osc-glance-replicate[dask]'", str(error))
